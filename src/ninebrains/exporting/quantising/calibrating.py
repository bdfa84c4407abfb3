"""What values a network takes on photos, and which part of them a grid of 256 steps covers best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ninebrains.errors import BrainError
from ninebrains.images import Pixels

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]
Method = Literal["extremes", "percentile", "least error"]
Ranges = Mapping[str, tuple[float, float]]

FEWEST_PHOTOS = 10
_BATCH = 4  # all values of a network at 224 pixels are about 30 MB a photo
_NUM_BINS = 2048
_PERCENTILE = 99.99
_STEPS = 255
_SAMPLE = 1 << 17  # of a value's numbers on a few photos


def session(model: onnx.ModelProto, outputs: Sequence[str], *, plain: bool = False) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """Compile a model so that it gives inner values, too.

    Args:
        model: left as it is.
        outputs: names of values.
        plain: compute operator by operator as written, which fusing would change a little.
    """
    import onnx
    import onnxruntime

    from ninebrains.brains.graph import session_options

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    options = session_options()
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(
            copy.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:
        raise BrainError(f"ONNX Runtime refuses the graph: {error}") from error


def run_batches(ready: Any, pixels: Pixels, batch: int = _BATCH) -> Iterator[list[Floats]]:  # noqa: ANN401
    """The outputs of a session on photos, a few photos at a time."""
    for start in range(0, len(pixels), batch):
        yield ready.run(None, {"photos": np.ascontiguousarray(pixels[start : start + batch])})


def check_pixels(model: onnx.ModelProto, pixels: Pixels | None) -> Pixels:
    """Make sure that photos for calibration are there, enough, and of the network's size.

    Raises:
        BrainError: saying what was received.
    """
    sides = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim][1:]
    wanted = f"at least {FEWEST_PHOTOS} training photos as uint8[n, {', '.join(map(str, sides))}]"
    if pixels is None:
        raise BrainError(f"int8 was asked for without photos to calibrate on; expected {wanted}")
    if pixels.dtype != np.uint8 or list(pixels.shape[1:]) != sides:
        raise BrainError(
            f"got photos of {pixels.dtype}{list(pixels.shape)} to calibrate on; expected {wanted}"
        )
    if len(pixels) < FEWEST_PHOTOS:
        raise BrainError(
            f"got {len(pixels)} photos to calibrate on; expected {wanted}. Give more photos, or "
            "export as int8-weights, which needs none."
        )
    return pixels


def measure_ranges(
    model: onnx.ModelProto, pixels: Pixels, values: Sequence[str], method: Method
) -> dict[str, tuple[float, float]]:
    """The range (low <= 0, high >= 0) that a grid for each value should cover.

    Args:
        model: in float.
        pixels: uint8[n, H, W, 3].
        values: names.
        method: `extremes`: all that was seen; `percentile`: all but 0.01 %; `least error`: where
            cutting and rounding together cost the least in squares.
    """
    ready = session(model, values)
    lows, highs = np.full(len(values), np.inf), np.full(len(values), -np.inf)
    for outputs in run_batches(ready, pixels):
        lows = np.minimum(lows, [value.min() for value in outputs])
        highs = np.maximum(highs, [value.max() for value in outputs])
    _require_finite(values, lows, highs)
    lows, highs = np.minimum(lows, 0), np.maximum(highs, 0)
    ranges = dict(zip(values, zip(lows.tolist(), highs.tolist(), strict=True), strict=True))
    if method == "extremes":
        return ranges
    counts = [np.zeros(_NUM_BINS, np.int64) for _ in values]
    for outputs in run_batches(ready, pixels):
        for place, value in enumerate(outputs):
            ends = (lows[place], max(highs[place], lows[place] + 1e-12))
            counts[place] += np.histogram(_sample(value), _NUM_BINS, ends)[0]
    cut = _percentile if method == "percentile" else _least_error
    return {
        name: cut(_Histogram(count, *ranges[name]))
        for name, count in zip(values, counts, strict=True)
    }


def channel_peaks(
    model: onnx.ModelProto, pixels: Pixels, values: Sequence[str]
) -> dict[str, Floats]:
    """The largest magnitude in each channel, float32[C], of values [N, C, h, w]."""
    ready = session(model, values)
    peaks: list[Floats] = []
    for outputs in run_batches(ready, pixels):
        batch = [np.abs(value).max(axis=(0, 2, 3)) for value in outputs]
        peaks = [np.maximum(*pair) for pair in zip(peaks, batch, strict=True)] if peaks else batch
    return dict(zip(values, peaks, strict=True))


def _sample(value: Floats) -> Floats:
    """Numbers from all over a value, enough for a histogram."""
    step = max(value.size // _SAMPLE, 1) | 1  # odd, or it could meet the same column in every row
    return value.reshape(-1)[::step]


@dataclass(frozen=True)
class _Histogram:
    counts: npt.NDArray[np.int64]
    low: float
    high: float

    @property
    def centers(self) -> npt.NDArray[np.float64]:
        width = (self.high - self.low) / len(self.counts)
        return np.asarray(self.low + width * (np.arange(len(self.counts)) + 0.5), np.float64)


def _percentile(seen: _Histogram) -> tuple[float, float]:
    """Cut what is beyond the percentile on each side that is not zero."""
    along = np.cumsum(seen.counts) / max(seen.counts.sum(), 1)
    rest = 1 - _PERCENTILE / 100
    low = seen.centers[int(np.searchsorted(along, rest))] if seen.low < 0 else 0.0
    high = seen.centers[min(int(np.searchsorted(along, 1 - rest)), _NUM_BINS - 1)]
    return min(float(low), 0.0), max(float(high), 0.0)


def _least_error(seen: _Histogram) -> tuple[float, float]:
    """Shrink the sides in turn until the mean squared error does not fall any more."""
    shares = np.linspace(1, 0.2, 81)
    low, high = seen.low, seen.high
    for _ in range(2):
        high = min((seen.high * share for share in shares), key=lambda end: _error(seen, low, end))
        if seen.low < 0:
            low = min(
                (seen.low * share for share in shares), key=lambda end: _error(seen, end, high)
            )
    return low, high


def _error(seen: _Histogram, low: float, high: float) -> float:
    step = max((high - low) / _STEPS, 1e-12)
    values = seen.centers
    rounded = np.clip(np.round((values - low) / step), 0, _STEPS) * step + low
    return float(seen.counts @ np.square(values - rounded))


def _require_finite(
    values: Sequence[str], lows: npt.NDArray[np.float64], highs: npt.NDArray[np.float64]
) -> None:
    for name, low, high in zip(values, lows, highs, strict=True):
        if not np.isfinite([low, high]).all():
            raise BrainError(
                f"the value {name!r} is not finite on the photos to calibrate on ({low} to {high});"
                " expected numbers. Export this brain as fp32."
            )
