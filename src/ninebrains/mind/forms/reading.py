"""An ONNX graph as plain Python values, sorted: the first step to its canonical form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.brains.graph import Graph, external_weight
from ninebrains.brains.late import Buffer
from ninebrains.errors import BrainError
from ninebrains.mind.forms.form import Attribute, Constant, Shape, Tensor

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Node:
    """One operator as a file has it.

    Attributes:
        operator: its name.
        attributes: as they are given.
        inputs: names; "" for one that is not given.
        outputs: names; "" for one that is not wanted.
    """

    operator: str
    attributes: Mapping[str, Attribute]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """A graph as its file has it, without the clutter.

    Attributes:
        nodes: each comes after those that it reads.
        constants: initialisers and the values of `Constant` nodes, by name.
        source: the name of the photos' input.
        outputs: the graph's outputs, in the file's order.
        opset: of the file.
        model: the parsed model, without outside weights.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    source: str
    outputs: tuple[str, ...]
    opset: int
    model: onnx.ModelProto


def read_network(graph: Graph) -> Network:
    """Parse a graph that went through `brains.checking.check`.

    Raises:
        BrainError: it is no ONNX graph of plain operators with one input.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(graph.data)
    except Exception as error:
        raise BrainError(f"the graph is not an ONNX model: {error}") from error
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1 or not 1 <= versions[0] <= onnx.defs.onnx_opset_version():
        raise BrainError(
            f"the graph is of the operator sets {versions}; expected one of 1 to "
            f"{onnx.defs.onnx_opset_version()}. Export the model again."
        )
    constants = {tensor.name: _constant(tensor, graph) for tensor in model.graph.initializer}
    sources = [value.name for value in model.graph.input if value.name not in constants]
    if len(sources) != 1:
        raise BrainError(f"the graph takes {len(sources)} inputs; expected one, a batch of photos")
    nodes = []
    for proto in model.graph.node:
        if proto.domain not in ("", "ai.onnx"):
            raise BrainError(f"operator {proto.op_type!r} is of the domain {proto.domain!r}")
        attributes = {item.name: read_attribute(item) for item in proto.attribute}
        node = Node(proto.op_type, attributes, tuple(proto.input), tuple(proto.output))
        if node.operator == "Constant" and len(node.outputs) == 1:
            constants[node.outputs[0]] = _value_of(attributes)
        else:
            nodes.append(node)
    outputs = tuple(value.name for value in model.graph.output)
    ordered = _sorted(nodes, {sources[0], *constants, ""})
    return Network(ordered, constants, sources[0], outputs, versions[0], model)


def _sorted(nodes: Iterable[Node], known: set[str]) -> tuple[Node, ...]:
    """Put each node after those that it reads.

    Raises:
        BrainError: nodes read each other, or a value that nothing makes.
    """
    waiting, ordered = list(nodes), []
    makers = {name: index for index, node in enumerate(waiting) for name in node.outputs if name}
    missing = [0] * len(waiting)
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(waiting):
        for name in set(node.inputs) - known:
            if name not in makers:
                raise BrainError(f"operator {node.operator!r} reads {name!r}; nothing makes it")
            missing[index] += 1
            readers.setdefault(makers[name], []).append(index)
    ready = [index for index in range(len(waiting)) if missing[index] == 0]
    for index in ready:  # grows while it is walked
        ordered.append(waiting[index])
        for reader in readers.get(index, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                ready.append(reader)
    if len(ordered) < len(waiting):
        raise BrainError("the graph has a cycle: operators wait for each other's results")
    return tuple(ordered)


def _constant(tensor: onnx.TensorProto, graph: Graph) -> Constant:
    """An initialiser; one that lies outside is named by its hash already."""
    name = external_weight(tensor)
    if name is None:
        value = _tensor(tensor)
        return Constant.of(value.dtype, value.shape, value.data)
    if name not in graph.weights:
        raise BrainError(f"weight {tensor.name!r} is missing: there is no file weights/{name}")
    dtype, shape, data = dtype_name(tensor.data_type), tuple(tensor.dims), graph.weights[name]
    _check_size(tensor.name, dtype, shape, data)
    return Constant.of(dtype, shape, data, name)


def _check_size(name: str, dtype: str, shape: Shape, data: Buffer) -> None:
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if len(data) != expected or min(shape, default=0) < 0:
        raise BrainError(
            f"weight {name!r} has {len(data):,} bytes; its shape {list(shape)} needs {expected:,}"
        )


def _tensor(tensor: onnx.TensorProto) -> Tensor:
    """A tensor inside the graph, whichever of its fields holds the values."""
    from onnx import numpy_helper

    if tensor.data_type == tensor.STRING:
        raise BrainError("the graph holds text; expected numbers")
    if tensor.HasField("raw_data"):
        value = Tensor(dtype_name(tensor.data_type), tuple(tensor.dims), tensor.raw_data)
        _check_size(tensor.name, *value)
        return value
    array = numpy_helper.to_array(tensor)
    return Tensor(dtype_name(tensor.data_type), tuple(tensor.dims), array.tobytes())


@cache
def dtype_name(data_type: int) -> str:
    """Numpy's name of an ONNX type.

    Raises:
        BrainError: it has none.
    """
    from onnx import helper

    return str(helper.tensor_dtype_to_np_dtype(data_type).name)


def _value_of(attributes: Mapping[str, Attribute]) -> Constant:
    """What a `Constant` node holds, in any of its forms.

    Raises:
        BrainError: it holds nothing that can be computed with.
    """
    if len(attributes) == 1:
        ((name, value),) = attributes.items()
        if isinstance(value, Tensor):
            return Constant.of(value.dtype, value.shape, value.data)
        if name in ("value_float", "value_floats"):
            return Constant.of_array(np.array(value, np.float32))
        if name in ("value_int", "value_ints"):
            return Constant.of_array(np.array(value, np.int64))
    raise BrainError(f"a Constant holds {sorted(attributes)}; expected one number or tensor")


def read_attribute(item: onnx.AttributeProto) -> Attribute:
    """An attribute's value.

    Raises:
        BrainError: it is of a type that no plain operator has.
    """
    reader = _READERS.get(item.type)
    if reader is None:
        raise BrainError(f"the attribute {item.name!r} has a type that is not supported")
    return reader(item)


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


# By the numbers that ONNX gives to types of attributes (AttributeProto.AttributeType).
_READERS: dict[int, Callable[[onnx.AttributeProto], Attribute]] = {
    1: lambda item: float(item.f),
    2: lambda item: int(item.i),
    3: lambda item: _text(item.s),
    4: lambda item: _tensor(item.t),
    6: lambda item: tuple(item.floats),
    7: lambda item: tuple(item.ints),
    8: lambda item: tuple(_text(text) for text in item.strings),
}
