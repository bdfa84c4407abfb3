"""What moves, cuts and joins values without computing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ninebrains.bridging.operators.node import Node, Operator
from ninebrains.bridging.operators.value import (
    NUM_PHOTOS,
    Array,
    Value,
    arranged,
    broadcast,
    channels_last,
    counts_photos,
    in_order,
    reshaped,
)


def transpose(node: Node) -> Value:
    """Axes get other names; nothing moves."""
    value = node.value()
    order = [int(axis) for axis in node.get("perm", range(value.rank)[::-1])]
    if sorted(order) != list(range(value.rank)):
        raise node.refusal(f"has the order {order} for {value.rank} axes")
    sizes = tuple(value.sizes[axis] for axis in order)
    return Value(value.tensor, sizes, tuple(order.index(axis) for axis in value.axes))


def reshape(node: Node) -> Value:
    """Another shape, whose sizes may be 0 (as it was) and -1 (what is left)."""
    value = node.value()
    wanted = [int(size) for size in node.weights(1).reshape(-1)]
    if not node.get("allowzero", 0):
        wanted = [
            value.sizes[place] if size == 0 and place < value.rank else size
            for place, size in enumerate(wanted)
        ]
    if wanted.count(-1) == 1:
        known = -math.prod(wanted)
        if known <= 0 or math.prod(value.sizes) % known:
            raise node.refusal(f"does not fit {value.sizes} into {wanted}")
        wanted[wanted.index(-1)] = math.prod(value.sizes) // known
    return _reshaped(node, wanted)


def flatten(node: Node) -> Value:
    """Two axes: those before, and the rest."""
    value, axis = node.value(), int(node.get("axis", 1))
    axis = axis if axis >= 0 else axis + value.rank
    return _reshaped(node, [math.prod(value.sizes[:axis]), math.prod(value.sizes[axis:])])


def squeeze(node: Node) -> Value:
    """Without axes of size 1."""
    value, axes = node.value(), node.ints("axes", 1)
    if axes is None:
        gone = {axis for axis, size in enumerate(value.sizes) if size == 1}
    else:
        gone = {value.axis(axis) for axis in axes}
    if any(value.sizes[axis] != 1 for axis in gone):
        raise node.refusal(f"drops axes {sorted(gone)} that are longer than 1")
    return _reshaped(node, [size for axis, size in enumerate(value.sizes) if axis not in gone])


def unsqueeze(node: Node) -> Value:
    """With further axes of size 1."""
    value, axes = node.value(), node.ints("axes", 1) or []
    rank = value.rank + len(axes)
    new = {axis % rank for axis in axes}
    left = iter(value.sizes)
    return _reshaped(node, [1 if axis in new else next(left) for axis in range(rank)])


def _reshaped(node: Node, sizes: Sequence[int]) -> Value:
    """A shape that only drops what a global pooling kept is left to the pooling."""
    value = _pooled_flat(node, node.value(), tuple(sizes))
    found = reshaped(value, tuple(sizes))
    if found.tensor is not value.tensor:
        node.pen.named(found.tensor, node.output)
    return found


def _pooled_flat(node: Node, value: Value, sizes: tuple[int, ...]) -> Value:
    operation = value.tensor._keras_history.operation
    kind = type(operation).__name__
    is_pooling = kind in ("GlobalAveragePooling2D", "GlobalMaxPooling2D") and operation.keepdims
    if not is_pooling or sizes != value.sizes[:2] or not counts_photos(sizes[0]):
        return value
    tensor = node.layer(kind, (), operation.input, data_format="channels_last")
    return Value(tensor, sizes, (0, 1))


def concat(node: Node) -> Value:
    """Joined along an axis, in the order of the first."""
    from keras import ops

    values = [node.value(place) for place in range(len(node.inputs))]
    axis = values[0].axis(int(node.get("axis", 1)))
    if counts_photos(values[0].sizes[axis]):
        raise node.refusal("joins photos")
    axes = values[0].axes
    tensors = [arranged(value, axes) for value in values]
    if len(tensors) == 1:
        return values[0]
    return node.made(ops.concatenate(tensors, axis=axes.index(axis)), axes, values[0])


def split(node: Node) -> list[Value]:
    """Parts along an axis."""
    value = node.value()
    axis = value.axis(int(node.get("axis", 0)))
    parts = node.ints("split", 1)
    if parts is None:
        each = -(-value.sizes[axis] // node.num_outputs)
        parts = [each] * (node.num_outputs - 1)
        parts.append(value.sizes[axis] - sum(parts))
    if counts_photos(value.sizes[axis]) or sum(parts) != value.sizes[axis] or min(parts) < 1:
        raise node.refusal(f"cuts {value.sizes[axis]} into {parts}")
    found, start = [], 0
    for number, size in enumerate(parts):
        cut = {axis: slice(start, start + size)}
        found.append(_cut(node, value, cut, f".{number}" if number else ""))
        start += size
    return found


def cut(node: Node) -> Value:
    """A part of some axes, with steps."""
    value = node.value()
    starts, ends = node.ints("starts", 1), node.ints("ends", 2)
    axes, steps = node.ints("axes", 3), node.ints("steps", 4)
    if starts is None or ends is None:
        raise node.refusal("lacks where it starts or ends")
    cuts = {}
    for place, axis in enumerate(range(len(starts)) if axes is None else axes):
        step = 1 if steps is None else steps[place]
        size = value.sizes[value.axis(axis)]
        start, end, step = slice(starts[place], ends[place], step).indices(size)
        if (start, end, step) == (0, size, 1):
            continue
        if counts_photos(size):
            raise node.refusal("leaves out photos")
        cuts[value.axis(axis)] = slice(start, None if end < 0 else end, step)
    return _cut(node, value, cuts) if cuts else value


def _cut(node: Node, value: Value, cuts: Mapping[int, slice], part: str = "") -> Value:
    index = tuple(cuts.get(axis, slice(None)) for axis in value.axes)
    return node.made(value.tensor[index], value.axes, value, part)


def gather(node: Node) -> Value:
    """Chosen places of an axis; one place drops the axis."""
    from keras import ops

    value, chosen = node.value(), node.weights(1)
    axis = value.axis(int(node.get("axis", 0)))
    size, place = value.sizes[axis], value.place(axis)
    if counts_photos(size) or chosen.ndim > 1 or (abs(chosen + 0.5) > size).any():
        raise node.refusal(f"chooses {chosen.tolist()} of {size} places")
    chosen = np.where(chosen < 0, chosen + size, chosen).astype(np.int32)
    if chosen.ndim:
        made = ops.take(value.tensor, chosen, axis=place)
        return node.made(made, value.axes, value)
    index = tuple(int(chosen) if item == axis else slice(None) for item in value.axes)
    axes = tuple(item - (item > axis) for item in value.axes if item != axis)
    return node.made(value.tensor[index], axes, value)


def pad(node: Node) -> Value:
    """Places around."""
    from keras import ops

    value, pads = node.value(), node.ints("pads", 1)
    kind = node.get("mode", b"constant")
    mode = kind.decode() if isinstance(kind, bytes) else str(kind)
    chosen = node.ints("no axes attribute", 3)
    axes = range(value.rank) if chosen is None else [value.axis(axis) for axis in chosen]
    filled = node.constant(2)
    number = node.get("value", 0.0) if filled is None else filled.item()
    if pads is None or len(pads) != 2 * len(axes) or mode not in ("constant", "reflect"):
        raise node.refusal(f"has pads {pads} of mode {mode!r}; expected constant or reflect")
    around = dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True))
    if min(pads) < 0 or any(
        counts_photos(value.sizes[axis]) and any(around[axis]) for axis in axes
    ):
        raise node.refusal(f"has pads {pads}: it cuts, or adds photos")
    if not any(pads):
        return value
    is_plain = value.rank == 4 and not any((*around.get(0, (0,)), *around.get(1, (0,))))
    if mode == "constant" and number == 0 and is_plain:
        last = channels_last(4)
        sides = tuple(around.get(axis, (0, 0)) for axis in (2, 3))
        tensor = arranged(value, last)
        made = node.layer("ZeroPadding2D", (), tensor, padding=sides, data_format="channels_last")
        return node.made(made, last, value)
    widths = [around.get(axis, (0, 0)) for axis in value.axes]
    options: dict[str, Any] = {"constant_values": number} if mode == "constant" else {}
    return node.made(ops.pad(value.tensor, widths, mode=mode, **options), value.axes, value)


def expand(node: Node) -> Value:
    """Repeated along axes of size 1; a constant may be repeated for each photo."""
    from keras import ops

    item, wanted = node.input(0), tuple(int(size) for size in node.weights(1).reshape(-1))
    if isinstance(item, np.ndarray):
        return _for_each_photo(node, item, broadcast([item.shape, wanted]))
    value = node.value()
    sizes = broadcast([value.sizes, wanted])
    if len(sizes) > value.rank:
        value = reshaped(value, (1,) * (len(sizes) - value.rank) + value.sizes)
    times = [sizes[axis] // value.sizes[axis] for axis in value.axes]
    if any(counts_photos(factor) for factor in times):
        raise node.refusal("repeats a value of one photo for all of them")
    made = ops.tile(value.tensor, times) if max(times) > 1 else value.tensor
    return node.result(made, sizes, value.axes) if made is not value.tensor else value


def _for_each_photo(node: Node, row: Array, sizes: tuple[int, ...]) -> Value:
    """A constant of one row, added to a zero for each photo."""
    from keras import ops

    if sizes[0] != NUM_PHOTOS or math.prod(sizes[1:]) > _LARGEST_ROW:
        raise node.refusal(f"makes a constant of the shape {sizes}")
    photos = node.pen.photos
    one = photos[(slice(None), *(0,) * (len(photos.shape) - 1))]
    zero = ops.reshape(ops.zeros_like(one, dtype=row.dtype.name), (-1, *(1,) * (len(sizes) - 1)))
    whole = np.ascontiguousarray(np.broadcast_to(row, (1, *sizes[1:])))[0]
    return node.result(ops.add(zero, whole), sizes, in_order(len(sizes)))


_LARGEST_ROW = 1 << 24


def tile(node: Node) -> Value:
    """Repeated whole."""
    from keras import ops

    value, times = node.value(), [int(count) for count in node.weights(1).reshape(-1)]
    if len(times) != value.rank or min(times) < 1 or counts_photos(max(times)):
        raise node.refusal(f"repeats {times} times")
    made = ops.tile(value.tensor, [times[axis] for axis in value.axes])
    sizes = tuple(size * count for size, count in zip(value.sizes, times, strict=True))
    return node.result(made, sizes, value.axes)


SHAPING: Mapping[str, Operator] = {
    "Concat": concat,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Pad": pad,
    "Reshape": reshape,
    "Slice": cut,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
