"""Small networks for tests of the canonical form: from text, drawn at random, and disguised."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ninebrains.brains.graph import pack
from ninebrains.images import Contract
from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.forms.emitting import emit

CONTRACT = Contract(8, 8)


def parse(body, opset=17, inputs="float[N,4,8,8] x", outputs="float[...] y", constants=""):
    """A network from ONNX's text form; `constants` are initialisers."""
    outputs = outputs.replace("[...]", "")
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g ({inputs}) => ({outputs}) '
    text += (f"<{constants}> " if constants else "") + "{" + body + "}"
    model = onnx.parser.parse_model(text)
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return model


def form_of(model, contract=CONTRACT):
    return read_form(pack(model), contract)


def operators(form):
    return [operation.operator for operation in form.operations]


def pixels_for(form, photos=3, seed=0):
    """Random values of what the form takes, for so many photos where that is free."""
    shape = form.shapes[form.source]
    number = photos if form.source in form.by_photo else shape[0]
    values = np.random.default_rng(seed).normal(0, 3, (number, *shape[1:]))
    if form.dtypes[form.source] == "uint8":
        values = np.clip(values * 40 + 128, 0, 255)
    return values.astype(form.dtypes[form.source])


def run_model(model, pixels):
    """What a network gives as it is, by output."""
    names = [value.name for value in model.graph.output]
    results = pack(model).session(1).run(names, {model.graph.input[0].name: pixels})
    return dict(zip(names, results, strict=True))


def run_form(form, pixels):
    """What its canonical form gives, by output."""
    values = list(form.outputs.values())
    results = emit(form, values).session(1).run(values, {form.source: pixels})
    return dict(zip(form.outputs, results, strict=True))


def assert_agree(results, expected, tolerance=1e-5):
    assert results.keys() == expected.keys()
    for name, wanted in expected.items():
        size = float(np.abs(wanted).max(initial=1.0))
        np.testing.assert_allclose(results[name], wanted, rtol=0, atol=tolerance * size)


LAYERS = (
    "conv", "depthwise", "bn", "relu", "clip", "hardswish", "add", "mul", "squeeze_excite",
    "maxpool", "avgpool", "concat", "pad", "scale",
)  # fmt: skip
CHANNELS = 4


