"""From somebody's ONNX network to a trunk, proven to give the same features."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.brains.checking import check, infer_shapes
from ninebrains.brains.graph import pack
from ninebrains.brains.manifest import NAME_PATTERN
from ninebrains.errors import BrainError, TrunkError
from ninebrains.images import Pixels
from ninebrains.trunks.comparing import (
    LARGEST_BATCH_ERROR,
    LARGEST_ERROR,
    LEAST_COSINE,
    checking_photos,
    largest_error,
    least_cosine,
    prepared,
)
from ninebrains.trunks.finding import Pooling, find_features
from ninebrains.trunks.inputs import (
    InputForm,
    InputOverrides,
    choose_normalisation,
    fix_size,
    read_input,
)
from ninebrains.trunks.keras_networks import check_answers, is_keras, read_keras_network
from ninebrains.trunks.normalising import Normalisation, recognise
from ninebrains.trunks.patches import Patches
from ninebrains.trunks.probing import probe
from ninebrains.trunks.reading import read_model, sentence
from ninebrains.trunks.rewriting import rewrite, set_outputs
from ninebrains.trunks.settling import settle
from ninebrains.trunks.sizing import check_work_up_to
from ninebrains.trunks.trunk import Floats, Trunk

_EXPECTED = (
    "an ONNX file (.onnx), a Keras file (.keras, .h5), or one of Keras's applications, such as "
    "keras:MobileNet"
)

if TYPE_CHECKING:
    import onnx


def import_trunk(
    path: str | os.PathLike[str],
    name: str,
    overrides: InputOverrides | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
) -> Trunk:
    """Turn an image classifier or vision transformer into a trunk, which is not yet kept.

    See `add_trunk` for keeping it.

    The same file with the same overrides gives the same trunk, bit for bit.

    Args:
        path: the ONNX file; weights in other files lie in its folder. Or a Keras network: a
            `.keras` or `.h5` file, or one of Keras's applications, such as `keras:MobileNetV2`.
        name: of the trunk.
        overrides: what the network does not say about its input.
        weights: a file of weights for a Keras application. Without one, Keras downloads
            ImageNet's.

    Raises:
        TrunkError: it is no such network, its input's form is not certain, or the trunk's features
            differ from the original's.
        ExtraError: it is a Keras network, and Keras is not installed.

    Example:
        >>> import_trunk("resnet18.onnx", "resnet18").num_features  # doctest: +SKIP
        512
    """
    check_name(name)
    overrides = overrides or InputOverrides()
    if not is_keras(path):
        if weights is not None:
            raise TrunkError(
                f"{os.fspath(path)} has its own weights; weights of their own go with one of "
                "Keras's applications, such as keras:MobileNet."
            )
        model, digest = _read_onnx(Path(path))
        source = f"{Path(path).name} sha256:{digest}"
        return _made(_Network(model, Path(path).name, source, None), name, overrides)[0]
    found = read_keras_network(path, overrides.size, weights)
    network = _Network(found.model, found.file_name, found.source, found.normalisation)
    trunk, form, normalised = _made(network, name, overrides, from_keras=True)
    check_answers(found, form, normalised)
    return trunk


def _read_onnx(path: Path) -> tuple[onnx.ModelProto, str]:
    """As `read_model`, for those who may have meant another kind of network.

    Raises:
        TrunkError: as there.
    """
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise TrunkError(f"{path} {kind}; expected {_EXPECTED}.")
    try:
        return read_model(path)
    except TrunkError as error:
        if path.suffix.lower() == ".onnx":
            raise
        raise TrunkError(f"{sentence(error)} Expected {_EXPECTED}.") from error


@dataclass(frozen=True)
class _Network:
    """A foreign network as it was read; what is known of its normalisation from elsewhere."""

    model: onnx.ModelProto
    file_name: str
    source: str
    normalisation: Normalisation | None


def _made(
    network: _Network, name: str, overrides: InputOverrides, *, from_keras: bool = False
) -> tuple[Trunk, InputForm, npt.NDArray[Any]]:
    """The trunk, its input's form, and the photos that it was checked with as the network's input.

    Raises:
        TrunkError: as for `import_trunk`.
    """
    model, file_name = network.model, network.file_name
    form = read_input(model, overrides, file_name)
    fix_size(model, form)
    settled = settle(model, form, file_name)
    place = find_features(settled, form, file_name)
    end = place.pooled if isinstance(place, Pooling) else place.tokens
    check_work_up_to(model, form, [end], file_name)
    known = network.normalisation if from_keras else recognise(model)
    normalisation = choose_normalisation(known, overrides, file_name)
    try:
        changed = rewrite(settled, form, place, normalisation)
        num_features, *map_size = _map_shape(changed)
    except BrainError as error:
        raise TrunkError(f"{file_name}: {sentence(error)}") from error
    if map_size[0] > form.contract.height or map_size[1] > form.contract.width:
        raise TrunkError(
            f"the feature map of {file_name} has {map_size[0]}x{map_size[1]} places for photos of "
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
        source=network.source,
    )
    photos = checking_photos(form)
    normalised = prepared(photos, form, normalisation)
    _check_features(trunk, photos, _original_features(model, form, place, normalised))
    return trunk, form, normalised


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
    cosine, largest = least_cosine(original, single), largest_error(original, single)
    if not (cosine >= LEAST_COSINE and largest <= LARGEST_ERROR):
        raise TrunkError(
            f"the trunk's features differ from those of {trunk.source}: cosine {cosine:.6f} "
            f"(at least {LEAST_COSINE}), largest error {largest:.2g} of the largest feature "
            f"(at most {LARGEST_ERROR}). The network cannot be used as a trunk."
        )
    batch_error = largest_error(single, together)
    if not batch_error <= LARGEST_BATCH_ERROR:
        raise TrunkError(
            f"{trunk.source} answers differently for a photo alone and among {len(photos)}: "
            f"largest error {batch_error:.2g} (at most {LARGEST_BATCH_ERROR}). Export it for "
            "inference (in PyTorch model.eval()), with a free batch axis."
        )


def _original_features(
    model: onnx.ModelProto, form: InputForm, place: Pooling | Patches, values: npt.NDArray[Any]
) -> Floats:
    """The features [N, D] of the network as it was read, one photo at a time."""
    if isinstance(place, Pooling):
        return np.concatenate([v.reshape(1, -1) for v in probe(model, form, place.pooled, values)])
    tokens = np.concatenate(probe(model, form, place.tokens, values))
    mean: Floats = tokens[:, place.first : place.end].mean(1, dtype=np.float64).astype(np.float32)
    return mean
