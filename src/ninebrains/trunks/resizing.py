"""The same network for photos of another size: fewer pixels are quicker, more show more.

Convolutions and global pooling do not care how large a photo is. Whatever does care (position
embeddings, windows over the whole map, reshaping to fixed sizes) is refused by name, because it
would fail or, worse, quietly compute something else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ninebrains.brains.checking import Shape, infer_shapes
from ninebrains.brains.graph import Graph
from ninebrains.brains.inferring import infer_safely
from ninebrains.errors import BrainError, TrunkError
from ninebrains.images.contract import LARGEST_SIDE
from ninebrains.trunks.reading import sentence
from ninebrains.trunks.rewriting import set_outputs
from ninebrains.trunks.trunk import Trunk

if TYPE_CHECKING:
    import onnx

_ANY_SIZE = frozenset(
    (
        *("Abs", "Add", "BatchNormalization", "Cast", "Clip", "Concat", "Conv", "Div", "Elu"),
        *("Erf", "Exp", "Flatten", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool"),
        *("HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LRN"),
        *("LayerNormalization", "LeakyRelu", "Log", "MatMul", "Max", "Min", "Mish", "Mul", "Neg"),
        *("PRelu", "Pad", "Pow", "Reciprocal", "ReduceMax", "ReduceMean", "Relu", "Selu"),
        *("Sigmoid", "Softplus", "Softsign", "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose"),
        "Unsqueeze",
    )
)
"""What computes the same at every place of a map, or over the whole of it, however large it is."""

_WINDOWS = ("AveragePool", "MaxPool")
_LEAST_SIDE = 2  # places of a feature map, unless the network's own has fewer


def resized(trunk: Trunk, height: int, width: int) -> Trunk:
    """The same network, with the same weights, for photos of another size.

    Args:
        trunk: a network that does not care how large its photos are.
        height: of the photos, in pixels.
        width: likewise.

    Returns:
        The trunk, named after both, with a feature map of another size; `trunk` itself for its own
        size.

    Raises:
        TrunkError: the network only works in its own size; the operator that fixes it is named.

    Example:
        >>> resized(load_trunk("octo"), 64, 64).map_size  # doctest: +SKIP
        (4, 4)
    """
    if (height, width) == (trunk.contract.height, trunk.contract.width):
        return trunk
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise TrunkError(
            f"photos of {height}x{width} pixels were asked for; expected sides of 1 to "
            f"{LARGEST_SIDE:,}"
        )
    import onnx

    before = onnx.load_model_from_string(trunk.graph.data)
    after = onnx.ModelProto()
    after.CopyFrom(before)
    sizes = after.graph.input[0].type.tensor_type.shape.dim
    sizes[1].dim_value, sizes[2].dim_value = height, width
    del after.graph.value_info[:]
    map_size = _check(trunk, before, after, (height, width))
    set_outputs(after, trunk.num_features, map_size)
    size = f"{height}" if height == width else f"{height}x{width}"
    return replace(
        trunk,
        name=f"{trunk.name[:80]}-{size}",
        graph=Graph(after.SerializeToString(deterministic=True), trunk.graph.weights),
        contract=replace(trunk.contract, height=height, width=width),
        map_size=map_size,
    )


def _check(
    trunk: Trunk, before: onnx.ModelProto, after: onnx.ModelProto, size: tuple[int, int]
) -> tuple[int, int]:
    """The size of the feature map, once the network was seen to work in the new size.

    Raises:
        TrunkError: it does not.
    """
    what = f"{trunk.name} at {size[0]}x{size[1]} pixels"
    for node in before.graph.node:
        if node.op_type not in (*_ANY_SIZE, *_WINDOWS, "Reshape", "Slice", "Split"):
            raise TrunkError(
                f"{what}: whether its operator {node.op_type!r} works in other sizes is not known; "
                f"it is left at {trunk.contract.height}x{trunk.contract.width}"
            )
    try:
        old = infer_shapes(before)
        # Contradictions first leave shapes open, so that the operator at fault can be named.
        _check_nodes(what, after, old, _open_shapes(after))
        shapes = infer_shapes(after)
    except BrainError as error:
        raise TrunkError(f"{what} does not fit together: {sentence(error)}") from error
    features, feature_map = shapes["features"], shapes["feature_map"]
    high, wide = feature_map[-2:]
    if features != (1, trunk.num_features) or feature_map != (1, trunk.num_features, high, wide):
        raise TrunkError(
            f"{what} would give features of {list(features)} from a map of {list(feature_map)}; "
            f"expected [1, {trunk.num_features}] from a map of as many channels. It was made for "
            "one size."
        )
    least = min(_LEAST_SIDE, *trunk.map_size)
    if min(high, wide) < least:
        raise TrunkError(
            f"{what} would see {high}x{wide} places only; expected {least}x{least} at least. Use "
            "larger photos."
        )
    if high > size[0] or wide > size[1]:
        raise TrunkError(f"{what} would see more places ({high}x{wide}) than there are pixels")
    return high, wide


def _open_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """The shapes that can be told for one photo, although some may contradict each other."""
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for value in bare.graph.output:
        value.type.tensor_type.ClearField("shape")
    bare.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    inferred = infer_safely(bare, strict=False)
    found = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        sizes = value.type.tensor_type.shape.dim
        if sizes and all(entry.HasField("dim_value") for entry in sizes):
            found[value.name] = tuple(entry.dim_value for entry in sizes)
    return found


def _check_nodes(
    what: str, model: onnx.ModelProto, old: Mapping[str, Shape], new: Mapping[str, Shape]
) -> None:
    """Refuse operators that only work in one size.

    Args:
        what: network and size, for messages.
        model: in the new size.
        old: shapes in the network's own size.
        new: shapes in the new size, as far as they can be told.

    Raises:
        TrunkError: with the first of them.
    """
    for node in model.graph.node:
        source, result = node.input[0], node.output[0]
        if node.op_type in _WINDOWS and _is_global(old.get(source), old.get(result)):
            raise TrunkError(
                f"{what}: its operator {node.op_type!r} has a window as large as the whole map of "
                f"{list(old[source])}; expected global pooling"
            )
        if source not in new or result not in new:
            continue  # told by those that look at all shapes
        if node.op_type == "Reshape" and not _keeps_values(new[source], new[result]):
            raise TrunkError(
                f"{what}: its operator 'Reshape' would make {list(new[result])} of "
                f"{list(new[source])}; it was made for one size"
            )
        cuts = [shapes[source][2:] != shapes[result][2:] for shapes in (old, new)]
        if node.op_type in ("Slice", "Split") and any(cuts):
            raise TrunkError(
                f"{what}: its operator {node.op_type!r} cuts {list(old[result])} out of "
                f"{list(old[source])}, which depends on the size"
            )


def _is_global(source: Shape | None, result: Shape | None) -> bool:
    """Whether a window covers the whole of a map."""
    if source is None or result is None:
        return False
    return math.prod(result[2:]) == 1 and math.prod(source[2:]) > 1


def _keeps_values(source: Shape, result: Shape) -> bool:
    """Whether as many values come out as go in, and photos stay apart."""
    return math.prod(source) == math.prod(result) and source[:1] == result[:1]
