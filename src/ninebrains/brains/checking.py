"""The gate for graphs that come from outside, before ONNX Runtime sees a byte of them.

It refuses whatever could run code, reach other files, or take absurd amounts of memory: operators
outside the default domain, nested graphs, paths, lies about sizes, and values of many gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, SupportsInt, cast

from ninebrains.brains.graph import external_weight
from ninebrains.brains.inferring import check_inputs, infer_safely
from ninebrains.errors import BrainError

if TYPE_CHECKING:
    import onnx

LARGEST_GRAPH_BYTES = 64 * 1024 * 1024
LARGEST_NUM_NODES = 50_000
LARGEST_TENSOR_ELEMENTS = 1 << 28
LARGEST_TOTAL_ELEMENTS = 1 << 31
LARGEST_JOINED_SIZES = 1 << 22
# What shape inference follows sizes through. A node that is not here gives one new value.
_PASS_ON = ("Add", "Cast", "Gather", "Identity", "Mul", "Slice", "Squeeze", "Sub", "Unsqueeze")
_INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_TYPES = (*_INTEGERS, "BOOL", "FLOAT16", "FLOAT", "DOUBLE")

Shape = tuple[int, ...]


def check(data: bytes, weight_bytes: Mapping[str, int]) -> onnx.ModelProto:
    """Refuse a graph that could do harm; return it parsed, still without its weights.

    Args:
        data: the serialised graph.
        weight_bytes: size of each weight file that is there, by SHA-256.

    Raises:
        BrainError: with the name of the operator, tensor or path at fault.
    """
    import onnx

    if len(data) > LARGEST_GRAPH_BYTES:
        raise BrainError(
            f"graph.onnx has {len(data):,} bytes; the limit is {LARGEST_GRAPH_BYTES:,}"
        )
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        raise BrainError(f"graph.onnx is not an ONNX model: {error}") from error
    _check_names(model.graph)
    check_operators(model)
    for tensor in model.graph.initializer:
        _check_weight(tensor, weight_bytes)
    return model


def _check_names(graph: onnx.GraphProto) -> None:
    """Refuse names that are no text: protobuf gives such as bytes, which nothing here expects."""
    names = [
        item.name
        for items in (graph.input, graph.output, graph.initializer, graph.value_info)
        for item in items
    ]
    for node in graph.node:
        names += [node.op_type, node.domain, *node.input, *node.output]
    for tensor in graph.initializer:
        names += [text for entry in tensor.external_data for text in (entry.key, entry.value)]
    strange = next((name for name in names if not isinstance(name, str)), None)
    if strange is not None:
        raise BrainError(f"graph.onnx is damaged: the name {strange!r} is not UTF-8 text")


def check_operators(model: onnx.ModelProto) -> None:
    """Allow only operators of the default ONNX domain, without functions or nested graphs.

    Raises:
        BrainError: with the operator's name.
    """
    if len(model.graph.node) > LARGEST_NUM_NODES:
        raise BrainError(
            f"the graph has {len(model.graph.node):,} operators; the limit is {LARGEST_NUM_NODES:,}"
        )
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise BrainError(
                f"operator {node.op_type!r} is of the domain {node.domain!r}; only the default "
                "ONNX domain is allowed. Export the model again without custom operators."
            )
        _check_attributes(node)
    check_inputs(model)
    _check_attribute_types(model)
    if model.functions:
        raise BrainError(
            f"the graph defines the function {model.functions[0].name!r}; only plain operators are "
            "allowed. Export the model again with functions inlined."
        )
    if model.training_info or model.graph.sparse_initializer:
        raise BrainError(
            "the graph holds training parts or sparse tensors; expected a plain network"
        )


def _check_attributes(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise BrainError(
                f"operator {node.op_type!r} holds a nested graph; control flow is not allowed. "
                "Export the model with its control flow unrolled."
            )
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise BrainError(f"operator {node.op_type!r} holds a sparse tensor; not allowed")
        tensors = [attribute.t] if attribute.HasField("t") else []
        for tensor in (*tensors, *attribute.tensors):
            if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
                raise BrainError(f"operator {node.op_type!r} reads a file; this is not allowed")
            # Every value takes a byte at least, whichever field of the tensor holds it.
            if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > tensor.ByteSize():
                raise BrainError(
                    f"operator {node.op_type!r} claims a constant of {list(tensor.dims)} and holds "
                    f"{tensor.ByteSize():,} bytes"
                )


def _check_attribute_types(model: onnx.ModelProto) -> None:
    """Refuse numbers where ONNX's definition of an operator has lists or text, and so on."""
    opset = max((entry.version for entry in model.opset_import), default=0)
    for node in model.graph.node:
        types = _attribute_types(node.op_type, opset)
        for attribute in node.attribute:
            expected = types.get(attribute.name, attribute.type)
            if attribute.type not in (0, expected):  # the first files named no types
                raise BrainError(
                    f"the attribute {attribute.name!r} of operator {node.op_type!r} is of the "
                    f"type {attribute.type}; ONNX's set {opset} has {expected}. Export the model "
                    "again."
                )


