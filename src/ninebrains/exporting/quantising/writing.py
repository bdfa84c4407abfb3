"""A network that computes in 8 bits, written as ONNX.

Values between layers become pairs of QuantizeLinear and DequantizeLinear, which every runtime fuses
with the layers around them.

    x ─► Q ─► DQ ─► Conv ─► Q ─► DQ ─► …        weights: int8 ─► DQ, bias: int32 ─► DQ

- Values: uint8, one grid for all of a value. An activation that only cuts off (ReLU, ReLU6) is left
  out: a grid from zero up cuts off by itself.
- Weights: int8, symmetric, a scale for each channel of the result. Processors with AVX2 or AVX-512
  but without VNNI add pairs of products uint8 x int8 in 16 bits, and cut off what is beyond. So
  pairs of neighbours are kept from getting there, whatever the photo: 255 (|a| + |b|) < 32,768.
  Depthwise convolutions are computed otherwise and use all 8 bits.
- Biases: int32 on the grid of the products.

https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ninebrains.exporting.quantising.calibrating import Floats, Ranges
from ninebrains.exporting.quantising.layers import Layer
from ninebrains.trunks.wiring import Wiring, keep_only

if TYPE_CHECKING:
    import onnx

_LARGEST_WEIGHT = 127
_LARGEST_PAIR = 128  # 255 x 128 = 32,640 fits into 16 bits
_LARGEST_BIAS = 2**30
_READY = "DequantizeLinear"


@dataclass(frozen=True)
class Grid:
    """The numbers scale x (q - zero), for q from 0 to 255."""

    scale: np.float32
    zero: np.uint8

    @classmethod
    def over(cls, low: float, high: float) -> Grid:
        """The grid that covers a range with zero in it; zero is on the grid."""
        scale = np.float32(max((high - low) / 255, 1e-12))
        return cls(scale, np.uint8(np.clip(np.round(-low / scale), 0, 255)))

    @property
    def high(self) -> float:
        """The largest number."""
        return float(self.scale) * (255 - int(self.zero))


def write(
    model: onnx.ModelProto, layers: Collection[Layer], ranges: Ranges, biases: Mapping[str, Floats]
) -> onnx.ModelProto:
    """The model with these layers in 8 bits.

    Args:
        model: in float, ONNX operator set 13 or later; left as it is.
        layers: which to write in 8 bits.
        ranges: by value, as `measure_ranges` gives them for `values_with_grids`.
        biases: what is added to a layer's own bias, by its name.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    wiring = Wiring(model)
    grids = {name: given_grid(wiring, name) or Grid.over(*ends) for name, ends in ranges.items()}
    pen = _Pen(wiring, grids)
    by_name = {layer.name: layer for layer in layers}
    for node in model.graph.node:
        layer = by_name.get(node.output[0])
        pen.copy(node) if layer is None else pen.layer(node, layer, biases.get(layer.name))
        for output in node.output:
            if output in grids and node.op_type != _READY:
                pen.put_on_grid(output)
    del copy.graph.node[:]
    copy.graph.node.extend(pen.nodes)
    copy.graph.initializer.extend(pen.constants)
    keep_only(copy, [output.name for output in copy.graph.output])
    return copy


def given_grid(wiring: Wiring, name: str) -> Grid | None:
    """The grid that a value is on as it is made (see `entering`)."""
    node = wiring.makers.get(name)
    if node is None or node.op_type != _READY:
        return None
    scale, zero = (np.asarray(wiring.constant(part)).reshape(-1) for part in node.input[1:3])
    return Grid(np.float32(scale[0]), np.uint8(zero[0]))


def quantise_weights(weights: Floats, layer: Layer) -> tuple[npt.NDArray[np.int8], Floats]:
    """Weights as int8 and the scale of each channel of the result."""
    flat = np.abs(weights.reshape(len(weights), -1)).astype(np.float64)
    scales = flat.max(axis=1) / _LARGEST_WEIGHT
    if not layer.is_depthwise:
        scales = np.maximum(scales, _largest_pairs(np.abs(weights)) / _LARGEST_PAIR)
    scales = np.maximum(scales, 1e-12).astype(np.float32)
    steps = np.round(weights / scales.reshape(-1, 1, 1, 1))
    return np.clip(steps, -_LARGEST_WEIGHT, _LARGEST_WEIGHT).astype(np.int8), scales


