"""A part of a form as a graph again, for a backend to compile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from ninebrains.brains.graph import SMALLEST_EXTERNAL_BYTES, Graph
from ninebrains.brains.late import Buffer
from ninebrains.errors import BrainError
from ninebrains.mind.forms.form import Attribute, Constant, Form, Operation, Tensor
from ninebrains.mind.forms.operators import trimmed

if TYPE_CHECKING:
    import onnx

# The version of the file format that goes with an operator set; older runtimes read older ones.
_IR_VERSIONS = ((21, 10), (19, 9), (15, 8), (0, 7))


def emit(form: Form, outputs: Sequence[str], inputs: Sequence[str] | None = None) -> Graph:
    """The part of a form that computes some values from others.

    Equal parts of any two forms give equal bytes.

    Args:
        form: where the values are.
        outputs: hashes of the values to compute.
        inputs: hashes of the values that are given; by default the photos.

    Returns:
        A graph whose inputs and outputs are named by hash, in the order given. Its weights are the
        form's buffers, not copies.

    Raises:
        BrainError: the outputs need a value that is neither given nor computed from what is.
    """
    import onnx

    given = [form.source] if inputs is None else list(inputs)
    operations = _needed(form, outputs, given)
    model = onnx.ModelProto()
    model.ir_version = next(ir for opset, ir in _IR_VERSIONS if form.opset >= opset)
    model.opset_import.add(domain="", version=form.opset)
    model.graph.name = "part"
    for operation in operations:
        _write_operation(model.graph.node.add(), operation)
    read = {name for operation in operations for name in operation.inputs} | set(outputs)
    weights: dict[str, Buffer] = {}
    for name in sorted(read & form.constants.keys() - set(given)):
        _write_constant(model.graph.initializer.add(), form.constants[name], weights)
    for name in given:
        _write_value(model.graph.input.add(), form, name)
    for name in outputs:
        _write_value(model.graph.output.add(), form, name)
    return Graph(model.SerializeToString(deterministic=True), weights)


def _needed(form: Form, outputs: Iterable[str], given: Collection[str]) -> list[Operation]:
    """The operations between `given` and `outputs`, in the form's order."""
    wanted, found = set(outputs), set(given) | form.constants.keys() | {""}
    needed = []
    for operation in reversed(form.operations):
        if not wanted.isdisjoint(set(operation.outputs) - found):
            needed.append(operation)
            wanted.update(operation.inputs)
    made = {name for operation in needed for name in operation.outputs}
    missing = sorted(wanted - found - made)
    if missing:
        raise BrainError(
            f"the value {missing[0]} is neither given nor computed from what is given; "
            "give it as an input, too"
        )
    return _sorted(reversed(needed), wanted)


def _sorted(operations: Iterable[Operation], wanted: Collection[str]) -> list[Operation]:
    """In an order that depends on nothing but themselves: by depth, then by name."""
    depths: dict[str, int] = {}
    places = []
    for operation in operations:
        depth = 1 + max((depths.get(name, 0) for name in operation.inputs), default=0)
        depths.update(dict.fromkeys(operation.outputs, depth))
        places.append((depth, next(filter(None, operation.outputs)), operation))
    places.sort(key=lambda place: place[:2])
    return [trimmed(operation, wanted) for _, _, operation in places]


def _write_operation(node: onnx.NodeProto, operation: Operation) -> None:
    node.op_type = operation.operator
    node.input.extend(operation.inputs)
    node.output.extend(operation.outputs)
    for name, value in operation.attributes:
        write_attribute(node.attribute.add(), name, value)


def write_attribute(attribute: onnx.AttributeProto, name: str, value: Attribute) -> None:
    """Fill in an attribute; its type follows from the value's."""
    attribute.name = name
    if isinstance(value, Tensor):
        attribute.type = attribute.TENSOR
        _write_tensor(attribute.t, value.dtype, value.shape)
        attribute.t.raw_data = value.data
    elif isinstance(value, tuple):
        _write_list(attribute, cast("tuple[int | float | str | bytes, ...]", value))
    elif isinstance(value, int):
        attribute.type, attribute.i = attribute.INT, value
    elif isinstance(value, float):
        attribute.type, attribute.f = attribute.FLOAT, value
    else:
        attribute.type = attribute.STRING
        attribute.s = value.encode() if isinstance(value, str) else value


def _write_list(
    attribute: onnx.AttributeProto, values: tuple[int | float | str | bytes, ...]
) -> None:
    if all(isinstance(value, int) for value in values):  # an empty list, too: floats never are
        attribute.type = attribute.INTS
        attribute.ints.extend(values)
    elif all(isinstance(value, float) for value in values):
        attribute.type = attribute.FLOATS
        attribute.floats.extend(values)
    else:
        attribute.type = attribute.STRINGS
        attribute.strings.extend(
            value.encode() if isinstance(value, str) else value for value in values
        )


def _write_constant(
    tensor: onnx.TensorProto, constant: Constant, weights: dict[str, Buffer]
) -> None:
    tensor.name = constant.hash
    _write_tensor(tensor, constant.dtype, constant.shape)
    size = len(constant.data)
    if size < SMALLEST_EXTERNAL_BYTES:
        tensor.raw_data = bytes(constant.data)
        return
    weights[constant.digest] = constant.data
    tensor.data_location = tensor.EXTERNAL
    for key, value in (("location", f"weights/{constant.digest}"), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)


def _write_tensor(tensor: onnx.TensorProto, dtype: str, shape: Sequence[int]) -> None:
    from onnx import helper

    tensor.data_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    tensor.dims.extend(shape)


def _write_value(value: onnx.ValueInfoProto, form: Form, name: str) -> None:
    """Describe an input or output. What does not grow with the first axis alone is left open."""
    from onnx import helper

    constant = form.constants.get(name)
    dtype = constant.dtype if constant else form.dtypes[name]
    shape = constant.shape if constant else form.shapes[name]
    value.name = name
    kind = value.type.tensor_type
    kind.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    kind.shape.SetInParent()
    for index, size in enumerate(shape):
        dim = kind.shape.dim.add()
        if name in form.by_photo and index == 0:
            dim.dim_param = "N"
        elif constant or name in form.by_photo or name == form.source:
            dim.dim_value = size
