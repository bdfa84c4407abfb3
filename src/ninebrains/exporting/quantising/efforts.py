"""From the usual way to quantise to the most careful one, in steps that each mend more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninebrains.errors import BrainError
from ninebrains.exporting.quantising.calibrating import (
    Floats,
    Method,
    Ranges,
    channel_peaks,
    check_pixels,
    measure_ranges,
)
from ninebrains.exporting.quantising.choosing import choose_photos, spread_photos
from ninebrains.exporting.quantising.correcting import bias_shifts, with_biases
from ninebrains.exporting.quantising.entering import enter_as_bytes
from ninebrains.exporting.quantising.equalising import equalise
from ninebrains.exporting.quantising.layers import find_layers, values_with_grids
from ninebrains.exporting.quantising.ranking import rank_layers
from ninebrains.exporting.quantising.writing import write
from ninebrains.images import Pixels

if TYPE_CHECKING:
    import onnx

EFFORTS = (
    "per channel",
    "better calibration",
    "equalisation and bias correction",
    "worst layers in float",
)

_OPSET = 17
_USUAL_PHOTOS = 100
_CHOSEN_PHOTOS = 200
_RANKING_PHOTOS = 24
_CORRECTING_PIXELS = 32 * 224 * 224  # about 1 GB of a network's values
_SHARE_IN_FLOAT = 0.1


@dataclass(frozen=True)
class Quantised:
    """A network in 8 bits.

    Attributes:
        model: ONNX with QuantizeLinear and DequantizeLinear.
        in_float: names of the trunk's layers that stayed in float.
    """

    model: onnx.ModelProto
    in_float: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """For those who use it."""
        if not self.in_float:
            return ("The trunk computes in 8 bits; the head, which is tiny, in float.",)
        named = ", ".join(self.in_float)
        return (
            "The trunk computes in 8 bits, the head, which is tiny, in float.",
            f"Layers left in float, too, as they cost the answers most: {named}.",
        )


def quantise(
    model: onnx.ModelProto,
    pixels: Pixels,
    *,
    method: Method = "extremes",
    keep_float: Collection[str] = (),
) -> onnx.ModelProto:
    """The model with its trunk's convolutions in 8 bits, calibrated on photos.

    Args:
        model: a brain's or a trunk's, in float; left as it is.
        pixels: uint8[n, H, W, 3], as the network sees them.
        method: how to choose the ranges, see `measure_ranges`.
        keep_float: names of layers to leave in float, see `find_layers`.

    Raises:
        BrainError: the photos or the network are none for this.
    """
    pixels = check_pixels(model, pixels)
    model = enter_as_bytes(_with_current_operators(model))
    return _Plan.make(model, pixels, method).write(model, keep_float)


def quantise_with(model: onnx.ModelProto, pixels: Pixels | None, effort: int) -> Quantised:
    """The same with all that an effort does: an index into `EFFORTS`; each includes those before.

    Raises:
        BrainError: the photos or the network are none for this, or there is no such effort.
    """
    if not 0 <= effort < len(EFFORTS):
        raise BrainError(f"got the effort {effort}; expected 0 to {len(EFFORTS) - 1}")
    pixels = check_pixels(model, pixels)
    model = _with_current_operators(model)
    if effort == 0:
        return Quantised(quantise(model, spread_photos(pixels, _USUAL_PHOTOS)))
    chosen = choose_photos(model, pixels, _CHOSEN_PHOTOS)
    if effort == 1:
        return Quantised(quantise(model, chosen, method="least error"))
    model = enter_as_bytes(equalised(model, chosen))
    plan = _Plan.make(model, chosen, "least error").corrected(model, chosen)
    if effort == 2:
        return Quantised(plan.write(model))
    few = spread_photos(chosen, _RANKING_PHOTOS)
    ranked = rank_layers(model, few, plan.ranges, plan.biases)
    count = max(round(len(ranked) * _SHARE_IN_FLOAT), 1)
    worst = tuple(name for name, gain in ranked[:count] if gain > 0)
    return Quantised(plan.write(model, worst), worst)


def equalised(model: onnx.ModelProto, pixels: Pixels) -> onnx.ModelProto:
    """The float model, equalised by what its values are on photos; see `equalise`."""
    values = values_with_grids(model, find_layers(model))
    return equalise(model, channel_peaks(model, pixels, values))


def mended(model: onnx.ModelProto, pixels: Pixels) -> onnx.ModelProto:
    """The float model, equalised and with biases that make up for 8 bits, for other quantisers.

    It is not the same network in float any more: its biases are right once it is in 8 bits.
    """
    chosen = choose_photos(model, check_pixels(model, pixels), _CHOSEN_PHOTOS)
    equal = equalised(_with_current_operators(model), chosen)
    plan = _Plan.make(equal, chosen, "least error").corrected(equal, chosen)
    return with_biases(equal, plan.biases)


@dataclass(frozen=True)
class _Plan:
    """What is known before writing."""

    ranges: Ranges
    biases: Mapping[str, Floats]

    @classmethod
    def make(cls, model: onnx.ModelProto, pixels: Pixels, method: Method) -> _Plan:
        values = values_with_grids(model, find_layers(model))
        return cls(measure_ranges(model, pixels, values, method), {})

    def corrected(self, model: onnx.ModelProto, pixels: Pixels) -> _Plan:
        """The same with corrected biases."""
        size = pixels.shape[1] * pixels.shape[2]
        count = min(max(_CORRECTING_PIXELS // size, 8), 64)
        shifts = bias_shifts(model, self.write(model), spread_photos(pixels, count))
        return _Plan(self.ranges, shifts)

    def write(self, model: onnx.ModelProto, keep_float: Collection[str] = ()) -> onnx.ModelProto:
        layers = [layer for layer in find_layers(model) if layer.name not in keep_float]
        held = {name: self.ranges[name] for name in values_with_grids(model, layers)}
        return write(model, layers, held, self.biases)


def _with_current_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model for an operator set that has a scale for each channel, which came with 13."""
    from onnx import version_converter

    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return model if opset >= 13 else version_converter.convert_version(model, _OPSET)
