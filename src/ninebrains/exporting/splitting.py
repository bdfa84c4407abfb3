"""A brain's graph in two: the trunk, which brains share, and the head, which is small.

photos ─► trunk ─► features, feature_map ─► head ─► scores | values, heatmap, unfamiliar
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ninebrains.brains.checking import Shape, infer_shapes
from ninebrains.brains.interface import INPUT
from ninebrains.errors import BrainError

if TYPE_CHECKING:
    import onnx

SEAM = ("features", "feature_map")
"""What a trunk gives and a head takes; the map is left out where a network has none."""


def split(model: onnx.ModelProto) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The trunk and the head of a brain's graph, each a network of its own.

    Brains on one trunk give equal trunks, byte for byte.

    Args:
        model: with all weights inside (`brains.graph.unpack`); not changed.

    Returns:
        From `photos` to `features` and `feature_map`, and from these to the brain's other outputs.

    Raises:
        BrainError: there are no features, or the head reads something else of the trunk.
    """
    made = {name for node in model.graph.node for name in node.output}
    seam = [name for name in SEAM if name in made]
    if "features" not in seam:
        raise BrainError(
            "the network has no value named 'features', so its trunk cannot be told from its "
            "head; expected a brain that was trained by Ninebrains"
        )
    answers = [output for output in model.graph.output if output.name not in seam]
    shapes = infer_shapes(model)
    trunk_nodes, _ = _needed_for(model, seam, ())
    head_nodes, read = _needed_for(model, [output.name for output in answers], seam)
    if INPUT in read:
        raise BrainError(
            "the head reads more of the trunk than features and feature_map, so the two cannot be "
            "split; expected a brain that was trained by Ninebrains"
        )
    whole = [_value(name, shapes[name]) for name in seam]
    taken = [value for value in whole if value.name in read]
    return (
        _network(model, "trunk", trunk_nodes, list(model.graph.input), whole),
        _network(model, "head", head_nodes, taken, answers),
    )


def _needed_for(
    model: onnx.ModelProto, wanted: Iterable[str], given: Iterable[str]
) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes that compute `wanted` from `given`, in order, and the names that they read."""
    needed, stops = set(wanted), set(given)
    nodes: list[onnx.NodeProto] = []
    for node in reversed(model.graph.node):
        if needed.isdisjoint(set(node.output) - stops):
            continue
        nodes.append(node)
        needed.update(_reads(node))
    return nodes[::-1], needed


def _reads(node: onnx.NodeProto) -> set[str]:
    """The names that a node reads, those of graphs inside of it too."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            names.update(name for inner in graph.node for name in _reads(inner))
    return names


def _network(
    model: onnx.ModelProto,
    name: str,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    from onnx import helper

    read = {name for node in nodes for name in _reads(node)}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in read]
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _value(name: str, shape: Shape) -> onnx.ValueInfoProto:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape[1:]])
