"""How a version looks to protocols that speak of named tensors, and how it answers them.

    image   bytes [N]          photo files     ┐ one of the two,    ┌ a brain: scores, label, ...
    pixels  uint8 [N,H,W,3]    RGB, any size   ┘ under any name ──► └ a guest: its own outputs

Clients of other servers call their one input `bytes`, `input_1`, `data_0` and so on, so its name is
not looked at: its type tells which of the two it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ninebrains.brains import Inference
from ninebrains.errors import BrainError, MissingError, NinebrainsError, PhotoError, RequestError
from ninebrains.images import Pixels
from ninebrains.mind import Guest
from ninebrains.serving.asking import Answered, Asker, Chosen, Options

if TYPE_CHECKING:
    from ninebrains.brains import Label, Manifest
    from ninebrains.serving.host import Host
    from ninebrains.serving.settings import Limits

Array: TypeAlias = npt.NDArray[np.generic]
Photos: TypeAlias = Sequence[bytes] | Pixels
"""Photo files' bytes, or RGB `uint8[N, H, W, 3]`."""

BYTES = "bytes"
"""The type of tensors that hold files or text; their arrays hold Python's bytes as objects."""

_CHANGED_UNDERNEATH = 5


@dataclass(frozen=True, slots=True)
class Tensor:
    """What an input or output looks like.

    Attributes:
        name: as it is called.
        dtype: numpy's name, or `bytes`.
        shape: -1 where any size is possible; the first axis is that of the photos.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


INPUTS = (Tensor("image", BYTES, (-1,)), Tensor("pixels", "uint8", (-1, -1, -1, 3)))
"""What every version takes: exactly one of these."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a version gives.

    Attributes:
        outputs: everything that may be asked for.
        default: names of what is given where nothing is asked for.
        scores: the output [N, C] that the labels belong to; None where there are no labels.
        labels: what its values belong to, by index.
        is_measured: whether its values are measured ones, not scores.
    """

    outputs: tuple[Tensor, ...]
    default: tuple[str, ...]
    scores: str | None
    labels: Sequence[Label]
    is_measured: bool = False

    def names(self, wanted: Sequence[str] | None) -> tuple[str, ...]:
        """Names of the outputs to give: those wanted, or the usual ones.

        Raises:
            RequestError: there is no such output.
        """
        if not wanted:
            return self.default
        known = [output.name for output in self.outputs]
        for name in wanted:
            if name not in known:
                raise RequestError(
                    f"there is no output {_short(name)!r}; expected one of {', '.join(known)}"
                )
        return tuple(dict.fromkeys(wanted))


@dataclass(frozen=True, slots=True)
class TensorAnswers:
    """What a version made of some photos.

    Attributes:
        chosen: the version.
        signature: what it gives.
        outputs: by name; the first axis of each is that of the photos.
        inferences: the answers themselves, photo by photo.
        predictions: the ids that feedback refers to, photo by photo.
    """

    chosen: Chosen
    signature: Signature
    outputs: Mapping[str, Array]
    inferences: tuple[Inference, ...]
    predictions: tuple[str, ...]


def signature_of(facts: Manifest | Guest, given: Sequence[str]) -> Signature:
    """What a version gives.

    Args:
        facts: what it says about itself.
        given: names of what its graph computes (`Mind.outputs`).
    """
    about = (
        Tensor("label", BYTES, (-1,)),
        Tensor("label_id", BYTES, (-1,)),
        Tensor("prediction_id", BYTES, (-1,)),
    )
    if isinstance(facts, Guest):
        own = tuple(Tensor(out.name, out.dtype, (-1, *out.shape)) for out in facts.outputs)
        names = tuple(output.name for output in own)
        more = about if facts.labels else about[2:]
        added = tuple(tensor for tensor in more if tensor.name not in names)
        return Signature((*own, *added), names, facts.scores, facts.labels)
    count = len(facts.labels)
    is_measured = facts.task == "regress"
    answer = "values" if is_measured else "scores"
    shapes: dict[str, tuple[int, ...]] = {
        answer: (-1, count),
        "unfamiliar": (-1,),
        "features": (-1, facts.trunk.num_features),
        "heatmap": (-1, count, -1, -1),
    }
    floats = [Tensor(name, "float32", shapes[name]) for name in shapes if name in given]
    texts = about[2:] if is_measured else about
    usual = (answer, "label", "unfamiliar")
    outputs = (floats[0], *texts, *floats[1:])
    default = tuple(name for name in usual if name in {output.name for output in outputs})
    return Signature(outputs, default, answer, facts.labels, is_measured)


def signature_at(host: Host, chosen: Chosen) -> Signature:
    """What a version gives that is ready.

    Raises:
        MissingError: it is gone.
    """
    facts = host.catalog.find(chosen.name, chosen.number).facts
    if facts is None or chosen.member not in host.mind:
        raise MissingError(f"{chosen.member} is not ready")
    return signature_of(facts, host.mind.outputs(chosen.member))


def photos_of(inputs: Mapping[str, Array], limits: Limits) -> Photos:
    """The photos that the one input of a call holds.

    Files: an array of bytes, [N] or [N, 1] or one alone, or uint8 [N, L] where each row is a file.
    Pixels: RGB [N, H, W, 3], or [H, W, 3] for one photo, in any type whose values are whole
    numbers of 0 to 255.

    Raises:
        RequestError: there are none or several inputs, too many photos, or it is neither.
    """
    check_inputs(len(inputs))
    ((name, array),) = inputs.items()
    name = _short(name)
    if array.dtype == object or (array.dtype == np.uint8 and array.ndim in (1, 2)):
        return _files(name, array, limits)
    return _pixels(name, array, limits)


def check_inputs(count: int) -> None:
    """Refuse several inputs, and none at all.

    Raises:
        RequestError: so it is.
    """
    if count != 1:
        raise RequestError(
            f"got {count:,} inputs; expected exactly one: image (photo files) or pixels "
            "(RGB, uint8 [N, H, W, 3])"
        )


def check_count(count: int, limits: Limits) -> None:
    """Refuse too many photos, and none at all.

    Raises:
        RequestError: so it is.
    """
    if not 1 <= count <= limits.photos:
        status = 413 if count > limits.photos else 400
        raise RequestError(
            f"got {count:,} photos in one request; expected 1 to {limits.photos:,}", status
        )


def _files(name: str, array: Array, limits: Limits) -> list[bytes]:
    if array.dtype == np.uint8:
        rows = array[None] if array.ndim == 1 else array
        check_count(len(rows), limits)
        return [row.tobytes() for row in rows]
    if array.ndim > 1 and max(array.shape[1:]) != 1:
        raise RequestError(
            f"{name} holds files in the shape {list(array.shape)}; expected [N], one per photo"
        )
    check_count(array.size, limits)
    files = array.reshape(-1).tolist()
    for index, file in enumerate(files):
        if not isinstance(file, bytes):
            raise RequestError(
                f"item {index} of {name} is {type(file).__name__}; expected a photo file's bytes"
            )
    return files


def _pixels(name: str, array: Array, limits: Limits) -> Pixels:
    if array.dtype.kind not in "uif":
        raise RequestError(
            f"{name} holds {array.dtype}; expected photo files as bytes, or RGB pixels as uint8"
        )
    shape = list(array.shape)
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or array.shape[3] != 3:
        hint = " Move the channels to the end." if array.ndim == 4 and shape[-3] == 3 else ""
        raise RequestError(f"{name} has the shape {shape}; expected RGB pixels [N, H, W, 3].{hint}")
    count, height, width, _ = array.shape
    check_count(count, limits)
    if not height or not width:
        raise RequestError(
            f"{name} has the shape {shape}; expected photos of 1 x 1 pixels at least"
        )
    if count * height * width > limits.photo_pixels:
        raise RequestError(
            f"{name} has {count * height * width:,} pixels; expected at most "
            f"{limits.photo_pixels:,} in one request",
            413,
        )
    return _as_uint8(name, array)


def _as_uint8(name: str, array: Array) -> Pixels:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array, np.uint8)
    # What is no whole number of 0 to 255 does not come back as it was: fractions, NaN, infinity.
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.uint8)
    if not np.array_equal(whole, array):
        raise RequestError(
            f"{name} holds values that are no whole numbers of 0 to 255. Send pixels as they are "
            "in the photo: brains normalise them themselves."
        )
    return np.ascontiguousarray(whole)


async def answer_tensors(
    host: Host,
    wanted: str,
    photos: Photos,
    outputs: Sequence[str] | None = None,
    asker: Asker | None = None,
    options: Options | None = None,
) -> TensorAnswers:
    """Ask one version about some photos, all at once.

    Args:
        host: who answers.
        wanted: a name, `name@number` or `name@alias`. One version answers all photos.
        photos: as `photos_of` gives them.
        outputs: names of what is wanted; the usual ones by default.
        asker: whose request it is.
        options: how to answer; heat maps are computed where `outputs` names them.

    Raises:
        RequestError: there is no such output.
        NinebrainsError: as `Host.answer`; one photo that fails fails the call, and says which.
    """
    asker, options = asker or Asker(), options or Options()
    for left in reversed(range(_CHANGED_UNDERNEATH)):
        chosen = host.choose(wanted, asker)
        try:
            signature = signature_at(host, chosen)
            names = signature.names(outputs)
            asked = Options(
                heatmaps=options.heatmaps or "heatmap" in names,
                deadline_ms=options.deadline_ms,
                priority=options.priority,
            )
            answered = await _answer_all(host, chosen, photos, asker, asked)
        except (BrainError, MissingError):
            # The version went away between being chosen and being asked; another takes its place.
            if not left or chosen.member in host.mind:
                raise
        else:
            inferences = [item.inference for item in answered if item.inference is not None]
            made = {name: _stacked(name, answered, signature) for name in names}
            predictions = tuple(item.prediction for item in answered)
            return TensorAnswers(chosen, signature, made, tuple(inferences), predictions)
    raise AssertionError("the last try raises")


async def _answer_all(
    host: Host, chosen: Chosen, photos: Photos, asker: Asker, options: Options
) -> list[Answered]:
    """Every photo's answer; the first that fails ends the others."""
    tasks = [
        asyncio.create_task(_answer_one(host, chosen, photo, asker, options)) for photo in photos
    ]
    try:
        return await asyncio.gather(*tasks)
    except NinebrainsError as error:
        first = next(i for i, task in enumerate(tasks) if task.done() and _error_of(task) is error)
        if isinstance(error, PhotoError) and len(tasks) > 1:
            raise PhotoError(f"photo {first}: {error}") from error
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _error_of(task: asyncio.Task[Answered]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


async def _answer_one(
    host: Host, chosen: Chosen, photo: bytes | Pixels, asker: Asker, options: Options
) -> Answered:
    answers = await host.answer(photo, [chosen], asker, options)
    (answered,) = answers.answered
    if answered.error is not None:
        raise answered.error
    return answered


def _stacked(name: str, answered: Sequence[Answered], signature: Signature) -> Array:
    """One output of all photos, as the signature says it."""
    dtype = next(tensor.dtype for tensor in signature.outputs if tensor.name == name)
    rows = [_row(name, item, signature) for item in answered]
    if dtype != BYTES:
        return np.stack([np.asarray(row, dtype) for row in rows])
    texts = np.empty(len(rows), object)
    texts[:] = rows
    return texts


def _row(name: str, answered: Answered, signature: Signature) -> Array | float | bytes | None:
    """One output of one photo."""
    inference = answered.inference
    assert inference is not None
    if name in inference.outputs:
        return inference.outputs[name]
    if name == signature.scores:
        return inference.answers
    if name == "prediction_id":
        return answered.prediction.encode()
    return _ROWS[name](inference)


_ROWS: Mapping[str, Callable[[Inference], Array | float | bytes | None]] = {
    "label": lambda inference: (inference.answer or "").encode(),
    "label_id": lambda inference: _label_id(inference).encode(),
    "unfamiliar": lambda inference: inference.unfamiliar,
    "features": lambda inference: inference.features,
    "heatmap": lambda inference: inference.heatmaps,
}


def _label_id(inference: Inference) -> str:
    return inference.top.label_id if inference.answer is not None else ""


def _short(text: str) -> str:
    """A name from a request, short enough for a message."""
    return text if len(text) <= 60 else text[:57] + "..."
