"""What is known of each value before anything is computed: its type, shape, and how it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ninebrains.brains.inferring import infer_safely
from ninebrains.errors import BrainError
from ninebrains.images import Contract
from ninebrains.mind.forms.form import Array, Attribute, Shape
from ninebrains.mind.forms.reading import Network, dtype_name

if TYPE_CHECKING:
    import onnx


class Fact(NamedTuple):
    """What is known of a value.

    Attributes:
        dtype: numpy's name.
        shape: for one photo.
        growth: by how much each axis is longer for each further photo.
    """

    dtype: str
    shape: Shape
    growth: Shape

    @property
    def is_by_photo(self) -> bool:
        """Whether the first axis, and only that, grows with the number of photos."""
        return self.shape[:1] == (1,) and self.growth[:1] == (1,) and not any(self.growth[1:])


def facts_of(network: Network, contract: Contract) -> dict[str, Fact]:
    """What ONNX's own shape inference tells of each value, by name in the file.

    It is asked for two photos and for three: what differs grows. (For one photo it could not tell
    the photos' axis from one of a single row.) Values whose shape it cannot tell are not there.
    What the input leaves open besides the number of photos is the contract's.

    Raises:
        BrainError: shapes contradict each other, or the input is no photos.
    """
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(network.model)
    # What a file says of its inner shapes may be untrue.
    del bare.graph.value_info[:]
    for output in bare.graph.output:
        output.type.tensor_type.ClearField("shape")
    source = next(value for value in bare.graph.input if value.name == network.source)
    _fill_sides(source, contract)
    first = source.type.tensor_type.shape.dim[:1]
    if not first or first[0].HasField("dim_value"):
        only = _inferred(bare, source)
        return {name: Fact(*kind, (0,) * len(kind[1])) for name, kind in only.items()}
    first[0].dim_value = 2
    two = _inferred(bare, source)
    first[0].dim_value = 3
    three = _inferred(bare, source)
    facts = {name: fact_of(kind, three.get(name)) for name, kind in two.items()}
    return {name: fact for name, fact in facts.items() if fact is not None}


def _fill_sides(source: onnx.ValueInfoProto, contract: Contract) -> None:
    """Write the contract's size into an input that takes photos of any size."""
    dims = source.type.tensor_type.shape.dim
    is_open = [not dim.HasField("dim_value") for dim in dims]
    if not any(is_open[1:]) and len(dims) > 0:
        return
    if len(dims) != 4:
        raise BrainError(
            f"the graph's input {source.name!r} has {len(dims)} axes, not all of them of a known "
            "size; expected photos as [N,H,W,3] or [N,3,H,W]"
        )
    last = dims[3].dim_value == 3 and dims[1].dim_value != 3
    sizes = contract.shape if last else (3, *contract.shape[:2])
    for dim, size in zip(dims[1:], sizes, strict=True):
        if not dim.HasField("dim_value"):
            dim.dim_value = size


def _inferred(model: onnx.ModelProto, source: onnx.ValueInfoProto) -> dict[str, tuple[str, Shape]]:
    """Type and shape of the values whose shapes can be told, by name."""
    graph = infer_safely(model)
    found = {}
    for value in (source, *graph.value_info, *graph.output):
        kind = _of_type(value.type)
        if kind is not None:
            found[value.name] = kind
    return found


def infer(
    operator: str,
    opset: int,
    attributes: Mapping[str, Attribute],
    inputs: Sequence[tuple[str, Shape, Array | None] | None],
    num_outputs: int,
) -> list[tuple[str, Shape] | None]:
    """Types and shapes of one operator's results, from those of its inputs.

    Args:
        operator: its name.
        opset: the operator set it is written in.
        attributes: as the file gives them.
        inputs: type, shape and, where they are known, the values; None for one that is not given.
        num_outputs: how many results there are.

    Raises:
        BrainError: the inputs do not fit the operator.
    """
    from onnx import NodeProto, defs, helper, numpy_helper, shape_inference

    from ninebrains.mind.forms.emitting import write_attribute

    node = NodeProto(op_type=operator, output=[f"out{index}" for index in range(num_outputs)])
    types, values = {}, {}
    for index, given in enumerate(inputs):
        node.input.append("" if given is None else f"in{index}")
        if given is not None:
            dtype, shape, array = given
            if shape and min(shape) < 0:  # ONNX may abort the process over such
                raise BrainError(f"{operator!r} reads a value of the shape {list(shape)}")
            number = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            types[f"in{index}"] = helper.make_tensor_type_proto(number, shape)
            if array is not None:
                values[f"in{index}"] = numpy_helper.from_array(array)
    for name, value in attributes.items():
        write_attribute(node.attribute.add(), name, value)
    schema = defs.get_schema(operator, opset, "")
    try:
        found = shape_inference.infer_node_outputs(schema, node, types, values)
    except Exception as error:
        raise BrainError(f"the shapes that {operator!r} reads do not fit: {error}") from error
    return [_of_type(found.get(name)) for name in node.output]


def _of_type(value: onnx.TypeProto | None) -> tuple[str, Shape] | None:
    """Type and shape where all of it is known."""
    if value is None:
        return None
    kind = value.tensor_type
    shape = tuple([size.dim_value for size in kind.shape.dim])
    # What is not known reads as zero; asking each size for it takes longer than reading it.
    is_doubtful = not shape or 0 in shape
    if is_doubtful and not kind.HasField("shape"):
        return None
    if is_doubtful and not all(size.HasField("dim_value") for size in kind.shape.dim):
        return None
    return dtype_name(kind.elem_type), shape


def fact_of(two: tuple[str, Shape] | None, three: tuple[str, Shape] | None) -> Fact | None:
    """What follows from type and shape for two photos and for three."""
    if two is None or three is None or len(two[1]) != len(three[1]):
        return None
    growth = tuple(c - b for b, c in zip(two[1], three[1], strict=True))
    return Fact(two[0], tuple(map(sub, two[1], growth)), growth)
