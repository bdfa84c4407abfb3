"""The standard metadata of LiteRT files: what comes in, what goes out, and the labels.

A flatbuffer after the schema that TensorFlow publishes, version 1.0 of it:
https://github.com/tensorflow/tflite-support/blob/master/tensorflow_lite_support/metadata/metadata_schema.fbs
Tables and fields are written by their numbers there, so that nothing but `flatbuffers` is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

IDENTIFIER = b"M001"
LABELS = "labels.txt"
_PARSER_VERSION = "1.0.0"
_AXIS_LABELS = 2  # AssociatedFileType.TENSOR_AXIS_LABELS
_FEATURE, _IMAGE = 1, 2  # ContentProperties
_NORMALIZATION = 1  # ProcessUnitOptions
_RGB = 1  # ColorSpaceType


@dataclass(frozen=True)
class Tensor:
    """An output.

    Attributes:
        name: of it.
        description: for people.
        low: least value, if there is one.
        high: largest value, if there is one.
        has_labels: whether its last axis has a place for each label.
    """

    name: str
    description: str
    low: float | None = None
    high: float | None = None
    has_labels: bool = False


@dataclass(frozen=True)
class Model:
    """What the metadata say.

    Attributes:
        name: of the brain.
        version: of the brain.
        description: what it does.
        contract: how a photo becomes its input, in words.
        size: (width, height) of the input.
        outputs: in the order of the file.
    """

    name: str
    version: str
    description: str
    contract: str
    size: tuple[int, int]
    outputs: tuple[Tensor, ...]


def write_metadata(model: Model) -> bytes:
    """The flatbuffer."""
    pen = _Pen()
    outputs = [_output(pen, tensor) for tensor in model.outputs]
    network = pen.table(
        {
            0: pen.text(model.name),
            2: pen.list([_photos(pen, model)]),
            3: pen.list(outputs),
        }
    )
    root = pen.table(
        {
            0: pen.text(model.name),
            1: pen.text(model.description),
            2: pen.text(model.version),
            3: pen.list([network]),
            7: pen.text(_PARSER_VERSION),
        }
    )
    return pen.finish(root)


def _photos(pen: _Pen, model: Model) -> int:
    """TensorMetadata of the input: normalisation is inside, so mean 0 and deviation 1."""
    width, height = model.size
    size = pen.table({0: _Number("Uint32", width), 1: _Number("Uint32", height)})
    image = pen.table({0: _Number("Int8", _RGB), 1: size})
    content = pen.table({0: _Number("Uint8", _IMAGE), 1: image})
    options = pen.table({0: pen.floats([0.0]), 1: pen.floats([1.0])})
    unit = pen.table({0: _Number("Uint8", _NORMALIZATION), 1: options})
    stats = pen.table({0: pen.floats([255.0]), 1: pen.floats([0.0])})
    return pen.table(
        {
            0: pen.text("photos"),
            1: pen.text(model.contract),
            3: content,
            4: pen.list([unit]),
            5: stats,
        }
    )


def _output(pen: _Pen, tensor: Tensor) -> int:
    """TensorMetadata of an output."""
    content = pen.table({0: _Number("Uint8", _FEATURE), 1: pen.table({})})
    fields: dict[int, int | _Number] = {
        0: pen.text(tensor.name),
        1: pen.text(tensor.description),
        3: content,
    }
    if tensor.low is not None and tensor.high is not None:
        fields[5] = pen.table({0: pen.floats([tensor.high]), 1: pen.floats([tensor.low])})
    if tensor.has_labels:
        about = "the labels' names, one a line, in the order of this tensor"
        kind = _Number("Int8", _AXIS_LABELS)
        file = pen.table({0: pen.text(LABELS), 1: pen.text(about), 2: kind})
        fields[6] = pen.list([file])
    return pen.table(fields)


@dataclass(frozen=True)
class _Number:
    """A number that is kept in its table: flatbuffers' name of its type, and what it is."""

    kind: str
    value: int


class _Pen:
    """Writes tables by the numbers of their fields."""

    def __init__(self) -> None:
        import flatbuffers

        self.builder: Any = flatbuffers.Builder(1024)

    def text(self, text: str) -> int:
        return int(self.builder.CreateString(text))

    def floats(self, numbers: Sequence[float]) -> int:
        self.builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            self.builder.PrependFloat32(number)
        return int(self.builder.EndVector())

    def list(self, tables: Sequence[int]) -> int:
        self.builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self.builder.PrependUOffsetTRelative(table)
        return int(self.builder.EndVector())

    def table(self, fields: Mapping[int, int | _Number]) -> int:
        self.builder.StartObject(max(fields, default=-1) + 1)
        for place, field in fields.items():
            if isinstance(field, _Number):
                write: Callable[..., None] = getattr(self.builder, f"Prepend{field.kind}Slot")
                write(place, field.value, 0)
            else:
                self.builder.PrependUOffsetTRelativeSlot(place, field, 0)
        return int(self.builder.EndObject())

    def finish(self, root: int) -> bytes:
        self.builder.Finish(root, file_identifier=IDENTIFIER)
        return bytes(self.builder.Output())