@cache
def _attribute_types(operator: str, opset: int) -> Mapping[str, int]:
    """ONNX's number for the type of each attribute, by name; nothing for unknown operators."""
    from onnx import defs

    try:
        schema = defs.get_schema(operator, opset, "")
    except (defs.SchemaError, TypeError):  # no such operator; no text, or no number of a set
        return {}  # told where the graph is read further
    return {name: int(cast("SupportsInt", item.type)) for name, item in schema.attributes.items()}


def _check_weight(tensor: onnx.TensorProto, weight_bytes: Mapping[str, int]) -> None:
    import onnx

    if any(size < 0 for size in tensor.dims):
        raise BrainError(f"weight {tensor.name!r} has the shape {list(tensor.dims)}")
    elements = math.prod(tensor.dims)
    if elements > LARGEST_TENSOR_ELEMENTS:
        raise BrainError(
            f"weight {tensor.name!r} claims the shape {list(tensor.dims)}, {elements:,} values; "
            f"the limit is {LARGEST_TENSOR_ELEMENTS:,}"
        )
    if tensor.data_type not in [onnx.TensorProto.DataType.Value(name) for name in _TYPES]:
        raise BrainError(
            f"weight {tensor.name!r} has the type {tensor.data_type}; expected one of "
            f"{', '.join(_TYPES).lower()}"
        )
    expected = elements * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    name = external_weight(tensor)
    if name is None:
        found = len(tensor.raw_data)
    elif name in weight_bytes:
        found = weight_bytes[name]
    else:
        raise BrainError(f"weight {tensor.name!r} is missing: there is no file weights/{name}")
    lengths = [entry.value for entry in tensor.external_data if entry.key == "length"]
    if any(length != str(found) for length in lengths):
        raise BrainError(
            f"weight {tensor.name!r} claims {lengths[0]!r} bytes; weights/{name} has {found}"
        )
    if found != expected:
        raise BrainError(
            f"weight {tensor.name!r} has {found:,} bytes; its shape {list(tensor.dims)} needs "
            f"{expected:,}"
        )


def infer_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """The shape of every value for one photo, told from inputs, weights and operators alone.

    What the graph itself says about its inner shapes is left out of account: it may lie.

    Raises:
        BrainError: a shape cannot be told, or a value would be absurdly large.
    """
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for value in bare.graph.output:
        value.type.tensor_type.ClearField("shape")
    for value in bare.graph.input:
        sizes = value.type.tensor_type.shape.dim
        if sizes and not sizes[0].HasField("dim_value"):
            sizes[0].dim_value = 1
    _check_sizes_joined(bare)
    inferred = infer_safely(bare)
    shapes: dict[str, Shape] = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        sizes = value.type.tensor_type.shape.dim
        known = value.type.tensor_type.HasField("shape")
        if known and all(size.HasField("dim_value") for size in sizes):
            shapes[value.name] = tuple(size.dim_value for size in sizes)
    _check_totals(model, shapes)
    return shapes


def _check_sizes_joined(model: onnx.ModelProto) -> None:
    """Limit what shape inference computes itself: sizes that are joined and joined again."""
    lists = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 1]
    lengths = {tensor.name: tensor.dims[0] for tensor in lists}
    for node in model.graph.node:
        read = [lengths.get(name, 1) for name in node.input]
        length = sum(read) if node.op_type == "Concat" else 1
        if node.op_type in _PASS_ON:
            length = max(read, default=1)
        if length > LARGEST_JOINED_SIZES:
            raise BrainError(
                f"operator {node.op_type!r} would join {length:,} values one by one; the limit is "
                f"{LARGEST_JOINED_SIZES:,}"
            )
        lengths.update(dict.fromkeys(node.output, length))


def _check_totals(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> None:
    """Limit each value, all of them, and those made of constants, which are computed beforehand."""
    constant = {tensor.name for tensor in model.graph.initializer} | {""}
    total = total_constant = 0
    for node in model.graph.node:
        is_constant = all(name in constant for name in node.input)
        for name in filter(None, node.output):
            if name not in shapes:
                raise BrainError(
                    f"operator {node.op_type!r} makes a value {name!r} whose size cannot be told "
                    "beforehand; this is not allowed. Export the model with fixed shapes."
                )
            if min(shapes[name], default=0) < 0:
                raise BrainError(
                    f"{name!r} of operator {node.op_type!r} would have the shape "
                    f"{list(shapes[name])}: its window is larger than what it reads"
                )
            elements = math.prod(shapes[name])
            total += elements
            if is_constant:
                constant.add(name)
                total_constant += elements
            if max(elements, total_constant) > LARGEST_TENSOR_ELEMENTS:
                raise BrainError(
                    f"{name!r} of operator {node.op_type!r} would hold {elements:,} values for one "
                    f"photo; the limit is {LARGEST_TENSOR_ELEMENTS:,}"
                )
    if total > LARGEST_TOTAL_ELEMENTS:
        raise BrainError(
            f"the graph computes {total:,} values for one photo; the limit is "
            f"{LARGEST_TOTAL_ELEMENTS:,}"
        )
