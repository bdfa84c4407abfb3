"""Charts as SVG inside the page: no script, no picture files, colours from the page's own style.

Every function gives safe markup whose text is escaped and whose numbers are rounded, so the same
values give the same bytes. Each chart has a text for those who cannot see it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from ninebrains.brains.manifest import CalibrationBin, CurvePoint, Estimate, LearningCurve
from ninebrains.reporting.wording import count, figure, percent

_WIDTH, _HEIGHT = 420, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 24, 16, 46


@dataclass(frozen=True)
class Axis:
    """One direction of a chart: the values at its ends, its title and where its marks are."""

    low: float
    high: float
    title: str
    ticks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
        return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.5


@dataclass(frozen=True)
class Frame:
    """The area that a chart draws in, in SVG units."""

    across: Axis
    up: Axis
    height: int = _HEIGHT
    width: int = _WIDTH

    def x(self, value: float) -> float:
        """SVG x of a value."""
        return round(_LEFT + self.across.place(value) * (self.width - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """SVG y of a value; it grows downwards."""
        return round(
            self.height - _BOTTOM - self.up.place(value) * (self.height - _TOP - _BOTTOM), 1
        )

    def points(self, values: Iterable[tuple[float, float]]) -> str:
        """Points for a line or area."""
        return " ".join(f"{self.x(across)},{self.y(up)}" for across, up in values)

    def draw(self, marks: Iterable[Markup], description: str) -> Markup:
        """The whole chart: grid, axes and marks."""
        base, right = self.height - _BOTTOM, self.width - _RIGHT
        parts = [
            Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                _LEFT, right, self.y(value), self.y(value)
            )
            + text(_LEFT - 8, self.y(value) + 4, name, "end")
            for value, name in self.up.ticks
        ]
        parts += [
            text(self.x(value), base + 17, name, "middle") for value, name in self.across.ticks
        ]
        parts += marks
        middle = (base + _TOP) / 2
        parts += [
            Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                _LEFT, right, base, base
            ),
            text((_LEFT + right) / 2, self.height - 6, self.across.title, "middle"),
            Markup('<g transform="rotate(-90 12 {})">{}</g>').format(
                middle, text(12, middle + 4, self.up.title, "middle")
            ),
        ]
        return _svg(Markup("").join(parts), self.width, self.height, description)


def _svg(content: Markup, width: int, height: int, description: str) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" '
        'aria-label="{2}">{3}</svg>'
    ).format(width, height, description, content)


def text(x: float, y: float, content: str, anchor: str, kind: str = "") -> Markup:
    """Some words at a place; `kind` is a class of the style sheet."""
    return Markup('<text{} x="{}" y="{}" text-anchor="{}">{}</text>').format(
        Markup(' class="{}"').format(kind) if kind else "",
        round(x, 1),
        round(y, 1),
        anchor,
        escape(content),
    )


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from `low` to `high`, at most `most` or one more.

    >>> ticks(0.0, 10.0)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    if not high > low:
        return [low]
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def shares(low: float, high: float, title: str) -> Axis:
    """An axis of shares."""
    values = ticks(low, high)
    digits = 0 if all(abs(100 * value - round(100 * value)) < 1e-6 for value in values) else 1
    return Axis(low, high, title, [(value, percent(value, digits)) for value in values])


def numbers(low: float, high: float, title: str) -> Axis:
    """An axis of numbers."""
    return Axis(low, high, title, [(value, f"{value:g}") for value in ticks(low, high)])


def bar(share: float, kind: str = "bar") -> Markup:
    """A horizontal bar, `share` (0 to 1) of its place wide; the number stands beside it."""
    width = round(100 * min(max(share, 0.0), 1.0), 2)
    return Markup(
        '<svg class="{}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="trough" width="100" height="8"/><rect class="fill" width="{}" height="8"/>'
        "</svg>"
    ).format(kind, width)


def interval(estimate: Estimate, baseline: float | None) -> Markup:
    """An accuracy with its 95 % interval on a line from 0 to 100 %, and guessing for comparison."""
    left, right, middle = 10, 390, 26
    span = right - left

    def x(value: float) -> float:
        return round(left + value * span, 1)

    parts = [
        Markup('<rect class="trough" x="{}" y="{}" width="{}" height="8" rx="4"/>').format(
            left, middle - 4, span
        ),
        Markup('<rect class="band" x="{}" y="{}" width="{}" height="16" rx="8"/>').format(
            x(estimate.low),
            middle - 8,
            round(max(x(estimate.high) - x(estimate.low), 2.0), 1),
        ),
        Markup('<circle class="dot" cx="{}" cy="{}" r="6"/>').format(x(estimate.value), middle),
        text(left, middle + 28, percent(0.0, 0), "start"),
        text(right, middle + 28, percent(1.0, 0), "end"),
    ]
    spoken = (
        f"{percent(estimate.value)}, with 95 % certainty between {percent(estimate.low)} and "
        f"{percent(estimate.high)}"
    )
    if baseline is not None:
        at = x(baseline)
        parts += [
            Markup('<line class="guess" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                at, middle - 12, middle + 14
            ),
            text(min(max(at, 100), 300), middle + 28, f"guessing: {percent(baseline)}", "middle"),
        ]
        spoken += f"; guessing reaches {percent(baseline)}"
    return _svg(Markup("").join(parts), 400, 60, spoken)


def reliability(bins: Sequence[CalibrationBin]) -> Markup:
    """How often a score was right: a dot a bin, its area the number of photos."""
    up = shares(0.0, 1.0, "was right")
    frame = Frame(shares(0.0, 1.0, "said to be sure"), up)
    most = max((item.count for item in bins), default=1)
    marks = [
        Markup('<line class="ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            frame.x(0), frame.y(0), frame.x(1), frame.y(1)
        ),
    ]
    marks += [
        Markup('<circle class="dot soft" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
            frame.x(item.confidence),
            frame.y(item.accuracy),
            round(3 + 11 * math.sqrt(item.count / max(most, 1)), 1),
            f"{count(item.count)} photos: said {percent(item.confidence)}, "
            f"right {percent(item.accuracy)}",
        )
        for item in bins
        if item.count
    ]
    return frame.draw(
        marks, "Share of right answers against the score that was given; the table has the numbers."
    )


def learning_curve(curve: LearningCurve) -> Markup:
    """Quality against the number of photos, with the forecast and bands (one spread wide)."""
    every = [*curve.points, *curve.forecast]
    if not every:
        return Markup("")
    low = min(item.value - item.spread for item in every)
    high = max(item.value + item.spread for item in every)
    room = max(0.08 * (high - low), 0.01)
    sizes = [max(item.photos, 1) for item in every]
    across = Axis(
        min(sizes) * 0.9,
        max(sizes) * 1.1,
        "photos learnt from",
        [(size, count(size)) for size in _log_ticks(min(sizes), max(sizes))],
        logarithmic=True,
    )
    title = {"accuracy": "accuracy", "r2": "R²"}.get(curve.measure, "average precision")
    up = shares(low - room, min(high + room, 1.0 + room / 2), title)
    frame = Frame(across, up)
    ahead = [curve.points[-1], *curve.forecast] if curve.points else list(curve.forecast)
    marks = [
        Markup('<polygon class="band soft" points="{}"/>').format(frame.points(_band(part)))
        for part in (curve.points, ahead)
        if len(part) > 1
    ]
    marks += [
        _line(frame, curve.points, "line"),
        _line(frame, ahead, "line ahead"),
        *_dots(frame, curve.points),
    ]
    return frame.draw(marks, f"{title} against the number of photos learnt from; {curve.verdict}")


def _band(points: Sequence[CurvePoint]) -> list[tuple[float, float]]:
    upper = [(float(item.photos), item.value + item.spread) for item in points]
    return upper + [(float(item.photos), item.value - item.spread) for item in reversed(points)]


def _line(frame: Frame, points: Sequence[CurvePoint], kind: str) -> Markup:
    values = [(float(item.photos), item.value) for item in points]
    return Markup('<polyline class="{}" points="{}"/>').format(kind, frame.points(values))


def _dots(frame: Frame, points: Sequence[CurvePoint]) -> list[Markup]:
    return [
        Markup('<circle class="dot" cx="{}" cy="{}" r="4"><title>{}</title></circle>').format(
            frame.x(item.photos),
            frame.y(item.value),
            f"{count(item.photos)} photos: {percent(item.value)}",
        )
        for item in points
    ]


def _log_ticks(low: float, high: float) -> list[int]:
    """1, 2, 5, 10, … within the range, thinned to six at most."""
    steps = [factor * 10**power for power in range(9) for factor in (1, 2, 5)]
    found = [step for step in steps if low * 0.9 <= step <= high * 1.1]
    return found[:: -(-len(found) // 6)] if found else [round(low)]


def scatter(pairs: Sequence[tuple[float, float]]) -> Markup:
    """What was answered against what was given, with the line on which both are equal."""
    low, high = min(min(pair) for pair in pairs), max(max(pair) for pair in pairs)
    room = 0.05 * (high - low) or 1.0
    low, high = low - room, high + room
    frame = Frame(numbers(low, high, "given"), numbers(low, high, "answered"))
    marks = [
        Markup('<line class="ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            frame.x(low), frame.y(low), frame.x(high), frame.y(high)
        )
    ]
    marks += [
        Markup('<circle class="dot soft" cx="{}" cy="{}" r="4"/>').format(frame.x(a), frame.y(b))
        for a, b in pairs
    ]
    return frame.draw(marks, f"Answered against given numbers of {count(len(pairs))} photos")


def histogram(errors: Sequence[float]) -> Markup:
    """How many photos were off by how much (answered less given)."""
    widest = max(abs(error) for error in errors) or 1.0
    num_bins = max(5, min(25, round(math.sqrt(len(errors))))) | 1
    counts = [0] * num_bins
    for error in errors:
        counts[min(int((error / widest + 1) / 2 * num_bins), num_bins - 1)] += 1
    frame = Frame(
        numbers(-widest, widest, "answered less given"), numbers(0, max(counts), "photos")
    )
    width = 2 * widest / num_bins
    marks = []
    for place, number in enumerate(counts):
        left, right = frame.x(-widest + place * width), frame.x(-widest + (place + 1) * width)
        top = frame.y(number)
        marks.append(
            Markup('<rect class="fill" x="{}" y="{}" width="{}" height="{}"/>').format(
                left + 1, top, round(max(right - left - 2, 1), 1), round(frame.y(0) - top, 1)
            )
        )
    return frame.draw(
        marks,
        f"Errors of {count(len(errors))} photos, from {figure(min(errors))} to "
        f"{figure(max(errors))}",
    )
