"""Charts of the drift page, in the report's frame and colours: what is now against what was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from ninebrains.brains.reference import STEP
from ninebrains.reporting.charts import Axis, Frame, ticks
from ninebrains.reporting.wording import count, percent
from ninebrains.serving.drift import measures
from ninebrains.serving.drift.tally import Moments, Tally

_PER_BAR = 5  # steps of `unfamiliar` that are drawn as one
_FEW_IN_AN_HOUR = 20


def change(now: float, then: float, widest: float) -> Markup:
    """A label's share then (a ring) and now (a dot), on a line from 0 to `widest`.

    As wide as its place: the dots are where so many per cent of that are, and keep their size.
    """

    def x(share: float) -> str:
        return f"{100 * share / max(widest, 1e-9):.1f}%"

    return Markup(
        '<svg class="change" height="16" aria-hidden="true">'
        '<line class="grid" x1="0%" x2="100%" y1="8" y2="8"/>'
        '<line class="way" x1="{0}" x2="{1}" y1="8" y2="8"/>'
        '<circle class="ring" cx="{0}" cy="8" r="5"/><circle class="dot" cx="{1}" cy="8" r="5"/>'
        "</svg>"
    ).format(x(then), x(now))


def unfamiliar(now: npt.NDArray[np.int64], then: npt.NDArray[np.int64]) -> Markup:
    """Shares of the scores now (a line) and then (an area), and the threshold."""
    shares = [_bars(counts) for counts in (now, then)]
    used = int(np.flatnonzero(shares[0] + shares[1]).max(initial=0)) + 1
    high = max(math.ceil(used * _PER_BAR * STEP / 0.2) * 0.2, 1.2)
    top = float(max(part.max() for part in shares)) * 1.08 or 1.0
    frame = Frame(
        Axis(0.0, high, "how unfamiliar", [(value, f"{value:g}") for value in ticks(0.0, high)]),
        _share_axis(top, "share of photos"),
    )
    marks = [
        Markup('<polygon class="band" points="{}"/>').format(
            frame.points([(0.0, 0.0), *_outline(shares[1][:used]), (used * _PER_BAR * STEP, 0.0)])
        ),
        Markup('<polyline class="line" points="{}"/>').format(
            frame.points(_outline(shares[0][:used]))
        ),
        Markup('<line class="guess" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
            frame.x(1.0), frame.y(top), frame.y(0)
        ),
    ]
    return frame.draw(
        marks,
        "Distribution of the unfamiliar score now, over that in training; above 1 a photo is "
        "answered with none of these",
    )


def _bars(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    wide = np.add.reduceat(counts, np.arange(0, len(counts), _PER_BAR))
    return np.asarray(wide / max(int(counts.sum()), 1))


def _outline(shares: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    width = _PER_BAR * STEP
    return [
        (place, float(share))
        for number, share in enumerate(shares)
        for place in (number * width, (number + 1) * width)
    ]


def shifts(now: Moments, then: Moments, limit: float) -> Markup:
    """How far each direction of the features has moved, the band of chance behind."""
    moved = measures.shifts(now, then)
    wide = max(1.15 * max(float(np.abs(moved).max()), limit), 0.3)
    marks_up = ticks(-wide, wide)
    frame = Frame(
        Axis(-1.0, float(len(moved)), "directions of the features", []),
        Axis(-wide, wide, "standard deviations", [(value, f"{value:g}") for value in marks_up]),
    )
    left, right = frame.x(-1.0), frame.x(float(len(moved)))
    drawn = [
        Markup('<rect class="band soft" x="{}" y="{}" width="{}" height="{}"/>').format(
            left,
            frame.y(limit),
            round(right - left, 1),
            round(frame.y(-limit) - frame.y(limit), 1),
        )
    ]
    drawn += [
        Markup(
            '<line class="way" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
            '<circle class="dot" cx="{0}" cy="{2}" r="4"/>'
        ).format(frame.x(place), frame.y(0.0), frame.y(float(value)))
        for place, value in enumerate(moved)
    ]
    return frame.draw(drawn, "How far the means of the features have moved along fixed directions")


def hours(found: Sequence[tuple[int, Tally]], then: float) -> Markup:
    """The share of unfamiliar photos by hour; a dashed line says how large it was then."""
    shown = [(at, tally) for at, tally in found if tally.num >= _FEW_IN_AN_HOUR]
    if len(shown) < 2:
        return Markup("")
    points = [(float(at), tally.rejected / tally.num) for at, tally in shown]
    top = max(1.15 * max(share for _, share in points), 1.5 * then, 0.05)
    first, last = points[0][0], points[-1][0]
    step = max(1, len(points) // 4)
    names = [(at, _clock(at)) for at, _ in points[::step]]
    frame = Frame(
        Axis(first, last, "hour (UTC)", names), _share_axis(top, "unfamiliar"), height=200
    )
    marks = [
        Markup('<line class="ideal" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            frame.x(first), frame.x(last), frame.y(then), frame.y(then)
        ),
        Markup('<polyline class="line" points="{}"/>').format(frame.points(points)),
    ]
    marks += [
        Markup('<circle class="dot" cx="{}" cy="{}" r="4"><title>{}</title></circle>').format(
            frame.x(at),
            frame.y(share),
            f"{_clock(at)}: {percent(share)} of {count(tally.num)} photos",
        )
        for (at, share), (_, tally) in zip(points, shown, strict=True)
    ]
    return frame.draw(marks, "Share of unfamiliar photos, hour by hour")


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def _share_axis(top: float, title: str) -> Axis:
    values = ticks(0.0, top)
    digits = 0 if all(abs(100 * value - round(100 * value)) < 1e-6 for value in values) else 1
    return Axis(0.0, top, title, [(value, percent(value, digits)) for value in values])
