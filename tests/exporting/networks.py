"""Small networks with what int8 finds hard: ReLU6, depthwise layers, sums, odd channels."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 32


class Sketch:
    """Collects nodes and random weights of a trunk that ends in `feature_map` and `features`."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.nodes, self.tensors = [], []
        self.constant("offset", np.array([120.0, 110.0, 100.0], np.float32).reshape(3, 1, 1))
        self.node("Cast", ["photos"], "floats", to=TensorProto.FLOAT)
        self.node("Transpose", ["floats"], "turned", perm=[0, 3, 1, 2])
        self.node("Sub", ["turned", "offset"], "centred")

    def constant(self, name, values):
        self.tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def conv(self, entry, name, before, after, *, kernel=3, stride=1, group=1, odd=False):
        size = (after, before // group, kernel, kernel)
        weights = self.random.normal(size=size) / np.sqrt(size[1] * kernel**2)
        if entry == "centred":
            weights /= 60
        bias = self.random.normal(size=after) * 0.1
        if odd:  # some channels many times larger than others
            factors = np.exp(self.random.normal(size=after) * 1.5)
            weights, bias = weights * factors[:, None, None, None], bias * factors
        inputs = [
            entry,
            self.constant(f"{name}/w", weights.astype(np.float32)),
            self.constant(f"{name}/b", bias.astype(np.float32)),
        ]
        pads = [kernel // 2] * 4
        return self.node("Conv", inputs, name, pads=pads, strides=[stride] * 2, group=group)

    def relu6(self, entry):
        bounds = [self.constant(f"{entry}/{end}", np.float32(end)) for end in (0, 6)]
        return self.node("Clip", [entry, *bounds], f"{entry}/relu6")

    def relu(self, entry):
        return self.node("Relu", [entry], f"{entry}/relu")

    def finish(self, entry, channels, side, opset=17):
        """The model, with a linear head for three labels."""
        self.node("Relu", [entry], "feature_map")
        self.node("GlobalAveragePool", ["feature_map"], "pooled")
        self.node("Flatten", ["pooled"], "features", axis=1)
        head = self.random.normal(size=(3, channels)) / np.sqrt(channels)
        self.constant("head/weights", head.astype(np.float32))
        self.constant("head/bias", np.zeros(3, np.float32))
        self.node("Gemm", ["features", "head/weights", "head/bias"], "head/raw", transB=1)
        self.node("Softmax", ["head/raw"], "scores", axis=1)
        shapes = {"scores": ["N", 3], "features": ["N", channels]}
        graph = helper.make_graph(
            self.nodes,
            "brain",
            [helper.make_tensor_value_info("photos", TensorProto.UINT8, ["N", side, side, 3])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in shapes.items()
            ],
            self.tensors,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def mobile_network(opset=17):
    """Inverted bottlenecks as MobileNetV2 has them, one of them with a residual sum."""
    sketch = Sketch()
    value = sketch.relu6(sketch.conv("centred", "stem", 3, 16, stride=2, odd=True))
    value = sketch.conv(value, "narrow0", 16, 8, kernel=1)
    for number in (1, 2):
        wide = sketch.relu6(sketch.conv(value, f"wide{number}", 8, 32, kernel=1, odd=True))
        deep = sketch.relu6(sketch.conv(wide, f"deep{number}", 32, 32, group=32, odd=True))
        narrow = sketch.conv(deep, f"narrow{number}", 32, 8, kernel=1, odd=True)
        value = sketch.node("Add", [value, narrow], f"sum{number}") if number == 1 else narrow
    last = sketch.conv(value, "last", 8, 48, kernel=1)
    return sketch.finish(last, 48, SIDE, opset)


def residual_network():
    """Plain convolutions with a residual sum behind a ReLU, and a pool, as ResNets have them."""
    sketch = Sketch(1)
    value = sketch.relu(sketch.conv("centred", "stem", 3, 16, stride=2))
    value = sketch.node("MaxPool", [value], "pool", kernel_shape=[2, 2], strides=[2, 2])
    inner = sketch.relu(sketch.conv(value, "first", 16, 16, odd=True))
    inner = sketch.conv(inner, "second", 16, 16, odd=True)
    value = sketch.relu(sketch.node("Add", [value, inner], "sum"))
    return sketch.finish(sketch.conv(value, "last", 16, 32), 32, SIDE)


def pictures(count, seed=0, side=SIDE):
    """Pictures of coloured patches and grain, uint8[n, side, side, 3]."""
    random = np.random.default_rng(seed)
    patches = random.integers(20, 236, (count, 4, 4, 3))
    large = patches.repeat(side // 4, axis=1).repeat(side // 4, axis=2)
    return (large + random.integers(-20, 20, large.shape)).astype(np.uint8)


def run(model, pixels, outputs=("scores", "features")):
    """What ONNX Runtime gives for a model."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(list(outputs), {"photos": pixels})
