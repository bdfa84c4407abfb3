"""From ONNX to Keras 3: a network as a functional model of plain layers and operations.

Photos come in and answers go out as in ONNX; in between, everything lies channels last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ninebrains.bridging.backend import import_keras
from ninebrains.bridging.constants import FOLDED, fold
from ninebrains.bridging.gelus import find_gelus
from ninebrains.bridging.operators import NUM_PHOTOS, OPERATORS, Array, Node, Pen, Value
from ninebrains.bridging.operators.value import arranged, counts_photos, in_order
from ninebrains.errors import BrainError

if TYPE_CHECKING:
    import onnx

KNOWN_OPERATORS = tuple(sorted({*OPERATORS, *FOLDED}))
"""All that `to_keras` takes; anything else is refused by name."""

OLDEST_OPSET = 7
_WEIGHT_TYPES = ("float32", "int32", "int64", "uint8", "int8", "bool", "float64")


def to_keras(model: onnx.ModelProto) -> Any:  # noqa: ANN401 - keras has no types
    """Turn an ONNX network into a functional Keras model.

    Its input has the network's name, type and shape, with a free number of photos; it gives a
    dictionary of the network's outputs by name, in their ONNX shapes. Convolutions, linear layers,
    normalisation, pools and activations are Keras layers with their weights; the rest are
    operations of `keras.ops`. There is no Lambda: what `model.save` writes is loaded in safe mode.

    Args:
        model: of the default operator set, with its weights inside.

    Returns:
        A `keras.Model`.

    Raises:
        BrainError: it holds what is not in `KNOWN_OPERATORS`, control flow, or sizes that depend on
            the photos.
        ExtraError: Keras is not installed.

    Example:
        >>> to_keras(onnx.load("net.onnx"))(photos)["scores"]  # doctest: +SKIP
    """
    keras = import_keras()
    opset = _opset(model)
    check_known(model)
    pen = Pen()
    source = _source(model, pen)
    values: dict[str, Value | Array] = {source[0]: source[1], **_constants(model)}
    gelus = find_gelus(model, values)
    for node in model.graph.node:
        _add(_as_gelu(node, gelus), values, opset, pen)
    outputs = {}
    for output in model.graph.output:
        outputs[output.name] = _output(output.name, values, pen)
    return keras.Model(source[1].tensor, outputs, name=pen.name(model.graph.name or "network"))


def check_known(model: onnx.ModelProto) -> None:
    """Refuse what has operators that are not known here, before any work.

    Raises:
        BrainError: with their names.
    """
    strange = set()
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            strange.add(f"{node.domain}.{node.op_type}")
        elif node.op_type not in OPERATORS and node.op_type not in FOLDED:
            strange.add(node.op_type)
    if strange:
        raise BrainError(
            f"Keras cannot be given the operators {', '.join(sorted(strange))}; known are "
            f"{', '.join(KNOWN_OPERATORS)}. Use another trunk, or a target that takes ONNX."
        )


def _opset(model: onnx.ModelProto) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions or versions[0] < OLDEST_OPSET:
        raise BrainError(
            f"the network is of ONNX's operator set {versions[0] if versions else 'unknown'}; "
            f"expected {OLDEST_OPSET} or newer. Export it again."
        )
    return int(versions[0])


def _source(model: onnx.ModelProto, pen: Pen) -> tuple[str, Value]:
    """The network's one input: a free number of photos of a known size."""
    import keras
    from onnx import helper

    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise BrainError(f"the network has {len(inputs)} inputs; expected one, the photos")
    name, kind = inputs[0].name, inputs[0].type.tensor_type
    sizes = [size.dim_value for size in kind.shape.dim]
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type).name if kind.elem_type else "unknown"
    if len(sizes) < 2 or sizes[0] > 0 or min(sizes[1:]) < 1 or dtype not in ("float32", "uint8"):
        raise BrainError(
            f"the network takes {name!r} as {dtype} of {sizes} (0 is free); expected uint8 or "
            "float32 of a free number of photos and fixed sizes. Export it with a free batch axis."
        )
    tensor = keras.Input(tuple(sizes[1:]), dtype=dtype, name=pen.name(name))
    pen.photos = tensor
    return name, Value(tensor, (NUM_PHOTOS, *sizes[1:]), in_order(len(sizes)))