def random_network(layers, seed, num_outputs=1, opset=17):
    """A network of the given layers; each reads the value before it and some, one before that."""
    random = np.random.default_rng(seed)
    nodes, tensors, planes = [], [], ["x"]

    def constant(values, dtype=np.float32):
        name = f"c{len(tensors)}"
        tensors.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(operator, *inputs, **attributes):
        output = f"v{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def conv(value, size, group=1):
        weights = random.normal(0, 0.4, (CHANNELS, CHANNELS // group, size, size))
        bias = constant(random.normal(size=CHANNELS))
        pads = [size // 2] * 4
        return node("Conv", value, constant(weights), bias, pads=pads, group=group)

    def add_layer(kind, value):
        other = planes[random.integers(len(planes))]
        by_channel = random.normal(1, 0.3, (CHANNELS, 1, 1))
        if kind in ("conv", "depthwise"):
            return conv(value, 3, CHANNELS if kind == "depthwise" else 1)
        if kind == "bn":
            numbers = [constant(random.uniform(0.5, 1.5, CHANNELS)) for _ in range(4)]
            return node("BatchNormalization", value, *numbers)
        if kind == "squeeze_excite":
            gate = conv(node("GlobalAveragePool", value), 1)
            return node("Mul", value, node("Sigmoid", gate))
        if kind == "concat":
            joined = node("Concat", value, other, axis=1)
            weights = random.normal(0, 0.4, (CHANNELS, 2 * CHANNELS, 1, 1))
            return node("Conv", joined, constant(weights))
        if kind == "pad":
            return conv(node("Pad", value, constant([0, 0, 0, 1, 0, 0, 0, 0], np.int64)), 3)
        makers = {
            "relu": lambda: node("Relu", value),
            "clip": lambda: node("Clip", value, constant(0.0), constant(6.0)),
            "hardswish": lambda: node("HardSwish", value),
            "add": lambda: node("Add", value, other),
            "mul": lambda: node("Mul", value, constant(by_channel)),
            "scale": lambda: node("Add", value, constant(by_channel)),
            "maxpool": lambda: node("MaxPool", value, kernel_shape=[3, 3], pads=[1] * 4),
            "avgpool": lambda: node("AveragePool", value, kernel_shape=[3, 3], pads=[1] * 4),
        }
        return makers[kind]()

    for kind in layers:
        value = add_layer(kind, planes[-1])
        # A padded plane has other sides, so nothing is added to it later on.
        planes = [value] if kind == "pad" else [*planes, value]
    outputs = []
    for index in range(num_outputs):
        rows = node("Flatten", node("GlobalAveragePool", planes[-1 - index % len(planes)]))
        head = constant(random.normal(size=(5, CHANNELS)))
        output = helper.make_node("Gemm", [rows, head], [f"scores{index}"], transB=1)
        nodes.append(output)
        outputs.append(f"scores{index}")
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", CHANNELS, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        tensors,
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def disguise(model, seed):
    """The same network: other names, another order, constants held otherwise, more clutter."""
    random = np.random.default_rng(seed)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    _give_each_reader_its_own(graph, random)
    _clutter(graph, random)
    _rename(graph, random)
    tensors = list(graph.initializer)
    random.shuffle(tensors)
    del graph.initializer[:]
    for tensor in tensors:
        if random.random() < 0.5:
            graph.initializer.append(tensor)
        else:
            graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    _shuffle(graph, random)
    copy.producer_name, copy.doc_string = "another", "exporter"
    return onnx.load_model_from_string(copy.SerializeToString())


def _give_each_reader_its_own(graph, random):
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for index, node in enumerate(graph.node):
        for place, name in enumerate(node.input):
            if name in tensors and random.random() < 0.3:
                graph.initializer.add().CopyFrom(tensors[name])
                graph.initializer[-1].name = node.input[place] = f"{name}.{index}.{place}"


def _clutter(graph, random):
    """Swap what may be swapped, write defaults down, add nodes that do nothing."""
    extra = []
    for index, node in enumerate(list(graph.node)):
        if node.op_type in ("Add", "Mul") and random.random() < 0.5:
            node.input[:] = list(node.input)[::-1]
        if node.op_type == "Conv" and random.random() < 0.5:
            node.attribute.append(helper.make_attribute("strides", [1, 1]))
            node.attribute.append(helper.make_attribute("dilations", [1, 1]))
        if random.random() < 0.3:
            operator = str(random.choice(["Identity", "Dropout"]))
            extra.append(helper.make_node(operator, [node.input[0]], [f"idle{index}"]))
            node.input[0] = f"idle{index}"
        if random.random() < 0.2:
            extra.append(helper.make_node("Neg", [node.output[0]], [f"unused{index}"]))
    graph.node.extend(extra)


def _rename(graph, random):
    kept = {value.name for value in (*graph.input, *graph.output)}
    names = {}

    def new(name):
        if not name or name in kept:
            return name
        return names.setdefault(name, f"n{random.integers(1 << 60)}")

    for node in graph.node:
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
        node.name = f"node{random.integers(1 << 60)}"
    for tensor in graph.initializer:
        tensor.name = new(tensor.name)


def _shuffle(graph, random):
    """Another order in which each node still comes after those that it reads."""
    waiting = list(graph.node)
    known = {tensor.name for tensor in graph.initializer} | {graph.input[0].name, ""}
    ordered = []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        node = ready[random.integers(len(ready))]
        waiting.remove(node)
        known.update(node.output)
        ordered.append(node)
    del graph.node[:]
    graph.node.extend(ordered)
