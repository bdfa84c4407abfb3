"""What lies between two operators: a Keras tensor, and which of its axes is which of ONNX's.

ONNX has channels first, Keras and the runtimes behind it channels last. Nothing is turned round for
that: a tensor is carried in whatever order it is, and the order is carried with it, so a Transpose
only renames axes and most of them cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import BrainError

NUM_PHOTOS = 1_000_000_007
"""Stands for the number of photos in lists of sizes, so that they can be computed with: a prime, so
what it divides counts photos, and larger than any size that is allowed."""

Array = npt.NDArray[Any]
Sizes = tuple[int, ...]
Axes = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A value that depends on the photos.

    Attributes:
        tensor: a `keras.KerasTensor`.
        sizes: ONNX's shape of it, with NUM_PHOTOS (or a multiple) where photos are counted.
        axes: for each axis of the tensor, which axis of ONNX's it is.
    """

    tensor: Any
    sizes: Sizes
    axes: Axes

    @property
    def rank(self) -> int:
        """How many axes there are."""
        return len(self.sizes)

    def place(self, axis: int) -> int:
        """Which axis of the tensor an axis of ONNX's is; negative ones count from the end."""
        return self.axes.index(self.axis(axis))

    def axis(self, axis: int) -> int:
        """An axis of ONNX's, counted from the front.

        Raises:
            BrainError: there is none such.
        """
        if not -self.rank <= axis < self.rank:
            raise BrainError(f"there is no axis {axis} in a value of {self.rank} axes")
        return axis % self.rank


def in_order(rank: int) -> Axes:
    """ONNX's own order."""
    return tuple(range(rank))


def channels_last(rank: int) -> Axes:
    """The order of Keras for values that ONNX has as [N, C, ...]."""
    return (0, *range(2, rank), 1)


def counts_photos(size: int) -> bool:
    """Whether a size is a number of photos, or a multiple of it."""
    return size > 0 and size % NUM_PHOTOS == 0


