"""The chart of a choice under a budget."""

import re

import pytest

from ninebrains.reporting.tradeoffs import Point, tradeoff


def point(name, ms, value, **more):
    values = {"mb": 3.0, "low": value - 0.02, "high": value + 0.02, **more}
    return Point(name, f"{name}: {ms} ms", ms, value=value, **values)


POINTS = [
    point("octo 48", 1.0, 0.80),
    point("octo 96", 4.0, 0.90, is_best=True, is_chosen=True),
    point("octo <b>", 8.0, 0.95, mb=12.0),
]


def numbers(pattern, chart):
    return [float(value) for value in re.findall(pattern, chart)]


def test_every_way_has_a_mark_whose_area_is_its_size():
    chart = tradeoff(POINTS, "accuracy", None)
    radii = sorted(numbers(r'<circle class="(?:dot soft|hollow)"[^>]* r="([\d.]+)"', chart))
    assert len(radii) == 3
    assert radii[0] == radii[1] < radii[2]
    assert chart.count('class="pick"') == 1


def test_faster_is_left_and_better_is_up():
    chart = tradeoff(POINTS[:1] + POINTS[2:], "accuracy", None)
    slow, quick = numbers(r'<circle class="hollow" cx="([\d.]+)"', chart)
    low, high = numbers(r'<circle class="hollow" cx="[\d.]+" cy="([\d.]+)"', chart)
    assert quick < slow  # the largest mark comes first
    assert low < high


def test_the_line_never_gets_worse_with_time():
    worse = [*POINTS, point("octo 128", 6.0, 0.70)]
    line = re.search(r'<polyline class="line" points="([^"]+)"', tradeoff(worse, "a", None))[1]
    heights = [float(pair.split(",")[1]) for pair in line.split()]
    assert heights == sorted(heights, reverse=True)  # SVG grows downwards
    errors = re.search(r'points="([^"]+)"', tradeoff(worse, "a", None, is_error=True))[1]
    heights = [float(pair.split(",")[1]) for pair in errors.split()]
    assert heights == sorted(heights)


def test_the_chart_says_in_words_what_it_shows_and_escapes_names():
    chart = tradeoff(POINTS, "accuracy", 5.0)
    assert 'aria-label="accuracy against milliseconds a photo of 3 ways of exporting' in chart
    assert "the one chosen is octo 96: 4.0 ms" in chart
    assert "over 5 ms" in chart
    assert "<b>" not in chart


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_single_way_is_drawn_too(value):
    chart = tradeoff([point("octo 96", 4.0, value, is_chosen=True)], "accuracy", 4.0)
    assert chart.count("<circle") == 2
    assert "nan" not in chart
