"""Transposes that only turn a value for a few steps and back are left out.

    turn ── relu ── add ── turn back   =   relu ── add

Networks that were written for the channels last (TensorFlow) and converted go back and forth like
this around every convolution. A lone turn stays where its author put it: it may be there for speed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np

from ninebrains.mind.forms.builder import Builder, Draft, Rule
from ninebrains.mind.forms.form import Constant, Operation, Shape
from ninebrains.mind.forms.operators import BROADCASTING, REDUCTIONS, UNARY
from ninebrains.mind.forms.shaping import Fact


class Turned(NamedTuple):
    """A value that is another one transposed.

    Attributes:
        value: the other one.
        order: the transposition's `perm`.
    """

    value: str
    order: Shape


def drop_turns(builder: Builder, draft: Draft, _fact: Fact) -> str | None:
    """A Transpose that takes back one before it, with operations in between that do not mind."""
    order = cast("Shape", draft.attributes["perm"])
    turned = _unturned(builder, draft.inputs[0])
    if turned is None or tuple(turned.order[axis] for axis in order) != tuple(range(len(order))):
        return None
    return turned.value


def reduce_unturned(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """A reduction of a transposed value reduces first: there is less to transpose then."""
    axes = builder.array(draft.inputs[1])
    turned = _unturned(builder, draft.inputs[0])
    if axes is None or turned is None or not draft.attributes.get("keepdims", 1):
        return None
    if axes.size < 2:  # a step of a normalisation by channel, which backends know as a whole
        return None
    moved = tuple(sorted(turned.order[axis] for axis in axes.tolist()))
    inputs = (turned.value, builder.keep_array(moved))
    value = builder.make(draft.operator, inputs, _back(fact, turned.order), **draft.attributes)
    return Draft("Transpose", {"perm": turned.order}, (value,))


def moves_nothing(fact: Fact, order: Shape) -> bool:
    """Whether a transposition leaves all values in their order: only axes of size one move."""
    moving = [axis for axis in order if fact.shape[axis] != 1 or fact.growth[axis]]
    return moving == sorted(moving)


def _unturned(builder: Builder, name: str) -> Turned | None:
    """The value of which this one is a transposition, computed without transposing it."""
    waiting = [name]
    while waiting:
        operation = builder.makers.get(waiting[-1])
        if waiting[-1] in builder.turned or operation is None:
            builder.turned.setdefault(waiting.pop(), None)
            continue
        minds = operation.operator not in UNARY and operation.operator not in BROADCASTING
        inputs = () if minds else operation.inputs
        missing = [item for item in inputs if item and item not in builder.turned]
        waiting.extend(missing)
        if not missing:
            builder.turned[waiting.pop()] = _of_operation(builder, operation)
    return _turned(builder, name)


def _turned(builder: Builder, name: str) -> Turned | None:
    """What `_unturned` found for a value."""
    found = builder.turned.get(name)
    return None if found is None else Turned(*found)


def _of_operation(builder: Builder, operation: Operation) -> Turned | None:
    """What follows for an operation's first result from what was found for its inputs."""
    attributes = dict(operation.attributes)
    if operation.operator == "Transpose":
        return Turned(operation.inputs[0], cast("Shape", attributes["perm"]))
    if operation.operator not in UNARY and operation.operator not in BROADCASTING:
        return None
    found = [_turned(builder, item) for item in operation.inputs]
    turned = next((item for item in found if item is not None), None)
    if turned is None:
        return None
    inputs: Sequence[str] | None = (turned.value, *operation.inputs[1:])
    if operation.operator in BROADCASTING:
        inputs = _operands(builder, operation.inputs, found, turned.order)
    elif found[0] is None:
        inputs = None
    fact = builder.facts[operation.outputs[0]]
    if inputs is None or len(fact.shape) != len(turned.order):
        return None
    back = _back(fact, turned.order)
    value = builder.make(operation.operator, inputs, back, **attributes)
    return Turned(value, turned.order)


def _operands(
    builder: Builder, names: Sequence[str], found: Sequence[Turned | None], order: Shape
) -> list[str] | None:
    """The inputs of an operation as they are before the transposition, if that costs nothing."""
    inverse = tuple(int(axis) for axis in np.argsort(order))
    operands = []
    for name, turned in zip(names, found, strict=True):
        fact = builder.fact(name)
        array = builder.array(name)
        if turned is not None and turned.order == order:
            operands.append(turned.value)
        elif array is not None and array.size == 1 and array.ndim <= len(order):
            operands.append(name)
        elif array is not None and array.ndim <= len(order) and builder.may_hold(array.size):
            whole = array.reshape((1,) * (len(order) - array.ndim) + array.shape)
            turned_back = np.ascontiguousarray(whole.transpose(inverse))
            operands.append(builder.keep(Constant.of_array(turned_back)))
        elif len(fact.shape) == len(order) and moves_nothing(fact, inverse):
            operands.append(builder.make("Transpose", (name,), _back(fact, order), perm=inverse))
        else:
            return None
    return operands


def _back(fact: Fact, order: Shape) -> Fact:
    """What is known of a value before it is transposed."""
    shape, growth = [0] * len(order), [0] * len(order)
    for place, axis in enumerate(order):
        shape[axis], growth[axis] = fact.shape[place], fact.growth[place]
    return Fact(fact.dtype, tuple(shape), tuple(growth))


LAYOUTS: Mapping[str, tuple[Rule, ...]] = {
    "Transpose": (drop_turns,),
    **dict.fromkeys(REDUCTIONS, (reduce_unturned,)),
}
