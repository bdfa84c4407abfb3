"""Kept photos and what people said of them, as a data set that `train` takes.

OUT/photos/<label>/<sha256>.jpg     one folder for each label: `ninebrains train OUT/photos`
OUT/too_few/<label>/<sha256>.jpg    labels with fewer photos than training needs
OUT/unlabelled/<sha256>.jpg         photos that nobody has named yet, where asked for
OUT/feedback.csv                    what is known of each photo, ties and "none of these" too
"""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.errors import DataError, OutputError
from ninebrains.images.faults import kind_of
from ninebrains.photos import printable
from ninebrains.photos.scanning import head_of
from ninebrains.places import write_bytes

if TYPE_CHECKING:
    from ninebrains.serving.feedback.photos import Photos
    from ninebrains.serving.ledger import Ledger

NOBODY = "0" * 16
LEAST = 2
"""So many photos of a label `train` needs."""
_COLUMNS = (
    *("file", "sha256", "truth", "told", "agreeing", "reason", "answered", "label_id"),
    *("score", "unfamiliar", "brain", "version", "answered_at"),
)
_QUERY = """
SELECT photos.*, feedback.label_id AS true_id, feedback.label AS true_label,
    feedback.giver AS giver, feedback.rowid AS turn, feedback.task AS task
FROM photos LEFT JOIN feedback ON feedback.key = photos.key
WHERE photos.reason != 'waiting' AND photos.answered_at >= ?
ORDER BY photos.sha256, photos.answered_at, photos.key
"""


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes:
        folder: where.
        labels: photos by label.
        too_few: the same for labels that have too few to be trained on.
        unlabelled: photos that nobody has named, exported or not.
        none: photos that show none of the labels, as people say.
        ties: SHA-256 of photos on which people disagree evenly; they are left out.
        missing: photos whose file is gone.
    """

    folder: Path
    labels: Mapping[str, int]
    too_few: Mapping[str, int]
    unlabelled: int
    none: int
    ties: tuple[str, ...]
    missing: int


@dataclass
class _Photo:
    """One content with everything known of it."""

    sha256: str
    rows: list[sqlite3.Row] = field(default_factory=list)

    def votes(self) -> Counter[tuple[str, str]]:
        """How many people say which label; of each person the last word counts."""
        words: dict[str, sqlite3.Row] = {}
        told = [row for row in self.rows if row["true_id"] is not None]
        for row in sorted(told, key=lambda row: row["turn"]):
            words[row["key"] if row["giver"] == NOBODY else row["giver"]] = row
        names = {row["true_id"]: row["true_label"] for row in words.values()}
        return Counter((row["true_id"], names[row["true_id"]]) for row in words.values())

    def truth(self) -> tuple[str, str] | None:
        """Id and name of the label that most people say; None for no votes, or two with as many."""
        first = self.votes().most_common(2)
        is_tie = len(first) == 2 and first[0][1] == first[1][1]
        return first[0][0] if first and not is_tie else None

    def label_id(self) -> str:
        """Of the label that is the whole truth on it, "" where none is."""
        truth = self.truth()
        return "" if truth is None or _is_partial(self) else truth[0]


def export(
    ledger: Ledger,
    photos: Photos,
    folder: Path,
    *,
    name: str | None = None,
    since: float = 0.0,
    unlabelled: bool = False,
) -> Export:
    """Write a data set of what people said.

    The same ledger gives the same files. A photo on which several people spoke gets the label that
    most of them say.

    Args:
        ledger: of the host.
        photos: of the host.
        folder: new, or empty.
        name: of the brain; may be left out where there is only one.
        since: seconds since 1970; leave out what was answered before.
        unlabelled: also export the photos that nobody has named.

    Raises:
        OutputError: something is there, or it cannot be written; then nothing is.
        DataError: there are several brains and none is named, or nothing to export.
    """
    _check_free(folder)
    with ledger.reading() as rows:
        found = rows.execute(_QUERY, (int(since),)).fetchall()
    chosen = _of_one_brain(found, name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as draft:
            whole = Path(draft) / "export"
            result = _Writer(photos, whole, unlabelled).write(chosen, folder)
            if folder.is_dir():
                folder.rmdir()
            whole.rename(folder)
    except OSError as error:
        raise OutputError(
            f"could not write {folder}: {error.strerror or error}. Nothing was changed; choose "
            "another place."
        ) from error
    return result


def _check_free(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder} is there and no folder; choose a new one")
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty. Nothing was changed; choose a new folder.")


def _of_one_brain(found: Sequence[sqlite3.Row], name: str | None) -> list[sqlite3.Row]:
    names = sorted({row["name"] for row in found})
    if name is None and len(names) > 1:
        raise DataError(
            f"there are photos of several brains: {', '.join(names)}. Say which, with --brain."
        )
    chosen = [row for row in found if name in (None, row["name"])]
    if not chosen:
        kept = f"; there are some of {', '.join(names)}" if names else ""
        raise DataError(
            f"there are no kept photos{f' of {name}' if name else ''}{kept}. Photos are kept where "
            "their sender agreed, and the answer was unsure, unfamiliar or disputed."
        )
    return chosen


class _Writer:
    """Writes photos into a folder that nobody else knows."""

    def __init__(self, photos: Photos, folder: Path, unlabelled: bool) -> None:
        self._photos = photos
        self._folder = folder
        self._with_unlabelled = unlabelled
        self._folders: dict[str, str] = {}
        self._sizes: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._too_few: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._ties: list[str] = []
        self._lines: list[Sequence[object]] = []

    def write(self, rows: Iterable[sqlite3.Row], folder: Path) -> Export:
        found: dict[str, _Photo] = {}
        for row in rows:
            found.setdefault(row["sha256"], _Photo(row["sha256"])).rows.append(row)
        self._sizes.update(
            photo.label_id() for photo in found.values() if self._photos.path(photo.sha256).exists()
        )
        for sha256 in sorted(found):
            self._photo(found[sha256])
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(self._lines)
        write_bytes(self._folder / "feedback.csv", text.getvalue().encode())
        return Export(
            folder,
            dict(sorted(self._labels.items())),
            dict(sorted(self._too_few.items())),
            self._counts["unlabelled"],
            self._counts["none"],
            tuple(self._ties),
            self._counts["missing"],
        )

    def _photo(self, photo: _Photo) -> None:
        source = self._photos.path(photo.sha256)
        try:
            kind = kind_of(head_of(source))
        except OSError:  # the host let go of it meanwhile, or it was deleted by hand
            self._counts["missing"] += 1
            return
        votes = photo.votes()
        truth = photo.truth()
        target: str | None = None
        if votes and truth is None:
            self._ties.append(photo.sha256)
            said = "tie"
        elif truth is None or _is_partial(photo):
            said = "" if truth is None else truth[1]
            self._counts["unlabelled"] += 1
            target = "unlabelled" if self._with_unlabelled else None
        elif not truth[0]:
            said = "none of these"
            self._counts["none"] += 1
            target = "unlabelled" if self._with_unlabelled else None
        else:
            said = truth[1]
            is_enough = self._sizes[truth[0]] >= LEAST
            (self._labels if is_enough else self._too_few)[said] += 1
            target = f"{'photos' if is_enough else 'too_few'}/{self._folder_of(*truth)}"
        name = self._copy(source, f"{target}/{photo.sha256}", kind) if target else ""
        self._lines.append(_line(photo, name, said, votes))

    def _copy(self, source: Path, target: str, kind: str | None) -> str:
        name = f"{target}{_SUFFIXES.get(kind, f'.{kind}'.lower())}"
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        return name

    def _folder_of(self, label_id: str, label: str) -> str:
        """A folder that can be made everywhere, and is the label's name where that can be."""
        if label_id not in self._folders:
            plain = "".join("_" if letter in '/\\:*?"<>|\0' else letter for letter in label)
            plain = printable(plain).strip(" .") or "label"
            taken = {name.casefold() for name in self._folders.values()}
            name, number = plain, 1
            while name.casefold() in taken:
                number += 1
                name = f"{plain} ({number})"
            self._folders[label_id] = name
        return self._folders[label_id]


_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", None: ".photo"}


def _is_partial(photo: _Photo) -> bool:
    """Whether the truth is one label of perhaps several, so that no folder can hold it."""
    return any(row["task"] == "multilabel" for row in photo.rows)


def _line(photo: _Photo, name: str, said: str, votes: Counter[tuple[str, str]]) -> Sequence[object]:
    last = photo.rows[-1]
    return (
        name,
        photo.sha256,
        _plain(said),
        votes.total(),
        max(votes.values(), default=0),
        last["reason"],
        _plain(last["label"]),
        _plain(last["label_id"]),
        f"{last['score']:.6g}",
        "" if last["unfamiliar"] is None else f"{last['unfamiliar']:.6g}",
        last["name"],
        last["number"],
        last["answered_at"],
    )


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
