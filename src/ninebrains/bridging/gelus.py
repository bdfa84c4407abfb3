"""Gelu, which exporters write in five operators before ONNX had it, found again as one.

x / sqrt(2) ─► Erf ─► + 1 ─► times x and 0.5, in any order
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.bridging.constants import Array

if TYPE_CHECKING:
    import onnx

_TOLERANCE = 1e-3


def find_gelus(model: onnx.ModelProto, constants: Mapping[str, object]) -> dict[str, str]:
    """For each value that is the Gelu of another, that other one.

    Args:
        model: the network.
        constants: its weights, by name.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    if not any(node.op_type == "Erf" for node in model.graph.node):
        return {}
    numbers = dict(_numbers(model, constants))
    shifted = dict(_shifted_erfs(model, makers, numbers))
    found = {}
    for node in model.graph.node:
        if node.op_type not in ("Mul", "Div"):
            continue
        factors, number = _factors(node, makers, numbers)
        rest = [shifted[name] for name in factors if name in shifted]
        others = [name for name in factors if name not in shifted]
        if len(factors) == 2 and rest == others and abs(number - 0.5) < _TOLERANCE:
            found[node.output[0]] = others[0]
    return found


def _numbers(
    model: onnx.ModelProto, constants: Mapping[str, object]
) -> Iterator[tuple[str, float]]:
    """Constants of one value."""
    from onnx import numpy_helper

    for name, value in constants.items():
        if isinstance(value, np.ndarray) and value.size == 1:
            yield name, _number(value)
    for node in model.graph.node:
        for item in node.attribute if node.op_type == "Constant" else ():
            if item.name == "value" and math.prod(item.t.dims) == 1:
                yield node.output[0], _number(numpy_helper.to_array(item.t))
            elif item.name == "value_float":
                yield node.output[0], item.f


def _number(array: Array) -> float:
    return float(array.reshape(-1)[0])


def _shifted_erfs(
    model: onnx.ModelProto, makers: Mapping[str, onnx.NodeProto], numbers: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """Values that are 1 + erf(x / sqrt(2)), and what x is."""
    for node in model.graph.node:
        if node.op_type != "Add" or len(node.input) != 2:
            continue
        for value, one in (node.input, reversed(node.input)):
            erf = makers.get(value)
            if erf is None or erf.op_type != "Erf" or numbers.get(one) != 1.0:
                continue
            scaled = makers.get(erf.input[0])
            if scaled is None or scaled.op_type not in ("Mul", "Div"):
                continue
            factors, number = _factors(scaled, makers, numbers)
            if len(factors) == 1 and abs(number - math.sqrt(0.5)) < _TOLERANCE:
                yield node.output[0], factors[0]


def _factors(
    node: onnx.NodeProto,
    makers: Mapping[str, onnx.NodeProto],
    numbers: Mapping[str, float],
    depth: int = 2,
) -> tuple[list[str], float]:
    """What is multiplied, followed back over a few products: values, and a number."""
    names: list[str] = []
    product = 1.0
    for place, name in enumerate(node.input):
        is_divisor = node.op_type == "Div" and place == 1
        maker = makers.get(name)
        if name in numbers:
            product *= 1 / (numbers[name] or math.inf) if is_divisor else numbers[name]
        elif maker is not None and maker.op_type in ("Mul", "Div") and depth and not is_divisor:
            inner, number = _factors(maker, makers, numbers, depth - 1)
            names += inner
            product *= number
        else:
            names += ["a divisor", name] if is_divisor else [name]
    return names, product
