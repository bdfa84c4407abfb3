"""Whether a photo's answer depends on the other photos of its batch.

The photos' axis is followed through a form, from value to value: along which axis of each they lie,
and with what before and behind them if they share it. Where an operation reaches across that axis,
as a scale that is taken from the whole batch does, its result and all that is computed from it
mixes photos. So does what cannot be followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

from ninebrains.mind.forms.form import Constant, Form, Operation, Shape
from ninebrains.mind.forms.operators import BROADCASTING, REDUCTIONS, UNARY


class Along(NamedTuple):
    """Where the photos lie in a value.

    Attributes:
        axis: the axis; of `outer * N * inner` places for N photos.
        outer: how many times all photos come one after the other.
        inner: how many places each photo takes then.
    """

    axis: int
    outer: int = 1
    inner: int = 1


class Given(NamedTuple):
    """An input of an operation.

    Attributes:
        along: where photos lie in it; None where it is the same whatever the photos are.
        shape: for one photo.
    """

    along: Along | None
    shape: Shape


# What makes equal rows of equal rows.
_FILLING = UNARY | BROADCASTING | {"ConstantOfShape", "Expand", "Reshape", "Transpose"}
_Follow = Callable[[Form, Operation, Sequence[Given]], "Along | None"]


def mixed_values(form: Form) -> frozenset[str]:
    """The values of a form, by hash, in which a photo's part depends on other photos."""
    if form.source not in form.by_photo:
        return frozenset()
    along = {form.source: Along(0)}
    mixed: set[str] = set()
    numbers = _Numbers()
    for operation in form.operations:
        given = [_given(form, along, name) for name in operation.inputs]
        found = None
        if operation.operator in ("Shape", "Size"):
            numbers.counted.update(operation.outputs)
            continue
        if mixed.isdisjoint(operation.inputs):
            if all(item.along is None for item in given):
                numbers.note(operation)
                continue
            if numbers.leave_values_alone(operation):
                found = _follow(form, operation, given)
        for name in filter(None, operation.outputs):
            if found is None or not _fits(form.shapes[name], found):
                mixed.add(name)
            else:
                along[name] = found
    return frozenset(mixed)


class _Numbers:
    """What the number of photos decides, and nothing else of them.

    Attributes:
        counted: values that may be others for another number of photos.
        filled: values of as many rows as there are photos, all of them the same.
    """

    def __init__(self) -> None:
        self.counted: set[str] = set()
        self.filled: set[str] = set()

    def note(self, operation: Operation) -> None:
        """Follow an operation that reads no photos."""
        read = {name for name in operation.inputs if name}
        if self.counted.isdisjoint(read) and self.filled.isdisjoint(read):
            return
        operator, values = operation.operator, read
        if operator in ("Expand", "Reshape"):
            values = {operation.inputs[0]}
        elif operator == "ConstantOfShape":
            values = set()
        keeps = operator in _FILLING or (operator == "Concat" and self.filled.issuperset(read))
        is_filled = keeps and self.counted.isdisjoint(values)
        (self.filled if is_filled else self.counted).update(filter(None, operation.outputs))

    def leave_values_alone(self, operation: Operation) -> bool:
        """Whether an operation on photos takes from their number at most the result's shape."""
        shapes = operation.operator in ("Expand", "Reshape")
        return self.counted.isdisjoint(operation.inputs[:1] if shapes else operation.inputs)


def _given(form: Form, along: Mapping[str, Along], name: str) -> Given:
    constant = form.constants.get(name)
    return Given(along.get(name), constant.shape if constant else form.shapes.get(name, ()))


def _fits(shape: Shape, along: Along) -> bool:
    return along.axis < len(shape) and shape[along.axis] == along.outer * along.inner


