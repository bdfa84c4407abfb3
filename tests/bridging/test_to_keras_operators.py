"""Each ONNX operator that Keras gets, against ONNX Runtime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from ninebrains.bridging import to_keras
from tests.bridging.networks import CHANNELS, SIDE, net, numbers, photos_for, reference


def one(operator, *constants, opset=17, channels=CHANNELS, size=(SIDE, SIDE), **attributes):
    """A network of one operator, whose further inputs are constants (None is left out)."""
    made = net(opset, channels, size)
    names = ["x"]
    for number, value in enumerate(constants):
        names.append("" if value is None else made.constant(f"c{number}", value))
    made.node(operator, names, "out", **attributes)
    return made.model()


def conv(outputs, inputs, *kernel, bias=True, channels=CHANNELS, size=(SIDE, SIDE), **attributes):
    weights = [numbers(outputs, inputs, *kernel)]
    weights += [numbers(outputs, seed=1)] if bias else []
    return one("Conv", *weights, channels=channels, size=size, **attributes)


def ints(*values):
    return np.array(values, np.int64)


WINDOWS = {
    "conv": conv(4, 6, 3, 3),
    "conv without bias": conv(4, 6, 1, 1, bias=False),
    "conv same": conv(4, 6, 3, 3, pads=[1, 1, 1, 1]),
    "conv strided on odd sides": conv(4, 6, 3, 3, pads=[1, 1, 1, 1], strides=[2, 2]),
    "conv strided on even sides": conv(
        4, 6, 3, 3, pads=[1, 1, 1, 1], strides=[2, 2], size=(10, 12)
    ),
    "conv padded on one side": conv(4, 6, 2, 3, pads=[1, 0, 0, 2]),
    "conv dilated": conv(4, 6, 3, 3, pads=[2, 2, 2, 2], dilations=[2, 2]),
    "conv same upper": conv(4, 6, 4, 4, auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv same lower": conv(4, 6, 4, 4, auto_pad="SAME_LOWER"),
    "conv not square": conv(4, 6, 1, 5, pads=[0, 2, 0, 2], strides=[2, 1]),
    "conv depthwise": conv(6, 1, 3, 3, group=6, pads=[1, 1, 1, 1], strides=[2, 2]),
    "conv depthwise doubled": conv(12, 1, 3, 3, group=6),
    "conv depthwise, unequal strides": conv(6, 1, 3, 3, group=6, strides=[2, 1]),
    "conv in groups": conv(6, 2, 3, 3, group=3, pads=[1, 1, 1, 1]),
    "max pool": one("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "max pool padded": one("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    "max pool padded unevenly": one("MaxPool", kernel_shape=[3, 3], pads=[2, 1, 0, 1]),
    "max pool rounded up": one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "average pool": one("AveragePool", kernel_shape=[3, 3], strides=[3, 3]),
    "average pool, same": one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "average pool of few": one("AveragePool", kernel_shape=[3, 3], pads=[2, 1, 0, 1]),
    "average pool of zeros": one(
        "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "average pool rounded up": one(
        "AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, opset=19
    ),
    "global average pool": one("GlobalAveragePool"),
    "global max pool": one("GlobalMaxPool"),
}

PLAIN = """
    Abs Ceil Celu Cos Elu Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu LogSoftmax Neg
    Reciprocal Relu Selu Sigmoid Sign Sin Softmax Softplus Softsign Tanh
