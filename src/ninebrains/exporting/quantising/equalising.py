"""Cross-layer equalisation: channels of one value are brought to a like size, as they share a grid.

    relu(W x + b) = S relu(S^-1 W x + S^-1 b)      S goes into the weights that read the value

A value has one grid of 256 steps for all of its channels, so one channel of large numbers leaves
few steps to the others. Scaling a channel down where it is made and up where it is read changes
nothing in float (Nagel, van Baalen, Blankevoort, Welling: Data-free quantization through weight
equalization and bias correction, 2019). Here

- values that are added belong together and are scaled alike, so that residual streams are
  equalised as well;
- weights have a scale for each channel of the result, so that it is the values' own sizes that
  count, where they were measured, and not those of the weights that make them;
- ReLU6 becomes ReLU and a limit for each channel. Limits only move up, so that the 8-bit grid,
  which ends at 6, stands for them at no cost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ninebrains.exporting.quantising.calibrating import Floats
from ninebrains.exporting.quantising.layers import FEATURE_MAP, Layer, find_layers
from ninebrains.trunks.wiring import Wiring, keep_only

if TYPE_CHECKING:
    import onnx

Doubles = npt.NDArray[np.float64]
_HOMOGENEOUS = ("Relu", "MaxPool", "AveragePool", "Identity")
_SMALLEST_SHARE = 1 / 32  # a channel hardly seen on these photos may be large on others


def equalise(model: onnx.ModelProto, peaks: Mapping[str, Floats] | None = None) -> onnx.ModelProto:
    """The model with its channels at a like size; the same in float up to rounding.

    Args:
        model: in float; left as it is.
        peaks: the largest magnitude of each channel, float32[C] by value, as `channel_peaks` gives
            them for `values_with_grids`. Without them sizes are taken from the weights, and values
            behind ReLU6 are left as they are.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    layers = find_layers(copy)
    numbers = _Numbers.of(copy, layers)
    for group in _groups(copy, layers):
        scales = _scales(group, numbers, peaks)
        if scales is not None:
            numbers.scale(group, scales)
            _move_limits(copy, group, scales)
    numbers.put_into(copy)
    return copy


@dataclass
class _Group:
    """Values whose channels have to be scaled alike, and the layers that make and read them."""

    values: list[str] = field(default_factory=list)
    makers: list[Layer] = field(default_factory=list)
    readers: list[Layer] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)  # of values behind ReLU6
    is_fixed: bool = False


