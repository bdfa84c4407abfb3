"""Views of a project's photos: which, in which order, with what is suggested for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import DataError
from ninebrains.studio.answers import Answers
from ninebrains.studio.store.settings import revision_of

Ints = npt.NDArray[np.int64]

SORTS = ("added", "newest", "name", "sure", "unsure", "strange", "label")
_USUAL_SORT = {"review": "unsure", "strangers": "strange"}
_SLICES = {
    "source": "source",
    "part": "CASE part WHEN 'test' THEN 'held out' ELSE 'learnt from' END",
    "shape": "CASE WHEN width > 1.1 * height THEN 'wide' WHEN width < 0.9 * height THEN 'tall' "
    "ELSE 'square' END",
}
_OWN_ORDER = ("errors", "duplicates")


@dataclass(frozen=True)
class Listing:
    """Photos of a view, as columns of the same length.

    Attributes:
        revision: of the project that it was read from.
        ids: of the photos.
        labels: 0 for none.
        suggested: the label that the current brain suggests, 0 for none.
        sure: how sure it is, 0 to 100.
        groups: number of the group of near duplicates, in the view of them only.
    """

    revision: int
    ids: Ints
    labels: Ints
    suggested: Ints
    sure: Ints
    groups: Ints | None = None

    def plain(self) -> dict[str, Any]:
        """For the page."""
        told = {
            "revision": self.revision,
            "ids": self.ids,
            "labels": self.labels,
            "suggested": self.suggested,
            "sure": self.sure,
        }
        return told if self.groups is None else {**told, "groups": self.groups}


def list_photos(
    connection: sqlite3.Connection,
    view: str,
    sort: str | None,
    answers: Answers | None,
    groups: Mapping[int, int],
    search: str = "",
) -> Listing:
    """The photos of a view.

    Args:
        connection: to read with.
        view: `all`, `labelled`, `unlabelled`, `test`, `trouble`, `review`, `errors`, `duplicates`,
            `strangers`, `label:ID`, `suggested:ID`, `confused:GIVEN,ANSWERED` (held out),
            `between:A,B` (either taken for the other, held out or not), `slice:COLUMN=VALUE` or
            `search:TEXT`.
        sort: one of `SORTS`, or None for what suits the view.
        answers: of the current brain, if there is one.
        groups: the group of near duplicates that a photo is in.
        search: only photos whose name or label holds this text.

    Raises:
        DataError: there is no such view or order.
    """
    kind, _, argument = view.partition(":")
    if kind == "search":
        kind, search = "all", argument
    table = _read(connection, kind, argument, search)
    suggested, sure, strange = _suggestions(connection, table[:, 0], answers)
    board = _Board(table[:, 0], table[:, 1], suggested, sure, strange)
    keys = np.array([groups.get(photo, 0) for photo in board.ids.tolist()], np.int64)
    order = _chosen(board, kind, argument, answers, keys)
    if sort is not None or kind not in _OWN_ORDER:
        wanted = sort or _USUAL_SORT.get(kind, "added")
        order = order[_order(connection, wanted, board, order)]
    return Listing(
        revision_of(connection),
        board.ids[order],
        board.labels[order],
        board.suggested[order],
        np.clip(np.rint(100 * board.sure[order]), 0, 100).astype(np.int64),
        keys[order] if kind == "duplicates" else None,
    )


def _read(connection: sqlite3.Connection, kind: str, argument: str, search: str) -> Ints:
    """Number and label of each photo that the index can choose by itself, int64[n, 2]."""
    where, values = _condition(kind, argument)
    if search:
        where += " AND (photos.name LIKE ? ESCAPE '\\' OR labels.name LIKE ? ESCAPE '\\')"
        pattern = "%" + search.translate({ord(one): f"\\{one}" for one in "\\%_"}) + "%"
        values += [pattern, pattern]
    rows = connection.execute(
        "SELECT photos.id, COALESCE(photos.label, 0) FROM photos LEFT JOIN labels "  # noqa: S608
        f"ON labels.id = photos.label WHERE gone = 0 AND {where} ORDER BY photos.id",
        values,
    ).fetchall()
    return np.array([tuple(row) for row in rows], np.int64).reshape(-1, 2)


def count_queues(
    connection: sqlite3.Connection, answers: Answers | None, groups: Mapping[int, int]
) -> dict[str, int]:
    """How many photos wait in each queue, as `list_photos` would list them."""
    rows = connection.execute(
        "SELECT id, COALESCE(label, 0), COALESCE(confirmed, 0) FROM photos "
        "WHERE gone = 0 AND trouble IS NULL ORDER BY id"
    ).fetchall()
    table = np.array([tuple(row) for row in rows], np.int64).reshape(-1, 3)
    ids, labels, confirmed = table.T
    counts = {"review": 0, "errors": 0, "strangers": 0}
    counts["duplicates"] = int(np.isin(ids, list(groups)).sum()) if groups else 0
    if answers is None or not len(answers.ids):
        return counts
    suggested, _, strange = _suggestions(connection, ids, answers)
    places = answers.rows_of(ids)
    found = places >= 0
    doubted = found & (answers.suspect[places] > 0) & (answers.given[places] == labels)
    counts["review"] = int(((labels == 0) & (suggested > 0)).sum())
    counts["errors"] = int((doubted & (labels > 0) & (labels != confirmed)).sum())
    counts["strangers"] = int((found & (strange > 1.0)).sum())
    return counts


@dataclass(frozen=True)
class _Board:
    ids: Ints
    labels: Ints
    suggested: Ints
    sure: npt.NDArray[np.float64]
    strange: npt.NDArray[np.float64]


def _condition(kind: str, argument: str) -> tuple[str, list[object]]:
    """What the index can decide by itself."""
    simple = {
        "all": "1",
        "labelled": "photos.label IS NOT NULL",
        "unlabelled": "photos.label IS NULL",
        "test": "part = 'test' AND photos.label IS NOT NULL",
        "trouble": "trouble IS NOT NULL",
        "review": "photos.label IS NULL AND trouble IS NULL",
        "errors": "photos.label IS NOT NULL AND photos.label IS NOT photos.confirmed",
        "duplicates": "trouble IS NULL",
        "strangers": "trouble IS NULL",
        "suggested": "trouble IS NULL",
        "confused": "photos.label IS NOT NULL",
        "between": "photos.label IS NOT NULL",
    }
    if kind in simple:
        return simple[kind], []
    if kind == "label":
        return "photos.label = ?", [_number(argument)]
    column, mark, value = argument.partition("=")
    if kind == "slice" and column in _SLICES:
        return f"{_SLICES[column]} = ?", [value]
    if kind == "slice" and mark:
        return "EXISTS (SELECT 1 FROM json_each(columns) WHERE key = ? AND value = ?)", [
            column,
            value,
        ]
    raise DataError(f"there is no view {kind[:40]!r} of the photos; reload the page")


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 15:
        raise DataError(f"a label's number was expected, not {text[:20]!r}; reload the page")
    return int(text)


def _suggestions(
    connection: sqlite3.Connection, ids: Ints, answers: Answers | None
) -> tuple[Ints, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What the brain suggests, how sure it is, and how strange the photo is to it."""
    none, empty = np.zeros(len(ids), np.int64), np.zeros(len(ids))
    if answers is None or not len(answers.ids):
        return none, empty, empty
    rows = answers.rows_of(ids)
    found = rows >= 0
    known = connection.execute("SELECT id FROM labels WHERE removed = 0").fetchall()
    top = answers.top[rows]
    usable = found & np.isin(top, [row[0] for row in known])
    strange = np.where(found, answers.unfamiliar[rows], 0.0)
    return np.where(usable, top, 0), np.where(usable, answers.sure[rows], 0.0), strange


