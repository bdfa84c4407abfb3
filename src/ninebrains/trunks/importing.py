"""From somebody's ONNX network to a trunk, proven to give the same features."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.brains.checking import check, infer_shapes
from ninebrains.brains.graph import pack
from ninebrains.brains.manifest import NAME_PATTERN
from ninebrains.errors import BrainError, TrunkError
from ninebrains.images import Pixels
from ninebrains.trunks.finding import Pooling, find_features
from ninebrains.trunks.inputs import (
    InputForm,
    InputOverrides,
    choose_normalisation,
    fix_size,
    read_input,
)
from ninebrains.trunks.normalising import Normalisation
from ninebrains.trunks.patches import Patches
from ninebrains.trunks.probing import probe
from ninebrains.trunks.reading import read_model, sentence
from ninebrains.trunks.rewriting import rewrite, set_outputs
from ninebrains.trunks.settling import settle
from ninebrains.trunks.sizing import computed_from_pixels, work_out_sizes
from ninebrains.trunks.trunk import Floats, Trunk
from ninebrains.trunks.weighing import check_work
from ninebrains.trunks.wiring import Wiring

if TYPE_CHECKING:
    import onnx

LARGEST_BATCH = 1024
LEAST_COSINE = 0.9999
LARGEST_ERROR = 1e-3
LARGEST_BATCH_ERROR = 1e-4
_NUM_CHECKED = 3


def import_trunk(
    path: str | os.PathLike[str], name: str, overrides: InputOverrides | None = None
) -> Trunk:
    """Turn an image classifier or vision transformer in ONNX into a trunk, which is not yet kept.

    See `add_trunk` for keeping it.

    The same file with the same overrides gives the same trunk, bit for bit.

    Args:
        path: the ONNX file; weights in other files lie in its folder.
        name: of the trunk.
        overrides: what the network does not say about its input.

    Raises:
        TrunkError: it is no such network, its input's form is not certain, or the trunk's features
            differ from the original's.

    Example:
        >>> import_trunk("resnet18.onnx", "resnet18").num_features  # doctest: +SKIP
        512
    """
    check_name(name)
    path, overrides = Path(path), overrides or InputOverrides()
    model, digest = read_model(path)
    form = read_input(model, overrides, path.name)
    _check_batch(form, path.name)
    fix_size(model, form)
    settled = settle(model, form, path.name)
    place = find_features(settled, form, path.name)
    _check_work(model, form, place, path.name)
    normalisation = choose_normalisation(model, overrides, path.name)
    try:
        changed = rewrite(settled, form, place, normalisation)
        num_features, *map_size = _map_shape(changed)
    except BrainError as error:
        raise TrunkError(f"{path.name}: {sentence(error)}") from error
    if map_size[0] > form.contract.height or map_size[1] > form.contract.width:
        raise TrunkError(
            f"the feature map of {path.name} has {map_size[0]}x{map_size[1]} places for photos of "
            f"{form.contract.height}x{form.contract.width} pixels; expected no more places than "
            "pixels, as of an image classifier."
        )
    set_outputs(changed, num_features, (map_size[0], map_size[1]))
    trunk = Trunk(
        name=name,
        graph=pack(changed),
        contract=form.contract,
        num_features=num_features,
        map_size=(map_size[0], map_size[1]),
        family=normalisation.family,
        source=f"{path.name} sha256:{digest}",
    )
    photos = checking_photos(form)
    normalised = _normalised(photos, form, normalisation)
    _check_features(trunk, photos, _original_features(model, form, place, normalised))
    return trunk


def check_name(name: str) -> None:
    """Refuse a name that could not be a folder's.

    Raises:
        TrunkError: it holds other characters, or too many.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise TrunkError(
            f"{name!r} cannot be a trunk's name; expected 1 to 100 letters, digits, '.', '_' or "
            "'-', beginning with a letter or digit."
        )


def checking_photos(form: InputForm) -> Pixels:
    """Pixels that are like photos in what matters: smooth areas, edges, grain, differing colours.

    uint8[3, H, W, 3], the same every time.
    """
    height, width = form.contract.height, form.contract.width
    down, across = np.mgrid[0:height, 0:width]
    down, across = down / height, across / width
    photos = np.empty((_NUM_CHECKED, height, width, 3))
    for photo in range(_NUM_CHECKED):
        for channel in range(3):
            phase = 1.7 * photo + 0.9 * channel
            waves = np.sin(5 * across + phase) * np.cos((4 + photo) * down - phase)
            disc = np.hypot(across - 0.3 - 0.2 * photo, down - 0.5) < 0.12 + 0.07 * channel
            grain = np.sin(997.0 * across + 1373.0 * down * (photo + 1) + phase)
            photos[photo, :, :, channel] = 105 + 15 * channel + 70 * waves + 60 * disc + 9 * grain
    return np.clip(photos, 0, 255).astype(np.uint8)


