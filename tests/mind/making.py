"""Small real brains with depth: residual blocks with squeeze-excite below a linear head."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ninebrains.brains import Brain, Label, Manifest
from ninebrains.brains.graph import pack
from ninebrains.brains.manifest import TrunkReference
from ninebrains.images import Contract

SIDE, CHANNELS, BLOCKS = 32, 80, 6


class Net:
    """Collects nodes and constants."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def conv(self, value, output, random, shape, **attributes):
        fan_in = shape[1] * shape[2] * shape[3]
        weights = random.normal(size=shape) * np.sqrt(2 / fan_in)
        name = self.constant(f"{output}.weight", weights.astype(np.float32))
        bias = random.normal(size=shape[0]) * 0.1
        bias = self.constant(f"{output}.bias", bias.astype(np.float32))
        return self.node("Conv", [value, name, bias], output, **attributes)

    def entrance(self):
        """From the photos to planes of floats."""
        self.node("Cast", ["photos"], "floats", to=TensorProto.FLOAT)
        self.node("Transpose", ["floats"], "planes", perm=[0, 3, 1, 2])
        scale = self.constant("scale", np.array(1 / 255, np.float32))
        return self.node("Mul", ["planes", scale], "unit")

    def block(self, value, number, random):
        """Two convolutions, squeeze-excite, and the way around them."""
        name = f"block{number}"
        shape = (CHANNELS, CHANNELS, 3, 3)
        value_in = value
        value = self.conv(value, f"{name}.a", random, shape, pads=[1] * 4)
        value = self.node("Relu", [value], f"{name}.b")
        value = self.conv(value, f"{name}.c", random, shape, pads=[1] * 4)
        mean = self.node("GlobalAveragePool", [value], f"{name}.mean")
        gate = self.conv(mean, f"{name}.squeeze", random, (4, CHANNELS, 1, 1))
        gate = self.node("Relu", [gate], f"{name}.squeezed")
        gate = self.conv(gate, f"{name}.excite", random, (CHANNELS, 4, 1, 1))
        gate = self.node("Sigmoid", [gate], f"{name}.gate")
        value = self.node("Mul", [value, gate], f"{name}.gated")
        value = self.node("Add", [value, value_in], f"{name}.sum")
        return self.node("Relu", [value], f"{name}.out")

    def model(self, outputs, opset=17):
        shape = ["N", SIDE, SIDE, 3]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("photos", TensorProto.UINT8, shape)],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def deep_model(
    num_labels=3, *, head=0, trunk=0, upper=None, untouched=BLOCKS, unusual=1e6, mixes=False
):
    """A classifier of `BLOCKS` residual blocks; those from `untouched` on have the seed `upper`."""
    net = Net()
    low = np.random.default_rng(trunk)
    high = np.random.default_rng([trunk, upper]) if upper is not None else None
    value = net.conv(net.entrance(), "stem", low, (CHANNELS, 3, 3, 3), strides=[2, 2], pads=[1] * 4)
    value = net.node("Relu", [value], "stem.out")
    for number in range(BLOCKS):
        own = np.random.default_rng([trunk, 1000 + number])
        value = net.block(value, number, high if high is not None and number >= untouched else own)
    net.node("GlobalAveragePool", [value], "pooled")
    net.node("Flatten", ["pooled"], "flat_features" if mixes else "features", axis=1)
    if mixes:
        net.node("ReduceMax", ["flat_features"], "most_of_all", keepdims=0)
        net.node("Div", ["flat_features", "most_of_all"], "features")
    random = np.random.default_rng(100 + head)
    weights = random.normal(size=(num_labels, CHANNELS)).astype(np.float32)
    net.constant("weights", weights)
    net.constant("bias", random.normal(size=num_labels).astype(np.float32))
    net.constant("weights_1x1", weights[:, :, None, None])
    net.node("Gemm", ["features", "weights", "bias"], "raw", transB=1)
    net.node("Softmax", ["raw"], "scores", axis=1)
    net.node("Conv", [value, "weights_1x1"], "heatmap")
    net.node("ReduceMax", ["raw"], "most", axes=[1], keepdims=1)
    net.constant("unusual", np.array(1 / unusual, np.float32))
    net.node("Mul", ["most", "unusual"], "strangeness")
    net.constant("flat", np.array([-1], np.int64))
    net.node("Reshape", ["strangeness", "flat"], "unfamiliar")
    return net.model(
        {
            "scores": ["N", num_labels],
            "features": ["N", CHANNELS],
            "heatmap": ["N", num_labels, SIDE // 2, SIDE // 2],
            "unfamiliar": ["N"],
        }
    )


def deep_brain(name="deep", version="1", num_labels=3, **model):
    names = [f"label{number}" for number in range(num_labels)]
    manifest = Manifest(
        name=name,
        version=version,
        task="classify",
        contract=Contract(SIDE, SIDE),
        trunk=TrunkReference(name="deep", hash="1" * 64, num_features=CHANNELS),
        labels=[Label(id=n, index=i, name=n) for i, n in enumerate(names)],
    )
    return Brain.assemble(manifest, pack(deep_model(num_labels, **model)), f"# {name}\n")


def mixing_brain(name):
    """A brain that scales by the largest value in the whole batch, as dynamic quantisation does."""
    net = Net()
    value = net.entrance()
    net.node("GlobalAveragePool", [value], "pooled")
    net.node("Flatten", ["pooled"], "features", axis=1)
    net.node("ReduceMax", ["features"], "most", keepdims=0)
    net.node("Div", ["features", "most"], "scaled")
    net.node("Softmax", ["scaled"], "scores", axis=1)
    manifest = Manifest(
        name=name,
        task="classify",
        contract=Contract(SIDE, SIDE),
        trunk=TrunkReference(name="none", hash="2" * 64, num_features=3),
        labels=[Label(id=n, index=i, name=n) for i, n in enumerate("abc")],
    )
    model = net.model({"scores": ["N", 3], "features": ["N", 3]})
    return Brain.assemble(manifest, pack(model), "# mixer\n")


def _guest(tmp_path_name, net, outputs):
    import tempfile
    from pathlib import Path

    import onnx

    from ninebrains.mind import import_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "guest.onnx"
        onnx.save(net.model(outputs), path)
        return import_model(path, tmp_path_name)


def failing_guest(name):
    """A network that looks up a table with the photo's first value: white is off the table."""
    net = Net()
    net.node("Cast", ["photos"], "whole", to=TensorProto.INT64)
    net.constant("first", np.zeros(3, np.int64))
    net.constant("last", np.ones(3, np.int64))
    net.constant("axes", np.array([1, 2, 3]))
    net.node("Slice", ["whole", "first", "last", "axes"], "corner")
    net.constant("flat", np.array([-1], np.int64))
    net.node("Reshape", ["corner", "flat"], "index")
    net.constant("table", np.arange(255, dtype=np.float32))
    net.node("Gather", ["table", "index"], "picked", axis=0)
    return _guest(name, net, {"picked": ["N"]})


def nan_guest(name):
    """A network that divides by 255 less the photo's darkest value: white has no answer."""
    net = Net()
    net.node("Cast", ["photos"], "floats", to=TensorProto.FLOAT)
    net.node("ReduceMin", ["floats"], "least", axes=[1, 2, 3], keepdims=0)
    net.constant("white", np.array(255, np.float32))
    net.node("Sub", ["white", "least"], "left")
    net.node("Div", ["left", "left"], "ratio")
    return _guest(name, net, {"ratio": ["N"]})