def _follow(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    if operation.operator in UNARY or operation.operator in BROADCASTING:
        return _aligned(form, operation, given)
    follow = _FOLLOW.get(operation.operator)
    return follow(form, operation, given) if follow is not None else None


def _aligned(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    """Place by place, shapes aligned at their last axes."""
    rank = len(form.shapes[operation.outputs[0]])
    found = {
        item.along._replace(axis=item.along.axis + rank - len(item.shape))
        for item in given
        if item.along is not None
    }
    return found.pop() if len(found) == 1 else None


def _by_window(_form: Form, _operation: Operation, given: Sequence[Given]) -> Along | None:
    """Photos come first, and nothing else of the inputs depends on them."""
    alone = all(item.along is None for item in given[1:])
    return given[0].along if given[0].along == Along(0) and alone else None


def _across_axis(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    """Along one axis (`axis`), which must not be the photos'; from it on before set 13."""
    if operation.version < 13:
        return _from_axis(form, operation, given, usual=1)
    axis = cast("int", dict(operation.attributes).get("axis", -1))
    along = _aligned(form, operation, given)
    return along if along is not None and axis % max(len(given[0].shape), 1) != along.axis else None


def _from_axis(
    _form: Form, operation: Operation, given: Sequence[Given], usual: int = -1
) -> Along | None:
    """Over all axes from one (`axis`) on, which must lie behind the photos'."""
    axis = cast("int", dict(operation.attributes).get("axis", usual)) % max(len(given[0].shape), 1)
    along = given[0].along
    alone = all(item.along is None for item in given[1:])
    return along if along is not None and alone and along.axis < axis else None


def _across_axes(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    """Over the axes that the second input lists; they stay (see `reshaping`)."""
    constant = form.constants.get(operation.inputs[1]) if len(operation.inputs) > 1 else None
    along = given[0].along
    if constant is None or along is None or not dict(operation.attributes).get("keepdims", 1):
        return None
    return along if along.axis not in _counted_axes(constant, given[0].shape) else None


def _counted_axes(constant: Constant, shape: Shape) -> set[int]:
    """The axes that a constant lists, counted from the front; all of them where it lists none."""
    axes = cast("list[int]", constant.array().reshape(-1).tolist())
    return {axis % len(shape) for axis in axes} or set(range(len(shape)))


def _matmul(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    """Photos lie along the rows of the first, or along axes that both have in common."""
    # Axes counted from the last one: 1 and 2 are columns and rows.
    places = [None if item.along is None else len(item.shape) - item.along.axis for item in given]
    summed_over = places[0] == 1 or places[1] == 2
    # Rows of the one times columns of the other is every photo with every other.
    both = None not in places[:2] and min(cast("list[int]", places[:2])) < 3
    if summed_over or both or any(place is not None for place in places[2:]):
        return None
    return _aligned(form, operation, given)


def _gemm(_form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    rows = 1 if dict(operation.attributes).get("transA", 0) else 0
    along = given[0].along
    if along is None or along.axis != rows or any(item.along is not None for item in given[1:]):
        return None
    return along._replace(axis=0)


def _transpose(_form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    order = cast("Shape", dict(operation.attributes)["perm"])
    along = given[0].along
    return None if along is None else along._replace(axis=order.index(along.axis))


def _reshape(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    """Values keep their order, so what lies before and behind the photos tells their new axis."""
    along, shape = given[0].along, given[0].shape
    if along is None or any(item.along is not None for item in given[1:]):
        return None
    before = math.prod(shape[: along.axis]) * along.outer
    behind = math.prod(shape[along.axis + 1 :]) * along.inner
    new = form.shapes[operation.outputs[0]]
    growing = _growing_axis(form, operation)
    if growing is None:
        return None
    outer, left = divmod(before, max(math.prod(new[:growing]), 1))
    inner, right = divmod(behind, max(math.prod(new[growing + 1 :]), 1))
    return Along(growing, outer, inner) if left == right == 0 else None


def _growing_axis(form: Form, operation: Operation) -> int | None:
    """The axis of a Reshape's result that grows with the photos, where that is certain."""
    if operation.outputs[0] in form.by_photo:
        return 0
    target = form.constants.get(operation.inputs[1])
    sizes = [] if target is None else target.array().tolist()
    is_only = sizes.count(-1) == 1 and all(size > 0 for size in sizes if size != -1)
    return sizes.index(-1) if is_only else None


def _concat(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    axis = cast("int", dict(operation.attributes)["axis"]) % max(len(given[0].shape), 1)
    along = _aligned(form, operation, given)
    return along if along is not None and along.axis != axis else None


def _gather(_form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    axis = cast("int", dict(operation.attributes).get("axis", 0)) % max(len(given[0].shape), 1)
    along = given[0].along
    if along is None or given[1].along is not None or along.axis == axis:
        return None
    return along._replace(axis=along.axis + (len(given[1].shape) - 1 if axis < along.axis else 0))


def _slice(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    axes = form.constants.get(operation.inputs[3]) if len(operation.inputs) > 3 else None
    along = given[0].along
    if axes is None or along is None:
        return None
    return along if along.axis not in _counted_axes(axes, given[0].shape) else None


def _pad(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    pads = form.constants.get(operation.inputs[1])
    along = given[0].along
    if pads is None or along is None or len(operation.inputs) > 3:
        return None
    return along if not pads.array().reshape(2, -1)[:, along.axis].any() else None


def _resize(form: Form, operation: Operation, given: Sequence[Given]) -> Along | None:
    scales = form.constants.get(operation.inputs[2]) if len(operation.inputs) > 2 else None
    along = given[0].along
    return along if scales and along and scales.array()[along.axis] == 1 else None


_FOLLOW: Mapping[str, _Follow] = {
    **dict.fromkeys(
        (
            "AveragePool", "BatchNormalization", "Conv", "ConvInteger", "ConvTranspose",
            "DepthToSpace", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "LRN",
            "MaxPool", "QLinearConv", "SpaceToDepth",
        ),
        _by_window,
    ),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _across_axis),
    **dict.fromkeys(REDUCTIONS, _across_axes),
    **dict.fromkeys(("MatMul", "MatMulInteger"), _matmul),
    **dict.fromkeys(("DequantizeLinear", "QuantizeLinear"), _by_window),
    "Concat": _concat,
    "Expand": _aligned,
    "Gather": _gather,
    "Gemm": _gemm,
    "LayerNormalization": _from_axis,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Transpose": _transpose,
}  # fmt: skip