def _chosen(board: _Board, kind: str, argument: str, answers: Answers | None, groups: Ints) -> Ints:
    """Rows of the view among those that the index gave, in the view's own order."""
    everyone = np.arange(len(board.ids))
    if kind == "duplicates":
        alike = everyone[groups > 0]
        chosen: Ints = alike[np.argsort(groups[alike], kind="stable")]
        return chosen
    if kind == "suggested":
        return np.flatnonzero(board.suggested == _number(argument))
    if kind == "review":
        return np.flatnonzero(board.suggested > 0)
    if kind not in ("errors", "strangers", "confused", "between"):
        return everyone
    if answers is None or not len(answers.ids):
        return everyone[:0]
    return _by_answers(board, kind, argument, answers)


def _by_answers(board: _Board, kind: str, argument: str, answers: Answers) -> Ints:
    rows = answers.rows_of(board.ids)
    found = rows >= 0
    if kind == "strangers":
        return np.flatnonzero(found & (board.strange > 1.0))
    if kind == "errors":
        # A label that was changed since is no longer in question.
        doubted = found & (answers.suspect[rows] > 0) & (answers.given[rows] == board.labels)
        places = np.flatnonzero(doubted)
        chosen: Ints = places[np.argsort(answers.quality[rows[places]], kind="stable")]
        return chosen
    one, _, other = argument.partition(",")
    given, answered = _number(one), _number(other)
    if kind == "confused":
        is_test = found & answers.is_test[rows]
        return np.flatnonzero(is_test & (board.labels == given) & (answers.top[rows] == answered))
    both, top = (given, answered), answers.top[rows]
    wrong = found & np.isin(board.labels, both) & np.isin(top, both) & (top != board.labels)
    return np.flatnonzero(wrong)


def _order(connection: sqlite3.Connection, sort: str, board: _Board, rows: Ints) -> Ints:
    """Places of `rows` in the wanted order."""
    if sort == "added":
        return np.arange(len(rows))
    if sort == "newest":
        return np.arange(len(rows))[::-1].copy()
    if sort == "name":
        names = dict(connection.execute("SELECT id, name FROM photos").fetchall())
        keys = [names[photo].casefold() for photo in board.ids[rows].tolist()]
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)
    columns: dict[str, npt.NDArray[Any]] = {
        "unsure": board.sure,
        "sure": -board.sure,
        "strange": -board.strange,
        "label": board.labels,
    }
    if sort not in columns:
        raise DataError(f"photos are sorted by {', '.join(SORTS)}, not {sort[:40]!r}")
    order: Ints = np.argsort(columns[sort][rows], kind="stable")
    return order
