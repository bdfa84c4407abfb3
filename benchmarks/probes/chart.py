"""The chart of the probes: accuracy against photos a class, one panel a set and one of averages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from ninebrains.places import write_bytes
from ninebrains.reporting.charts import ticks

Row = Mapping[str, object]

_WIDTH, _TOP = 860, 62
_PANEL_WIDTH, _PANEL_HEIGHT = 270, 220
_LEFT, _RIGHT, _HEAD, _FOOT = 44, 14, 30, 34
_COLORS = ("#33415c", "#c2410c", "#0f766e", "#7c8799", "#a3a9b5")
_DASHES = ("", "", "6 3", "2 3", "8 3 2 3")
_TITLES = {"average": "average of the five sets"}


def write_chart(rows: Sequence[Row], path: Path) -> None:
    """Write the chart of the CSV's rows as SVG; the same rows give the same bytes."""
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    data = list(dict.fromkeys(str(row["data"]) for row in rows))
    data.sort(key=lambda name: name != "average")  # what matters most comes first
    parts = [_legend(models)]
    for place, name in enumerate(data):
        corner = (12 + place % 3 * (_PANEL_WIDTH + 14), _TOP + place // 3 * (_PANEL_HEIGHT + 16))
        own = [row for row in rows if row["data"] == name]
        parts.append(
            Markup('<g transform="translate({} {})">{}</g>').format(
                *corner, _panel(_TITLES.get(name, name), own, models)
            )
        )
    height = _TOP + -(-len(data) // 3) * (_PANEL_HEIGHT + 16)
    spoken = "Accuracy of each model at 10, 50 and all photos a class; the CSV has the numbers."
    page = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" '
        'role="img" aria-label="{2}" font-family="system-ui, sans-serif" font-size="12" '
        'fill="#33415c"><rect width="{0}" height="{1}" rx="8" fill="#ffffff"/>{3}</svg>\n'
    ).format(_WIDTH, height, spoken, Markup("").join(parts))
    write_bytes(path, page.encode())


def _legend(models: Sequence[str]) -> Markup:
    parts = []
    left = 24.0
    for place, name in enumerate(models):
        parts.append(
            Markup('<line x1="{}" x2="{}" y1="24" y2="24" {}/>').format(
                left, left + 26, _stroke(place)
            )
            + _text(left + 32, 28, name, "start")
        )
        left += 32 + 7.2 * len(name) + 26
    return Markup("").join(parts) + _text(
        24, 50, "accuracy on held-out photos; bars are 95 % intervals over five seeds", "start"
    )


def _panel(title: str, rows: Sequence[Row], models: Sequence[str]) -> Markup:
    """One panel: a line a model from level to level, with its intervals."""
    levels = list(dict.fromkeys(str(row["photos_a_class"]) for row in rows))
    low = max(min(float(str(row["accuracy_low"])) for row in rows) - 0.02, 0.0)
    high = min(max(float(str(row["accuracy_high"])) for row in rows) + 0.02, 1.0)
    right, base = _PANEL_WIDTH - _RIGHT, _PANEL_HEIGHT - _FOOT

    def up(value: object) -> float:
        share = (min(float(str(value)), 1.0) - low) / (high - low)
        return round(base - share * (base - _HEAD), 1)

    def across(level: str, shift: float = 0.0) -> float:
        step = (right - _LEFT - 40) / max(len(levels) - 1, 1)
        return round(_LEFT + 20 + levels.index(level) * step + shift, 1)

    parts = [_text(_LEFT, 16, title, "start", bold=True)]
    for value in ticks(low, high, 4):
        parts.append(
            Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="#e3e6ec"/>').format(
                _LEFT, right, up(value), up(value)
            )
            + _text(_LEFT - 6, up(value) + 4, f"{100 * value:.0f} %", "end")
        )
    for level in levels:
        parts.append(_text(across(level), base + 18, level, "middle"))
    parts.append(_text((_LEFT + right) / 2, base + 31, "photos a class", "middle"))
    for place, model in reversed(list(enumerate(models))):
        shift = 3.0 * (place - (len(models) - 1) / 2)  # or the intervals would hide each other
        own = [row for row in rows if row["model"] == model]
        at = [(across(str(row["photos_a_class"]), shift), row) for row in own]
        line = " ".join(f"{x},{up(row['accuracy_mean'])}" for x, row in at)
        parts.append(Markup('<polyline points="{}" fill="none" {}/>').format(line, _stroke(place)))
        for x, row in at:
            parts.append(
                Markup(
                    '<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke="{3}" stroke-width="1.2"/>'
                    '<circle cx="{0}" cy="{4}" r="3" fill="{3}"/>'
                ).format(
                    x,
                    up(row["accuracy_low"]),
                    up(row["accuracy_high"]),
                    _COLORS[place % len(_COLORS)],
                    up(row["accuracy_mean"]),
                )
            )
    return Markup("").join(parts)


def _stroke(place: int) -> Markup:
    dash = _DASHES[place % len(_DASHES)]
    return Markup('stroke="{}" stroke-width="2" stroke-dasharray="{}"').format(
        _COLORS[place % len(_COLORS)], dash or "none"
    )


def _text(x: float, y: float, content: str, anchor: str, *, bold: bool = False) -> Markup:
    weight = Markup(' font-weight="600"') if bold else Markup("")
    return Markup('<text x="{}" y="{}" text-anchor="{}"{}>{}</text>').format(
        round(x, 1), round(y, 1), anchor, weight, content
    )
