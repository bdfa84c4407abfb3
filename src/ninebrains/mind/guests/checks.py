"""The proof that a network behind our entrance answers as it does by itself, photo by photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.brains.graph import Graph
from ninebrains.errors import BrainError
from ninebrains.images import Pixels
from ninebrains.mind.guests.scores import Rows
from ninebrains.trunks.comparing import (
    LARGEST_BATCH_ERROR,
    LARGEST_ERROR,
    LEAST_COSINE,
    checking_photos,
    largest_error,
    least_cosine,
)
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.reading import MIXING
from ninebrains.trunks.sizing import computed_from_pixels

if TYPE_CHECKING:
    import onnx

Values = npt.NDArray[Any]

# A last bit more or less at the input may become a whole step of these.
_ROUNDING = frozenset({"DynamicQuantizeLinear", "QuantizeLinear"})
_LARGEST_ERROR_ROUNDED, _LEAST_COSINE_ROUNDED = 0.05, 0.999
# Whole numbers are mostly the place of the largest of several values, which a rounding may change.
_LARGEST_SHARE_OF_OTHERS = 1e-3
# What float32 leaves of a sum that should be 0, and relative to the largest value of an output.
_NOTHING, _NOISE = 1e-6, 1e-5


def proving_photos(form: InputForm) -> Pixels:
    """uint8[3, H, W, 3]: two like photos, one of them dim, and noise; the same every time.

    Networks that scale by the whole batch answer differently for the dim one in company.
    """
    photos = checking_photos(form)
    photos[1] //= 8
    photos[2] = np.random.default_rng(0).integers(0, 256, photos[2].shape, np.uint8)
    return photos


def prove(
    model: onnx.ModelProto,
    graph: Graph,
    photos: Pixels,
    original: Sequence[Rows],
    file_name: str,
) -> int | None:
    """Compare with the untouched network, photo by photo, and tell how many one run may take.

    Args:
        model: the network behind its entrance.
        graph: the same, packed.
        photos: uint8[P, H, W, 3], two at least.
        original: what the network itself gives for each, by output, [1, ...] each.
        file_name: for messages.

    Returns:
        None for any number of photos; 1 where a photo's answer would depend on the others in the
        batch, or the network was made for one photo in ways that cannot be undone.

    Raises:
        BrainError: the answers differ or are no numbers.
    """
    session = graph.session()
    names = [str(output.name) for output in session.get_outputs()]
    try:
        rows = [session.run(names, {"photos": photo[None]}) for photo in photos]
    except Exception as error:
        raise BrainError(
            f"{file_name} cannot be run on one photo: {error}. Export it with a free batch axis."
        ) from error
    singles = {
        name: np.concatenate([np.asarray(row[place]) for row in rows])
        for place, name in enumerate(names)
    }
    rounds = any(node.op_type in _ROUNDING for node in model.graph.node)
    for name in original[0]:
        expected = np.concatenate([row[name] for row in original])
        _check_answer(name, expected, singles[name], file_name, rounds=rounds)
    pixels = computed_from_pixels(model)
    if any(node.op_type in MIXING and node.input[0] in pixels for node in model.graph.node):
        return 1
    try:
        together = session.run(names, {"photos": photos})
    except Exception:  # noqa: BLE001 - ONNX Runtime's errors share no other base
        return 1  # that it cannot is the answer to the question, not a fault
    found = dict(zip(names, map(np.asarray, together), strict=True))
    agree = all(_agree(singles[name], found[name], LARGEST_BATCH_ERROR) for name in names)
    return None if agree else 1


def _check_answer(
    name: str, expected: Values, found: Values, file_name: str, *, rounds: bool
) -> None:
    if not np.isfinite(expected).all():
        raise BrainError(
            f"the output {name!r} of {file_name} holds values that are no finite numbers for "
            "ordinary photos. Export the model again, or leave that output out (outputs=...)."
        )
    largest, cosine = LARGEST_ERROR, LEAST_COSINE
    if rounds:
        largest, cosine = _LARGEST_ERROR_ROUNDED, _LEAST_COSINE_ROUNDED
    if not _agree(expected, found, largest, cosine):
        raise BrainError(
            f"the output {name!r} differs from what {file_name} gives by itself, by more than "
            f"{largest} of its largest value; it cannot be used. Export the model in float32, "
            "with a free batch axis."
        )


def _agree(
    expected: Values,
    found: Values,
    largest: float,
    cosine: float | None = None,
) -> bool:
    """Whether two arrays hold the same answers; row by row where a cosine is demanded.

    What lies nearer than float32 computes has no direction of its own, as where all is about 0.
    """
    if (expected.shape, expected.dtype) != (found.shape, found.dtype):
        return False
    if expected.dtype.kind != "f":
        return float(np.mean(expected != found)) <= _LARGEST_SHARE_OF_OTHERS
    one, other = expected.reshape(len(expected), -1), found.reshape(len(found), -1)
    size = float(np.abs(one).max(initial=0.0))
    if max(size, np.abs(other).max(initial=0.0)) <= _NOTHING:
        return True
    if not largest_error(one, other) <= largest:
        return False
    differ = np.abs(one.astype(np.float64) - other).max(axis=1) > _NOISE * size
    return cosine is None or not differ.any() or least_cosine(one[differ], other[differ]) >= cosine
