"""What is known of ONNX's operators: versions, defaults, and which may swap their inputs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ninebrains.errors import BrainError
from ninebrains.mind.form import Attribute

# With two inputs their results are the same bit for bit in either order.
_COMMUTATIVE = """
    Add Mul Max Min Sum Mean And Or Xor Equal BitwiseAnd BitwiseOr BitwiseXor
"""
COMMUTATIVE = frozenset(_COMMUTATIVE.split())


@cache
def since(operator: str, opset: int) -> int:
    """The operator set that gave an operator the definition that it has in `opset`.

    Raises:
        BrainError: there is no such operator.
    """
    from onnx import defs

    try:
        return int(defs.get_schema(operator, opset, "").since_version)
    except Exception as error:
        raise BrainError(f"there is no operator {operator!r} in ONNX's set {opset}") from error


@cache
def defaults(operator: str, version: int) -> Mapping[str, Attribute]:
    """The attributes' default values, as ONNX's own definition gives them."""
    from onnx import defs

    from ninebrains.mind.reading import read_attribute

    schema = defs.get_schema(operator, version, "")
    return {
        name: read_attribute(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.type
    }
