"""From somebody's ONNX classifier to a trunk, proven to give the same features."""

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
from ninebrains.trunks.finding import Pooling, find_pooling
from ninebrains.trunks.inputs import (
    InputForm,
    InputOverrides,
    choose_normalisation,
    fix_size,
    read_input,
)
from ninebrains.trunks.normalising import Normalisation
from ninebrains.trunks.reading import read_model
from ninebrains.trunks.rewriting import rewrite, set_outputs
from ninebrains.trunks.trunk import Floats, Trunk

if TYPE_CHECKING:
    import onnx

LEAST_COSINE = 0.9999
LARGEST_ERROR = 1e-3
LARGEST_BATCH_ERROR = 1e-4
_NUM_CHECKED = 3


def import_trunk(
    path: str | os.PathLike[str], name: str, overrides: InputOverrides | None = None
) -> Trunk:
    """Turn an ImageNet-style ONNX classifier into a trunk. Nothing is kept; see `add_trunk`.

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
    fix_size(model, form)
    pooling = find_pooling(model, path.name)
    normalisation = choose_normalisation(model, overrides, path.name)
    try:
        changed = rewrite(model, form, pooling, normalisation)
        trunk = _measured(changed, name, form, normalisation, f"{path.name} sha256:{digest}")
        infer_shapes(check(trunk.graph.data, {k: len(v) for k, v in trunk.graph.weights.items()}))
    except BrainError as error:
        raise TrunkError(f"{path.name}: {error}") from error
    _check_features(trunk, model, form, pooling, normalisation)
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


def _measured(
    model: onnx.ModelProto, name: str, form: InputForm, normalisation: Normalisation, source: str
) -> Trunk:
    """The trunk, with the shapes of its outputs as they come out."""
    graph = pack(model)
    outputs = graph.session().run(
        ["features", "feature_map"], {"photos": checking_photos(form)[:1]}
    )
    num_features, height, width = (int(size) for size in outputs[1].shape[1:])
    set_outputs(model, num_features, (height, width))
    return Trunk(
        name=name,
        graph=pack(model),
        contract=form.contract,
        num_features=num_features,
        map_size=(height, width),
        family=normalisation.family,
        source=source,
    )


def _check_features(
    trunk: Trunk,
    model: onnx.ModelProto,
    form: InputForm,
    pooling: Pooling,
    normalisation: Normalisation,
) -> None:
    """Compare with the untouched network, one photo at a time and in a batch."""
    photos = checking_photos(form)
    original = _original_features(model, form, pooling, _normalised(photos, form, normalisation))
    single = np.concatenate([trunk.run(photo[None]) for photo in photos])
    together = trunk.run(photos)
    if not np.isfinite(original).all():
        raise TrunkError(f"{trunk.source} gives features that are not finite numbers.")
    if np.ptp(original, axis=0).max() == 0.0:
        raise TrunkError(f"{trunk.source} gives every photo the same features.")
    scale = float(np.abs(original).max())
    cosine = float(
        np.min(
            (original * single).sum(1)
            / (np.linalg.norm(original, axis=1) * np.linalg.norm(single, axis=1) + 1e-30)
        )
    )
    error = float(np.abs(original - single).max()) / scale
    if not (cosine >= LEAST_COSINE and error <= LARGEST_ERROR):
        raise TrunkError(
            f"the trunk's features differ from those of {trunk.source}: cosine {cosine:.6f} "
            f"(at least {LEAST_COSINE}), largest error {error:.2g} of the largest feature (at most "
            f"{LARGEST_ERROR}). The network cannot be used as a trunk."
        )
    batch_error = float(np.abs(together - single).max()) / scale
    if not batch_error <= LARGEST_BATCH_ERROR:
        raise TrunkError(
            f"{trunk.source} answers differently for a photo alone and among {_NUM_CHECKED}: "
            f"largest error {batch_error:.2g} (at most {LARGEST_BATCH_ERROR}). Export it for "
            "inference (in PyTorch model.eval()), with a free batch axis."
        )


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
    model: onnx.ModelProto, form: InputForm, pooling: Pooling, values: npt.NDArray[Any]
) -> Floats:
    """The pooled values [N, D] of the network as it was read, one photo at a time."""
    import onnx
    import onnxruntime

    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.append(
        onnx.helper.make_tensor_value_info(pooling.pooled, onnx.TensorProto.FLOAT, None)
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        session = onnxruntime.InferenceSession(
            exposed.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        rows = []
        for value in values:
            batch = np.ascontiguousarray(np.repeat(value[None], form.batch or 1, axis=0))
            rows.append(session.run([pooling.pooled], {form.name: batch})[0][:1].reshape(1, -1))
    except Exception as error:
        raise TrunkError(f"ONNX Runtime cannot run the original network: {error}") from error
    return np.concatenate(rows)
