"""What only changes a value's shape, said in one way.

Flatten, Squeeze, Unsqueeze and Reshape, with sizes written down, left open (-1), copied (0) or
computed from other values' shapes, are all one Reshape to the shape that is known of the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ninebrains.mind.builder import Builder, Draft, Rule
from ninebrains.mind.form import Constant, Shape, Tensor
from ninebrains.mind.layouts import moves_nothing
from ninebrains.mind.operators import REDUCTIONS
from ninebrains.mind.shaping import Fact


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
    """Split the first axis before the last two change places, not afterwards.

    PyTorch's newer exporter writes the transposition of keys in attention for three axes.
    """
    turn = builder.maker(source, "Transpose")
    if turn is None or dict(turn.attributes)["perm"] != (0, 2, 1) or len(fact.shape) < 4:
        return None
    value = builder.fact(turn.inputs[0])
    if fact.shape[-2:] != (value.shape[2], value.shape[1]) or any(fact.growth[-2:]):
        return None
    shape, growth = (
        (*whole[:-2], *last[1:])
        for whole, last in ((fact.shape, value.shape), (fact.growth, value.growth))
    )
    split = builder.make("Reshape", (turn.inputs[0], ""), Fact(fact.dtype, shape, growth))
    rank = len(shape)
    return Draft("Transpose", {"perm": (*range(rank - 2), rank - 1, rank - 2)}, (split,))


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
