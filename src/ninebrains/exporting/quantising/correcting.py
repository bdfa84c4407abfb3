"""Bias correction: what rounding adds to a layer's results on the whole goes out of its bias again.

Rounded weights shift the mean of each channel. Measured on photos, layer by layer, each with the
layers before it corrected already (Nagel, van Baalen, Blankevoort, Welling: Data-free quantization
through weight equalization and bias correction, 2019, section 4.2 and appendix D).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ninebrains.exporting.quantising.calibrating import Floats, run_batches, session
from ninebrains.exporting.quantising.layers import find_layers
from ninebrains.images import Pixels
from ninebrains.trunks.wiring import Wiring

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnx

    Array = npt.NDArray[np.generic]


def bias_shifts(
    model: onnx.ModelProto, quantised: onnx.ModelProto, pixels: Pixels
) -> dict[str, Floats]:
    """What to add to each layer's bias, float32[C] by the layer's name.

    Args:
        model: in float.
        quantised: the same with layers in 8 bits.
        pixels: uint8[n, H, W, 3]; all of them are in memory at once, a few dozen are enough.
    """
    names = [layer.name for layer in find_layers(model)]
    wanted = _means(model, names, pixels)
    made = {name for node in quantised.graph.node for name in node.output}
    raw = {f"{name}/float" if f"{name}/float" in made else name: name for name in names}
    shifts: dict[str, Floats] = {}
    values: dict[str, Array] = {"photos": pixels}
    for part in _parts(quantised, raw):
        values = _run_part(part, values)
        for made_name in raw.keys() & set(part.makes):
            name, given = raw[made_name], np.asarray(values[made_name], np.float32)
            shift = wanted[name] - given.mean(axis=(0, 2, 3), dtype=np.float64)
            shifts[name] = shift.astype(np.float32)
            values[made_name] = given + shifts[name].reshape(1, -1, 1, 1)
        values = {key: value for key, value in values.items() if key in part.needed_later}
    return shifts


def with_biases(model: onnx.ModelProto, shifts: Mapping[str, Floats]) -> onnx.ModelProto:
    """The float model with these added to its layers' biases, for quantisers of other runtimes."""
    import onnx
    from onnx import numpy_helper

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    wiring = Wiring(copy)
    for name, shift in shifts.items():
        node = wiring.makers[name]
        bias = wiring.constant(node.input[2]) if len(node.input) > 2 else None
        own = np.zeros_like(shift) if bias is None else np.asarray(bias, np.float32).reshape(-1)
        corrected = f"{name}/corrected_bias"
        copy.graph.initializer.append(numpy_helper.from_array(own + shift, corrected))
        node.input[:] = [*node.input[:2], corrected]
    return copy


def _means(model: onnx.ModelProto, names: Sequence[str], pixels: Pixels) -> dict[str, Any]:
    """The mean of each channel of each value over photos and places."""
    totals: list[Any] = [0.0] * len(names)
    for outputs in run_batches(session(model, names), pixels):
        sums = [np.mean(value, axis=(2, 3), dtype=np.float64).sum(axis=0) for value in outputs]
        totals = [total + more for total, more in zip(totals, sums, strict=True)]
    return {name: total / len(pixels) for name, total in zip(names, totals, strict=True)}


class _Part:
    """Some nodes of a model, up to a layer: what they make, and what is needed after them."""

    def __init__(
        self, model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], needed_later: set[str]
    ) -> None:
        self.model = model
        self.nodes = nodes
        self.makes = [name for node in nodes for name in node.output]
        self.needed_later = needed_later


def _parts(model: onnx.ModelProto, ends: Mapping[str, str]) -> list[_Part]:
    """The nodes up to each layer; what comes after the last one is left out."""
    chunks: list[list[onnx.NodeProto]] = [[]]
    for node in model.graph.node:
        chunks[-1].append(node)
        if node.output[0] in ends:
            chunks.append([])
    parts: list[_Part] = []
    needed: set[str] = set()
    for chunk in reversed(chunks[:-1]):
        parts.append(_Part(model, chunk, set(needed)))
        needed.update(name for node in chunk for name in node.input)
    return parts[::-1]


def _run_part(part: _Part, values: dict[str, Array]) -> dict[str, Array]:
    """The values that are known after a part, given those before it."""
    import onnx
    from onnx import helper

    tensors = Wiring(part.model).tensors
    read = {name for node in part.nodes for name in node.input if name}
    entries = sorted((read - set(part.makes)) & values.keys())
    layer = part.nodes[-1].output[0]
    outputs = [name for name in part.makes if name in part.needed_later or name == layer]
    graph = helper.make_graph(
        part.nodes,
        "part",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(values[name].dtype), None
            )
            for name in entries
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [tensors[name] for name in sorted(read & tensors.keys())],
    )
    model = helper.make_model(
        graph, opset_imports=part.model.opset_import, ir_version=part.model.ir_version
    )
    results = session(model, outputs).run(None, {name: values[name] for name in entries})
    return {**values, **dict(zip(outputs, results, strict=True))}
