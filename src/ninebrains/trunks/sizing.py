"""What a network computes from sizes alone, worked out beforehand.

Exports with free axes ask their values for sizes at every step, and interpolate position embeddings
for them. Once the photos' size is fixed, all of this is the same for every photo, or grows with the
number of photos. The network itself is not run: sizes are told by shape inference, and only what
follows from them and from constants is computed, after it is known to be small.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.errors import TrunkError
from ninebrains.trunks.wiring import Array, attribute

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
        The values by name, and the shapes of all values that are known.

    Raises:
        TrunkError: ONNX Runtime refuses these computations.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    values: Values = {}
    left = LARGEST_FOLDED_ELEMENTS
    while True:
        shapes = _shapes(model, num_photos, values, file_name)
        ready: list[onnx.NodeProto] = []
        known, found = constants | set(values), {}
        for node in model.graph.node:
            if not node.output or node.output[0] in known:
                continue
            if node.op_type == "Shape" and node.input[0] in shapes:
                sizes = np.array(shapes[node.input[0]], np.int64)
                first, end = attribute(node, "start", 0), attribute(node, "end")
                found[node.output[0]] = sizes[first:end]
                known.add(node.output[0])
            elif node.op_type not in _SIZES and known.issuperset(filter(None, node.input)):
                outputs = [name for name in node.output if name]
                elements = sum(math.prod(shapes.get(name, [left + 1])) for name in outputs)
                if elements <= left:
                    left -= elements
                    ready.append(node)
                    known.update(outputs)
        if not ready and not found:
            return values, shapes
        values |= found
        values |= _computed(model, ready, values, file_name)


def _shapes(model: onnx.ModelProto, num_photos: int, values: Values, file_name: str) -> Shapes:
    """The shapes that can be told, with what has been worked out in place of its makers."""
    import onnx
    from onnx import helper, numpy_helper

    bare = onnx.ModelProto(ir_version=model.ir_version)
    bare.opset_import.extend(model.opset_import)
    graph = bare.graph
    graph.name = "sizes"
    graph.input.add().CopyFrom(model.graph.input[0])
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = num_photos
    graph.node.extend(node for node in model.graph.node if not values.keys() & set(node.output))
    made = {name for node in graph.node for name in node.output}
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _LARGEST_SHOWN_ELEMENTS:
            graph.initializer.add().CopyFrom(tensor)
        else:  # weights are long to copy, and their shapes say enough
            dims = list(tensor.dims)
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, dims))
    for name, value in values.items():
        if name not in made:
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    graph.output.extend(onnx.ValueInfoProto(name=entry.name) for entry in model.graph.output)
    try:
        inferred = onnx.shape_inference.infer_shapes(bare, data_prop=True).graph
    except Exception as error:
        raise TrunkError(f"the shapes in {file_name} do not fit together: {error}") from error
    found: Shapes = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(size.HasField("dim_value") for size in kind.shape.dim):
            found[value.name] = [size.dim_value for size in kind.shape.dim]
    return found


def _computed(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], values: Values, file_name: str
) -> Values:
    """What the nodes give, whose inputs are constants, values or made by nodes before them."""
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    if not nodes:
        return {}
    outputs = [name for node in nodes for name in node.output if name]
    needed = {name for node in nodes for name in node.input} - set(outputs)
    small = onnx.ModelProto(ir_version=model.ir_version)
    small.opset_import.extend(model.opset_import)
    small.graph.name = "sizes"
    small.graph.node.extend(nodes)
    small.graph.initializer.extend(t for t in model.graph.initializer if t.name in needed)
    for name in sorted(needed & set(values)):
        array = np.ascontiguousarray(values[name])
        small.graph.initializer.append(numpy_helper.from_array(array, name))
    small.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            small.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        found = session.run(outputs, {})
    except Exception as error:
        raise TrunkError(
            f"ONNX Runtime refuses what {file_name} does with sizes: {error}"
        ) from error
    return dict(zip(outputs, (np.asarray(value) for value in found), strict=True))
