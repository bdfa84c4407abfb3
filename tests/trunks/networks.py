"""Small networks in the forms that exporters give them, and the features that they should have."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE = 16
FEATURES = 12
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class Net:
    """Writes a network node by node; every network has the values `map` and `pooled`."""

    def __init__(self, opset=17, producer="", shape=("N", 3, SIDE, SIDE), kind=TensorProto.FLOAT):
        self.opset, self.producer, self.shape, self.kind = opset, producer, list(shape), kind
        self.nodes, self.tensors = [], []
        self.random = np.random.default_rng(7)

    def constant(self, name, values):
        self.tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def weights(self, name, *shape):
        scale = 1.0 / np.sqrt(np.prod(shape[1:]) or 1)
        return self.constant(name, (self.random.normal(size=shape) * scale).astype(np.float32))

    def node(self, operator, inputs, output, name="", **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def body(self, value, prefix="features", conv_name=""):
        """Two convolutions with batch normalisation between; the result is called `map`."""
        weights = self.weights(f"{prefix}.0.0.weight", 8, 3, 3, 3)
        value = self.node(
            "Conv", [value, weights], "c1", name=conv_name, strides=[2, 2], pads=[1, 1, 1, 1]
        )
        parts = [
            self.constant(f"{prefix}.0.1.{part}", self.random.uniform(0.5, 1.5, 8).astype("f4"))
            for part in ("weight", "bias", "running_mean", "running_var")
        ]
        value = self.node("BatchNormalization", [value, *parts], "b1")
        value = self.node("Relu", [value], "r1")
        weights = self.weights(f"{prefix}.1.0.weight", FEATURES, 8, 3, 3)
        value = self.node("Conv", [value, weights], "c2", pads=[1, 1, 1, 1])
        return self.node("Relu", [value], "map")

    def linear(self, value, name="classifier.1"):
        weights = self.weights(f"{name}.weight", 5, FEATURES)
        return self.node("Gemm", [value, weights, self.weights(f"{name}.bias", 5)], "out", transB=1)

    def model(self, output="out"):
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", self.kind, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self.tensors,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8
        )
        model.producer_name = self.producer
        return model


def torchvision(opset=17, **shape):
    """RGB, channels first, `features.N` and `classifier.1`, GlobalAveragePool and Flatten."""
    net = Net(opset, "pytorch", **shape)
    net.node("GlobalAveragePool", [net.body("x")], "pooled")
    net.node("Flatten", ["pooled"], "flat", axis=1)
    net.linear("flat")
    return net


def reduce_mean(opset):
    """Pooling as ReduceMean, whose axes became an input with operator set 18."""
    net = Net(opset, "pytorch")
    net.body("x")
    if opset < 18:
        net.node("ReduceMean", ["map"], "pooled", axes=[-1, -2], keepdims=0)
    else:
        net.node("Constant", [], "axes", value_ints=[2, 3])
        net.node("ReduceMean", ["map", "axes"], "pooled", keepdims=0)
    net.linear("pooled")
    return net


def full_average_pool():
    """Pooling as AveragePool over the whole map, then Softmax."""
    net = Net()
    net.node("AveragePool", [net.body("x")], "pooled", kernel_shape=[SIDE // 2, SIDE // 2])
    net.node("Squeeze", ["pooled", net.constant("places", np.array([2, 3]))], "flat")
    net.linear("flat")
    net.node("Softmax", ["out"], "scores", axis=1)
    return net


def conv_classifier():
    """The classifier as 1x1 convolution on the pooled map, then Flatten."""
    net = Net()
    net.node("GlobalAveragePool", [net.body("x")], "pooled")
    weights = net.weights("classifier.1.weight", 5, FEATURES, 1, 1)
    net.node("Conv", ["pooled", weights], "logits", kernel_shape=[1, 1])
    net.node("Flatten", ["logits"], "out")
    return net


def matmul_classifier():
    """The classifier as MatMul and Add, with the batch read from the map's shape."""
    net = Net()
    net.node("GlobalAveragePool", [net.body("x")], "pooled")
    net.node("Shape", ["map"], "sizes")
    net.node("Gather", ["sizes", net.constant("first", np.array([0]))], "batch", axis=0)
    net.node("Concat", ["batch", net.constant("rest", np.array([-1]))], "flat_sizes", axis=0)
    net.node("Reshape", ["pooled", "flat_sizes"], "flat")
    net.node("MatMul", ["flat", net.weights("classifier.1.weight", FEATURES, 5)], "product")
    net.node("Add", [net.weights("classifier.1.bias", 5), "product"], "out")
    return net


