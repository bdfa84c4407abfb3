"""How good a run is on groups of photos: by a column of a table, a folder, a source."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from typing import Any

import numpy as np

from ninebrains.errors import MissingError
from ninebrains.studio.answers import Answers
from ninebrains.studio.store.photos import Stored, all_photos
from ninebrains.training.measuring import wilson

_MOST_VALUES = 100
_LEAST_PHOTOS = 5
_CHANCE = 0.05


def list_columns(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """What photos can be grouped by, with how many groups that gives."""
    values: dict[str, set[str]] = {}
    for photo in all_photos(connection, only_labelled=True):
        for name, value in _values(photo):
            values.setdefault(name, set()).add(value)
    return [
        {"name": name, "values": len(found)}
        for name, found in sorted(values.items())
        if 1 < len(found) <= _MOST_VALUES
    ]


def slice_by(connection: sqlite3.Connection, column: str, answers: Answers) -> dict[str, Any]:
    """Accuracy of each group of labelled photos, the worst first.

    Of photos that were learnt from, answers are those of fits that had not seen them. A group is
    flagged where so few right ones would come about by chance in less than one case of twenty, had
    it the accuracy of all the others; the more groups, the stricter.

    Raises:
        MissingError: no photo has such a column.
    """
    photos = all_photos(connection, only_labelled=True)
    rows = answers.rows_of(np.array([photo.id for photo in photos], np.int64)).tolist()
    groups: dict[str, list[tuple[int, bool]]] = {}
    known = set(answers.labels.tolist())
    for photo, row in zip(photos, rows, strict=True):
        value = dict(_values(photo)).get(column)
        # Only what was measured without having been seen, and on labels that the run knows.
        if value is None or row < 0 or photo.label not in known or np.isnan(answers.quality[row]):
            continue
        groups.setdefault(value, []).append((photo.id, int(answers.top[row]) == photo.label))
    if not groups:
        raise MissingError(f"no labelled photo that was looked at has a column {column[:40]!r}")
    told = [_told(value, groups) for value in groups]
    told.sort(key=lambda one: (not one["flagged"], one["accuracy"], one["value"]))
    total = sum(one["photos"] for one in told)
    right = sum(one["right"] for one in told)
    overall = wilson(right, total)
    return {
        "by": column,
        "photos": total,
        "accuracy": overall.value,
        "low": overall.low,
        "high": overall.high,
        "groups": told[:_MOST_VALUES],
    }


def _values(photo: Stored) -> Iterable[tuple[str, str]]:
    yield from photo.columns.items()
    yield "source", photo.source
    yield "part", "held out" if photo.part == "test" else "learnt from"
    wide = photo.width / max(1, photo.height)
    yield "shape", "wide" if wide > 1.1 else "tall" if wide < 0.9 else "square"


def _told(value: str, groups: dict[str, list[tuple[int, bool]]]) -> dict[str, Any]:
    own = groups[value]
    num, right = len(own), sum(is_right for _, is_right in own)
    others = [is_right for key, some in groups.items() if key != value for _, is_right in some]
    estimate = wilson(right, num)
    flagged = False
    if len(others) >= _LEAST_PHOTOS and num >= _LEAST_PHOTOS:
        share = sum(others) / len(others)
        flagged = chance_of_at_most(right, num, share) < _CHANCE / len(groups)
    return {
        "value": value,
        "photos": num,
        "right": right,
        "accuracy": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "flagged": flagged,
        "wrong": [photo for photo, is_right in own if not is_right][:50],
    }


def chance_of_at_most(right: int, num: int, share: float) -> float:
    """How likely at most so many right ones are, with a share of right ones (binomial, exact).

    >>> round(chance_of_at_most(0, 2, 0.5), 6)
    0.25
    """
    if share <= 0.0 or right >= num:
        return 1.0
    if share >= 1.0:
        return 0.0
    logs = (math.log(share), math.log1p(-share))
    return sum(
        math.exp(
            math.lgamma(num + 1)
            - math.lgamma(k + 1)
            - math.lgamma(num - k + 1)
            + k * logs[0]
            + (num - k) * logs[1]
        )
        for k in range(right + 1)
    )
