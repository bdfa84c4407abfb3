"""How much a network would compute, told from its shapes before any of it is run.

Work is counted in multiplications. A value that is read or written counts as 32 of them, which is
about what it costs in time: memory is slow, and multiplying is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ninebrains.brains.checking import LARGEST_TENSOR_ELEMENTS, LARGEST_TOTAL_ELEMENTS
from ninebrains.errors import TrunkError
from ninebrains.trunks.wiring import attribute, int_list

if TYPE_CHECKING:
    import onnx

LARGEST_WORK = 1 << 40  # a minute or so on one core; the largest network of use here takes half
LARGEST_CONSTANT_WORK = 1 << 34
LARGEST_LISTS = 1 << 22  # shape inference takes a hundred bytes for each
_PER_VALUE = 32
_PER_CUBIC_VALUE = 4096  # ONNX Runtime interpolates cubically very slowly
_SELECTING = ("NonZero", "Compress", "Unique")

Sizes = Mapping[str, Sequence[int]]


def most_elements(node: onnx.NodeProto, shapes: Sizes) -> int | None:
    """How many values a node makes at most, or None if that cannot be told."""
    outputs = [name for name in node.output if name]
    if all(name in shapes for name in outputs):
        return sum(math.prod(shapes[name]) for name in outputs)
    if node.op_type in _SELECTING and node.input[0] in shapes:  # how many depends on their input
        shape = shapes[node.input[0]]
        return math.prod(shape) * max(len(shape), len(outputs))
    return None


def work(node: onnx.NodeProto, shapes: Sizes) -> int:
    """What a node costs at most, as far as its shapes tell."""
    read = sum(math.prod(shapes[name]) for name in node.input if name in shapes)
    made = most_elements(node, shapes) or 0
    count = _COUNTS.get(node.op_type)
    return _PER_VALUE * (read + made) + (count(node, shapes, made) if count else 0)


def check_work(
    nodes: Sequence[onnx.NodeProto],
    shapes: Sizes,
    constants: set[str],
    num_photos: int,
    file_name: str,
) -> None:
    """Refuse a network that would take absurdly long, or absurd amounts of memory.

    Args:
        nodes: what would be run.
        shapes: of all values and constants.
        constants: names of what does not depend on the photos' pixels.
        num_photos: that the shapes are for.
        file_name: for messages.

    Raises:
        TrunkError: with the operator that asks for most.
    """
    _check_values(nodes, shapes, constants, num_photos, file_name)
    limits = {False: LARGEST_WORK, True: LARGEST_CONSTANT_WORK}
    for is_constant, limit in limits.items():
        costs = [
            (work(node, shapes), _shown(node))
            for node in nodes
            if (node.output[0] in constants) == is_constant
        ]
        total = sum(cost for cost, _ in costs)
        if total > limit:
            what = "from constants alone" if is_constant else f"for a batch of {num_photos}"
            raise TrunkError(
                f"{file_name} would take as long as {total:,} multiplications {what}, longest in "
                f"{max(costs)[1]}; the limit is {limit:,}. Export a smaller network, with a free "
                "batch axis."
            )


def _shown(node: onnx.NodeProto) -> str:
    return f"the operator {node.op_type!r} that makes {node.output[0]!r}"


def _check_values(
    nodes: Sequence[onnx.NodeProto],
    shapes: Sizes,
    constants: set[str],
    num_photos: int,
    file_name: str,
) -> None:
    """Limit each value, all of them, and lists of constants."""
    listed = held = 0
    for node in nodes:
        shown = _shown(node)
        elements = most_elements(node, shapes)
        if elements is None:
            raise TrunkError(
                f"{file_name}: how large the values of {shown} are cannot be told beforehand; this "
                "is not allowed. Export the model with fixed shapes."
            )
        if elements > LARGEST_TENSOR_ELEMENTS:
            raise TrunkError(
                f"{file_name}: {shown} would hold {elements:,} values for a batch of {num_photos}; "
                f"the limit is {LARGEST_TENSOR_ELEMENTS:,}. Export a smaller network."
            )
        held += elements
        if held > LARGEST_TOTAL_ELEMENTS:
            raise TrunkError(
                f"{file_name} would make {held:,} values up to {shown}, for a batch of "
                f"{num_photos}; the limit is {LARGEST_TOTAL_ELEMENTS:,}. Export a smaller network, "
                "with a free batch axis."
            )
        if node.output[0] in constants and len(shapes.get(node.output[0], [])) == 1:
            listed += elements
        if listed > LARGEST_LISTS:
            raise TrunkError(
                f"{file_name} would make lists of {listed:,} sizes and other constants up to "
                f"{shown}; the limit is {LARGEST_LISTS:,}. Export the model with fixed shapes."
            )


def _matmul(place: int) -> Callable[[onnx.NodeProto, Sizes, int], int]:
    """Products of a matrix multiplication whose first factor is the input at `place`."""

    def count(node: onnx.NodeProto, shapes: Sizes, made: int) -> int:
        shape = shapes.get(node.input[place], [])
        turned = node.op_type == "Gemm" and bool(attribute(node, "transA", 0))
        return made * (shape[0 if turned else -1] if shape else 1)

    return count


def _convolution(place: int) -> Callable[[onnx.NodeProto, Sizes, int], int]:
    """Products of a convolution whose weights [D, C, ...] are the input at `place`."""

    def count(node: onnx.NodeProto, shapes: Sizes, made: int) -> int:
        kernel = math.prod(shapes.get(node.input[place], [1])[1:])
        from_places = node.op_type == "ConvTranspose"
        return kernel * (math.prod(shapes.get(node.input[0], [1])) if from_places else made)

    return count


def _window(name: str, power: int = 1) -> Callable[[onnx.NodeProto, Sizes, int], int]:
    """Of operators that read a window for each value; `name` is the attribute with its size."""

    def count(node: onnx.NodeProto, shapes: Sizes, made: int) -> int:  # noqa: ARG001
        sides = attribute(node, name, 1)
        whole = [sides] * power if isinstance(sides, int) else int_list(node, name) or [1]
        return made * abs(math.prod(whole))

    return count


def _einsum(node: onnx.NodeProto, shapes: Sizes, made: int) -> int:
    equation = attribute(node, "equation", b"")
    terms = equation.decode().replace(" ", "") if isinstance(equation, bytes) else ""
    sides: dict[str, int] = {}
    for term, name in zip(terms.split("->")[0].split(","), node.input, strict=False):
        sides |= dict(zip(term.replace("...", ""), shapes.get(name, []), strict=False))
    return max(made, math.prod(sides.values()))


def _recurrent(node: onnx.NodeProto, shapes: Sizes, made: int) -> int:  # noqa: ARG001
    steps = math.prod(shapes.get(node.input[0], [1])[:2])
    return steps * sum(math.prod(shapes.get(name, [1])) for name in node.input[1:3])


def _resize(node: onnx.NodeProto, shapes: Sizes, made: int) -> int:  # noqa: ARG001
    return made * (_PER_CUBIC_VALUE if attribute(node, "mode") == b"cubic" else 1)


_COUNTS: dict[str, Callable[[onnx.NodeProto, Sizes, int], int]] = {
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul", "Gemm"), _matmul(0)),
    **dict.fromkeys(("Conv", "ConvInteger", "ConvTranspose", "DeformConv"), _convolution(1)),
    "QLinearConv": _convolution(3),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _window("kernel_shape")),
    "LRN": _window("size"),
    "RoiAlign": _window("sampling_ratio", 2),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
    "Einsum": _einsum,
    "Resize": _resize,
}
