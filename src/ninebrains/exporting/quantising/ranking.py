"""Which layers cost a network's answers most when they are in 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.exporting.quantising.calibrating import Floats, Ranges, run_batches, session
from ninebrains.exporting.quantising.layers import find_layers, values_with_grids
from ninebrains.exporting.quantising.writing import write
from ninebrains.images import Pixels

if TYPE_CHECKING:
    import onnx

_ANSWERS = ("scores", "values", "features")
_LEAST_SCORE = 1e-3


def rank_layers(
    model: onnx.ModelProto, pixels: Pixels, ranges: Ranges, biases: Mapping[str, Floats]
) -> list[tuple[str, float]]:
    """The layers by what leaving each one alone in float takes off the answers' error, best first.

    One run over the photos for each layer: two dozen photos are enough.

    Args:
        model: in float.
        pixels: uint8[n, H, W, 3].
        ranges: for `write`.
        biases: for `write`.

    Returns:
        (name, share of the error that is gone without it); the share may be below zero.
    """
    layers = find_layers(model)
    output = answer_of(model)
    wanted = answers(model, pixels, output)

    def error_without(name: str) -> float:
        rest = [layer for layer in layers if layer.name != name]
        held = {value: ranges[value] for value in values_with_grids(model, rest)}
        given = answers(write(model, rest, held, biases), pixels, output)
        return float(np.mean(np.square(given - wanted)))

    whole = max(error_without(""), 1e-30)
    gains = [(layer.name, 1 - error_without(layer.name) / whole) for layer in layers]
    return sorted(gains, key=lambda pair: (-pair[1], pair[0]))


def answer_of(model: onnx.ModelProto) -> str:
    """The output that counts: what a brain says, or a trunk's features."""
    names = [output.name for output in model.graph.output]
    return next((name for name in _ANSWERS if name in names), names[0])


def answers(model: onnx.ModelProto, pixels: Pixels, output: str) -> Floats:
    """An output on photos; scores as log odds, where an error counts alike near 0 and near 1/2."""
    batches = run_batches(session(model, [output]), pixels)
    values: Floats = np.concatenate([batch[0] for batch in batches])
    if output != "scores":
        return values
    bounded = np.clip(values, _LEAST_SCORE, 1 - _LEAST_SCORE)
    return np.asarray(np.log(bounded / (1 - bounded)), np.float32)
