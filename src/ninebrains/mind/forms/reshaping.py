"""What only changes a value's shape, said in one way.

Flatten, Squeeze, Unsqueeze and Reshape, with sizes written down, left open (-1), copied (0) or
computed from other values' shapes, are all one Reshape to the shape that is known of the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from ninebrains.mind.forms.builder import Builder, Draft, Rule
from ninebrains.mind.forms.form import Constant, Shape, Tensor
from ninebrains.mind.forms.layouts import moves_nothing
from ninebrains.mind.forms.operators import REDUCTIONS
from ninebrains.mind.forms.shaping import Fact


def target_of(fact: Fact) -> Shape | None:
    """The sizes to reshape to, with -1 for the axis that grows; None where two grow."""
    growing = [axis for axis, growth in enumerate(fact.growth) if growth]
    fixed = [size for size, growth in zip(fact.shape, fact.growth, strict=True) if not growth]
    if len(growing) > 1 or 0 in fixed or any(fact.growth[a] != fact.shape[a] for a in growing):
        return None
    return tuple(
        -1 if growth else size for size, growth in zip(fact.shape, fact.growth, strict=True)
    )


def tidy_reshape(builder: Builder, draft: Draft, fact: Fact) -> Draft | str | None:
    """One Reshape where there are several, none where the shape stays."""
    before = builder.maker(draft.inputs[0], "Reshape")
    source = draft.inputs[0] if before is None else before.inputs[0]
    if builder.fact(source) == fact:
        return source
    target = target_of(fact)
    if target is None:
        return None
    turned = _before_turning(builder, source, fact)
    if turned is not None:
        return turned
    tidy = Draft("Reshape", {}, (source, builder.keep_array(target)))
    return None if tidy == draft else tidy


def _before_turning(builder: Builder, source: str, fact: Fact) -> Draft | None:
    """Split an axis, or drop one of size one, before a transposition rather than afterwards.

    PyTorch's exporters differ in where attention's heads are told apart.
    """
    turn = builder.maker(source, "Transpose")
    if turn is None:
        return None
    order = cast("Shape", dict(turn.attributes)["perm"])
    found = _split(builder, turn.inputs[0], order, builder.fact(source), fact)
    found = found or _dropped(builder, turn.inputs[0], order, builder.fact(source), fact)
    if found is None or target_of(found[0]) is None:
        return None
    value = builder.make("Reshape", (turn.inputs[0], ""), found[0])
    return Draft("Transpose", {"perm": found[1]}, (value,))


def _split(
    builder: Builder, name: str, order: Shape, before: Fact, after: Fact
) -> tuple[Fact, Shape] | None:
    """What to reshape to first, and how to transpose then, where one axis becomes several."""
    more = len(after.shape) - len(before.shape)
    place = _split_axis(before, after) if more > 0 else None
    if place is None:
        return None
    value, axis, parts = builder.fact(name), order[place], slice(place, place + more + 1)
    shape, growth = (
        (*whole[:axis], *new[parts], *whole[axis + 1 :])
        for whole, new in ((value.shape, after.shape), (value.growth, after.growth))
    )
    moved = [old if old <= axis else old + more for old in order]
    perm = (*moved[:place], *range(axis, axis + more + 1), *moved[place + 1 :])
    return Fact(after.dtype, shape, growth), perm


def _dropped(
    builder: Builder, name: str, order: Shape, before: Fact, after: Fact
) -> tuple[Fact, Shape] | None:
    """The same where axes of size one are dropped."""
    sizes = list(zip(before.shape, before.growth, strict=True))
    left = list(zip(after.shape, after.growth, strict=True))
    kept: list[int] = []
    for place, size in enumerate(sizes):
        if len(kept) < len(left) and size == left[len(kept)]:
            kept.append(order[place])
        elif size != (1, 0):
            return None
    if len(kept) < len(left) or len(left) == len(sizes):
        return None
    value, axes = builder.fact(name), sorted(kept)
    shape = tuple(value.shape[axis] for axis in axes)
    growth = tuple(value.growth[axis] for axis in axes)
    return Fact(after.dtype, shape, growth), tuple(axes.index(axis) for axis in kept)


def _split_axis(before: Fact, after: Fact) -> int | None:
    """The one axis that becomes several where a value is reshaped, or None if there is no such."""
    more = len(after.shape) - len(before.shape)
    sizes = list(zip(before.shape, before.growth, strict=True))
    new = list(zip(after.shape, after.growth, strict=True))
    differing = (axis for axis, size in enumerate(sizes) if size != new[axis])
    place = next(differing, len(sizes) - 1)
    parts, rest = new[place : place + more + 1], new[place + more + 1 :]
    for further in (0, 1, 2):  # one photo, two, three
        whole = sizes[place][0] + further * sizes[place][1]
        if math.prod(size + further * growth for size, growth in parts) != whole:
            return None
    return place if rest == sizes[place + 1 :] else None


def tidy_transpose(builder: Builder, draft: Draft, fact: Fact) -> Draft | str | None:
    """One Transpose where there are two in a row, none where no axis moves."""
    source, rank = draft.inputs[0], len(fact.shape)
    order = cast("Shape", draft.attributes.get("perm", tuple(reversed(range(rank)))))
    before = builder.maker(source, "Transpose")
    if before is not None:
        source = before.inputs[0]
        first = cast("Shape", dict(before.attributes)["perm"])
        order = tuple(first[axis] for axis in order)
    if order == tuple(range(rank)):
        return source
    if moves_nothing(builder.fact(source), order) and target_of(fact) is not None:
        return Draft("Reshape", {}, (source, ""))
    tidy = Draft("Transpose", {"perm": order}, (source,))
    return None if tidy == draft else tidy


def keep_reduced_axes(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """A reduction that keeps its axes, and a Reshape that drops them; means of planes as a pool."""
    value = builder.fact(draft.inputs[0])
    axes = builder.array(draft.inputs[1])
    if axes is None:
        return None
    reduced = set(axes.tolist())
    if not draft.attributes.get("keepdims", 1) and target_of(fact) is not None:
        whole = Fact(
            fact.dtype,
            tuple(1 if axis in reduced else size for axis, size in enumerate(value.shape)),
            tuple(0 if axis in reduced else size for axis, size in enumerate(value.growth)),
        )
        kept = builder.make(draft.operator, draft.inputs, whole)
        return Draft("Reshape", {}, (kept, ""))
    planes = draft.operator == "ReduceMean" and len(value.shape) == 4 and reduced == {2, 3}
    if planes and value.dtype == "float32":
        return Draft("GlobalAveragePool", {}, draft.inputs[:1])
    return None


def expand(builder: Builder, draft: Draft, fact: Fact) -> Draft | str | None:
    """An Expand to the shape that is known of the result, none where it is there already."""
    source = draft.inputs[0]
    if builder.fact(source) == fact:
        return source
    target = expansion(builder, fact)
    if target is None:
        return None
    tidy = Draft("Expand", {}, (source, target))
    return None if tidy == draft else tidy


def fill(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """A ConstantOfShape whose size the photos' number decides, as an Expand."""
    value = draft.attributes.get("value", Tensor("float32", (1,), bytes(4)))
    target = expansion(builder, fact)
    if not isinstance(value, Tensor) or target is None:
        return None
    name = builder.keep(Constant.of(value.dtype, (1,), value.data))
    return Draft("Expand", {}, (name, target))


def expansion(builder: Builder, fact: Fact) -> str | None:
    """The shape of a value as a value; the number of photos is read off the photos."""
    if not any(fact.growth):
        return builder.keep_array(fact.shape)
    if not fact.is_by_photo or not builder.facts[builder.source].is_by_photo:
        return None
    number = builder.make("Shape", (builder.source,), Fact("int64", (1,), (0,)), start=0, end=1)
    rest = builder.keep_array(fact.shape[1:])
    whole = Fact("int64", (len(fact.shape),), (0,))
    return builder.make("Concat", (number, rest), whole, axis=0) if fact.shape[1:] else number


RESHAPING: Mapping[str, tuple[Rule, ...]] = {
    "ConstantOfShape": (fill,),
    "Expand": (expand,),
    "Reshape": (tidy_reshape,),
    "Transpose": (tidy_transpose,),
    **dict.fromkeys(REDUCTIONS, (keep_reduced_axes,)),
}
