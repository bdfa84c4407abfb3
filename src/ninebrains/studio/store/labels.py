"""Labels of a project: make, rename, merge, split, remove; each a step that can be undone."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ninebrains.brains.fields import safe_text
from ninebrains.errors import DataError, MissingError
from ninebrains.studio.store.steps import Change, Done, nothing_done, take_step

MOST_LABELS = 1_000
_LONGEST_NAME = 100
# Told apart by people with any colour vision as far as twelve hues can be; then they come again.
_COLORS = (
    *("#2f6fb3", "#d9822b", "#2e8b57", "#b83a4b", "#7a55b0", "#8a6d3b"),
    *("#c2559d", "#5c6f7b", "#9a9a1f", "#1f97a3", "#4b4fc4", "#a8541d"),
)
_COLOR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class Label:
    """A label of the project.

    Attributes:
        id: a number that only this project knows.
        key: the id that brains and other systems refer to; never changes.
        name: for people.
        color: `#rrggbb`.
        position: in the list, from 0.
        count: photos that have it.
    """

    id: int
    key: str
    name: str
    color: str
    position: int
    count: int

    def plain(self) -> dict[str, Any]:
        """For the page."""
        return asdict(self)


def list_labels(connection: sqlite3.Connection) -> list[Label]:
    """All labels in their order, with how many photos have each."""
    rows = connection.execute(
        "SELECT id, key, name, color, position, (SELECT COUNT(*) FROM photos "
        "WHERE photos.label = labels.id AND gone = 0) AS count "
        "FROM labels WHERE removed = 0 ORDER BY position, id"
    )
    return [Label(**dict(row)) for row in rows]


def find_label(connection: sqlite3.Connection, label: int) -> Label:
    """The label with an id.

    Raises:
        MissingError: there is none.
    """
    for one in list_labels(connection):
        if one.id == label:
            return one
    raise MissingError(
        f"there is no label with the number {label}; it may have been removed. Reload the page."
    )


def clean_name(name: str) -> str:
    """A name as it can be kept and shown.

    Raises:
        DataError: it is empty or too long.
    """
    clean = safe_text(" ".join(unicodedata.normalize("NFC", name).split()))
    if not 0 < len(clean) <= _LONGEST_NAME:
        raise DataError(
            f"a label's name has 1 to {_LONGEST_NAME} characters, not {len(clean)}. Choose another."
        )
    return clean


def make_label(connection: sqlite3.Connection, name: str) -> tuple[int, Done]:
    """Make a label, or bring back the one of this name that was removed; its id.

    Raises:
        DataError: there is one of this name, there are too many, or the name cannot be kept.
    """
    clean = clean_name(name)
    _refuse_taken(connection, clean)
    label = prepare_label(connection, clean)
    change = Change(labels={label: {"removed": 0, "name": clean}})
    return label, take_step(connection, "make", f"make the label {clean}", change)


def prepare_label(connection: sqlite3.Connection, name: str) -> int:
    """A row for a label that a step is about to make; it is removed until then."""
    last = connection.execute("SELECT MAX(position) FROM labels WHERE removed = 0").fetchone()[0]
    position = 0 if last is None else last + 1
    if position >= MOST_LABELS:
        raise DataError(f"a project has at most {MOST_LABELS} labels; merge some first")
    old = connection.execute(
        "SELECT id FROM labels WHERE removed = 1 AND name = ? ORDER BY id DESC", (name,)
    ).fetchone()
    if old is not None:
        return int(old[0])
    color = _COLORS[connection.execute("SELECT COUNT(*) FROM labels").fetchone()[0] % len(_COLORS)]
    row = connection.execute(
        "INSERT INTO labels (key, name, color, position, removed) VALUES (?, ?, ?, ?, 1)",
        (_new_key(connection, name), name, color, position),
    )
    assert row.lastrowid is not None
    return row.lastrowid


def change_label(
    connection: sqlite3.Connection,
    label: int,
    *,
    name: str | None = None,
    color: str | None = None,
    position: int | None = None,
) -> Done:
    """Rename, recolour or move a label.

    Raises:
        DataError: the name is taken, or a value makes no sense.
        MissingError: there is no such label.
    """
    old = find_label(connection, label)
    fields: dict[str, Any] = {}
    words: list[str] = []
    if name is not None and (clean := clean_name(name)) != old.name:
        _refuse_taken(connection, clean, but=label)
        fields["name"] = clean
        words.append(f"rename {old.name} to {clean}")
    if color is not None and color != old.color:
        if not _COLOR.fullmatch(color):
            raise DataError(f"a colour is written like #2f6fb3, not {color[:20]!r}")
        fields["color"] = color
        words.append(f"recolour {old.name}")
    labels: dict[int, dict[str, Any]] = {label: fields} if fields else {}
    if position is not None and position != old.position:
        for place, one in _moved(connection, label, position):
            labels.setdefault(one, {})["position"] = place
        words.append(f"move {old.name}")
    if not labels:
        return nothing_done(connection)
    return take_step(connection, "change", " and ".join(words), Change(labels=labels))


def merge_labels(connection: sqlite3.Connection, source: int, into: int) -> Done:
    """Give all photos of one label another one, and remove the first.

    Raises:
        DataError: they are the same.
        MissingError: there is no such label.
    """
    old, new = find_label(connection, source), find_label(connection, into)
    if source == into:
        raise DataError(f"{old.name} cannot be merged into itself; choose another label")
    change = Change(
        photos=((into, _photos_of(connection, source)),), labels={source: {"removed": 1}}
    )
    return take_step(connection, "merge", f"merge {old.name} into {new.name}", change)


def split_label(connection: sqlite3.Connection, ids: Sequence[int], name: str) -> tuple[int, Done]:
    """Make a label for some photos, in one step; its id.

    Raises:
        DataError: as for `make_label`, or no photos.
        MissingError: a photo is not there.
    """
    clean = clean_name(name)
    _refuse_taken(connection, clean)
    require_photos(connection, ids)
    label = prepare_label(connection, clean)
    change = Change(photos=((label, tuple(ids)),), labels={label: {"removed": 0, "name": clean}})
    told = f"split {num_photos(len(ids))} off as {clean}"
    return label, take_step(connection, "split", told, change)


def remove_label(connection: sqlite3.Connection, label: int) -> Done:
    """Remove a label; its photos have none then.

    Raises:
        MissingError: there is no such label.
    """
    old = find_label(connection, label)
    ids = _photos_of(connection, label)
    change = Change(photos=((None, ids),) if ids else (), labels={label: {"removed": 1}})
    return take_step(connection, "remove", f"remove the label {old.name}", change)


def label_photos(connection: sqlite3.Connection, ids: Sequence[int], label: int | None) -> Done:
    """Give photos a label, or take theirs away; those that have it already are confirmed.

    Raises:
        DataError: no photos.
        MissingError: a photo or the label is not there.
    """
    name = None if label is None else find_label(connection, label).name
    require_photos(connection, ids)
    which = num_photos(len(ids))
    same = () if label is None else _having(connection, ids, label)
    told = f"take the label from {which}" if name is None else f"label {which} {name}"
    if same and len(same) == len(ids):
        told = f"confirm {which} as {name}"
    confirmed = ((label, same),) if same else ()
    change = Change(photos=((label, tuple(ids)),), confirmed=confirmed)
    return take_step(connection, "label", told, change)


def accept_suggestions(
    connection: sqlite3.Connection, ids: Sequence[int], suggested: Sequence[int]
) -> Done:
    """Give photos the labels that were suggested for them (0: none, left out), in one step.

    Raises:
        DataError: nothing was suggested for any of them.
        MissingError: a photo is not there.
    """
    require_photos(connection, ids)
    known = {label.id for label in list_labels(connection)}
    groups: dict[int | None, list[int]] = {}
    for photo, label in zip(ids, suggested, strict=True):
        if label in known:
            groups.setdefault(label, []).append(photo)
    if not groups:
        raise DataError("nothing is suggested for these photos yet; label them by hand")
    num = sum(len(some) for some in groups.values())
    change = Change(photos=tuple((label, tuple(some)) for label, some in groups.items()))
    words = "1 suggestion" if num == 1 else f"{num:,} suggestions"
    return take_step(connection, "accept", f"accept {words}", change)


def remove_photos(connection: sqlite3.Connection, ids: Sequence[int], *, gone: bool = True) -> Done:
    """Take photos out of the project, or put them back; their files stay.

    Raises:
        DataError: no photos.
        MissingError: a photo is not there.
    """
    require_photos(connection, ids, also_gone=not gone)
    told = f"{'take out' if gone else 'put back'} {num_photos(len(ids))}"
    return take_step(connection, "take out", told, Change(gone=((int(gone), tuple(ids)),)))


def require_photos(
    connection: sqlite3.Connection, ids: Sequence[int], *, also_gone: bool = False
) -> None:
    """Refuse numbers of photos that are not there, or come twice.

    Raises:
        DataError: none at all, or doubles.
        MissingError: one is not there.
    """
    if not ids or len(set(ids)) != len(ids):
        raise DataError(f"got {len(ids)} photos; expected one or more, each once")
    for photo in ids:
        row = connection.execute("SELECT gone FROM photos WHERE id = ?", (photo,)).fetchone()
        if row is None or (row[0] and not also_gone):
            raise MissingError(f"there is no photo with the number {photo}; reload the page")


def num_photos(num: int) -> str:
    """A number of photos in words.

    >>> num_photos(1), num_photos(1200)
    ('1 photo', '1,200 photos')
    """
    return "1 photo" if num == 1 else f"{num:,} photos"


def _having(connection: sqlite3.Connection, ids: Sequence[int], label: int) -> tuple[int, ...]:
    """Those of the photos that have a label."""
    find = "SELECT 1 FROM photos WHERE id = ? AND label = ?"
    return tuple(one for one in ids if connection.execute(find, (one, label)).fetchone())


def _photos_of(connection: sqlite3.Connection, label: int) -> tuple[int, ...]:
    # Those that were taken out too: put back, they must not have a label that is no more.
    rows = connection.execute("SELECT id FROM photos WHERE label = ? ORDER BY id", (label,))
    return tuple(row[0] for row in rows)


def _refuse_taken(connection: sqlite3.Connection, name: str, but: int | None = None) -> None:
    for one in list_labels(connection):
        if one.id != but and one.name.casefold() == name.casefold():
            raise DataError(f"there is a label {one.name} already; merge them, or choose another")


def _moved(connection: sqlite3.Connection, label: int, position: int) -> list[tuple[int, int]]:
    """(position, label) of all labels whose position changes."""
    old = list_labels(connection)
    order = [one.id for one in old if one.id != label]
    order.insert(max(0, min(position, len(order))), label)
    places = {one.id: one.position for one in old}
    return [(place, one) for place, one in enumerate(order) if places[one] != place]


def _new_key(connection: sqlite3.Connection, name: str) -> str:
    """A readable id that no label of this project has ever had."""
    slug = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFKC", name).casefold()).strip("-")
    stem = slug[:150] or "label"
    key, number = stem, 2
    while connection.execute("SELECT 1 FROM labels WHERE key = ?", (key,)).fetchone():
        key, number = f"{stem}-{number}", number + 1
    return key
