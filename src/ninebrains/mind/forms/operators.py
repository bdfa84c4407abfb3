"""What is known of ONNX's operators: versions, defaults, and which may swap their inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache

from ninebrains.errors import BrainError
from ninebrains.mind.forms.form import Attribute, Operation

# What canonical operations are written in; more only where an operator is newer.
OPSET = 18

# From the given version on, ONNX changed types or wording only, or added attributes whose defaults
# mean what was meant before: https://github.com/onnx/onnx/blob/main/docs/Changelog.md
_UNCHANGED_SINCE = """
    Abs 6  Acos 7  Add 7  And 7  ArgMax 1  ArgMin 1  Asin 7  Atan 7  AveragePool 7
    BatchNormalization 9  BitShift 11  Cast 6  Ceil 6  Celu 12  Clip 11  Concat 4
    ConstantOfShape 9  Conv 1  ConvInteger 10  ConvTranspose 1  Cos 7  CumSum 11  DepthToSpace 1
    DequantizeLinear 10  Div 7  DynamicQuantizeLinear 11  Einsum 12  Elu 6  Equal 7  Erf 9  Exp 6
    Expand 8  EyeLike 9  Flatten 1  Floor 6  Gather 1  GatherElements 11  GatherND 11  Gelu 20
    Gemm 7  GlobalAveragePool 1  GlobalMaxPool 1  Greater 7  GreaterOrEqual 12  HardSigmoid 6
    HardSwish 14  Identity 1  InstanceNormalization 6  IsInf 10  IsNaN 9  LayerNormalization 17
    LeakyRelu 6  Less 7  LessOrEqual 12  Log 6  LRN 1  MatMul 1  MatMulInteger 10  Max 8  MaxPool 1
    Mean 8  Min 8  Mish 18  Mod 10  Mul 7  Neg 6  NonZero 9  Not 1  OneHot 11  Or 7  Pow 7  PRelu 7
    QLinearConv 10  QLinearMatMul 10  QuantizeLinear 10  Range 11  Reciprocal 6  Relu 6  Reshape 5
    Resize 11
    Round 11  ScatterElements 11  ScatterND 11  Selu 6  Shape 1  Sigmoid 6  Sign 9  Sin 7  Size 1
    Softplus 1  Softsign 1  SpaceToDepth 1  Sqrt 6  Sub 7  Sum 8  Tan 7  Tanh 6  ThresholdedRelu 10
    Tile 6  TopK 10  Transpose 1  Trilu 14  Where 9  Xor 7
"""
_WORDS = _UNCHANGED_SINCE.split()
UNCHANGED_SINCE = {
    name: int(number) for name, number in zip(_WORDS[::2], _WORDS[1::2], strict=True)
}

# With two inputs their results are the same in either order, bit for bit.
_COMMUTATIVE = """
    Add Mul Max Min Sum Mean And Or Xor Equal BitwiseAnd BitwiseOr BitwiseXor
"""
COMMUTATIVE = frozenset(_COMMUTATIVE.split())

REDUCTIONS = frozenset(
    f"Reduce{kind}"
    for kind in (
        "L1",
        "L2",
        "LogSum",
        "LogSumExp",
        "Max",
        "Mean",
        "Min",
        "Prod",
        "Sum",
        "SumSquare",
    )
)

# Each value of the result depends on the value at the same place alone.
_UNARY = """
    Abs Cast Ceil Celu Clip Elu Erf Exp Floor Gelu HardSigmoid HardSwish IsInf IsNaN LeakyRelu Log
    Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Softplus Softsign Sqrt Tanh ThresholdedRelu
"""
UNARY = frozenset(_UNARY.split())
_BROADCASTING = """
    Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow PRelu Sub
    Sum Where Xor
"""
BROADCASTING = frozenset(_BROADCASTING.split())

# Operators whose attribute `axis` counts the axes of their first input.
_WITH_AXIS = """
    ArgMax ArgMin Concat DequantizeLinear Flatten Gather GatherElements Hardmax LayerNormalization
    LogSoftmax QuantizeLinear Softmax Split TopK
"""
WITH_AXIS = frozenset(_WITH_AXIS.split())


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

    from ninebrains.mind.forms.reading import read_attribute

    schema = defs.get_schema(operator, version, "")
    return {
        name: read_attribute(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.type
    }


@cache
def attribute_names(operator: str, version: int) -> frozenset[str]:
    """The attributes that an operator knows."""
    from onnx import defs

    return frozenset(defs.get_schema(operator, version, "").attributes)


def trimmed(operation: Operation, read: Collection[str]) -> Operation:
    """An operation without the results that nothing reads, as far as it may do without them."""
    if all(name in read for name in operation.outputs):
        return operation
    needed = _min_outputs(operation.operator, operation.version)
    outputs = [
        name if name in read or index < needed else ""
        for index, name in enumerate(operation.outputs)
    ]
    while not outputs[-1]:
        outputs.pop()
    return replace(operation, outputs=tuple(outputs))


@cache
def _min_outputs(operator: str, version: int) -> int:
    from onnx import defs

    return int(defs.get_schema(operator, version, "").min_output)


@cache
def canonical_version(operator: str, opset: int) -> int | None:
    """The version that stands for what an operator means in `opset`.

    Returns:
        None where the meaning is none that canonical operations can be written with.
    """
    earliest = UNCHANGED_SINCE.get(operator, 0)
    version = since(operator, max(opset, earliest) if earliest > OPSET else opset)
    if earliest and version >= earliest:
        return since(operator, max(OPSET, earliest))
    if version > OPSET:
        return version
    return version if since(operator, OPSET) == version else None
