"""The chart of a choice: what each way costs in time, how good it is, and which one was taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ninebrains.reporting.charts import Axis, Frame, numbers, shares, text

_WIDTH, _HEIGHT = 760, 420
_SMALLEST, _LARGEST = 4.0, 13.0  # radius of a mark
_LETTER = 7.2  # usual width of one, in SVG units

_Box = tuple[float, float, float, float]
_Place = tuple[float, float, float]


@dataclass(frozen=True)
class Point:
    """One way, with its cost and its quality.

    Attributes:
        name: under which it is shown beside its mark, where there is room.
        about: all that is known about it, for those who point at its mark.
        ms: milliseconds a photo.
        mb: millions of bytes; the area of the mark.
        value: its quality.
        low: the lower end of the quality's interval.
        high: the upper end.
        is_best: whether no other is as fast, as small and as good.
        is_chosen: whether it is the pick.
    """

    name: str
    about: str
    ms: float
    mb: float
    value: float
    low: float
    high: float
    is_best: bool = False
    is_chosen: bool = False


def tradeoff(
    points: Sequence[Point], measure: str, limit: float | None, *, is_error: bool = False
) -> Markup:
    """Quality against time (logarithmic), with the best for each time joined by a line.

    Args:
        points: one at least.
        measure: what quality is, such as "accuracy".
        limit: the most milliseconds allowed; what is slower is shaded.
        is_error: whether quality is an error: a number, better when lower.
    """
    frame = _frame(points, measure, limit, is_error=is_error)
    marks = [*_limit(frame, limit)]
    line = _stairs(points, is_error=is_error)
    marks.append(Markup('<polyline class="line" points="{}"/>').format(frame.points(line)))
    most = max(point.mb for point in points)
    # Large marks first, so that none is hidden.
    for point in sorted(points, key=lambda point: (point.is_chosen, -point.mb)):
        marks += _mark(frame, point, most)
    marks += _names(frame, points, most)
    chosen = next((point for point in points if point.is_chosen), None)
    spoken = f"{measure} against milliseconds a photo of {len(points)} ways of exporting"
    if chosen is not None:
        spoken += f"; the one chosen is {chosen.about}"
    return frame.draw(marks, f"{spoken}. The table has the numbers.")


def _frame(points: Sequence[Point], measure: str, limit: float | None, *, is_error: bool) -> Frame:
    times = [point.ms for point in points] + ([limit] if limit else [])
    across = Axis(
        min(times) / 1.25,
        max(times) * 1.25,
        "ms a photo",
        [(tick, f"{tick:g}") for tick in _log_ticks(min(times) / 1.25, max(times) * 1.25)],
        logarithmic=True,
    )
    # The intervals are wide where photos are few: what is compared are the values.
    low, high = min(point.value for point in points), max(point.value for point in points)
    room = 0.25 * (high - low) or 0.05 * (abs(high) or 1.0)
    title = f"{measure} (lower is better)" if is_error else measure
    low, high = max(0.0, low - room), high + room
    up = numbers(low, high, title) if is_error else shares(low, min(high, 1.0 + room / 9), title)
    return Frame(across, up, height=_HEIGHT, width=_WIDTH)


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, … within the range, finer where it is narrow."""
    for factors in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), tuple(n / 10 for n in range(10, 100))):
        steps = [factor * 10.0**power for power in range(-3, 6) for factor in factors]
        found = [round(step, 6) for step in steps if low <= step <= high]
        if len(found) > 2:
            return found[:: -(-len(found) // 8)]
    return [low, high]


def _limit(frame: Frame, limit: float | None) -> list[Markup]:
    if limit is None:
        return []
    left, right = frame.x(limit), frame.x(frame.across.high)
    top, bottom = frame.y(frame.up.high), frame.y(frame.up.low)
    shade = Markup('<rect class="over" x="{}" y="{}" width="{}" height="{}"/>').format(
        left, top, round(right - left, 1), round(bottom - top, 1)
    )
    edge = Markup('<line class="ideal" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
        left, top, bottom
    )
    return [shade, edge, text(left + 6, bottom - 8, f"over {limit:g} ms", "start", "warn")]


def _stairs(points: Sequence[Point], *, is_error: bool) -> list[tuple[float, float]]:
    """The best quality that can be had by each time."""
    found: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: point.ms):
        better = not found or (point.value < found[-1][1]) == is_error
        if better and (not found or point.value != found[-1][1]):
            if found:
                found.append((point.ms, found[-1][1]))
            found.append((point.ms, point.value))
    return [*found, (max(point.ms for point in points), found[-1][1])]


def _mark(frame: Frame, point: Point, most: float) -> list[Markup]:
    x, y, radius = _place(frame, point, most)
    kind = "dot soft" if point.is_best or point.is_chosen else "hollow"
    parts = [
        Markup('<circle class="{}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
            kind, x, y, radius, point.about
        )
    ]
    if point.is_chosen:
        whisker = Markup('<line class="whisker" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>')
        parts.insert(0, whisker.format(x, frame.y(point.low), frame.y(point.high)))
        parts.append(
            Markup('<circle class="pick" cx="{}" cy="{}" r="{}"/>').format(x, y, radius + 4)
        )
    return parts


def _names(frame: Frame, points: Sequence[Point], most: float) -> list[Markup]:
    """Names beside marks, each once, the pick's first; left out where there is no room."""
    marks = [(point, *_place(frame, point, most)) for point in points]
    taken = [(x - r, y - r, x + r, y + r) for _, x, y, r in marks]
    found, named = [], set()
    for point, x, y, radius in sorted(
        marks, key=lambda mark: (not mark[0].is_chosen, not mark[0].is_best)
    ):
        half, ring = (_LETTER + point.is_chosen) * len(point.name) / 2, radius + 6
        aside = half + ring + 3
        places = [(x, y - ring - 5), (x - aside, y + 4), (x + aside, y + 4), (x, y + ring + 14)]
        places += [(x, y - ring - 22), (x, y + ring + 31)]
        for middle, base in places if point.name not in named else ():
            box = (middle - half, base - 12, middle + half, base + 3)
            if _is_inside(frame, box) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                named.add(point.name)
                kind = "strong" if point.is_chosen else ""
                found.append(text(middle, base, point.name, "middle", kind))
                break
    return found


def _place(frame: Frame, point: Point, most: float) -> _Place:
    """Where a mark is, and its radius."""
    share = math.sqrt(point.mb / most) if most > 0 else 1.0
    radius = round(_SMALLEST + (_LARGEST - _SMALLEST) * share, 1)
    return frame.x(point.ms), frame.y(point.value), radius


def _is_inside(frame: Frame, box: _Box) -> bool:
    across, up = frame.across, frame.up
    wide = frame.x(across.low) <= box[0] and box[2] <= frame.x(across.high)
    return wide and frame.y(up.high) - 8 <= box[1] and box[3] <= frame.y(up.low)


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
