"""What a convolution or a linear layer can do itself is not left to operations of their own.

Batch normalisation, factors and offsets by channel go into the weights; zeros around go into the
padding. Values change in the last bits only, as they do when exporters fold: in float32, with
scale = gamma / sqrt(variance + epsilon), so that files folded by PyTorch's exporters meet those
that are folded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt

from ninebrains.mind.forms.builder import Builder, Draft, Rule
from ninebrains.mind.forms.form import Constant, Operation, Shape
from ninebrains.mind.forms.shaping import Fact

_LAYERS = ("Conv", "ConvTranspose", "Gemm")
Floats = npt.NDArray[np.floating]
_FLOATS = ("float32", "float64")


def fold_batch_normalization(builder: Builder, draft: Draft, _fact: Fact) -> Draft | None:
    """Batch normalisation into the layer before it."""
    numbers = [_floats(builder, name) for name in draft.inputs[1:5]]
    known = [item for item in numbers if item is not None]
    layer = _layer(builder, draft.inputs[0]) if len(known) == 4 else None
    if layer is None or len({item.dtype for item in known}) > 1:
        return None
    gamma, beta, mean, variance = known
    epsilon = np.asarray(draft.attributes.get("epsilon", 1e-5), gamma.dtype)
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + epsilon)
        bias = (_bias(builder, layer) - mean) * scale + beta
        return _changed(builder, layer, scale, bias)


def fold_factor(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """A factor or a divisor by channel into the layer before it."""
    for value, other in ((0, 1), (1, 0)) if draft.operator == "Mul" else ((0, 1),):
        factor = _by_channel(builder, draft.inputs[other], fact)
        layer = _layer(builder, draft.inputs[value]) if factor is not None else None
        if layer is not None and factor is not None and builder.fact(draft.inputs[value]) == fact:
            with np.errstate(all="ignore"):
                scale = 1 / factor if draft.operator == "Div" else factor
                return _changed(builder, layer, scale, _bias(builder, layer) * scale)
    return None


def fold_offset(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """An offset by channel into the layer before it."""
    for value, other in ((0, 1), (1, 0)) if draft.operator == "Add" else ((0, 1),):
        offset = _by_channel(builder, draft.inputs[other], fact)
        layer = _layer(builder, draft.inputs[value]) if offset is not None else None
        if layer is not None and offset is not None and builder.fact(draft.inputs[value]) == fact:
            bias = _bias(builder, layer)
            added = bias - offset if draft.operator == "Sub" else bias + offset
            return _changed(builder, layer, None, added)
    return None


def fold_padding(builder: Builder, draft: Draft, _fact: Fact) -> Draft | None:
    """Zeros around a value into the padding of the convolution or average that reads it."""
    pad = builder.maker(draft.inputs[0], "Pad")
    if pad is None or pad.attributes or len(pad.inputs) > 2:
        return None
    pads = builder.array(pad.inputs[1])
    attributes = dict(draft.attributes)
    pooled = draft.operator == "AveragePool"
    if pads is None or pads.min() < 0 or "auto_pad" in attributes or attributes.get("ceil_mode"):
        return None
    around = pads.reshape(2, -1)
    if around[:, :2].any() or (
        pooled and "pads" in attributes and not attributes.get("count_include_pad")
    ):
        return None
    own = np.array(attributes.get("pads", (0,) * (2 * (around.shape[1] - 2))))
    attributes["pads"] = tuple((own + around[:, 2:].reshape(-1)).tolist())
    if pooled:
        attributes["count_include_pad"] = 1
    return Draft(draft.operator, attributes, (pad.inputs[0], *draft.inputs[1:]))


def _layer(builder: Builder, name: str) -> Operation | None:
    """The layer that makes a value for one reader alone, if its weights are constants."""
    operation = builder.makers.get(name)
    if operation is None or operation.operator not in _LAYERS:
        return None
    weights = builder.constants.get(operation.inputs[1])
    bias = operation.inputs[2] if len(operation.inputs) > 2 else ""
    if weights is None or weights.dtype not in _FLOATS or (bias and bias not in builder.constants):
        return None
    attributes = dict(operation.attributes)
    if operation.operator == "Gemm" and bias and not _is_by_column(builder.constants[bias].shape):
        return None
    is_plain = all(attributes.get(item, 1.0) == 1.0 for item in ("alpha", "beta"))
    if not is_plain or attributes.get("transA") or not builder.has_one_reader(name):
        return None
    return operation


def _is_by_column(shape: Shape) -> bool:
    """Whether a Gemm adds the same to each row: what it adds may be any part of its result."""
    return len(shape) < 2 or shape[0] == 1


def _bias(builder: Builder, layer: Operation) -> Floats:
    """What a layer adds, for each channel of the result."""
    weights = builder.constants[layer.inputs[1]]
    axis, groups = _channel_axis(layer)
    bias = _floats(builder, layer.inputs[2]) if len(layer.inputs) > 2 else None
    given = np.zeros(1, np.dtype(weights.dtype)) if bias is None else bias.reshape(-1)
    return np.broadcast_to(given, weights.shape[axis] * groups)


def _changed(
    builder: Builder, layer: Operation, scale: Floats | None, bias: Floats
) -> Draft | None:
    """A layer with its weights multiplied by channel and another bias."""
    name = layer.inputs[1]
    weights = _floats(builder, name)
    if weights is None or bias.dtype != weights.dtype or not builder.may_hold(weights.size):
        return None
    if scale is not None:
        axis, groups = _channel_axis(layer)
        name = builder.keep(Constant.of_array(_times(weights, scale, axis, groups)))
    added = builder.keep(Constant.of_array(np.ascontiguousarray(bias)))
    return Draft(layer.operator, dict(layer.attributes), (layer.inputs[0], name, added))


def _floats(builder: Builder, name: str) -> Floats | None:
    constant = builder.constants.get(name)
    if constant is None or constant.dtype not in _FLOATS:
        return None
    return cast("Floats", constant.array())


def _channel_axis(layer: Operation) -> tuple[int, int]:
    """The weights' axis that counts the results' channels, and into how many groups it is cut."""
    attributes = dict(layer.attributes)
    if layer.operator == "ConvTranspose":
        return 1, cast("int", attributes.get("group", 1))
    if layer.operator == "Gemm":
        return (0 if attributes.get("transB", 0) else 1), 1
    return 0, 1


def _times(weights: Floats, scale: Floats, axis: int, groups: int) -> Floats:
    """Weights multiplied by a factor for each channel of the result."""
    if groups == 1:
        along = [1] * weights.ndim
        along[axis] = -1
        return weights * scale.reshape(along)
    # ConvTranspose: [inputs, outputs of a group, ...]; inputs are cut into groups as well.
    cut = weights.reshape(groups, -1, *weights.shape[1:])
    factors = scale.reshape(groups, 1, -1, *(1,) * (weights.ndim - 2))
    return (cut * factors).reshape(weights.shape)


def _by_channel(builder: Builder, name: str, fact: Fact) -> Floats | None:
    """A constant as one number for each channel, the second axis of `fact`; None if it is not."""
    constant = builder.constants.get(name)
    rank = len(fact.shape)
    if constant is None or rank < 2 or len(constant.shape) > rank or constant.dtype != fact.dtype:
        return None
    shape: Shape = (1,) * (rank - len(constant.shape)) + constant.shape
    others = shape[:1] + shape[2:]
    if any(size != 1 for size in others) or shape[1] not in (1, fact.shape[1]):
        return None
    array = _floats(builder, name)
    return None if array is None else np.broadcast_to(array.reshape(-1), (fact.shape[1],))


FOLDING: Mapping[str, tuple[Rule, ...]] = {
    "Add": (fold_offset,),
    "AveragePool": (fold_padding,),
    "BatchNormalization": (fold_batch_normalization,),
    "Conv": (fold_padding,),
    "Div": (fold_factor,),
    "Mul": (fold_factor,),
    "Sub": (fold_offset,),
}