def _constants(model: onnx.ModelProto) -> dict[str, Value | Array]:
    from onnx import numpy_helper

    found: dict[str, Value | Array] = {}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.name not in _WEIGHT_TYPES:
            raise BrainError(
                f"weight {tensor.name!r} is of {array.dtype.name}; expected one of "
                f"{', '.join(_WEIGHT_TYPES)}. Export the network in 32-bit floats."
            )
        found[tensor.name] = array
    return found


def _add(proto: onnx.NodeProto, values: dict[str, Value | Array], opset: int, pen: Pen) -> None:
    """Compute one operator, or let Keras do so, and keep its results by name."""
    missing = [name for name in proto.input if name and name not in values]
    if missing:
        raise BrainError(f"operator {proto.op_type!r} reads {missing[0]!r}, which nothing gives")
    inputs = [values[name] if name else None for name in proto.input]
    found = _results(proto, inputs, opset, pen)
    values.update((name, value) for name, value in zip(proto.output, found, strict=False) if name)


def _as_gelu(proto: onnx.NodeProto, gelus: dict[str, str]) -> onnx.NodeProto:
    """The operator, or Gelu where it is the last of those that make one."""
    from onnx import helper

    if proto.output[0] not in gelus:
        return proto
    return helper.make_node("Gelu", [gelus[proto.output[0]]], [proto.output[0]])


def _results(
    proto: onnx.NodeProto, inputs: list[Value | Array | None], opset: int, pen: Pen
) -> list[Value | Array]:
    first = inputs[0] if inputs else None
    if proto.op_type in ("Shape", "Size") and isinstance(first, Value):
        return [_sizes(proto, first)]
    is_constant = not any(isinstance(item, Value) for item in inputs)
    if is_constant and not _repeats_for_photos(proto, inputs):
        return list(fold(proto, [item for item in inputs if not isinstance(item, Value)], opset))
    operator: Callable[[Node], Any] | None = OPERATORS.get(proto.op_type)
    if operator is None:
        raise BrainError(
            f"operator {proto.op_type!r}, which gives {proto.output[0]!r}, depends on the photos; "
            "it is known for constants only"
        )
    from onnx import helper

    attributes = {item.name: helper.get_attribute_value(item) for item in proto.attribute}
    num_outputs = max(place for place, name in enumerate(proto.output, 1) if name)
    node = Node(proto.op_type, proto.output[0], attributes, inputs, num_outputs, opset, pen)
    try:
        found = operator(node)
    except BrainError:
        raise
    except Exception as error:
        raise node.refusal(f"is refused by Keras ({type(error).__name__}: {error})") from error
    return [found] if isinstance(found, Value) else list(found)


def _sizes(proto: onnx.NodeProto, value: Value) -> Array:
    """Sizes are constants, in which NUM_PHOTOS stands for what is not known."""
    import math

    import numpy as np

    if proto.op_type == "Size":
        return np.array(math.prod(value.sizes), np.int64)
    cuts = {item.name: item.i for item in proto.attribute}
    return np.array(value.sizes[cuts.get("start", 0) : cuts.get("end")], np.int64)


def _repeats_for_photos(proto: onnx.NodeProto, inputs: list[Value | Array | None]) -> bool:
    """Whether a constant is repeated for each photo, as class tokens are."""
    if proto.op_type != "Expand":
        return False
    shape = inputs[1]
    return not isinstance(shape, Value | None) and any(counts_photos(int(n)) for n in shape)


def _output(name: str, values: dict[str, Value | Array], pen: Pen) -> Any:  # noqa: ANN401
    """An output in ONNX's shape."""
    value = values.get(name)
    if not isinstance(value, Value):
        raise BrainError(f"the output {name!r} does not depend on the photos")
    tensor = arranged(value, in_order(value.rank))
    return tensor if tensor is value.tensor else pen.named(tensor, f"{name}.channels_first")
