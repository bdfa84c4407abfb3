"""Brains that fail on purpose, each in its own way."""

from __future__ import annotations

import numpy as np

from benchmarks.mind.brains import reweigh
from ninebrains.brains import Brain
from ninebrains.brains.graph import pack, unpack


def without_numbers(brain: Brain, name: str) -> Brain:
    """Its scores are no numbers: an infinite bias makes softmax divide infinity by infinity."""
    return reweigh(brain, name, {"head/bias"}, lambda values, _: np.full_like(values, np.inf), 0)


def raising(brain: Brain, name: str) -> Brain:
    """ONNX Runtime raises: it looks up a place that is far outside of a table.

    The place is ten times the square of how far the photo's mean is from that of noise, so nothing
    is wrong until a real photo comes: only one of middling brightness is answered.
    """
    from onnx import TensorProto, helper, numpy_helper

    model = unpack(brain.graph)
    for node in model.graph.node:
        for place, output in enumerate(node.output):
            if output == "unfamiliar":
                node.output[place] = "failing/unused"
    size = int(np.prod(brain.contract.shape))
    constants = {
        "share": np.full((size, 1), 1 / size, np.float32),
        "middle": np.array([[127.5]], np.float32),
        "ten": np.array([[10.0]], np.float32),
        "table": np.linspace(0.0, 1.0, 128, dtype=np.float32),
        "flat": np.array([-1], np.int64),
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(value, f"failing/{name}") for name, value in constants.items()
    )
    steps = [
        ("Cast", ["photos"], "floats", {"to": TensorProto.FLOAT}),
        ("Flatten", ["floats"], "row", {"axis": 1}),
        ("MatMul", ["row", "share"], "mean", {}),
        ("Sub", ["mean", "middle"], "away", {}),
        ("Mul", ["away", "away"], "squared", {}),
        ("Mul", ["squared", "ten"], "scaled", {}),
        ("Cast", ["scaled"], "place", {"to": TensorProto.INT64}),
        ("Gather", ["table", "place"], "found", {}),
        ("Reshape", ["found", "flat"], "unfamiliar", {}),
    ]
    outside = {"photos", "unfamiliar"}
    for operator, inputs, output, facts in steps:
        named = [value if value in outside else f"failing/{value}" for value in (*inputs, output)]
        model.graph.node.append(helper.make_node(operator, named[:-1], named[-1:], **facts))
    facts = brain.manifest.model_copy(update={"name": name})
    return Brain.assemble(facts, pack(model), brain.card)
