"""Layer normalisation that exporters write out in steps, as the one operation that it is.

Before set 17 ONNX had no operation for it. Values change in the last bits only.
"""

from __future__ import annotations

from collections.abc import Mapping

from ninebrains.mind.forms.builder import Builder, Draft, Rule
from ninebrains.mind.forms.form import Operation
from ninebrains.mind.forms.shaping import Fact


def layer_normalization(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """The steps (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * gamma + beta."""
    for product, beta in (draft.inputs, draft.inputs[::-1]):
        scaled = builder.maker(product, "Mul")
        if scaled is None or not _is_row(builder, beta, fact):
            continue
        for ratio, gamma in (scaled.inputs, scaled.inputs[::-1]):
            divided = builder.maker(ratio, "Div")
            if divided is None or not _is_row(builder, gamma, fact):
                continue
            found = _normalized(builder, divided, len(fact.shape) - 1)
            if found is not None and builder.fact(found[0]) == fact:
                attributes = {"axis": len(fact.shape) - 1, "epsilon": found[1]}
                return Draft("LayerNormalization", attributes, (found[0], gamma, beta))
    return None


def _normalized(builder: Builder, divided: Operation, axis: int) -> tuple[str, float] | None:
    """The x and epsilon of (x - mean) / sqrt(mean((x - mean)^2) + epsilon)."""
    centred, deviation = divided.inputs
    root = builder.maker(deviation, "Sqrt")
    added = builder.maker(root.inputs[0], "Add") if root is not None else None
    taken = builder.maker(centred, "Sub")
    if (
        added is None
        or taken is None
        or not _is_mean(builder, taken.inputs[1], taken.inputs[0], axis)
    ):
        return None
    for variance, other in (added.inputs, added.inputs[::-1]):
        epsilon = builder.scalar(other)
        mean = builder.maker(variance, "ReduceMean")
        if epsilon is None or mean is None:
            continue
        if _is_square(builder, mean.inputs[0], centred) and _is_mean(
            builder, variance, mean.inputs[0], axis
        ):
            return taken.inputs[0], epsilon
    return None


def _is_mean(builder: Builder, name: str, of: str, axis: int) -> bool:
    """Whether a value is the mean of another along one axis, which is kept."""
    mean = builder.maker(name, "ReduceMean")
    if mean is None or mean.inputs[0] != of or mean.attributes:
        return False
    axes = builder.array(mean.inputs[1])
    return axes is not None and axes.tolist() == [axis]


def _is_square(builder: Builder, name: str, of: str) -> bool:
    product = builder.maker(name, "Mul")
    if product is not None:
        return product.inputs == (of, of)
    power = builder.maker(name, "Pow")
    return power is not None and builder.scalar(power.inputs[1]) == 2 and power.inputs[0] == of


def _is_row(builder: Builder, name: str, fact: Fact) -> bool:
    """Whether a value is a constant with one number for each place along the last axis."""
    constant = builder.constants.get(name)
    return constant is not None and constant.shape == fact.shape[-1:]


NORMALISING: Mapping[str, tuple[Rule, ...]] = {"Add": (layer_normalization,)}