"""
SUMS = "ReduceL1 ReduceLogSumExp ReduceMin ReduceProd ReduceSum ReduceSumSquare"

POINTWISE = {
    **{name: one(name) for name in PLAIN.split()},
    "Mish": one("Mish", opset=18),
    "Gelu": one("Gelu", opset=20),
    "Gelu by tanh": one("Gelu", opset=20, approximate="tanh"),
    "hard sigmoid of PyTorch": one("HardSigmoid", alpha=1 / 6, beta=0.5),
    "elu with another slope": one("Elu", alpha=0.5),
    "clip to six": one("Clip", np.float32(0), np.float32(6)),
    "clip on both sides": one("Clip", np.float32(-0.5), np.float32(0.5)),
    "clip above": one("Clip", None, np.float32(0.5)),
    "clip of old": one("Clip", opset=9, min=-0.25, max=1.0),
    "clip out of reach": one("Clip", opset=9),
    "prelu by channel": one("PRelu", numbers(CHANNELS, 1, 1)),
    "prelu": one("PRelu", numbers(1)),
    "softmax over channels": one("Softmax", axis=1),
    "softmax of old": one("Softmax", opset=9, axis=1),
    "softmax of old over the last": one("Softmax", opset=9, axis=3),
    "square": one("Pow", np.float32(2)),
    "cube": one("Pow", np.float32(3)),
    "cast twice": one("Cast", to=TensorProto.FLOAT),
    "batch normalisation": one(
        "BatchNormalization",
        *(numbers(CHANNELS, seed=seed, low=0.5, high=1.5) for seed in range(4)),
        epsilon=1e-3,
    ),
    "layer normalisation": one("LayerNormalization", numbers(SIDE), numbers(SIDE, seed=1), axis=-1),
    "layer normalisation of planes": one("LayerNormalization", numbers(SIDE, SIDE), axis=2),
    "dropout": one("Dropout"),
}

BROADCAST = {
    f"{operator} {name}": one(operator, numbers(*shape, low=0.5, high=2.0))
    for operator in ("Add", "Sub", "Mul", "Div")
    for name, shape in {
        "by channel": (CHANNELS, 1, 1),
        "by channel of one photo": (1, CHANNELS, 1, 1),
        "a number": (),
        "one number": (1,),
        "by column": (SIDE,),
        "by place": (SIDE, SIDE),
        "everything": (CHANNELS, SIDE, SIDE),
    }.items()
} | {
    "Max": one("Max", numbers(CHANNELS, 1, 1), numbers(SIDE)),
    "Min": one("Min", np.float32(0.25)),
    "Sum": one("Sum", np.float32(0.25), numbers(SIDE)),
    "Mean": one("Mean", np.float32(0.25), numbers(SIDE)),
}

SHAPING = {
    "transpose": one("Transpose", perm=[0, 2, 3, 1]),
    "reshape with zero and rest": one("Reshape", ints(0, 3, -1, SIDE)),
    "reshape to rows": one("Reshape", ints(-1, CHANNELS * SIDE)),
    "reshape across": one("Reshape", ints(-1, SIDE, CHANNELS, SIDE)),
    "flatten": one("Flatten"),
    "flatten after two": one("Flatten", axis=2),
    "unsqueeze": one("Unsqueeze", ints(1, -1)),
    "unsqueeze of old": one("Unsqueeze", opset=11, axes=[2]),
    "slice of channels": one("Slice", ints(1), ints(5), ints(1), ints(2)),
    "slice by steps": one("Slice", ints(0, 1), ints(2**63 - 1, 2**63 - 1), ints(2, 3), ints(2, 2)),
    "slice backwards": one("Slice", ints(-1), ints(-(2**62)), ints(1), ints(-1)),
    "slice of old": one("Slice", opset=9, starts=[1], ends=[-1], axes=[3]),
    "gather one": one("Gather", np.array(2), axis=1),
    "gather the last": one("Gather", np.array(-1), axis=2),
    "gather some": one("Gather", ints(5, 0, 3), axis=1),
    "pad": one("Pad", ints(0, 0, 1, 2, 0, 0, 3, 0)),
    "pad channels with ones": one("Pad", ints(0, 1, 0, 0, 0, 0, 0, 0), np.float32(1)),
    "pad by reflection": one("Pad", ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"),
    "pad of old": one("Pad", opset=9, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.5),
    "tile": one("Tile", ints(1, 2, 1, 1)),
    "expand": one("Expand", ints(1, CHANNELS, SIDE, SIDE)),
}

REDUCING = {
    **{
        f"{kind} over {axes}, keep {keep}": one(kind, axes=axes, keepdims=keep, opset=13)
        for kind in ("ReduceL2", "ReduceMean", "ReduceMax")
        for axes in ([1], [-1, -2], [1, 3])
        for keep in (0, 1)
    },
    **{kind: one(kind, axes=[1], opset=11) for kind in SUMS.split()},
    "axes as an input": one("ReduceMean", ints(2, 3), opset=18, keepdims=0),
}


def several(opset=17, channels=CHANNELS, size=(SIDE, SIDE)):
    """Marks a network of several operators: the function writes them and gives the last name."""

    def mark(write):
        made = net(opset, channels, size)
        last = write(made)
        return made.model(last)

    return mark


@several()
def squeeze_and_excite(made):
    pooled = made.node("GlobalAveragePool", ["x"], "pooled")
    gate = made.node("Conv", [pooled, made.weights("w", CHANNELS, CHANNELS, 1, 1)], "gate")
    return made.node("Mul", ["x", made.node("Sigmoid", [gate], "s")], "out")


@several()
def pooled_then_linear(made):
    flat = made.node("Flatten", [made.node("GlobalAveragePool", ["x"], "pooled")], "flat")
    weights, bias = made.weights("w", 5, CHANNELS), made.weights("b", 5)
    return made.node("Gemm", [flat, weights, bias], "out", transB=1, alpha=0.5, beta=2.0)


@several()
def planes_then_linear(made):
    flat = made.node("Flatten", ["x"], "flat")
    return made.node("MatMul", [flat, made.weights("w", CHANNELS * SIDE * SIDE, 4)], "out")


@several()
def shuffled_channels(made):
    split = made.node("Reshape", ["x", made.constant("a", ints(0, 2, 3, SIDE, SIDE))], "split")
    turned = made.node("Transpose", [split], "turned", perm=[0, 2, 1, 3, 4])
    whole = made.constant("b", ints(-1, CHANNELS, SIDE, SIDE))
    return made.node("Relu", [made.node("Reshape", [turned, whole], "whole")], "out")


@several()
def halves_joined_crosswise(made):
    made.nodes.append(onnx.helper.make_node("Split", ["x"], ["left", "right"], axis=1))
    return made.node("Concat", ["right", "left", "x"], "out", axis=1)


@several()
def normalised_channels_last(made):
    last = made.node("Transpose", ["x"], "last", perm=[0, 2, 3, 1])
    scale, shift = made.constant("s", numbers(CHANNELS)), made.weights("t", CHANNELS)
    normed = made.node("LayerNormalization", [last, scale, shift], "normed", axis=-1)
    wide = made.node("MatMul", [normed, made.weights("w", CHANNELS, 8)], "wide")
    return made.node("Transpose", [wide], "out", perm=[0, 3, 1, 2])


@several()
def shapes_asked_for(made):
    sizes = made.node("Shape", ["x"], "sizes")
    batch = made.node("Gather", [sizes, made.constant("first", ints(0))], "batch", axis=0)
    shape = made.node("Concat", [batch, made.constant("rest", ints(-1))], "shape", axis=0)
    return made.node("Reshape", ["x", shape], "out")


@several()
def a_row_for_each_photo(made):
    sizes = made.node("Shape", ["x"], "sizes")
    batch = made.node("Gather", [sizes, made.constant("first", ints(0))], "batch", axis=0)
    shape = made.node("Concat", [batch, made.constant("ones", ints(1, 1, 1))], "shape", axis=0)
    row = made.constant("row", numbers(1, 2, SIDE, SIDE))
    rows = made.node("Expand", [row, shape], "rows")
    return made.node("Concat", [rows, "x"], "out", axis=1)


@several()
def compared_and_chosen(made):
    limit = made.constant("limit", np.float32(0.5))
    above = made.node("Greater", ["x", limit], "above")
    below = made.node("Less", ["x", made.constant("low", np.float32(-0.5))], "below")
    either = made.node("Not", [made.node("Or", [above, below], "either")], "middle")
    return made.node("Where", [either, "x", made.constant("zero", np.float32(0))], "out")


@several()
def cut_off_then_max_pool(made):
    made.node("Relu", ["x"], "relu")
    return made.node(
        "MaxPool", ["relu"], "out", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]
    )


@several(size=(4, 4))
def products_of_values(made):
    left = made.node("Reshape", ["x", made.constant("a", ints(0, CHANNELS, 16))], "left")
    right = made.node("Transpose", [left], "right", perm=[0, 2, 1])
    made.node("MatMul", [left, right], "gram")
    return made.node("Softmax", ["gram"], "out", axis=-1)


@several(size=(4, 4))
def einstein(made):
    return made.node("Einsum", ["x", "x"], "out", equation="nchw,ndhw->ncd")


@several()
def a_row_vector_beside_planes(made):
    row = made.node("ReduceMean", ["x"], "row", axes=[0 + 1, 2], keepdims=0)
    made.node("Unsqueeze", [row, made.constant("axes", ints(1, 2))], "wide")
    return made.node("Add", ["x", "wide"], "out")


def gelu(order):
    """Gelu as exporters write it, its last three factors in an order."""

    def write(made):
        half, one = made.constant("h", np.float32(0.5)), made.constant("one", np.float32(1))
        scaled = made.node("Div", ["x", made.constant("r", np.float32(2**0.5))], "scaled")
        shifted = made.node("Add", [one, made.node("Erf", [scaled], "erf")], "shifted")
        if order == "x first":
            return made.node("Mul", [made.node("Mul", ["x", shifted], "product"), half], "out")
        return made.node("Mul", [made.node("Mul", [half, "x"], "product"), shifted], "out")

    return several()(write)


gelu_x_first, gelu_half_first = gelu("x first"), gelu("half first")


@several()
def nearly_a_gelu(made):
    one = made.constant("one", np.float32(1))
    scaled = made.node("Mul", ["x", made.constant("r", np.float32(0.9))], "scaled")
    shifted = made.node("Add", [made.node("Erf", [scaled], "erf"), one], "shifted")
    made.node("Mul", ["x", shifted], "product")
    return made.node("Mul", ["product", made.constant("h", np.float32(0.5))], "out")


SEVERAL = {name: value for name, value in globals().items() if isinstance(value, onnx.ModelProto)}
CASES = {**WINDOWS, **POINTWISE, **BROADCAST, **SHAPING, **REDUCING, **SEVERAL}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_gives_in_keras_what_it_gives_in_onnx_runtime(name):
    model = CASES[name]
    photos = photos_for(model)
    (expected,) = reference(model, photos).values()
    (found,) = to_keras(model)(photos).values()
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", [gelu_x_first, gelu_half_first])
def test_a_gelu_in_five_operators_becomes_one(model):
    kinds = [type(operation).__name__ for operation in to_keras(model).operations]
    assert kinds == ["InputLayer", "Gelu"]
