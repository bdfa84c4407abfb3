"""The conversations: what is asked of a host, in which order, and what is made of its replies."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urlencode

import numpy as np

from ninebrains.brains.inference import Floats
from ninebrains.connecting.facts import Facts, Known
from ninebrains.connecting.faults import error_in_place, understood
from ninebrains.connecting.inferences import RemoteInference, RemoteInferences
from ninebrains.connecting.retrying import Patience, asked
from ninebrains.connecting.shrinking import Packed, Size, is_large, needed, opened, pack
from ninebrains.connecting.steps import Call, Reply, Talk, work
from ninebrains.errors import MissingError, NinebrainsError
from ninebrains.images import PhotoSource, Pixels

_MOST_ROUNDS = 4
_Plain = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a photo.

    Attributes:
        brains: names; None for all.
        heatmaps: whether heat maps are wanted.
        features: whether feature vectors are wanted.
        priority: `interactive` or `bulk`.
        keeps_errors: whether a brain that fails is named among the answers.
        shrinks: whether the photo may be made smaller.
        headers: who asks.
    """

    brains: tuple[str, ...] | None
    heatmaps: bool
    features: bool
    priority: str
    keeps_errors: bool
    shrinks: bool
    headers: Mapping[str, bytes]

    @property
    def path(self) -> str:
        """The address of the question."""
        said = {"top": "1", "answers": "true", "encoding": "b64"}
        if self.brains is not None:
            said["brains"] = ",".join(self.brains)
        if self.heatmaps:
            said["heatmap"] = "all"
        if self.features:
            said["features"] = "true"
        if self.priority != "interactive":
            said["priority"] = self.priority
        return f"/infer?{urlencode(said)}"


def infer(
    photo: PhotoSource, question: Question, known: Known, patience: Patience
) -> Talk[RemoteInferences]:
    """The answers on one photo.

    The labels of a version and the size of its input are asked for when it answers for the first
    time. Where it is gone again by then, or needs more of the photo than was sent, because versions
    have just changed, the question is asked again, with the photo made anew from the original.

    Raises:
        NinebrainsError: as `RemoteHost.run`.
    """
    source = photo if isinstance(photo, bytes) else (yield from work(partial(opened, photo)))
    largest = yield from _largest(source, question, known, patience)
    for tries_left in reversed(range(_MOST_ROUNDS)):
        packed = yield from _packed(source, largest)
        headers = {**question.headers, "Content-Type": b"application/octet-stream"}
        call = Call("POST", question.path, headers, packed.content)
        reply = _Told((yield from asked(call, patience)), patience.url)
        try:
            facts = yield from _facts_of(reply, question.headers, known, patience)
        except MissingError:
            if not tries_left:
                raise
            continue
        contracts = [one.contract for one in facts.values()]
        if packed.is_enough(contracts) or not tries_left:
            return _made(reply, facts, packed, question)
        largest = needed(contracts)
    raise AssertionError("unreachable")


def describe(
    wish: str, headers: Mapping[str, bytes], known: Known, patience: Patience
) -> Talk[Facts]:
    """What a brain says about itself.

    Raises:
        NinebrainsError: as `RemoteHost.get`.
    """
    reply = yield from asked(Call("GET", f"/brains/{quote(wish, safe='@')}", headers), patience)
    with _reading(reply, patience.url) as plain:
        facts = Facts.read(plain)
    known.keep(facts, wish)
    return facts