@dataclass(frozen=True)
class _Numbers:
    """The layers' weights and biases, by the layer's name."""

    layers: tuple[Layer, ...]
    weights: dict[str, Doubles]
    biases: dict[str, Doubles]

    @classmethod
    def of(cls, model: onnx.ModelProto, layers: tuple[Layer, ...]) -> _Numbers:
        wiring = Wiring(model)
        weights = {item.name: _doubles(wiring, item.weights) for item in layers}
        biases = {
            item.name: _doubles(wiring, item.bias).reshape(-1) for item in layers if item.bias
        }
        return cls(layers, weights, biases)

    def scale(self, group: _Group, scales: Doubles) -> None:
        """Divide where a group's values are made, and multiply where they are read."""
        for layer in group.makers:
            self.weights[layer.name] = self.weights[layer.name] / scales[:, None, None, None]
            if layer.bias:
                self.biases[layer.name] = self.biases[layer.name] / scales
        for layer in group.readers:
            own = self.weights[layer.name]
            if layer.is_depthwise:  # a channel's results lie side by side
                factors = np.repeat(scales, len(own) // layer.groups)[:, None, None, None]
            else:
                factors = scales[None, :, None, None]
            self.weights[layer.name] = own * factors

    def put_into(self, model: onnx.ModelProto) -> None:
        """Under new names, as a constant may have had other readers."""
        from onnx import numpy_helper

        makers = Wiring(model).makers
        for layer in self.layers:
            node = makers[layer.name]
            for place, part, known in ((1, "weights", self.weights), (2, "bias", self.biases)):
                if layer.name in known:
                    name = f"{layer.name}/equal_{part}"
                    values = known[layer.name].astype(np.float32)
                    model.graph.initializer.append(numpy_helper.from_array(values, name))
                    node.input[place] = name
        keep_only(model, [output.name for output in model.graph.output])


class _Union:
    """Which values belong together."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def find(self, name: str) -> str:
        while (parent := self._parents.get(name, name)) != name:
            name = parent
        return name

    def join(self, names: Sequence[str]) -> None:
        for name in names[1:]:
            self._parents[self.find(names[0])] = self.find(name)


def _groups(model: onnx.ModelProto, layers: tuple[Layer, ...]) -> list[_Group]:
    """The groups that may be scaled, each with layers at both ends."""
    wiring = Wiring(model)
    by_name = {layer.name: layer for layer in layers}
    union = _Union()
    fixed = {FEATURE_MAP, *(output.name for output in model.graph.output)}
    for node in model.graph.node:
        values = [name for name in [*node.input, *node.output] if name not in wiring.tensors]
        layer = by_name.get(node.output[0])
        if layer is None and _scales_through(wiring, node):
            union.join([name for name in values if name])
        elif layer is None:
            fixed.update(values)
        elif layer.groups > 1 and not layer.is_depthwise:
            fixed.add(layer.entry)
    groups: dict[str, _Group] = defaultdict(_Group)
    for node in model.graph.node:
        limit = _limit(wiring, node)
        for name in node.output:
            group = groups[union.find(name)]
            group.values.append(name)
            if limit is not None:
                group.limits[name] = limit
    for name in fixed:
        groups[union.find(name)].is_fixed = True
    for layer in layers:
        groups[union.find(layer.name)].makers.append(layer)
        groups[union.find(layer.entry)].readers.append(layer)
    return [item for item in groups.values() if not item.is_fixed and item.makers and item.readers]


def _scales_through(wiring: Wiring, node: onnx.NodeProto) -> bool:
    """Whether what goes in, scaled by channel, comes out scaled alike."""
    if node.op_type == "Add":
        return not any(name in wiring.tensors for name in node.input)
    return node.op_type in _HOMOGENEOUS or _limit(wiring, node) is not None


def _limit(wiring: Wiring, node: onnx.NodeProto) -> float | None:
    """Where a ReLU6 cuts off; None for other nodes."""
    if node.op_type != "Clip" or len(node.input) < 3:
        return None
    low, high = (wiring.constant(name) for name in node.input[1:3])
    if low is None or high is None or float(low.max()) != 0 or float(high.min()) <= 0:
        return None
    return float(high.min())


def _scales(group: _Group, numbers: _Numbers, peaks: Mapping[str, Floats] | None) -> Doubles | None:
    """What each channel is divided by; None where nothing is known."""
    if peaks is None:
        made = [] if group.limits else [numbers.weights[layer.name] for layer in group.makers]
        sizes = [np.abs(item).max(axis=(1, 2, 3)) for item in made]
    else:
        sizes = [peaks[name].astype(np.float64) for name in group.values if name in peaks]
    if not sizes:
        return None
    size = np.maximum(_largest_shares(sizes), _SMALLEST_SHARE)
    dense = [layer for layer in group.readers if not layer.is_depthwise]
    needs = [_needs(numbers.weights[layer.name]) for layer in dense]
    # Depthwise weights have a scale for each channel anyway.
    need = np.maximum(_largest_shares(needs), _SMALLEST_SHARE) if needs else None
    scales = size if need is None else np.sqrt(size / need)
    scales = scales / scales.max()
    if group.limits and peaks is not None:
        whole = np.ones_like(scales)
        used = [peaks.get(name, limit * whole) / limit for name, limit in group.limits.items()]
        least = np.clip(np.maximum.reduce(used), _SMALLEST_SHARE, 1)
        scales = np.maximum(scales, least)
    return np.asarray(scales, np.float64)


def _needs(weights: Doubles) -> Doubles:
    """How large a channel's weights are beside those that they share a scale with, at most."""
    sizes = np.abs(weights).max(axis=(2, 3))
    peaks = np.maximum(sizes.max(axis=1, keepdims=True), 1e-12)
    return np.asarray((sizes / peaks).max(axis=0), np.float64)


def _largest_shares(sizes: Sequence[Doubles]) -> Doubles:
    """For each channel its size as a share of the largest channel's, in the value where most."""
    shares = [size / max(float(size.max()), 1e-12) for size in sizes]
    return np.asarray(np.maximum.reduce(shares), np.float64)


def _move_limits(model: onnx.ModelProto, group: _Group, scales: Doubles) -> None:
    """Each ReLU6 of the group becomes a ReLU and a limit for each channel."""
    from onnx import helper, numpy_helper

    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        name = str(node.output[0])
        if name not in group.limits:
            nodes.append(node)
            continue
        limits = (group.limits[name] / scales).astype(np.float32)[:, None, None]
        model.graph.initializer.append(numpy_helper.from_array(limits, f"{name}/limits"))
        nodes.append(helper.make_node("Relu", [node.input[0]], [f"{name}/positive"]))
        nodes.append(helper.make_node("Min", [f"{name}/positive", f"{name}/limits"], [name]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _doubles(wiring: Wiring, name: str) -> Doubles:
    return np.asarray(wiring.constant(name), np.float64)