def _check_batch(form: InputForm, file_name: str) -> None:
    """Refuse a fixed batch that no photos are worth."""
    if form.batch is not None and form.batch > LARGEST_BATCH:
        raise TrunkError(
            f"{file_name} is made for batches of {form.batch:,} photos; the limit is "
            f"{LARGEST_BATCH:,}. Export it with a free batch axis."
        )


def _check_work(
    model: onnx.ModelProto, form: InputForm, place: Pooling | Patches, file_name: str
) -> None:
    """Refuse a network, as it was read, that would take too long up to its features."""
    batch = form.batch or 1
    end = place.pooled if isinstance(place, Pooling) else place.tokens
    needed = Wiring(model).needed_for([end])
    nodes = [node for node in model.graph.node if needed.intersection(node.output)]
    constants = needed - computed_from_pixels(model)
    check_work(nodes, work_out_sizes(model, batch, file_name)[1], constants, batch, file_name)


def _map_shape(model: onnx.ModelProto) -> tuple[int, ...]:
    """(D, h, w) of the feature map, told without running anything.

    Raises:
        BrainError: the graph is not one that a brain may have.
    """
    graph = pack(model)
    weight_bytes = {name: len(data) for name, data in graph.weights.items()}
    return infer_shapes(check(graph.data, weight_bytes))["feature_map"][1:]


def _check_features(trunk: Trunk, photos: Pixels, original: Floats) -> None:
    """Compare with the untouched network's features, photo by photo and in a batch."""
    try:
        single = np.concatenate([trunk.run(photo[None]) for photo in photos])
        together = trunk.run(photos)
    except Exception as error:
        raise TrunkError(
            f"{trunk.source} cannot be run on {len(photos)} photos at once: {error}. Export it "
            "with a free batch axis."
        ) from error
    if not (np.isfinite(original).all() and np.isfinite(single).all()):
        raise TrunkError(f"{trunk.source} gives features that are not finite numbers.")
    if np.ptp(original, axis=0).max() == 0.0:
        raise TrunkError(f"{trunk.source} gives every photo the same features.")
    cosine, largest = _least_cosine(original, single), _largest_error(original, single)
    if not (cosine >= LEAST_COSINE and largest <= LARGEST_ERROR):
        raise TrunkError(
            f"the trunk's features differ from those of {trunk.source}: cosine {cosine:.6f} "
            f"(at least {LEAST_COSINE}), largest error {largest:.2g} of the largest feature "
            f"(at most {LARGEST_ERROR}). The network cannot be used as a trunk."
        )
    batch_error = _largest_error(single, together)
    if not batch_error <= LARGEST_BATCH_ERROR:
        raise TrunkError(
            f"{trunk.source} answers differently for a photo alone and among {len(photos)}: "
            f"largest error {batch_error:.2g} (at most {LARGEST_BATCH_ERROR}). Export it for "
            "inference (in PyTorch model.eval()), with a free batch axis."
        )


def _least_cosine(expected: Floats, found: Floats) -> float:
    one, other = expected.astype(np.float64), found.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.min((one * other).sum(1) / np.maximum(lengths, 1e-30)))


def _largest_error(expected: Floats, found: Floats) -> float:
    """The largest difference, relative to the largest value."""
    one, other = expected.astype(np.float64), found.astype(np.float64)
    return float(np.abs(one - other).max() / max(np.abs(one).max(), 1e-30))


def _normalised(photos: Pixels, form: InputForm, normalisation: Normalisation) -> npt.NDArray[Any]:
    """The original's input, computed here in numpy: the reference for what the graph does."""
    values: npt.NDArray[Any] = photos
    if not form.is_uint8:
        exact = (photos - np.array(normalisation.offset)) / np.array(normalisation.divisor)
        values = exact.astype(np.float32)
    if normalisation.color == "bgr":
        values = values[..., ::-1]
    return values.transpose(0, 3, 1, 2) if form.layout == "nchw" else values


def _original_features(
    model: onnx.ModelProto, form: InputForm, place: Pooling | Patches, values: npt.NDArray[Any]
) -> Floats:
    """The features [N, D] of the network as it was read, one photo at a time."""
    if isinstance(place, Pooling):
        return np.concatenate([v.reshape(1, -1) for v in probe(model, form, place.pooled, values)])
    tokens = np.concatenate(probe(model, form, place.tokens, values))
    mean: Floats = tokens[:, place.first : place.end].mean(1, dtype=np.float64).astype(np.float32)
    return mean
