"""Networks whose trunks are tiny and whose ends are of many kinds, and what runs them."""

import numpy as np
from onnx import TensorProto, helper

from ninebrains.brains.graph import pack
from ninebrains.images import Contract
from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.forms.emitting import emit
from tests.mind.making import Net

SIDE, WIDTH = 12, 96
CONTRACT = Contract(SIDE, SIDE)


class Ending(Net):
    """A trunk that gives `features` [N, WIDTH] and `map` [N, WIDTH, 4, 4], and what is put on it.

    Equal `trunk` seeds give equal trunks; weights of the head come from the seed `head`.
    """

    def __init__(self, head=0, *, trunk=0, opset=17, width=WIDTH):
        super().__init__()
        self.opset, self.width, self.outputs = opset, width, []
        self.random = np.random.default_rng([7, head])
        low = np.random.default_rng(trunk)
        value = self.conv(self.entrance(), "conv", low, (width, 3, 3, 3), strides=[3, 3])
        self.node("Relu", [value], "map")
        self.node("GlobalAveragePool", ["map"], "pooled")
        self.node("Flatten", ["pooled"], "features", axis=1)

    def weights(self, *shape):
        """A new constant of random numbers; its name."""
        name = f"weights{len(self.constants)}"
        return self.constant(name, self.random.normal(size=shape).astype(np.float32) / 4)

    def ints(self, *values):
        """A new constant of whole numbers; its name."""
        return self.constant(f"ints{len(self.constants)}", np.array(values, np.int64))

    def number(self, value):
        """A new constant of one number; its name."""
        return self.constant(f"number{len(self.constants)}", np.array(value, np.float32))

    def then(self, operator, *inputs, output="", **attributes):
        """Append a node; its output's name."""
        name = self.node(operator, list(inputs), output or f"v{len(self.nodes)}", **attributes)
        if output:
            self.outputs.append(output)
        return name

    def linear(self, labels=3, value="features", *, output=""):
        """A linear head."""
        inputs = (value, self.weights(labels, self.width), self.weights(labels))
        return self.then("Gemm", *inputs, output=output, transB=1)

    def model(self):
        """The whole network."""
        given = [helper.make_tensor_value_info("photos", TensorProto.UINT8, ["N", SIDE, SIDE, 3])]
        made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in self.outputs]
        graph = helper.make_graph(self.nodes, "ending", given, made, self.constants)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def form(self):
        """Its canonical form."""
        return read_form(pack(self.model()), CONTRACT)

    def answers(self, pixels):
        """What ONNX Runtime says, by output."""
        values = pack(self.model()).session(1).run(self.outputs, {"photos": pixels})
        return dict(zip(self.outputs, values, strict=True))


def brain_ending(head=0, labels=10, axes=8, **options):
    """An end as training writes it: scores, heat maps, and how unfamiliar a photo is."""
    net = Ending(head, **options)
    weights = net.random.normal(size=(labels, net.width)).astype(np.float32)
    net.constant("own", weights)
    net.constant("own_1x1", weights[:, :, None, None])
    raw = net.then("Gemm", "features", "own", net.weights(labels), transB=1)
    net.then("Softmax", raw, output="scores", axis=1)
    net.then("Conv", "map", "own_1x1", output="heatmap", kernel_shape=[1, 1])
    last = net.ints(-1)
    if net.opset < 18:
        length = net.then("ReduceL2", "features", axes=[1], keepdims=1)
    else:
        length = net.then("ReduceL2", "features", last, keepdims=1)
    unit = net.then("Div", "features", net.then("Max", length, net.number(1e-12)))
    along = net.then("MatMul", unit, net.weights(net.width, axes))
    common = net.then("MatMul", net.then("Mul", along, along), net.weights(axes, 1))
    means = net.linear(labels, unit)
    if net.opset < 18:
        nearest = net.then("ReduceMin", means, axes=[1], keepdims=1)
    else:
        nearest = net.then("ReduceMin", means, last, keepdims=1)
    safe = net.then("Max", net.then("Add", common, nearest), net.number(0))
    net.then("Reshape", net.then("Sqrt", safe), last, output="unfamiliar")
    net.outputs.append("features")
    return net


def photos(number=3, seed=0):
    """Random pixels, each photo of another brightness."""
    random = np.random.default_rng(seed)
    ceilings = random.integers(20, 256, (number, 1, 1, 3))
    return (random.random((number, SIDE, SIDE, 3)) * ceilings).astype(np.uint8)


def stem_values(form, split, pixels):
    """What the stem gives for photos, by hash."""
    names = list(split.stem_outputs)
    found = emit(form, names).session(1).run(names, {form.source: pixels})
    return dict(zip(names, found, strict=True))
