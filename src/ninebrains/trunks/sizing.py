"""What a network computes from sizes alone, worked out beforehand.

Exports with free axes ask their values for sizes at every step, and interpolate position embeddings
for them. Once the photos' size is fixed, all of this is the same for every photo, or grows with the
number of photos. The network itself is not run: sizes are told by shape inference, and only what
follows from them and from constants is computed, after it is known to be small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.brains.inferring import infer_safely
from ninebrains.errors import BrainError, TrunkError
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.reading import sentence
from ninebrains.trunks.weighing import (
    LARGEST_CONSTANT_WORK,
    LARGEST_LISTS,
    check_work,
    most_elements,
    work,
)
from ninebrains.trunks.wiring import Array, Wiring, attribute

if TYPE_CHECKING:
    import onnx

LARGEST_FOLDED_ELEMENTS = 1 << 26
_LARGEST_SHOWN_ELEMENTS = 1024  # constants that shape inference may want to read
_SIZES = ("Shape", "Size")

Shapes = dict[str, list[int]]
Values = dict[str, Array]


def computed_from_pixels(model: onnx.ModelProto) -> set[str]:
    """Every value that depends on what the photos show, not only on their number and size."""
    found = {str(model.graph.input[0].name)}
    for node in model.graph.node:
        if node.op_type not in _SIZES and found.intersection(node.input):
            found.update(name for name in node.output if name)
    return found


def work_out_sizes(
    model: onnx.ModelProto, num_photos: int, file_name: str
) -> tuple[Values, Shapes]:
    """Everything that follows from sizes and constants alone, for so many photos.

    Args:
        model: with the photos' height and width in its input's shape.
        num_photos: in a batch.
        file_name: for messages.

    Returns:
        The values by name, and the shapes of all values and constants that are known.

    Raises:
        TrunkError: ONNX Runtime refuses these computations.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    values: Values = {}
    left, left_work = LARGEST_FOLDED_ELEMENTS, LARGEST_CONSTANT_WORK
    while True:
        shapes = _shapes(model, num_photos, values, file_name)
        ready: list[onnx.NodeProto] = []
        known, found = constants | set(values), {}
        for node in model.graph.node:
            if not node.output or node.output[0] in known:
                continue
            if node.op_type in _SIZES and node.input[0] in shapes:
                found[node.output[0]] = _sizes(node, shapes[node.input[0]])
                known.add(node.output[0])
            elif node.op_type not in _SIZES and known.issuperset(filter(None, node.input)):
                elements, cost = most_elements(node, shapes), work(node, shapes)
                listed = len(shapes.get(node.output[0], [])) == 1
                most = min(left, LARGEST_LISTS) if listed else left
                if elements is not None and elements <= most and cost <= left_work:
                    left, left_work = left - elements, left_work - cost
                    ready.append(node)
                    known.update(name for name in node.output if name)
        if not ready and not found:
            return values, shapes
        values |= found
        values |= _computed(model, ready, values, file_name)


def check_work_up_to(
    model: onnx.ModelProto, form: InputForm, ends: Iterable[str], file_name: str
) -> None:
    """Refuse a network, as it was read, that would take too long up to the values `ends`.

    Raises:
        TrunkError: with the operator that asks for most.
    """
    batch = form.batch or 1
    needed = Wiring(model).needed_for(ends)
    nodes = [node for node in model.graph.node if needed.intersection(node.output)]
    constants = needed - computed_from_pixels(model)
    check_work(nodes, work_out_sizes(model, batch, file_name)[1], constants, batch, file_name)


def _sizes(node: onnx.NodeProto, shape: list[int]) -> Array:
    """What a Shape or Size node gives for a value of that shape."""
    if node.op_type == "Size":
        return np.array(math.prod(shape), np.int64)
    first, end = attribute(node, "start", 0), attribute(node, "end")
    return np.array(shape, np.int64)[first:end]


def _shapes(model: onnx.ModelProto, num_photos: int, values: Values, file_name: str) -> Shapes:
    """The shapes that can be told, with what has been worked out in place of its makers."""
    import onnx
    from onnx import helper

    bare = onnx.ModelProto(ir_version=model.ir_version)
    bare.opset_import.extend(model.opset_import)
    graph = bare.graph
    graph.name = "sizes"
    graph.input.add().CopyFrom(model.graph.input[0])
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = num_photos
    graph.node.extend(node for node in model.graph.node if not values.keys() & set(node.output))
    found: Shapes = {}
    made = {name for node in graph.node for name in node.output}
    for tensor in model.graph.initializer:
        found[tensor.name] = list(tensor.dims)
        if math.prod(tensor.dims) <= _LARGEST_SHOWN_ELEMENTS:
            graph.initializer.add().CopyFrom(tensor)
        else:  # weights are long to copy, and their shapes say enough
            _declare(graph, tensor.name, tensor.data_type, found[tensor.name])
    for name, value in values.items():
        if name in made:
            continue
        found[name] = list(value.shape)
        if value.size <= _LARGEST_SHOWN_ELEMENTS:
            graph.initializer.append(_tensor(value, name))
        else:
            _declare(graph, name, helper.np_dtype_to_tensor_dtype(value.dtype), found[name])
    graph.output.extend(onnx.ValueInfoProto(name=entry.name) for entry in model.graph.output)
    try:
        # Without data_prop: it computes whatever it can, however large. What is needed is here.
        inferred = infer_safely(bare, strict=False, data_prop=False)
    except BrainError as error:
        raise TrunkError(
            f"the shapes in {file_name} do not fit together: {sentence(error)}"
        ) from error
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(size.HasField("dim_value") for size in kind.shape.dim):
            shape = [size.dim_value for size in kind.shape.dim]
            if min(shape, default=0) >= 0:  # nonsense is told as readily as sizes are
                found[value.name] = shape
    return found


def _declare(graph: onnx.GraphProto, name: str, kind: int, shape: list[int]) -> None:
    """Say type and shape of a value that is given."""
    from onnx import helper

    graph.input.append(helper.make_tensor_value_info(name, kind, shape))


def _tensor(value: Array, name: str) -> onnx.TensorProto:
    from onnx import numpy_helper

    array = np.ascontiguousarray(value).reshape(value.shape)  # the first makes 0-D to 1-D
    return numpy_helper.from_array(array, name)


def _computed(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], values: Values, file_name: str
) -> Values:
    """What the nodes give, whose inputs are constants, values or made by nodes before them."""
    import onnx
    import onnxruntime

    if not nodes:
        return {}
    outputs = [name for node in nodes for name in node.output if name]
    needed = {name for node in nodes for name in node.input} - set(outputs)
    small = onnx.ModelProto(ir_version=model.ir_version)
    small.opset_import.extend(model.opset_import)
    small.graph.name = "sizes"
    small.graph.node.extend(nodes)
    small.graph.initializer.extend(t for t in model.graph.initializer if t.name in needed)
    small.graph.initializer.extend(_tensor(values[n], n) for n in sorted(needed & set(values)))
    small.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        infer_safely(small, data_prop=False)  # ONNX Runtime infers as well, without our care
        session = onnxruntime.InferenceSession(
            small.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        found = session.run(outputs, {})
    except Exception as error:
        raise TrunkError(
            f"ONNX Runtime refuses what {file_name} does with sizes: {sentence(error)}"
        ) from error
    return dict(zip(outputs, (np.asarray(value) for value in found), strict=True))
