"""Photos that were kept: files named by their content, and rows of the ledger that say why.

<state>/photos/<first two digits>/<sha256>

Several workers share the folder. Whoever changes files holds its lock; a file is written before its
row and removed after it, so a process that was killed leaves at most files without rows, which the
next start removes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ninebrains.errors import OutputError
from ninebrains.places import holding, write_bytes
from ninebrains.serving.feedback.records import Records
from ninebrains.serving.feedback.tombs import Tombs

if TYPE_CHECKING:
    from ninebrains.serving.ledger import Ledger
    from ninebrains.serving.settings import Feedback as Bounds

Reason = Literal["waiting", "low_confidence", "unfamiliar", "disputed"]

_TABLES = """
CREATE TABLE IF NOT EXISTS photos (
    place INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, user TEXT NOT NULL,
    answered_at INTEGER NOT NULL, reason TEXT NOT NULL, label_id TEXT NOT NULL,
    label TEXT NOT NULL, score REAL, unfamiliar REAL);
CREATE INDEX IF NOT EXISTS photos_by_reason ON photos (reason, sha256, bytes);
CREATE INDEX IF NOT EXISTS photos_by_content ON photos (sha256);
CREATE INDEX IF NOT EXISTS photos_by_user ON photos (user);
"""
_WAITING, _KEPT = "reason = 'waiting'", "reason != 'waiting'"


@dataclass(frozen=True, slots=True)
class Kept:
    """A photo with the answer because of which it is kept.

    Attributes:
        key: of the prediction.
        sha256: of the file's bytes.
        data: the file's bytes.
        name: of the brain.
        number: of the version.
        user: keyed hash of who asked.
        answered_at: seconds since 1970.
        reason: why it is kept; `waiting` until somebody disputes the answer.
        label_id: of the top label.
        label: its name.
        score: of the top label.
        unfamiliar: as the brain says.
    """

    key: str
    sha256: str
    data: bytes
    name: str
    number: int
    user: str
    answered_at: int
    reason: Reason
    label_id: str
    label: str
    score: float
    unfamiliar: float | None


class Photos:
    """The photos that a host keeps.

    Args:
        ledger: where the rows are.
        folder: for the files.
        bounds: how many to keep.
    """

    def __init__(self, ledger: Ledger, folder: Path, bounds: Bounds) -> None:
        self._ledger = ledger
        self._bounds = bounds
        self.folder = folder
        self._is_due = True  # whether more may be kept than the bounds allow
        ledger.prepare(_TABLES)

    def path(self, sha256: str) -> Path:
        """Where the file of that content lies."""
        return self.folder / sha256[:2] / sha256

    def keep(self, photos: Sequence[Kept]) -> None:
        """Keep photos, and let go of the oldest ones that are too many.

        Raises:
            OutputError: they could not be written, such as on a full disk; none of them is kept.
        """
        with self._changing():
            written: list[str] = []
            try:
                for photo in photos:
                    if not self.path(photo.sha256).exists():
                        write_bytes(self.path(photo.sha256), photo.data)
                        written.append(photo.sha256)
                with self._ledger.writing() as rows:
                    tombs = Tombs.all(rows)
                    wanted = [
                        photo
                        for photo in photos
                        if not Tombs.covers(tombs, photo.user, photo.answered_at)
                    ]
                    disputed = Records.disputed(rows, (photo.key for photo in wanted))
                    self._is_due |= bool(disputed) or any(
                        photo.reason != "waiting" for photo in wanted
                    )
                    rows.executemany(_INSERT, (_row(photo, disputed) for photo in wanted))
                    gone = [*self._crowded(rows), *(written if len(wanted) < len(photos) else ())]
            except OutputError:
                self._remove(written)
                raise
            self._is_due = False
            self._remove(gone)

    def _crowded(self, rows: sqlite3.Connection) -> Iterator[str]:
        """Delete the rows that are too many, the oldest first; the contents that they spoke of."""
        bounds = self._bounds
        yield from _trim(rows, _WAITING, bounds.waiting, bounds.waiting_bytes)
        if self._is_due:  # to look takes some milliseconds where very many are kept
            yield from _trim(rows, _KEPT, bounds.photos, bounds.bytes)

    def adopt(self, bounds: Bounds) -> None:
        """From now on keep as many as these say."""
        self._bounds = bounds
        self._is_due = True

    def dispute(self, rows: sqlite3.Connection, key: str) -> None:
        """Keep the photo of a prediction for good, if it is here."""
        self._is_due = True
        rows.execute(
            f"UPDATE photos SET reason = 'disputed' WHERE key = ? AND {_WAITING}",  # noqa: S608
            (key,),
        )

    @staticmethod
    def is_kept(rows: sqlite3.Connection, key: str) -> bool:
        """Whether the photo of a prediction is kept, not merely waiting."""
        query = f"SELECT 1 FROM photos WHERE key = ? AND {_KEPT}"  # noqa: S608 - a constant
        return rows.execute(query, (key,)).fetchone() is not None

    def has(self, key: str) -> bool:
        """Whether the photo of a prediction is here at all."""
        with self._ledger.reading() as rows:
            found = rows.execute("SELECT 1 FROM photos WHERE key = ?", (key,)).fetchone()
        return found is not None

    @contextmanager
    def forgetting(self, user: str) -> Iterator[tuple[sqlite3.Connection, int]]:
        """A transaction in which the rows of a user are deleted; their files go when it ends.

        Gives the transaction and how many photos there were.
        """
        with self._changing():
            with self._ledger.writing() as rows:
                found = rows.execute("SELECT sha256 FROM photos WHERE user = ?", (user,)).fetchall()
                rows.execute("DELETE FROM photos WHERE user = ?", (user,))
                yield rows, len(found)
            self._remove([row["sha256"] for row in found])

    def sweep(self) -> None:
        """Remove what killed processes left: files without rows, rows without files.

        Raises:
            OutputError: the folder or the ledger cannot be changed.
        """
        if not self.folder.is_dir():
            return
        with self._changing():
            files = [path for path in self.folder.glob("*/*") if path.is_file()]
            there = {path.name for path in files}
            with self._ledger.reading() as rows:
                known = {row["sha256"] for row in rows.execute("SELECT sha256 FROM photos")}
            lost = known - there
            if lost:
                with self._ledger.writing() as rows:
                    rows.executemany(
                        "DELETE FROM photos WHERE sha256 = ?", [(sha256,) for sha256 in lost]
                    )
            _unlink(path for path in files if path.name not in known)

    def stats(self) -> Mapping[str, int]:
        """How many photos, by reason, and their bytes."""
        query = "SELECT reason, COUNT(*) AS photos FROM photos GROUP BY reason"
        found = {f"photos_{reason}": 0 for reason in get_args(Reason)}
        with self._ledger.reading() as rows:
            found |= {f"photos_{row['reason']}": int(row["photos"]) for row in rows.execute(query)}
            for name, kind in (("bytes_kept", _KEPT), ("bytes_waiting", _WAITING)):
                found[name] = _size(rows, kind)[1]
        return found

    def _remove(self, contents: Iterable[str]) -> None:
        """Remove files that no row speaks of any more."""
        wanted = set(contents)
        if not wanted:
            return
        with self._ledger.reading() as rows:
            unused = [
                sha256
                for sha256 in wanted
                if rows.execute("SELECT 1 FROM photos WHERE sha256 = ?", (sha256,)).fetchone()
                is None
            ]
        _unlink(self.path(sha256) for sha256 in unused)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with holding(self.folder / ".lock"):
            yield


_INSERT = """
INSERT OR IGNORE INTO photos (key, sha256, bytes, name, number, user, answered_at, reason,
    label_id, label, score, unfamiliar) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def _row(photo: Kept, disputed: set[str]) -> tuple[object, ...]:
    is_disputed = photo.reason == "waiting" and photo.key in disputed
    return (
        photo.key,
        photo.sha256,
        len(photo.data),
        photo.name,
        photo.number,
        photo.user,
        photo.answered_at,
        "disputed" if is_disputed else photo.reason,
        photo.label_id,
        photo.label,
        photo.score,
        photo.unfamiliar,
    )


