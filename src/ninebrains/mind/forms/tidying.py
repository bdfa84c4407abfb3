"""Operations that do nothing are left out, and the rest is said in one way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from ninebrains.mind.forms.builder import Builder, Draft, Rule
from ninebrains.mind.forms.form import Array, Attribute, Shape
from ninebrains.mind.forms.shaping import Fact

_NEUTRAL = {"Mul": 1, "Div": 1, "Sub": 0, "Pow": 1}


def drop_equal_cast(builder: Builder, draft: Draft, fact: Fact) -> str | None:
    """A cast to the type that the value has."""
    same = builder.fact(draft.inputs[0]).dtype == fact.dtype
    return draft.inputs[0] if same else None


def drop_neutral(builder: Builder, draft: Draft, fact: Fact) -> str | None:
    """Multiplication by one and the like, which change no bit."""
    neutral = _NEUTRAL[draft.operator]
    sides = ((0, 1), (1, 0)) if draft.operator == "Mul" else ((0, 1),)
    for value, other in sides:
        name = draft.inputs[value]
        if builder.scalar(draft.inputs[other]) == neutral and builder.fact(name) == fact:
            return name
    return None


def drop_lone_concat(_builder: Builder, draft: Draft, _fact: Fact) -> str | None:
    """A Concat, Sum, Max, Min or Mean of one."""
    return draft.inputs[0] if len(draft.inputs) == 1 else None


def tidy_pad(builder: Builder, draft: Draft, _fact: Fact) -> Draft | str | None:
    """Pads for all axes; nothing where nothing is padded, or the filling is zero anyway."""
    pads = builder.array(draft.inputs[1])
    if pads is None:
        return None
    rank = len(builder.fact(draft.inputs[0]).shape)
    axes = list(range(rank))
    if len(draft.inputs) > 3 and draft.inputs[3]:
        given = builder.array(draft.inputs[3])
        if given is None:
            return None
        axes = [int(axis) % rank for axis in given]
    if len(set(axes)) != len(axes) or pads.size != 2 * len(axes):
        return None
    full = np.zeros((2, rank), np.int64)
    full[:, axes] = pads.reshape(2, -1)
    if not full.any():
        return draft.inputs[0]
    filling = draft.inputs[2] if len(draft.inputs) > 2 else ""
    value = builder.array(filling)
    attributes = {} if draft.attributes.get("mode") == "constant" else draft.attributes
    if attributes or (value is not None and value.size == 1 and value.item() == 0):
        filling = ""
    inputs = (draft.inputs[0], builder.keep_array(full.reshape(-1)), filling)
    tidy = Draft("Pad", attributes, inputs if filling else inputs[:2])
    return None if tidy == draft else tidy


def tidy_slice(builder: Builder, draft: Draft, _fact: Fact) -> Draft | str | None:
    """Only the axes that are cut, counted from the front, with bounds inside the value."""
    lists = [builder.known(name) for name in draft.inputs[1:] if name]
    columns = [pair for pair in lists if pair is not None]
    # A list left out in the middle, axes, is rare enough to be left as it is.
    if len(columns) < len(draft.inputs) - 1:
        return None
    cuts = _cuts(builder.fact(draft.inputs[0]), columns)
    if cuts is None:
        return None
    if not cuts:
        return draft.inputs[0]
    axes, starts, ends, steps = zip(*sorted(cuts), strict=True)
    names = [builder.keep_array(column) for column in (starts, ends, axes)]
    if any(step != 1 for step in steps):
        names.append(builder.keep_array(steps))
    tidy = (draft.inputs[0], *names)
    return None if tidy == draft.inputs else Draft("Slice", {}, tidy)


def _cuts(
    value: Fact, columns: Sequence[tuple[Array, Array]]
) -> list[tuple[int, int, int, int]] | None:
    """The axis, start, end and step of each cut that takes something away.

    Args:
        value: what is cut.
        columns: Slice's inputs (starts, ends and perhaps axes and steps), for two photos and three.

    Returns:
        None where a cut goes backwards or depends on the number of photos.
    """
    rank, count = len(value.shape), columns[0][0].size
    axes = columns[2][0] if len(columns) > 2 else np.arange(count)
    steps = columns[3][0] if len(columns) > 3 else np.ones(count, np.int64)
    cuts = []
    for index in range(count):
        axis, step = int(axes[index]) % rank, int(steps[index])
        if step < 1:
            return None
        ranges = []
        for photos in (0, 1):
            size = value.shape[axis] + value.growth[axis] * (photos + 1)
            first, last = int(columns[0][photos][index]), int(columns[1][photos][index])
            ranges.append((*slice(first, last).indices(size)[:2], size))
        if step == 1 and all(first == 0 and last == size for first, last, size in ranges):
            continue
        if value.growth[axis] or ranges[0] != ranges[1]:
            return None
        first, last, _ = ranges[0]
        cuts.append((axis, first, max(first, last), step))
    return cuts


def tidy_window(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """The windows of convolutions and pools: sizes given, what is usual left out."""
    attributes = dict(draft.attributes)
    if draft.operator in ("Conv", "ConvTranspose"):
        attributes["kernel_shape"] = builder.fact(draft.inputs[1]).shape[2:]
    num_axes = len(cast("Shape", attributes["kernel_shape"]))
    if draft.operator != "ConvTranspose" and not _write_pads(builder, draft, fact, attributes):
        return None
    for name, usual in (("strides", 1), ("dilations", 1), ("output_padding", 0)):
        if attributes.get(name) == (usual,) * num_axes:
            del attributes[name]
    if attributes.get("pads") == (0,) * (2 * num_axes):
        del attributes["pads"]
    if "pads" not in attributes and not attributes.get("ceil_mode", 0):
        attributes.pop("count_include_pad", None)
    tidy = Draft(draft.operator, attributes, draft.inputs)
    return None if attributes == draft.attributes else tidy


def _write_pads(
    builder: Builder, draft: Draft, fact: Fact, attributes: dict[str, Attribute]
) -> bool:
    """Say the padding in numbers; False where it depends on sizes that are not fixed."""
    how = attributes.pop("auto_pad", "NOTSET")
    if how == "NOTSET":
        return True
    if how == "VALID":
        attributes.pop("pads", None)
        return True
    value = builder.fact(draft.inputs[0])
    if any(value.growth[2:]) or attributes.get("ceil_mode", 0):
        return False
    kernel = cast("Shape", attributes["kernel_shape"])
    ones = (1,) * len(kernel)
    strides = cast("Shape", attributes.get("strides", ones))
    dilations = cast("Shape", attributes.get("dilations", ones))
    starts, ends = [], []
    for size, result, side, stride, gap in zip(
        value.shape[2:], fact.shape[2:], kernel, strides, dilations, strict=True
    ):
        total = max((result - 1) * stride + (side - 1) * gap + 1 - size, 0)
        less, more = total // 2, total - total // 2
        starts.append(less if how == "SAME_UPPER" else more)
        ends.append(more if how == "SAME_UPPER" else less)
    attributes["pads"] = (*starts, *ends)
    return True


def tidy_resize(builder: Builder, draft: Draft, fact: Fact) -> Draft | None:
    """Scales rather than sizes, and no region where none is used."""
    attributes = dict(draft.attributes)
    mode = attributes.get("coordinate_transformation_mode")
    if mode == "tf_crop_and_resize" or "axes" in attributes:
        return None
    policy = attributes.get("keep_aspect_ratio_policy", "stretch")
    inputs = [*draft.inputs, "", "", ""][:4]
    inputs[1] = ""
    scales = builder.array(inputs[2])
    value = builder.fact(inputs[0])
    if 0 in value.shape:
        return None
    if (scales is None or scales.size == 0) and not any(value.growth[1:]):
        ratios = np.array(fact.shape, np.float32) / np.array(value.shape, np.float32)
        if value.growth[:1] != fact.growth[:1] or policy != "stretch":
            return None
        if tuple(np.floor(ratios * np.array(value.shape, np.float32)).astype(int)) != fact.shape:
            return None
        inputs[2:] = [builder.keep_array(ratios, "float32"), ""]
    tidy = Draft("Resize", attributes, tuple(inputs[:3] if not inputs[3] else inputs))
    return None if tidy == draft else tidy


def split(builder: Builder, draft: Draft, facts: Sequence[Fact]) -> list[str]:
    """A Split as Slices, one for each output."""
    axis = cast("int", draft.attributes.get("axis", 0))
    axis %= len(facts[0].shape)
    start, outputs = 0, []
    for fact in facts:
        end = start + fact.shape[axis]
        columns = [builder.keep_array([number]) for number in (start, end, axis)]
        outputs.append(builder.make("Slice", (draft.inputs[0], *columns), fact))
        start = end
    return outputs


TIDYING: Mapping[str, tuple[Rule, ...]] = {
    "AveragePool": (tidy_window,),
    "Cast": (drop_equal_cast,),
    "Concat": (drop_lone_concat,),
    "Conv": (tidy_window,),
    "ConvTranspose": (tidy_window,),
    "Div": (drop_neutral,),
    "Max": (drop_lone_concat,),
    "MaxPool": (tidy_window,),
    "Mean": (drop_lone_concat,),
    "Min": (drop_lone_concat,),
    "Mul": (drop_neutral,),
    "Pad": (tidy_pad,),
    "Pow": (drop_neutral,),
    "Resize": (tidy_resize,),
    "Slice": (tidy_slice,),
    "Sub": (drop_neutral,),
    "Sum": (drop_lone_concat,),
}