def describe_all(
    headers: Mapping[str, bytes], known: Known, patience: Patience
) -> Talk[tuple[Facts, ...]]:
    """What all brains say about themselves, without their metrics.

    Raises:
        NinebrainsError: as `RemoteHost.names`.
    """
    reply = yield from asked(Call("GET", "/brains", headers), patience)
    with _reading(reply, patience.url) as plain:
        listed = plain["brains"]
        assert isinstance(listed, list)
        found = tuple(Facts.read(one) for one in listed)
    known.keep_all(found)
    return found


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of feedback.

    Attributes:
        is_confirmed: whether it says that the answer was right.
        has_photo: whether the host keeps the photo, to learn from it.
    """

    is_confirmed: bool
    has_photo: bool


def give_feedback(
    said: Mapping[str, object], headers: Mapping[str, bytes], patience: Patience
) -> Talk[Noted]:
    """Tell the host whether an answer was right.

    Raises:
        NinebrainsError: as `RemoteHost.feedback`.
    """
    headers = {**headers, "Content-Type": b"application/json"}
    reply = yield from asked(Call("POST", "/feedback", headers, _json(said)), patience)
    with _reading(reply, patience.url) as plain:
        return Noted(bool(plain["confirmed"]), bool(plain["kept_photo"]))


def _json(said: Mapping[str, object]) -> bytes:
    return json.dumps(said).encode()


@contextmanager
def _reading(reply: Reply, url: str) -> Iterator[_Plain]:
    """The JSON object of a reply; what goes wrong in reading it becomes a HostError."""
    with understood(url):
        plain = json.loads(reply.content)
        assert isinstance(plain, dict), "it is no object"
        yield plain


class _Told:
    """A reply to a question about one photo, taken apart."""

    def __init__(self, reply: Reply, url: str) -> None:
        self.url = url
        with _reading(reply, url) as plain:
            self.request_id = str(plain["request_id"])
            photos = plain["photos"]
            assert isinstance(photos, list)
            (photo,) = photos
            self.brains: dict[str, _Plain] = dict(photo["brains"])
            width, height = photo["photo_size"]
            self.photo_size = (int(width), int(height))
            self.timings = {str(step): float(value) for step, value in photo["timings"].items()}
            self.errors = {
                name: error_in_place(told["error"], url)
                for name, told in self.brains.items()
                if told["error"] is not None
            }
            self.versions = {
                name: (str(told["brain"]), _whole(told["version"]))
                for name, told in self.brains.items()
                if name not in self.errors
            }


def _largest(
    source: bytes | Pixels, question: Question, known: Known, patience: Patience
) -> Talk[Size | None]:
    """(width, height) that those who are asked can use; None where nothing is to be shrunk."""
    if not question.shrinks:
        return None
    if not is_large(source):
        return (0, 0)
    found = known.wished(question.brains)
    if found is None and question.brains is not None and len(question.brains) == 1:
        found = [(yield from describe(question.brains[0], question.headers, known, patience))]
    if found is None:
        yield from describe_all(question.headers, known, patience)
        found = known.wished(question.brains)
    if found is None:  # some are asked for by version
        found = []
        for wish in question.brains or ():
            found.append((yield from describe(wish, question.headers, known, patience)))
    return needed(facts.contract for facts in found)


def _packed(source: bytes | Pixels, largest: Size | None) -> Talk[Packed]:
    if isinstance(source, bytes) and (largest is None or not is_large(source)):
        return pack(source, largest)  # nothing to do that would be worth a thread
    return (yield from work(partial(pack, source, largest)))


def _facts_of(
    reply: _Told, headers: Mapping[str, bytes], known: Known, patience: Patience
) -> Talk[dict[str, Facts]]:
    """The facts of all who answered, by the names that were asked for.

    Raises:
        MissingError: one of them is gone.
    """
    found: dict[str, Facts] = {}
    unknown = [key for key in reply.versions.values() if known.find(*key) is None]
    if len(unknown) > 1:
        yield from describe_all(headers, known, patience)
    for wish, (name, number) in reply.versions.items():
        facts = known.find(name, number)
        if facts is None or not _fits(facts, reply.brains[wish]):
            known.forget(name, number)
            facts = yield from describe(f"{name}@{number}", headers, known, patience)
            if not _fits(facts, reply.brains[wish]):
                raise MissingError(f"{name}@{number} has become another brain while it was asked")
        known.keep(facts, wish)
        found[wish] = facts
    return found


def _fits(facts: Facts, told: _Plain) -> bool:
    """Whether an answer is of the brain that we know, not of a later one of the same number."""
    instances = told.get("instances")
    if not isinstance(instances, list) or not instances:
        return True
    top = instances[0]
    index = top.get("index") if isinstance(top, dict) else None
    if not isinstance(index, int) or not 0 <= index < len(facts.labels):
        return False
    label = facts.labels[index]
    return bool(label.id == top.get("label_id") and label.name == top.get("label"))


def _made(
    reply: _Told, facts: Mapping[str, Facts], packed: Packed, question: Question
) -> RemoteInferences:
    """The answers as objects.

    Raises:
        NinebrainsError: a brain failed and that is to be raised.
        HostError: they are of another form.
    """
    error: NinebrainsError
    if not question.keeps_errors:
        for error in reply.errors.values():
            raise error
    size = packed.full_size or reply.photo_size
    made: dict[str, RemoteInference] = {}
    for wish, one in facts.items():
        with understood(reply.url):
            made[wish] = _inference(reply.brains[wish], one, size, reply.timings)
    return RemoteInferences(made, reply.errors, size, reply.timings, reply.request_id)


def _inference(
    told: _Plain, facts: Facts, photo_size: Size, timings: Mapping[str, float]
) -> RemoteInference:
    heatmap, unfamiliar = told.get("heatmap"), told["unfamiliar"]
    answers = _floats(told["answers"])
    assert answers is not None
    assert len(answers) in (0, len(facts.labels)), "other labels than it says"
    if unfamiliar is not None:
        assert isinstance(unfamiliar, (int, float))
    if heatmap is not None:
        assert isinstance(heatmap, dict)
        heatmap = _floats(heatmap["values"])
        assert heatmap is None or len(heatmap) == len(answers), "heat maps of other labels"
    return RemoteInference(
        brain=f"{facts.name}@{facts.version}",
        answers=answers,
        unfamiliar=None if unfamiliar is None else float(unfamiliar),
        photo_size=photo_size,
        timings=timings,
        contract=facts.contract,
        labels=facts.labels,
        is_measured=facts.task == "regress",
        features=_floats(told.get("features")),
        heatmaps=heatmap,
        prediction_id=str(told["prediction_id"]),
        version=facts.version,
        variant=str(told["variant"]),
    )


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _floats(plain: object) -> Floats | None:
    """Values that travel as base64 of float32: exactly those that the network gave."""
    if plain is None:
        return None
    assert isinstance(plain, dict)
    data = base64.b64decode(plain["float32"], validate=True)
    return np.frombuffer(data, "<f4").reshape(plain["shape"]).astype(np.float32)
