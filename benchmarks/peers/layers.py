"""A brain's network as a plain list of steps, from which peers build their own layers.

Only what our brains consist of is known; anything else is refused rather than guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

OUTPUTS = ("scores", "features", "unfamiliar")


@dataclass(frozen=True)
class Step:
    """One operation: what it reads (values by name, weights by content) and what it gives."""

    kind: str
    values: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    output: str
    facts: Mapping[str, object]


def steps(path: str) -> Iterator[Step]:
    """The network's operations in order; convolutions have symmetric padding."""
    graph = onnx.load(path).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        facts = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        yield Step(
            node.op_type,
            tuple(name for name in node.input if name not in weights),
            tuple(weights[name] for name in node.input if name in weights),
            node.output[0],
            facts,
        )


def side(path: str) -> int:
    """Height and width of the network's input, which is square."""
    (photos,) = onnx.load(path).graph.input
    return int(photos.type.tensor_type.shape.dim[1].dim_value)
