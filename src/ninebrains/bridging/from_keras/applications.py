"""Keras's own applications, named as `keras:MobileNet?alpha=0.25&input_shape=128`."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ninebrains.bridging.backend import import_keras, quietly
from ninebrains.bridging.files import read_file
from ninebrains.bridging.from_keras.hdf5 import Weights, read_weights
from ninebrains.bridging.from_keras.reading import KERAS_FILE, put_weights
from ninebrains.errors import TrunkError

if TYPE_CHECKING:
    import keras

PREFIX = "keras:"
APPLICATIONS = (
    *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
    *(f"DenseNet{depth}" for depth in (121, 169, 201)),
    *(f"EfficientNetB{number}" for number in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetLarge",
    "NASNetMobile",
    *(f"ResNet{depth}{version}" for version in ("", "V2") for depth in (50, 101, 152)),
    "VGG16",
    "VGG19",
    "Xception",
)
_OPTIONS = "alpha, input_shape, minimalistic and classes"
_CLASSES = 1000


@dataclass(frozen=True)
class Application:
    """What was asked for.

    Attributes:
        name: of the function in `keras.applications`.
        options: for it.
        classes: of the weights that are at hand, where they have a classifier.
    """

    name: str
    options: dict[str, Any]
    classes: int


def read_name(text: str, size: tuple[int, int] | None = None) -> Application:
    """Read `keras:NAME?option=value&option=value`.

    Args:
        text: as the user wrote it.
        size: (height, width) of the photos, where it was said elsewhere.

    Raises:
        TrunkError: there is no such application or option.
    """
    name, _, query = text.removeprefix(PREFIX).partition("?")
    if name not in APPLICATIONS:
        raise TrunkError(
            f"{text!r} is not one of Keras's applications; expected keras: and one of "
            f"{', '.join(APPLICATIONS)}."
        )
    options: dict[str, Any] = {} if size is None else {"input_shape": (*size, 3)}
    classes = _CLASSES
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _READERS:
            raise TrunkError(f"{text!r} has the option {key!r}; expected {_OPTIONS}.")
        try:
            read = _READERS[key](value)
        except ValueError:
            raise TrunkError(
                f"{text!r} has {value!r} as its {key}; expected something like "
                "keras:MobileNet?alpha=0.25&input_shape=128."
            ) from None
        if key == "classes":
            classes = read
        else:
            options[key] = read
    if name.startswith("MobileNetV3"):
        options.setdefault("input_shape", (224, 224, 3))  # Keras would leave it open
    return Application(name, options, classes)


def build(asked: Application, weights: Path | None) -> keras.Model:
    """The application, with weights from a file, or with ImageNet's, which Keras downloads.

    Downloaded ones come without their classifier: a trunk does not need it.

    Raises:
        TrunkError: Keras refuses the options, the weights are of another network, or cannot be
            downloaded.
        ExtraError: Keras is not installed.
    """
    import_keras()
    if weights is None:
        return _made(asked, weights="imagenet", include_top=False, pooling="avg")
    if asked.name.startswith("EfficientNetB"):
        raise TrunkError(
            f"weights of {asked.name} alone do not tell how its photos are scaled: Keras adds a "
            "step where it has fetched the weights itself. Expected a whole model: save it with "
            "model.save('name.keras') and add that."
        )
    held = read_weights(read_file(weights, KERAS_FILE), weights.name)
    suffix = ".weights.h5" if weights.name.endswith(".weights.h5") else ".h5"
    faults = []
    for with_top in (True, False):
        ends = {"classes": asked.classes} if with_top else {"pooling": "avg"}
        model = _made(asked, weights=None, include_top=with_top, **ends)
        if held.layer_names and len(held.layer_names) != _num_weighted(model):
            continue
        try:
            put_weights(model, held, suffix, weights.name)
        except TrunkError as error:
            faults.append(error)
            continue
        return model
    raise faults[0] if faults else _other_network(asked, held, weights)


def _num_weighted(model: Any) -> int:  # noqa: ANN401
    return sum(bool(layer.weights) for layer in model.layers)


def _other_network(asked: Application, held: Weights, weights: Path) -> TrunkError:
    return TrunkError(
        f"the weights in {weights.name} are those of {len(held.layer_names)} layers, which "
        f"{asked.name} does not have; expected weights of {asked.name} with or without its "
        "classifier."
    )


def _made(asked: Application, **options: Any) -> Any:  # noqa: ANN401
    import keras

    try:
        with _telling():
            return getattr(keras.applications, asked.name)(**asked.options, **options)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        said = lines[0][:300].removesuffix(".")
        raise TrunkError(
            f"Keras cannot make {asked.name}: {said}. If its weights could not be downloaded, "
            f"fetch them elsewhere and name the file: --weights {asked.name.lower()}.h5 (in Python "
            "weights=...)."
        ) from error


@contextmanager
def _telling() -> Iterator[None]:
    """Progress of a download on a terminal, and nothing else; what is printed is for programs."""
    if sys.stderr.isatty():
        with redirect_stdout(sys.stderr):
            yield
    else:
        with quietly(), redirect_stdout(io.StringIO()):
            yield


def _side(text: str) -> tuple[int, int, int]:
    if not re.fullmatch(r"\d{1,4}(x\d{1,4})?", text):
        raise ValueError(text)
    sides = [int(side) for side in text.split("x")]
    return sides[0], sides[-1], 3


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", text):
        raise ValueError(text)
    return int(text)


_READERS: dict[str, Callable[[str], Any]] = {
    "alpha": float,
    "classes": _count,
    "input_shape": _side,
    "minimalistic": _truth,
}
