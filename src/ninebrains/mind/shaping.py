"""What is known of each value before anything is computed: its type, shape, and how it grows."""

from __future__ import annotations

from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from ninebrains.errors import BrainError
from ninebrains.mind.form import Shape
from ninebrains.mind.reading import Network, dtype_name

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


def facts_of(network: Network) -> dict[str, Fact]:
    """What ONNX's own shape inference tells of each value, by name in the file.

    It is asked for two photos and for three: what differs grows. (For one photo it could not tell
    the photos' axis from one of a single row.) Values whose shape it cannot tell are not there.

    Raises:
        BrainError: shapes contradict each other.
    """
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(network.model)
    # What a file says of its inner shapes may be untrue.
    del bare.graph.value_info[:]
    for output in bare.graph.output:
        output.type.tensor_type.ClearField("shape")
    source = next(value for value in bare.graph.input if value.name == network.source)
    first = source.type.tensor_type.shape.dim[:1]
    if not first or first[0].HasField("dim_value"):
        only = _inferred(bare, source)
        return {name: Fact(*kind, (0,) * len(kind[1])) for name, kind in only.items()}
    first[0].dim_value = 2
    two = _inferred(bare, source)
    first[0].dim_value = 3
    three = _inferred(bare, source)
    facts: dict[str, Fact] = {}
    for name, (dtype, shape) in two.items():
        if name in three and len(three[name][1]) == len(shape):
            growth = tuple(c - b for b, c in zip(shape, three[name][1], strict=True))
            facts[name] = Fact(dtype, tuple(map(sub, shape, growth)), growth)
    return facts


def _inferred(model: onnx.ModelProto, source: onnx.ValueInfoProto) -> dict[str, tuple[str, Shape]]:
    """Type and shape of the values whose shapes can be told, by name."""
    from onnx import shape_inference

    try:
        graph = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except Exception as error:
        raise BrainError(f"the graph's shapes do not fit together: {error}") from error
    found = {}
    for value in (source, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        sizes = kind.shape.dim
        if kind.HasField("shape") and all(size.HasField("dim_value") for size in sizes):
            shape = tuple(size.dim_value for size in sizes)
            found[value.name] = (dtype_name(kind.elem_type), shape)
    return found
