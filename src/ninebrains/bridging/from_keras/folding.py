"""Steps that can be a part of their neighbours become one. Everything here is exact.

A convolution takes in what scales and shifts after it; before it as well, but for the shift where
it has a border: the border's zeros come after the shift.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ninebrains.bridging.from_keras.sheet import AFFINE, PICK, Array, Step

_WEIGHTED = ("Conv", "Gemm")
# What these give is never below zero, so that a border of zeros is none to a maximum.
_NEVER_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softplus", "Exp")


class _Draft:
    """The steps while they are changed, by the name of what they make."""

    def __init__(self, steps: Iterable[Step], outputs: Sequence[str]) -> None:
        self.steps = {step.output: step for step in steps}
        self.outputs = set(outputs)

    def readers(self) -> dict[str, list[Step]]:
        """The steps that read each value."""
        found: dict[str, list[Step]] = {name: [] for name in self.steps}
        for step in self.steps.values():
            for name in step.inputs:
                found.setdefault(name, []).append(step)
        return found

    def only_reader(self, step: Step, readers: dict[str, list[Step]], *kinds: str) -> Step | None:
        """The one step of these kinds that reads what a step makes, if nobody else does."""
        found = readers[step.output]
        if len(found) != 1 or step.output in self.outputs or found[0].operator not in kinds:
            return None
        return self.steps[found[0].output]

    def drop(self, step: Step) -> None:
        """Leave a step out: those that read it read what it reads."""
        del self.steps[step.output]
        for output, other in self.steps.items():
            if step.output in other.inputs:
                inputs = tuple(step.inputs[0] if n == step.output else n for n in other.inputs)
                self.steps[output] = replace(other, inputs=inputs)


def join(steps: Iterable[Step], outputs: Sequence[str]) -> list[Step]:
    """Written-out activations become single operators; scales and shifts in a row become one."""
    draft = _Draft(steps, outputs)
    _join_hard_sigmoid(draft)
    _turn_after_scaling(draft)
    _join_affine(draft)
    return list(draft.steps.values())


def fold(steps: Iterable[Step], outputs: Sequence[str]) -> list[Step]:
    """Scales, shifts, borders and channel orders become a part of convolutions."""
    draft = _Draft(steps, outputs)
    _fold_backwards(draft)
    _fold_borders(draft)
    _fold_forwards(draft)
    _fold_picks(draft)
    return _needed(draft)


def scale_and_shift(step: Step) -> tuple[Array, Array]:
    """Of an AFFINE step, float64[C] each."""
    constants = dict(step.constants)
    return constants["scale"].astype(np.float64), constants["shift"].astype(np.float64)


def _affine(step: Step, scale: Array, shift: Array, inputs: tuple[str, ...]) -> Step:
    return replace(step, inputs=inputs, constants=(("scale", scale), ("shift", shift)))


def _is_plain(step: Step | None, scale: float, shift: float) -> bool:
    if step is None or step.operator != AFFINE:
        return False
    a, b = scale_and_shift(step)
    return bool(np.allclose(a, scale, rtol=1e-6) and np.allclose(b, shift, rtol=1e-6))


def _join_hard_sigmoid(draft: _Draft) -> None:
    """relu6(x + 3) / 6, as MobileNetV3 has it, is HardSigmoid."""
    readers = draft.readers()
    for step in list(draft.steps.values()):
        if not _is_plain(step, 1.0, 3.0):
            continue
        clip = draft.only_reader(step, readers, "Clip")
        last = draft.only_reader(clip, readers, AFFINE) if clip is not None else None
        if clip is None or last is None or not _is_plain(last, 1 / 6, 0.0):
            continue
        if [float(values) for _, values in clip.constants] != [0.0, 6.0]:
            continue
        draft.steps[last.output] = Step(
            "HardSigmoid",
            last.name,
            step.inputs,
            last.output,
            attributes={"alpha": 1 / 6, "beta": 0.5},
        )
        del draft.steps[step.output], draft.steps[clip.output]


def _turn_after_scaling(draft: _Draft) -> None:
    """Scale and shift first, then bring the channels into another order."""
    readers = draft.readers()
    for step in list(draft.steps.values()):
        if step.operator != PICK:
            continue
        order = dict(step.constants)["channels"].astype(np.int64)
        if sorted(order) != list(range(len(order))):
            continue
        while (after := draft.only_reader(step, readers, AFFINE)) is not None:
            back = np.argsort(order)
            scale, shift = (values[back] for values in scale_and_shift(after))
            # The two change places: each takes the other's output name.
            first = replace(_affine(after, scale, shift, step.inputs), output=step.output)
            second = replace(step, inputs=(step.output,), output=after.output)
            draft.steps[first.output], draft.steps[second.output] = first, second
            readers, step = draft.readers(), second  # noqa: PLW2901 - further down the chain


def _join_affine(draft: _Draft) -> None:
    readers = draft.readers()
    for output in list(draft.steps):
        step = draft.steps[output]
        after = draft.only_reader(step, readers, AFFINE) if step.operator == AFFINE else None
        if after is None:
            continue
        (a, b), (c, d) = scale_and_shift(step), scale_and_shift(after)
        draft.steps[after.output] = _affine(after, a * c, b * c + d, step.inputs)
        del draft.steps[output]


def _fold_backwards(draft: _Draft) -> None:
    """A scale and shift after a convolution."""
    readers = draft.readers()
    for step in list(draft.steps.values()):
        after = draft.only_reader(step, readers, AFFINE) if step.operator in _WEIGHTED else None
        if after is None:
            continue
        scale, shift = scale_and_shift(after)
        constants = dict(step.constants)
        weight = constants["weight"].astype(np.float64)
        shape = (1, -1) if step.operator == "Gemm" else (-1, 1, 1, 1)
        bias = constants["bias"].astype(np.float64) * scale + shift
        draft.steps[after.output] = _weighted(
            replace(step, output=after.output), weight * scale.reshape(shape), bias
        )
        del draft.steps[step.output]


def _weighted(step: Step, weight: Array, bias: Array) -> Step:
    constants = (("weight", weight.astype(np.float32)), ("bias", bias.astype(np.float32)))
    return replace(step, constants=constants)


def _fold_borders(draft: _Draft) -> None:
    """A border of zeros, where all that read it can make it themselves."""
    readers = draft.readers()
    for step in list(draft.steps.values()):
        if step.operator != "Pad" or step.output in draft.outputs:
            continue
        maker = draft.steps.get(step.inputs[0])
        positive = maker is not None and _is_never_negative(maker)
        pads = [int(side) for side in dict(step.constants)["pads"]]
        sides = [*pads[2:4], *pads[6:8]]
        found = readers[step.output]
        if not all(_takes_border(reader, sides, positive) for reader in found):
            if any(reader.operator == "MaxPool" for reader in found):
                draft.steps[step.output] = _border_by_convolution(step, sides)
            continue
        for reader in found:
            own = reader.attributes["pads"]
            assert isinstance(own, list)
            both = [a + b for a, b in zip(own, sides, strict=True)]
            changed: dict[str, int | float | list[int]] = {**reader.attributes, "pads": both}
            if reader.operator == "AveragePool":
                changed["count_include_pad"] = 1
            draft.steps[reader.output] = replace(
                draft.steps[reader.output], inputs=step.inputs, attributes=changed
            )
        del draft.steps[step.output]


def _border_by_convolution(step: Step, sides: list[int]) -> Step:
    """A border of zeros made by a convolution that changes nothing else.

    Of a Pad before a MaxPool ONNX Runtime makes a border that never wins (its fusion PadFusion,
    seen in 1.31 with operator sets up to 17): other answers where a map holds numbers below zero.
    """
    channels = step.attributes["channels"]
    assert isinstance(channels, int)
    ones, zeros = np.ones((channels, 1, 1, 1), np.float32), np.zeros(channels, np.float32)
    attributes: dict[str, int | float | list[int]] = {
        "kernel_shape": [1, 1],
        "strides": [1, 1],
        "dilations": [1, 1],
        "pads": sides,
        "group": channels,
    }
    constants = (("weight", ones), ("bias", zeros))
    return replace(step, operator="Conv", constants=constants, attributes=attributes)


def _is_never_negative(step: Step) -> bool:
    if step.operator == "Clip":
        return float(dict(step.constants)["min"]) >= 0.0
    return step.operator in _NEVER_NEGATIVE


def _takes_border(reader: Step, sides: list[int], positive: bool) -> bool:
    if reader.operator == "Conv":
        return True
    kernel, own = reader.attributes.get("kernel_shape"), reader.attributes.get("pads")
    if not isinstance(kernel, list) or not isinstance(own, list):
        return False
    # A window that lies on the border alone would have nothing to look at.
    fits = all(side < k for side, k in zip(sides, [*kernel, *kernel], strict=True))
    if reader.operator == "MaxPool":
        return fits and positive and not any(own)
    return reader.operator == "AveragePool" and fits and not any(own)


def _fold_forwards(draft: _Draft) -> None:
    """A scale and shift before convolutions; with borders only the scale."""
    readers = draft.readers()
    for step in list(draft.steps.values()):
        found = readers[step.output]
        if step.operator != AFFINE or step.output in draft.outputs or not found:
            continue
        if any(reader.operator not in _WEIGHTED for reader in found):
            continue
        scale, shift = scale_and_shift(step)
        bordered = any(any(_pads(reader)) for reader in found)
        if bordered and np.any(shift != 0.0):
            if np.any(scale == 0.0):
                continue
            left = shift / scale
            for reader in found:
                _take_in(draft, reader, scale, np.zeros_like(shift))
            draft.steps[step.output] = _affine(step, np.ones_like(scale), left, step.inputs)
            continue
        for reader in found:
            _take_in(draft, reader, scale, shift)
        draft.drop(step)


def _pads(step: Step) -> list[int]:
    pads = step.attributes.get("pads", [])
    assert isinstance(pads, list)
    return pads


def _take_in(draft: _Draft, reader: Step, scale: Array, shift: Array) -> None:
    """Scale and shift what a convolution or product reads, by its own weights."""
    step = draft.steps[reader.output]
    constants = dict(step.constants)
    weight, bias = (constants[role].astype(np.float64) for role in ("weight", "bias"))
    if step.operator == "Gemm":
        bias = bias + shift @ weight
        weight = weight * scale[:, None]
    else:
        groups = step.attributes["group"]
        assert isinstance(groups, int)
        # Every group of outputs reads its own group of inputs.
        per_output = np.repeat(np.arange(groups), len(weight) // groups)
        bias = bias + (weight.sum((2, 3)) * shift.reshape(groups, -1)[per_output]).sum(1)
        weight = weight * scale.reshape(groups, -1)[per_output][:, :, None, None]
    draft.steps[step.output] = _weighted(step, weight, bias)


def _fold_picks(draft: _Draft) -> None:
    """Channels in another order before plain convolutions: their weights change order instead."""
    readers = draft.readers()
    for step in list(draft.steps.values()):
        found = readers[step.output]
        if step.operator != PICK or step.output in draft.outputs or not found:
            continue
        order = dict(step.constants)["channels"].astype(np.int64)
        turned = sorted(order) == list(range(len(order)))
        if not turned or any(r.operator != "Conv" or r.attributes["group"] != 1 for r in found):
            continue
        for reader in found:
            constants = dict(draft.steps[reader.output].constants)
            weight = np.ascontiguousarray(constants["weight"][:, np.argsort(order)])
            draft.steps[reader.output] = _weighted(
                draft.steps[reader.output], weight, constants["bias"]
            )
        draft.drop(step)


def _needed(draft: _Draft) -> list[Step]:
    """The steps that the outputs need, those that do nothing left out, in order."""
    for step in list(draft.steps.values()):
        if _is_plain(step, 1.0, 0.0) and step.output not in draft.outputs:
            draft.drop(step)
    wanted, kept = set(draft.outputs), []
    for step in reversed(_in_order(draft)):
        if step.output in wanted:
            wanted.update(step.inputs)
            kept.append(step)
    return kept[::-1]


def _in_order(draft: _Draft) -> list[Step]:
    """Every step after those whose values it reads."""
    done: dict[str, Step] = {}
    for output in draft.steps:
        waiting = [output]
        while waiting:
            step = draft.steps.get(waiting[-1])
            ahead = [] if step is None else [n for n in step.inputs if n in draft.steps]
            ahead = [name for name in ahead if name not in done]
            if ahead:
                waiting.extend(ahead)
                continue
            name = waiting.pop()
            if step is not None:
                done.setdefault(name, step)
    return list(done.values())