def _largest_pairs(sizes: Floats) -> npt.NDArray[np.float64]:
    """The largest sum of two neighbours in each channel, in the orders that kernels read in."""
    most = np.zeros(len(sizes))
    for order in ((0, 1, 2, 3), (0, 2, 3, 1)):
        flat = sizes.transpose(order).reshape(len(sizes), -1).astype(np.float64)
        flat = np.pad(flat, ((0, 0), (0, 1)))
        most = np.maximum(most, (flat[:, :-1] + flat[:, 1:]).max(axis=1))
    return most


@dataclass
class _Pen:
    """Collects nodes and constants."""

    wiring: Wiring
    grids: Mapping[str, Grid]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def copy(self, node: onnx.NodeProto) -> None:
        import onnx

        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if node.op_type != _READY:
            copy.output[:] = [self._raw(name) for name in node.output]
        self.nodes.append(copy)

    def layer(self, node: onnx.NodeProto, layer: Layer, added: Floats | None) -> None:
        """A convolution whose weights and bias are in 8 and 32 bits."""
        weights = np.asarray(self.wiring.constant(layer.weights), np.float32)
        bias = np.zeros(len(weights), np.float32)
        if layer.bias:
            bias = np.asarray(self.wiring.constant(layer.bias), np.float32).reshape(-1)
        if added is not None:
            bias = bias + added
        steps, scales = quantise_weights(weights, layer)
        entry = self.grids[layer.entry].scale
        # A channel of hardly any weights must not push its bias out of 32 bits.
        least = np.abs(bias) / (float(entry) * _LARGEST_BIAS)
        if (scales < least).any():
            scales = np.maximum(scales, least).astype(np.float32)
            steps = np.round(weights / scales.reshape(-1, 1, 1, 1)).astype(np.int8)
        products = (scales * entry).astype(np.float32)
        sums = np.round(bias.astype(np.float64) / products).astype(np.int32)
        inputs = [
            layer.entry,
            self._constant(f"{layer.name}/weights", steps, scales),
            self._constant(f"{layer.name}/bias", sums, products),
        ]
        self.copy(node)
        self.nodes[-1].input[:] = inputs

    def put_on_grid(self, name: str) -> None:
        """The value `name`, made so far as `<name>/float`, as the nearest numbers of its grid."""
        from onnx import helper, numpy_helper

        grid = self.grids[name]
        scale, zero, steps = f"{name}/scale", f"{name}/zero", f"{name}/steps"
        self.constants += [
            numpy_helper.from_array(np.array(grid.scale), scale),
            numpy_helper.from_array(np.array(grid.zero), zero),
        ]
        self.nodes += [
            helper.make_node("QuantizeLinear", [self._uncut(name), scale, zero], [steps]),
            helper.make_node("DequantizeLinear", [steps, scale, zero], [name]),
        ]

    def _uncut(self, name: str) -> str:
        """The value that is quantised for `name`: before operators that cut as its grid does."""
        grid = self.grids[name]
        source = name
        while grid.zero == 0 and source in self.wiring.makers:
            node = self.wiring.makers[source]
            if not cuts_at_most(self.wiring, node, grid.high):
                break
            source = str(node.input[0])
            if source in self.grids:
                return source
        return self._raw(source)

    def _raw(self, name: str) -> str:
        return f"{name}/float" if name in self.grids else name

    def _constant(self, name: str, steps: npt.NDArray[np.signedinteger], scales: Floats) -> str:
        from onnx import helper, numpy_helper

        zeros = np.zeros(len(scales), steps.dtype)
        for part, values in (("steps", steps), ("scales", scales), ("zeros", zeros)):
            tensor = numpy_helper.from_array(np.ascontiguousarray(values), f"{name}/{part}")
            self.constants.append(tensor)
        inputs = [f"{name}/{part}" for part in ("steps", "scales", "zeros")]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=0))
        return name


def cuts_at_most(wiring: Wiring, node: onnx.NodeProto, high: float) -> bool:
    """Whether a node does nothing but cut off below zero and above what is at least `high`."""
    if node.op_type == "Relu":
        return True
    if node.op_type not in ("Clip", "Min") or len(node.input) < 2:
        return False
    bounds = [wiring.constant(name) if name else None for name in node.input[1:]]
    if node.op_type == "Min":
        (cap,) = bounds if len(bounds) == 1 else (None,)
        return cap is not None and float(cap.min()) >= high * (1 - 1e-6)
    low = bounds[0]
    cap = bounds[1] if len(bounds) > 1 else None
    if low is None or float(low.max()) != 0:
        return False
    is_known = len(node.input) < 3 or not node.input[2] or cap is not None
    return is_known and (cap is None or float(cap.min()) >= high * (1 - 1e-6))
