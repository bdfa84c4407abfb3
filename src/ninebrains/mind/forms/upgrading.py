"""One spelling for what ONNX's operator sets spelt differently over the years.

Each function takes an operator as a file has it and gives the draft that says the same in the
operator sets that canonical operations are written in, or None where that cannot be said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np

from ninebrains.mind.forms.builder import Builder, Draft
from ninebrains.mind.forms.form import Attribute, Shape
from ninebrains.mind.forms.operators import (
    REDUCTIONS,
    WITH_AXIS,
    attribute_names,
    canonical_version,
    defaults,
    since,
)
from ninebrains.mind.forms.reshaping import target_of
from ninebrains.mind.forms.shaping import Fact

_LARGEST_FLOAT = float(np.finfo(np.float32).max)


def upgrade(builder: Builder, draft: Draft, opset: int, fact: Fact) -> Draft | str | None:
    """An operator of a file as canonical operations are written.

    Args:
        builder: knows the inputs.
        draft: the operator with the file's attributes.
        opset: the file's.
        fact: of the first output.

    Returns:
        A draft, a value that is there already, or None where no canonical operation says the same.
    """
    version = since(draft.operator, opset)
    special = _UPGRADES.get(draft.operator)
    if special is not None:
        found = special(builder, draft, version, fact)
        if found is None or isinstance(found, str):
            return found
        draft = found
    elif canonical_version(draft.operator, opset) is None:
        return None
    return _without_defaults(builder, draft, opset)


def _without_defaults(builder: Builder, draft: Draft, opset: int) -> Draft | None:
    """Attributes that a later set added are left out at their defaults, else refused."""
    version = canonical_version(draft.operator, max(opset, builder.opset))
    if version is None:
        return None
    known = attribute_names(draft.operator, version)
    attributes = dict(draft.attributes)
    for name in attributes.keys() - known:
        if defaults(draft.operator, since(draft.operator, opset)).get(name) != attributes[name]:
            return None
        del attributes[name]
    axis = attributes.get("axis", defaults(draft.operator, version).get("axis"))
    if draft.operator in WITH_AXIS and isinstance(axis, int):
        rank = len(builder.fact(draft.inputs[0]).shape)
        attributes["axis"] = axis + rank if axis < 0 else axis
    return Draft(draft.operator, attributes, draft.inputs)


def _identity(_builder: Builder, draft: Draft, _version: int, _fact: Fact) -> str:
    return draft.inputs[0]


def _cast_like(builder: Builder, draft: Draft, _version: int, _fact: Fact) -> Draft:
    """The type to cast to is known."""
    from onnx import helper

    dtype = np.dtype(builder.fact(draft.inputs[1]).dtype)
    to = int(helper.np_dtype_to_tensor_dtype(dtype))
    return Draft("Cast", {"to": to}, draft.inputs[:1])


def _dropout(builder: Builder, draft: Draft, _version: int, _fact: Fact) -> str | None:
    """In use, dropout does nothing."""
    training = draft.inputs[2] if len(draft.inputs) > 2 else ""
    flag = builder.array(training)
    if training and (flag is None or flag.any()):
        return None
    return draft.inputs[0]


def _clip(builder: Builder, draft: Draft, version: int, _fact: Fact) -> Draft | None:
    if version >= 11:
        return draft
    if version < 6:
        return None
    bounds = []
    for name, usual in (("min", -_LARGEST_FLOAT), ("max", _LARGEST_FLOAT)):
        value = draft.attributes.get(name, usual)
        dtype = builder.fact(draft.inputs[0]).dtype
        bounds.append("" if value == usual else builder.keep_array(value, dtype))
    return Draft("Clip", {}, (draft.inputs[0], *bounds))


def _squeeze(_builder: Builder, draft: Draft, _version: int, fact: Fact) -> Draft | None:
    """What only changes the shape is a Reshape, whose target the result's shape tells."""
    if target_of(fact) is None:
        return None
    return Draft("Reshape", {}, (draft.inputs[0], ""))


def _slice(builder: Builder, draft: Draft, version: int, _fact: Fact) -> Draft:
    if version >= 10:
        return draft
    lists = [cast("Shape", draft.attributes[name]) for name in ("starts", "ends")]
    lists.append(cast("Shape", draft.attributes.get("axes", tuple(range(len(lists[0]))))))
    return Draft("Slice", {}, (draft.inputs[0], *(builder.keep_array(item) for item in lists)))


