"""From a Keras network to an ONNX model, and what is known of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ninebrains.bridging.backend import quietly
from ninebrains.bridging.from_keras.folding import fold, join, scale_and_shift
from ninebrains.bridging.from_keras.sheet import AFFINE, Array, Sheet, Step, Value
from ninebrains.bridging.from_keras.walking import Level, Walk, graph_of
from ninebrains.bridging.from_keras.writing import write
from ninebrains.errors import TrunkError

if TYPE_CHECKING:
    import keras
    import onnx

LEAST_OPSET, LARGEST_OPSET = 13, 21
_LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Converted:
    """A Keras network as ONNX.

    Attributes:
        model: the ONNX model; its input is float32 [N, H, W, C], as Keras has it.
        entry: slope[C] and shift[C] of what the network does first with its input, y = slope x +
            shift, or None where it does no such thing.
        first: the name of the layer that looks at the photos first, with its level's prefix.
        levels: the networks that lie in each other.
    """

    model: onnx.ModelProto
    entry: tuple[Array, Array] | None
    first: str
    levels: tuple[Level, ...]


def to_onnx(
    model: keras.Model, *, size: tuple[int, int] | None = None, opset: int = 17
) -> onnx.ModelProto:
    """A functional or sequential Keras network of the listed layers as clean ONNX.

    Channels lie first inside, after one Transpose at the entrance; the batch axis is free; batch
    normalisation is folded into convolutions. Input and output are float32, as Keras has them.

    Args:
        model: the network; networks inside it are taken apart.
        size: (height, width) of the photos, where the network leaves it open.
        opset: version of ONNX's operators, 13 to 21.

    Raises:
        TrunkError: it holds a layer that is not of the list, or no size is known.

    Example:
        >>> import keras  # doctest: +SKIP
        >>> onnx.save(to_onnx(keras.applications.MobileNetV2()), "net.onnx")  # doctest: +SKIP
    """
    return convert(model, size=size, opset=opset).model


def convert(model: Any, *, size: tuple[int, int] | None = None, opset: int = 17) -> Converted:  # noqa: ANN401
    """As `to_onnx`, with what is known of the network's input.

    Raises:
        TrunkError: as there.
    """
    if not LEAST_OPSET <= opset <= LARGEST_OPSET:
        raise TrunkError(
            f"the operator set {opset} is not one that networks are written in; expected "
            f"{LEAST_OPSET} to {LARGEST_OPSET}."
        )
    shape = _input_shape(model, size)
    walk = Walk(opset)
    source, photos = _entrance(walk.sheet, graph_of(model).inputs[0].name, shape)
    with quietly():  # Keras warns of its own doings when it gives its weights
        ends = walk.through(model, [photos])
    outputs = [_as_keras(walk.sheet, end) for end in ends]
    names = [value.name for value in outputs]
    steps = join(walk.sheet.steps, names)
    entry = _entry(steps, photos.name)
    folded = fold(steps, names)
    return Converted(
        model=write(folded, (source, shape), outputs, str(model.name), opset),
        entry=entry,
        first=_first(steps, photos.name),
        levels=tuple(walk.levels),
    )


def _input_shape(model: Any, size: tuple[int, int] | None) -> tuple[int, int, int]:  # noqa: ANN401
    """(H, W, C) of the one input."""
    inputs = graph_of(model).inputs
    if len(inputs) != 1:
        raise TrunkError(
            f"the network has {len(inputs)} inputs: {[tensor.name for tensor in inputs]}; expected "
            "one, a batch of photos."
        )
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[3] is None:
        raise TrunkError(
            f"the network's input has the shape {list(shape)}; expected [None, height, width, "
            "channels]."
        )
    asked = size or (None, None)
    height, width = (b if a is None else a for a, b in zip(shape[1:3], asked, strict=True))
    if size is not None and (height, width) != size:
        raise TrunkError(
            f"the network is made for photos of {height}x{width} pixels (height x width); "
            f"{size[0]}x{size[1]} were asked for. Leave --size (in Python size) out."
        )
    if height is None or width is None:
        raise TrunkError(
            "the network leaves the photos' size open. Say the one it was trained with, such as "
            "--size 224 or --size 240x320 (height x width); in Python size=(240, 320)."
        )
    if not all(0 < side <= _LARGEST_SIDE for side in (height, width)):
        raise TrunkError(
            f"the network takes photos of {height}x{width} pixels; expected 1 to "
            f"{_LARGEST_SIDE} on each side."
        )
    return int(height), int(width), int(shape[3])


def _entrance(sheet: Sheet, name: str, shape: tuple[int, int, int]) -> tuple[str, Value]:
    """The input's name, and the photos with their channels first."""
    height, width, channels = shape
    source = Value(sheet.own_name(str(name)), shape, None)
    made = Value("", shape, (channels, height, width))
    photos = sheet.put("Transpose", "channels_first", [source], made, perm=[0, 3, 1, 2])
    return source.name, photos


def _as_keras(sheet: Sheet, value: Value) -> Value:
    """An output in Keras's own shape."""
    if value.channel is not None:
        raise TrunkError("the network gives one channel of its photos; expected an answer.")
    if value.is_map:
        last = sheet.put("Transpose", "channels_last", [value], value, perm=[0, 2, 3, 1])
        return Value(last.name, value.shape, None)
    return sheet.flat(value, value.name)


def _entry(steps: list[Step], photos: str) -> tuple[Array, Array] | None:
    """What the network does first with its input, channel by channel."""
    readers = [step for step in steps if photos in step.inputs]
    if len(readers) != 1 or readers[0].operator != AFFINE:
        return None
    scale, shift = scale_and_shift(readers[0])
    plain = np.all(scale == 1.0) and not np.any(shift)
    return None if plain else (scale, shift)


def _first(steps: list[Step], photos: str) -> str:
    """The layer of the first convolution, or of whatever else reads the photos."""
    name = photos
    while True:
        readers = [step for step in steps if name in step.inputs]
        if len(readers) != 1:
            return ""
        if readers[0].operator not in (AFFINE, "Pad"):
            return readers[0].name
        name = readers[0].output
