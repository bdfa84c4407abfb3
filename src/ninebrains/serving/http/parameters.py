"""What a request for answers asks for besides its photos: from its address, headers and body."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qsl

from ninebrains.errors import RequestError
from ninebrains.mind.scheduling.tickets import Priority

Heatmap = Literal["top", "all"]
Encoding = Literal["json", "b64"]

MOST_BRAINS = 1_000
MOST_LABELS = 100_000
_MOST_NAME = 120
_MOST_USER = 256
_MOST_CACHED = 500
_HEADERS = {b"x-user-key": "user", b"x-consent": "consent", b"x-deadline-ms": "deadline_ms"}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a request asks for.

    Attributes:
        brains: names, `name@number` or `name@alias`; None for all.
        top: at most that many labels of each brain; None for all.
        threshold: only labels whose score reaches it.
        heatmap: where the evidence lies for the `top` label or for `all`; None: do not say.
        features: say the feature vectors.
        answers: say what the network gave for each label, by index.
        deadline_ms: fail if there is no answer by then; None: as the host is set.
        priority: `interactive` goes before `bulk`.
        user: the key of a user, or "".
        consent: whether the photo may be kept.
        encoding: of features, answers and heat maps: numbers, or base64 of float32 in little
            endian.
    """

    brains: tuple[str, ...] | None = None
    top: int | None = 5
    threshold: float = 0.0
    heatmap: Heatmap | None = None
    features: bool = False
    answers: bool = False
    deadline_ms: float | None = None
    priority: Priority = "interactive"
    user: str = ""
    consent: bool = False
    encoding: Encoding = "json"


def read_parameters(
    query: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    fields: Mapping[str, object],
    longest_ms: float,
) -> Parameters:
    """What a request asks for; each thing may be said in one place only.

    Args:
        query: the part of the address after the question mark.
        headers: of the request, names in lower case.
        fields: of the form (texts) or of the JSON object (values).
        longest_ms: the longest deadline that may be named.

    Raises:
        RequestError: an unknown parameter, one said twice, or a value that makes no sense.
    """
    said = _of_headers(headers)
    if not said and not fields:
        return _of_query(query, longest_ms) if query else _NOTHING
    for source in (_texts(query), fields):
        for name, value in source.items():
            if name in said:
                raise _twice(name)
            said[name] = value
    return _read(said, longest_ms)


_NOTHING = Parameters()


def _of_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, object]:
    said: dict[str, object] = {}
    for header, value in headers:
        name = _HEADERS.get(header)
        if name is not None:
            if name in said:
                raise _twice(name)
            said[name] = value.decode("utf-8", "replace").strip()
    return said


def _of_query(query: bytes, longest_ms: float) -> Parameters:
    return (_cached if len(query) <= _MOST_CACHED else _uncached)(query, longest_ms)


def _uncached(query: bytes, longest_ms: float) -> Parameters:
    return _read(_texts(query), longest_ms)


_cached = lru_cache(maxsize=1024)(_uncached)  # an application asks the same again and again


def _texts(query: bytes) -> dict[str, object]:
    """The parameters of an address, as texts."""
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, strict_parsing=True, max_num_fields=64
        )
    except ValueError as error:
        raise RequestError(
            "the address has parameters that are not understood; expected name=value&…"
        ) from error
    texts: dict[str, object] = {}
    for name, value in pairs:
        if name in texts:
            raise _twice(name)
        texts[name] = value
    return texts


def _read(said: Mapping[str, object], longest_ms: float) -> Parameters:
    values: dict[str, object] = {}
    for name, value in said.items():
        read = _READERS.get(name)
        if read is None:
            raise RequestError(
                f"unknown parameter {name[:100]!r}; expected {', '.join(sorted(_READERS))}"
            )
        values[name] = read(name, value)
    deadline = values.get("deadline_ms")
    if isinstance(deadline, float) and deadline > longest_ms:
        raise RequestError(
            f"deadline_ms is {deadline:g}; expected {longest_ms:g} at most, which is the limit here"
        )
    return Parameters(**values)  # type: ignore[arg-type]  # each reader gives its field's type


def _twice(name: str) -> RequestError:
    return RequestError(
        f"{name[:100]!r} is said twice; expected it once: in the address, a header or the body"
    )


def _refused(name: str, value: object, expected: str) -> RequestError:
    return RequestError(f"{name} is {str(value)[:100]!r}; expected {expected}")


def _names(name: str, value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise _refused(name, value, "names of brains, such as pets,hotdog")
    told = tuple(one.strip() for one in names)
    wrong = next((one for one in told if not 0 < len(one) <= _MOST_NAME), None)
    if wrong is not None or not 0 < len(told) <= MOST_BRAINS:
        raise _refused(name, value, f"1 to {MOST_BRAINS} names, of {_MOST_NAME} characters at most")
    if len(set(told)) < len(told):
        raise _refused(name, value, "each brain once")
    return told


def _number(name: str, value: object, expected: str) -> float:
    """A finite number, from a text or from JSON."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise _refused(name, value, expected)


def _top(name: str, value: object) -> int | None:
    expected = f"a whole number from 0 (all) to {MOST_LABELS:,}"
    number = _number(name, value, expected)
    if not 0 <= number <= MOST_LABELS or number != int(number):
        raise _refused(name, value, expected)
    return int(number) or None


def _threshold(name: str, value: object) -> float:
    expected = "a number from 0 to 1"
    number = _number(name, value, expected)
    if not 0.0 <= number <= 1.0:
        raise _refused(name, value, expected)
    return number


def _deadline(name: str, value: object) -> float:
    expected = "a number of milliseconds above 0"
    number = _number(name, value, expected)
    if number <= 0.0:
        raise _refused(name, value, expected)
    return number


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    told = {"true": True, "1": True, "false": False, "0": False}.get(
        value.lower() if isinstance(value, str) else ""
    )
    if told is None:
        raise _refused(name, value, "true or false")
    return told


def _user(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _MOST_USER:
        raise _refused(name, value, f"a text of {_MOST_USER} characters at most")
    return value


def _one_of(*choices: str) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise _refused(name, value, " or ".join(choices))
        return value

    return read


_READERS: Mapping[str, Callable[[str, object], object]] = {
    "brains": _names,
    "top": _top,
    "threshold": _threshold,
    "heatmap": _one_of("top", "all"),
    "features": _flag,
    "answers": _flag,
    "deadline_ms": _deadline,
    "priority": _one_of("interactive", "bulk"),
    "user": _user,
    "consent": _flag,
    "encoding": _one_of("json", "b64"),
}