def _pad(builder: Builder, draft: Draft, version: int, _fact: Fact) -> Draft | None:
    if version >= 11:
        return draft
    if version < 2:
        return None
    inputs = [draft.inputs[0], builder.keep_array(cast("Shape", draft.attributes["pads"]))]
    value = draft.attributes.get("value", 0.0)
    inputs.append(builder.keep_array(value, builder.fact(draft.inputs[0]).dtype))
    return Draft("Pad", {"mode": draft.attributes.get("mode", "constant")}, tuple(inputs))


def _reduce(builder: Builder, draft: Draft, _version: int, _fact: Fact) -> Draft | None:
    """Axes are an input, counted from the front and sorted."""
    attributes = dict(draft.attributes)
    given: object = attributes.pop("axes", None)
    if len(draft.inputs) > 1 and draft.inputs[1]:
        given = builder.array(draft.inputs[1])
        if given is None:
            return None
    rank = len(builder.fact(draft.inputs[0]).shape)
    axes = () if given is None else tuple(np.asarray(given, np.int64).tolist())
    if not axes and attributes.get("noop_with_empty_axes", 0):
        return None
    attributes.pop("noop_with_empty_axes", None)
    axes = tuple(sorted(axis % rank for axis in axes)) if axes else tuple(range(rank))
    return Draft(draft.operator, attributes, (draft.inputs[0], builder.keep_array(axes)))


def _softmax(builder: Builder, draft: Draft, version: int, fact: Fact) -> Draft | None:
    """Before set 13, everything from the axis on was one axis."""
    if version >= 13:
        return draft
    shape, growth = fact.shape, fact.growth
    axis = cast("int", draft.attributes.get("axis", 1)) % max(len(shape), 1)
    if all(size == 1 for size in shape[axis + 1 :]) and not any(growth[axis + 1 :]):
        return Draft(draft.operator, {"axis": axis}, draft.inputs)
    if any(growth[axis:]) or target_of(fact) is None:
        return None
    flat = Fact(fact.dtype, (*shape[:axis], math.prod(shape[axis:])), (*growth[:axis], 0))
    rows = builder.make("Reshape", (draft.inputs[0], ""), flat)
    return Draft("Reshape", {}, (builder.make(draft.operator, (rows,), flat, axis=axis), ""))


def _batch_normalization(
    _builder: Builder, draft: Draft, version: int, _fact: Fact
) -> Draft | None:
    attributes = dict(draft.attributes)
    if version < 7 or attributes.pop("spatial", 1) != 1 or attributes.pop("training_mode", 0) != 0:
        return None
    attributes.pop("momentum", None)
    return Draft(draft.operator, attributes, draft.inputs)


def _upsample(builder: Builder, draft: Draft, version: int, _fact: Fact) -> Draft | None:
    if version < 7:
        return None
    scales = draft.inputs[1] if version >= 9 else ""
    if version < 9:
        scales = builder.keep_array(cast("Shape", draft.attributes["scales"]), "float32")
    return _resize_of_old(draft, scales, "floor")


def _resize(builder: Builder, draft: Draft, version: int, _fact: Fact) -> Draft | None:
    if version < 11:
        scales = builder.array(draft.inputs[1])
        if scales is None or (scales.min() < 1 < scales.max()):
            return None
        # ONNX Runtime takes the nearest value above where it shrinks, and below where it grows.
        return _resize_of_old(draft, draft.inputs[1], "ceil" if scales.min() < 1 else "floor")
    how = draft.attributes.get("coordinate_transformation_mode")
    return None if how == "half_pixel_symmetric" else draft


def _resize_of_old(draft: Draft, scales: str, nearest: str) -> Draft:
    """What Upsample and the first Resize did, in the words of the later Resize."""
    mode = draft.attributes.get("mode", "nearest")
    attributes: dict[str, Attribute] = {"coordinate_transformation_mode": "asymmetric"}
    if mode == "nearest":
        attributes["nearest_mode"] = nearest
    return Draft("Resize", {**attributes, "mode": mode}, (draft.inputs[0], "", scales))


_Upgrade = Callable[[Builder, Draft, int, Fact], "Draft | str | None"]
_UPGRADES: Mapping[str, _Upgrade] = {
    "BatchNormalization": _batch_normalization,
    "CastLike": _cast_like,
    "Clip": _clip,
    "Dropout": _dropout,
    "Flatten": _squeeze,
    "Identity": _identity,
    "LogSoftmax": _softmax,
    "Hardmax": _softmax,
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Unsqueeze": _squeeze,
    "Upsample": _upsample,
    **dict.fromkeys(REDUCTIONS, _reduce),
}
