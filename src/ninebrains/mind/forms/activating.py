"""Activations that exporters write out in small steps, as the one operation that they are.

Values change in the last bits only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ninebrains.mind.forms.builder import Builder, Draft, Rule
from ninebrains.mind.forms.form import Operation
from ninebrains.mind.forms.shaping import Fact

_SIXTH = float(np.float32(1 / 6))


def hard_sigmoid(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """The steps clip(x + 3, 0, 6) / 6."""
    if fact.dtype != "float32":
        return None  # the same steps in integers round on the way
    for clipped, factor in _with_scalar(builder, draft):
        is_sixth = math.isclose(factor, 6.0 if draft.operator == "Div" else 1 / 6, rel_tol=1e-6)
        value = _shifted_and_clipped(builder, clipped)
        if is_sixth and value is not None and builder.fact(value) == fact:
            return Draft("HardSigmoid", {"alpha": _SIXTH, "beta": 0.5}, (value,))
    return None


def hard_swish(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """The product x * hard_sigmoid(x), also as x * clip(x + 3, 0, 6) / 6."""
    if fact.dtype != "float32":
        return None
    if draft.operator == "Mul":
        for value, gate in (draft.inputs, draft.inputs[::-1]):
            operation = builder.maker(gate, "HardSigmoid")
            if operation is not None and operation.inputs[0] == value and _is_hard(operation):
                return Draft("HardSwish", {}, (value,))
    for product, factor in _with_scalar(builder, draft):
        is_sixth = math.isclose(factor, 6.0 if draft.operator == "Div" else 1 / 6, rel_tol=1e-6)
        operation = builder.maker(product, "Mul")
        if not is_sixth or operation is None or builder.fact(product) != fact:
            continue
        for value, gate in (operation.inputs, operation.inputs[::-1]):
            if _shifted_and_clipped(builder, gate) == value:
                return Draft("HardSwish", {}, (value,))
    return None


def gelu(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """The product x / 2 * (1 + erf(x / sqrt(2))), multiplied in any order."""
    factors = _factors(builder, draft.inputs)
    if len(factors) != 3 or fact.dtype != "float32":
        return None
    for half in factors:
        if not _is_scalar(builder, half, 0.5):
            continue
        rest = list(factors)
        rest.remove(half)
        for value, gate in (rest, rest[::-1]):
            if _is_error_function(builder, gate, value) and builder.fact(value) == fact:
                return Draft("Gelu", {}, (value,))
    return None


def _factors(builder: Builder, inputs: tuple[str, ...]) -> list[str]:
    """What is multiplied with what, in two products at most."""
    for value, other in (inputs, inputs[::-1]):
        product = builder.maker(value, "Mul")
        if product is not None:
            return [*product.inputs, other]
    return list(inputs)


def _is_error_function(builder: Builder, gate: str, value: str) -> bool:
    """Whether gate = 1 + erf(value / sqrt(2))."""
    added = builder.maker(gate, "Add")
    if added is None:
        return False
    for one, inner in (added.inputs, added.inputs[::-1]):
        curve = builder.maker(inner, "Erf")
        if curve is None or not _is_scalar(builder, one, 1.0):
            continue
        for operator, number in (("Div", math.sqrt(2)), ("Mul", math.sqrt(0.5))):
            scaled = builder.maker(curve.inputs[0], operator)
            if scaled is not None:
                sides = [scaled.inputs, scaled.inputs[::-1]][: 1 if operator == "Div" else 2]
                return any(a == value and _is_scalar(builder, b, number) for a, b in sides)
    return False


def _with_scalar(builder: Builder, draft: Draft) -> list[tuple[str, float]]:
    """A product's or quotient's value and number, where one of the two is a number."""
    sides = [draft.inputs] if draft.operator == "Div" else [draft.inputs, draft.inputs[::-1]]
    found = []
    for value, other in sides:
        number = builder.scalar(other)
        if number is not None:
            found.append((value, number))
    return found


def _shifted_and_clipped(builder: Builder, name: str) -> str | None:
    """The x of clip(x + 3, 0, 6)."""
    clipped = builder.maker(name, "Clip")
    if clipped is None or len(clipped.inputs) < 3:
        return None
    if not _is_scalar(builder, clipped.inputs[1], 0) or not _is_scalar(
        builder, clipped.inputs[2], 6
    ):
        return None
    added = builder.maker(clipped.inputs[0], "Add")
    if added is None:
        return None
    for value, other in (added.inputs, added.inputs[::-1]):
        if _is_scalar(builder, other, 3):
            return value
    return None


def _is_hard(operation: Operation) -> bool:
    """Whether a HardSigmoid is the one that HardSwish is defined with."""
    attributes = dict(operation.attributes)
    slope = attributes.get("alpha", 0.2)
    is_slope = isinstance(slope, float) and math.isclose(slope, 1 / 6, rel_tol=1e-6)
    return is_slope and attributes.get("beta", 0.5) == 0.5


def _is_scalar(builder: Builder, name: str, number: float) -> bool:
    found = builder.scalar(name)
    return found is not None and math.isclose(found, number, rel_tol=1e-6)


ACTIVATING: Mapping[str, tuple[Rule, ...]] = {
    "Div": (hard_sigmoid, hard_swish),
    "Mul": (gelu, hard_sigmoid, hard_swish),
}