def _size(rows: sqlite3.Connection, kind: str) -> tuple[int, int]:
    """How many rows of a kind there are, and the bytes of their contents, each counted once."""
    (count,) = rows.execute(f"SELECT COUNT(*) FROM photos WHERE {kind}").fetchone()  # noqa: S608
    contents = f"SELECT DISTINCT sha256, bytes FROM photos WHERE {kind}"  # noqa: S608
    (size,) = rows.execute(f"SELECT COALESCE(SUM(bytes), 0) FROM ({contents})").fetchone()  # noqa: S608
    return int(count), int(size)


def _trim(rows: sqlite3.Connection, kind: str, photos: int, num_bytes: int) -> list[str]:
    """Delete the oldest rows of a kind beyond the bounds; the contents that they spoke of."""
    count, size = _size(rows, kind)
    if count <= photos and size <= num_bytes:
        return []
    seen: set[str] = set()
    size, last = 0, None
    query = f"SELECT place, sha256, bytes FROM photos WHERE {kind} ORDER BY place DESC"  # noqa: S608
    for rank, row in enumerate(rows.execute(query)):
        size += 0 if row["sha256"] in seen else row["bytes"]
        seen.add(row["sha256"])
        if rank >= photos or size > num_bytes:
            last = row["place"]
            break
    where = f"WHERE {kind} AND place <= ?"
    found = rows.execute(f"SELECT sha256 FROM photos {where}", (last,)).fetchall()  # noqa: S608
    rows.execute(f"DELETE FROM photos {where}", (last,))  # noqa: S608 - constants
    return [row["sha256"] for row in found]


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"could not remove {path}: {error.strerror or error}. Check the permissions of its "
                "folder."
            ) from error