def hidden_layer():
    """As MobileNetV3: squeeze and excitation before, a hidden layer after the pooling."""
    net = Net()
    net.nodes.clear()
    net.body("x")
    net.nodes[-1].output[0] = "plain"
    net.node("GlobalAveragePool", ["plain"], "squeezed")
    net.node("Conv", ["squeezed", net.weights("features.2.weight", 12, 12, 1, 1)], "excited")
    net.node("HardSigmoid", ["excited"], "gate")
    net.node("Mul", ["plain", "gate"], "map")
    net.node("GlobalAveragePool", ["map"], "pooled")
    net.node("Flatten", ["pooled"], "flat")
    net.node("Gemm", ["flat", net.weights("classifier.0.weight", 12, 12)], "hidden")
    net.node("HardSwish", ["hidden"], "hidden_act")
    net.linear("hidden_act", "classifier.3")
    return net


def normalised_after_pooling(opset):
    """As ConvNeXt: what is pooled is normalised before the classifier, in one step or several."""
    net = Net(opset)
    net.node("GlobalAveragePool", [net.body("x")], "pooled")
    net.node("Flatten", ["pooled"], "flat", axis=1)
    scale = net.constant("features.2.weight", net.random.uniform(0.5, 1.5, 12).astype("f4"))
    shift = net.constant("features.2.bias", net.random.normal(size=12).astype("f4"))
    if opset >= 17:
        net.linear(net.node("LayerNormalization", ["flat", scale, shift], "normed", axis=-1))
        return net
    net.node("ReduceMean", ["flat"], "mean", axes=[-1])
    net.node("Sub", ["flat", "mean"], "centred")
    net.node("Mul", ["centred", "centred"], "squared")
    net.node("ReduceMean", ["squared"], "variance", axes=[-1])
    net.node("Sqrt", ["variance"], "spread")
    net.node("Div", ["centred", "spread"], "unit")
    net.node("Mul", ["unit", scale], "scaled")
    net.linear(net.node("Add", ["scaled", shift], "normed"))
    return net


def oversized_average_pool():
    """As EfficientNet of some libraries: a kernel larger than any map, cut at its border."""
    net = Net(19)
    side = [4 * SIDE, 4 * SIDE]
    net.node("AveragePool", [net.body("x")], "pooled", kernel_shape=side, strides=side, ceil_mode=1)
    net.node("Flatten", ["pooled"], "flat", axis=1)
    net.linear("flat")
    return net


