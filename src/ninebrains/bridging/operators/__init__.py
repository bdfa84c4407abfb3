"""What each ONNX operator is in Keras."""

from __future__ import annotations

from collections.abc import Mapping

from ninebrains.bridging.operators.node import Node, Operator, Pen
from ninebrains.bridging.operators.pointwise import POINTWISE
from ninebrains.bridging.operators.products import PRODUCTS
from ninebrains.bridging.operators.reducing import REDUCING
from ninebrains.bridging.operators.shaping import SHAPING
from ninebrains.bridging.operators.value import NUM_PHOTOS, Array, Value
from ninebrains.bridging.operators.windows import WINDOWS

OPERATORS: Mapping[str, Operator] = {
    **POINTWISE,
    **PRODUCTS,
    **REDUCING,
    **SHAPING,
    **WINDOWS,
}
"""Every operator that can depend on the photos, by ONNX's name."""

__all__ = ["NUM_PHOTOS", "OPERATORS", "Array", "Node", "Pen", "Value"]
