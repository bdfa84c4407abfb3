"""Small real brains without any trunk: a convolution, its mean, a linear head."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ninebrains.brains import Brain, Label, Manifest
from ninebrains.brains.graph import Graph, pack
from ninebrains.brains.manifest import TrunkReference
from ninebrains.images import Contract

SIDE, CHANNELS = 32, 8
NAMES = ("cat", "dog", "sofa")
CARD = "# Pets\n\nTrained on six photos of cats, dogs and sofas. Ünïcode.\n"


def make_model(task="classify", num_labels=3, *, trunk_seed=0, head_seed=0, large=0):
    """An ONNX model as training writes it; `large` pads the trunk with that many floats."""
    trunk, head = np.random.default_rng(trunk_seed), np.random.default_rng(100 + head_seed)
    weights = head.normal(size=(num_labels, CHANNELS)).astype(np.float32)
    kernel = trunk.normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32) / 5
    answer = "values" if task == "regress" else "scores"
    last = {"classify": "Softmax", "multilabel": "Sigmoid", "regress": "Identity"}[task]
    constants = {
        "scale": np.array(1 / 255, np.float32),
        "kernel": kernel,
        "weights": weights,
        "weights_1x1": weights[:, :, None, None],
        "bias": head.normal(size=num_labels).astype(np.float32),
        "flat": np.array([0, -1], np.int64),
        "axis": np.array([1], np.int64),
        "ballast": trunk.normal(size=max(large, 1)).astype(np.float32),
        "first": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["photos"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["conv"], strides=[4, 4], pads=[1] * 4),
        helper.make_node("Relu", ["conv"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "flat"], ["features"]),
        helper.make_node("Gemm", ["features", "weights", "bias"], ["raw"], transB=1),
        helper.make_node(last, ["raw"], [answer]),
        helper.make_node("Conv", ["map", "weights_1x1"], ["heatmap"]),
        helper.make_node("Gather", ["ballast", "first"], ["small"]),
        helper.make_node("Mul", ["small", "small"], ["nothing"]),
        helper.make_node("ReduceSum", ["features", "axis"], ["unfamiliar"], keepdims=0),
    ]
    outputs = {
        answer: ["N", num_labels],
        "features": ["N", CHANNELS],
        "heatmap": ["N", num_labels, SIDE // 4, SIDE // 4],
        "unfamiliar": ["N"],
    }
    shape = ["N", SIDE, SIDE, 3]
    graph = helper.make_graph(
        nodes,
        "brain",
        [helper.make_tensor_value_info("photos", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def make_manifest(task="classify", names=NAMES, *, name="pets", version="1"):
    return Manifest(
        name=name,
        version=version,
        task=task,
        contract=Contract(SIDE, SIDE),
        trunk=TrunkReference(name="tiny", hash="0" * 64, num_features=CHANNELS),
        labels=[Label(id=f"id-{n}", index=i, name=n) for i, n in enumerate(names)],
    )


def make_brain(task="classify", names=None, *, name="pets", version="1", **model) -> Brain:
    names = names or (("grams",) if task == "regress" else NAMES)
    graph = pack(make_model(task, len(names), **model))
    return Brain.assemble(make_manifest(task, names, name=name, version=version), graph, CARD)


def repacked(brain: Brain, model) -> Brain:
    """The brain with another network, unchecked: what an attacker would write."""
    graph: Graph = pack(model)
    return with_graph(brain, graph)


def with_graph(brain: Brain, graph: Graph) -> Brain:
    files = {**brain.manifest.files, "graph.onnx": graph.hash}
    return Brain(brain.manifest.model_copy(update={"files": files}), graph, brain.card)


def photo(seed=0, width=48, height=40):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