def fixed_batch():
    """Made for one photo: Reshape constants that begin with 1, also inside (channel shuffle)."""
    net = torchvision(shape=(1, 3, SIDE, SIDE))
    net.nodes[-3].input[0] = "shuffled"
    net.nodes[-4].output[0] = "plain"
    tail = [net.nodes.pop() for _ in range(3)][::-1]
    half = SIDE // 2
    for name, source, target, sizes in (
        ("s1", "plain", "split", [1, 2, FEATURES // 2, half, half]),
        ("s2", "turned", "map", [1, FEATURES, half, half]),
    ):
        net.node("Reshape", [source, net.constant(name, np.array(sizes))], target)
        if target == "split":
            net.node("Transpose", ["split"], "turned", perm=[0, 2, 1, 3, 4])
    tail[0].input[0] = "map"
    del tail[1].attribute[:]
    tail[1].op_type = "Reshape"
    tail[1].input.append(net.constant("flat_sizes", np.array([1, FEATURES])))
    net.nodes += tail
    return net


def shuffled_channels():
    """Made for one photo, as ShuffleNetV2: its halves of channels lie outside the photos."""
    net = torchvision(shape=(1, 3, SIDE, SIDE))
    tail = [net.nodes.pop() for _ in range(2)][::-1]
    pooling = net.nodes.pop()
    net.nodes[-1].output[0] = "plain"
    half = SIDE // 2
    split = net.constant("s1", np.array([FEATURES // 2, 2, half * half]))
    net.node(
        "Transpose", [net.node("Reshape", ["plain", split], "split")], "turned", perm=[1, 0, 2]
    )
    halves = net.constant("s2", np.array([2, -1, FEATURES // 2, half, half]))
    net.node("Reshape", ["turned", halves], "halves")
    for place, name in enumerate(("left", "right")):
        net.node("Gather", ["halves", net.constant(f"p{place}", np.array(place))], name, axis=0)
    net.node("Concat", ["right", "left"], "map", axis=1)
    net.nodes += [pooling, *tail]
    return net


def keras(first_name="MobilenetV2/expanded_conv_depthwise", shape=("N", SIDE, SIDE, 3)):
    """As tf2onnx writes it: channels last outside, Transpose, ReduceMean over places 1 and 2."""
    net = Net(15, "tf2onnx", shape=shape)
    net.node("Transpose", ["x"], "first", perm=[0, 3, 1, 2])
    net.body("first", "model/k", conv_name=first_name)
    net.nodes[-1].output[0] = "map_nchw"
    net.node("Transpose", ["map_nchw"], "map", perm=[0, 2, 3, 1])
    net.node("ReduceMean", ["map"], "pooled", axes=[1, 2], keepdims=0)
    net.node("MatMul", ["pooled", net.weights("predictions/kernel", FEATURES, 5)], "out")
    return net


def normalising(steps, shape=("N", 3, SIDE, SIDE), kind=TensorProto.FLOAT):
    """Its own first steps normalise: (operator, value of size 1 or 3) each."""
    net = Net(shape=shape, kind=kind)
    value = "x"
    if kind != TensorProto.FLOAT:
        value = net.node("Cast", ["x"], "x_float", to=TensorProto.FLOAT)
    for place, (operator, values) in enumerate(steps):
        constant = net.constant(f"n{place}", np.reshape(values, (1, -1, 1, 1)).astype("f4"))
        value = net.node(operator, [value, constant], f"step{place}")
    net.node("GlobalAveragePool", [net.body(value, "net.body")], "pooled")
    net.node("Flatten", ["pooled"], "flat")
    net.linear("flat", "head")
    return net


def save(model, folder, name="net.onnx"):
    """Write a model (or net) and return its path."""
    model = model.model(model.nodes[-1].output[0]) if isinstance(model, Net) else model
    path = folder / name
    onnx.save(model, path)
    return path


def original_values(path, values, names=("pooled", "map")):
    """What the file as it is gives, photo by photo, for normalised `values`."""
    model = onnx.load(path)
    del model.graph.output[:]
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = [session.run(list(names), {"x": value[None]}) for value in values]
    return [np.concatenate(parts) for parts in zip(*rows, strict=True)]


def photos(num=4, side=SIDE):
    """uint8[num, side, side, 3]."""
    return np.random.default_rng(3).integers(0, 256, (num, side, side, 3), dtype=np.uint8)


def nchw(values):
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)


def imagenet(pixels):
    return nchw((pixels / 255 - MEAN) / STD)


def tf_style(pixels):
    return (pixels / 127.5 - 1).astype(np.float32)


def caffe(pixels):
    blue_first = pixels[..., ::-1] - np.array([103.939, 116.779, 123.68])
    return blue_first.astype(np.float32)