def target(sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes as `keras.ops.reshape` wants them: -1 for the number of photos.

    Raises:
        BrainError: more than one of them counts photos.
    """
    found = tuple(-1 if counts_photos(size) else size for size in sizes)
    if found.count(-1) > 1:
        raise BrainError("photos are counted along several axes of one value; expected one")
    return found


def arranged(value: Value, axes: Axes) -> Any:  # noqa: ANN401 - keras has no types
    """The tensor with its axes in another order."""
    from keras import ops

    if value.axes == axes:
        return value.tensor
    sizes = [value.sizes[axis] for axis in axes]
    if _long(value.axes, value.sizes) == _long(axes, value.sizes):
        return ops.reshape(value.tensor, target(sizes))  # only axes of size 1 change their places
    return ops.transpose(value.tensor, [value.axes.index(axis) for axis in axes])


def _long(axes: Axes, sizes: Sizes) -> list[int]:
    return [axis for axis in axes if sizes[axis] != 1]


def reshaped(value: Value, sizes: Sizes) -> Value:
    """The same numbers in another shape, in ONNX's order, with as few moves as can be.

    Axes of the old and of the new shape are matched in the smallest groups of equal product. What
    matters is that each group's axes lie side by side and in order; groups stay where they are.

    Raises:
        BrainError: the shapes hold different numbers of values.
    """
    from keras import ops

    if math.prod(value.sizes) != math.prod(sizes) or 0 in sizes:
        raise BrainError(f"a value of {_shown(value.sizes)} cannot become {_shown(sizes)}")
    groups = _matched(value.sizes, sizes)
    old = _long(value.axes, value.sizes)
    order = sorted(range(len(groups)), key=lambda number: _first(old, groups[number][0]))
    wanted = [axis for number in order for axis in groups[number][0]]
    tensor = value.tensor
    if wanted != old:
        tensor = ops.reshape(tensor, target([value.sizes[axis] for axis in old]))
        tensor = ops.transpose(tensor, [old.index(axis) for axis in wanted])
    new = [axis for number in order for axis in groups[number][1]]
    short = [axis for axis, size in enumerate(sizes) if size == 1]
    axes = (*new[:1], *short, *new[1:])
    shape = target([sizes[axis] for axis in axes])
    if tuple(-1 if size is None else size for size in tensor.shape) != shape:
        tensor = ops.reshape(tensor, shape)
    return Value(tensor, sizes, axes)


def _first(order: list[int], axes: list[int]) -> int:
    return min(order.index(axis) for axis in axes)


def _matched(before: Sizes, after: Sizes) -> list[tuple[list[int], list[int]]]:
    """Axes of two shapes in the smallest groups of equal product; those of size 1 are left out."""
    old = [axis for axis, size in enumerate(before) if size != 1]
    new = [axis for axis, size in enumerate(after) if size != 1]
    groups: list[tuple[list[int], list[int]]] = []
    while old or new:
        mine, theirs = [old.pop(0)], [new.pop(0)]
        while (ours := math.prod(before[axis] for axis in mine)) != (
            others := math.prod(after[axis] for axis in theirs)
        ):
            if ours < others:
                mine.append(old.pop(0))
            else:
                theirs.append(new.pop(0))
        groups.append((mine, theirs))
    return groups


def aligned(inputs: Sequence[Value | Array]) -> tuple[list[Any], Sizes, Axes]:
    """Values and constants for an operator that works place by place, all in the first one's order.

    Returns:
        Keras tensors, arrays and numbers that broadcast as ONNX's rules say; the result's sizes and
        the order of its axes.

    Raises:
        BrainError: the shapes do not fit together.
    """
    shapes = [item.sizes if isinstance(item, Value) else item.shape for item in inputs]
    sizes = broadcast(shapes)
    values = [item for item in inputs if isinstance(item, Value)]
    leader = max(values, key=lambda item: item.rank)
    if leader.rank == len(sizes):
        axes = leader.axes
    else:
        missing = len(sizes) - leader.rank
        axes = (*range(missing), *(axis + missing for axis in leader.axes))
    found: list[Any] = []
    for item in inputs:
        if not isinstance(item, Value):
            found.append(constant_in(item, axes))
        elif item.rank == len(sizes):
            found.append(arranged(item, axes))
        else:
            found.append(arranged(_widened(item, len(sizes)), axes))
    return found, sizes, axes


def _widened(value: Value, rank: int) -> Value:
    """A value with more axes, of size 1, before its own."""
    from keras import ops

    missing = rank - value.rank
    tensor = ops.reshape(
        value.tensor, target([1] * missing + [value.sizes[axis] for axis in value.axes])
    )
    axes = (*range(missing), *(axis + missing for axis in value.axes))
    return Value(tensor, (1,) * missing + value.sizes, axes)


def constant_in(array: Array, axes: Axes) -> Array | float | int | bool:
    """A constant in the order of a value's axes, without axes that broadcasting adds by itself."""
    if array.size == 1:
        number: float | int | bool = array.item()
        return number
    wide = array.reshape((1,) * (len(axes) - array.ndim) + array.shape).transpose(axes)
    while wide.shape[0] == 1:
        wide = wide[0]
    return np.ascontiguousarray(wide)


def broadcast(shapes: Sequence[Sizes]) -> Sizes:
    """The shape that several broadcast to (numpy's does not know our number of photos).

    Raises:
        BrainError: they do not fit together.
    """
    rank = max(len(shape) for shape in shapes)
    sizes = [1] * rank
    for shape in shapes:
        for place, size in enumerate(shape, rank - len(shape)):
            if sizes[place] not in (1, size) and size != 1:
                shown = " and ".join(_shown(item) for item in shapes)
                raise BrainError(f"the shapes {shown} do not fit together")
            sizes[place] = size if size != 1 else sizes[place]
    return tuple(sizes)


def _shown(sizes: Sizes) -> str:
    return str(["N" if counts_photos(size) else size for size in sizes]).replace("'", "")
