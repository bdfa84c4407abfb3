"""A CSV file of photos: `path,label`, and optionally `split`."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ninebrains.errors import DataError
from ninebrains.photos.dataset import Dataset, Part, Photo, Problem, Task, labels_of, printable

_PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_MISSING_NUMBERS = frozenset(("", "na", "n/a", "nan", "null", "none"))
_MOST_NUMBERED_CLASSES = 20
_MOST_BAD_NUMBERS = 0.25  # of the rows; where more are no numbers, all are names
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def part_named(name: str) -> Part | None:
    """Which part of a split a folder or a cell names, in any case; None for any other word."""
    return _PARTS.get(name.strip().casefold())


@dataclass(frozen=True)
class _Row:
    number: int
    path: str
    cell: str
    part: Part | None
    has_commas: bool = False  # may stand for decimal points: the columns are set apart otherwise

    @property
    def labels(self) -> tuple[str, ...]:
        parts = (printable(part.strip()) for part in self.cell.split(";"))
        return tuple(sorted({part for part in parts if part}))

    @property
    def value(self) -> float | None:
        """The cell as a number, if it is one."""
        is_european = self.has_commas and _DECIMAL_COMMA.fullmatch(self.cell)
        try:
            return float(self.cell.replace(",", ".") if is_european else self.cell)
        except ValueError:
            return None


def read_table(path: Path, task: Task | None = None) -> Dataset:
    """Read a CSV file with a header that names the columns path and label, and perhaps split.

    Paths are relative to the file. Several labels are separated by ";" (multilabel). If all labels
    are numbers, with a fraction or of more than 20 values, they are targets (regress). A byte order
    mark, any line ends, and tabs or semicolons instead of commas are fine; with those, numbers may
    have decimal commas.

    Args:
        path: the file, in UTF-8 or, with a byte order mark, UTF-16.
        task: what to learn, where it should not be decided from the labels.

    Raises:
        DataError: no such table, no such columns, no usable row, or numbers among which a few cells
            are none, so that the task cannot be told.
    """
    root = path.parent
    problems: list[Problem] = []
    rows = list(_parts_checked(_rows(path), problems))
    total = len(rows)
    task = task or _task_of(rows, path)
    rows, ignored = _without_duplicates(rows, task, problems)
    photos = [photo for row in rows if (photo := _photo(row, root, task, problems))]
    if not photos:
        example = f" First: {problems[0].name}: {problems[0].reason}." if problems else ""
        raise DataError(
            f"no usable photo in {printable(str(path))} with {total:,} rows.{example} "
            "Expected rows of path,label with paths relative to the file."
        )
    return Dataset(root, task, tuple(photos), labels_of(photos), ignored, tuple(problems))


def _rows(path: Path) -> Iterator[tuple[_Row, str]]:
    """The rows as written, each with its cell for the split."""
    text = _text(path)
    header = text.partition("\n")[0]
    delimiter = next((mark for mark in ",\t;" if mark in header), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip().casefold() for name in next(reader, [])]
        if "path" not in names or "label" not in names:
            raise DataError(
                f"the first line of {printable(str(path))} names the columns "
                f"{printable(', '.join(names)[:200]) or '(none)'}; expected path,label and perhaps "
                "split. Add that line or rename the columns."
            )
        wanted = [names.index(name) if name in names else -1 for name in ("path", "label", "split")]
        for cells in reader:
            picked = [cells[i].strip() if 0 <= i < len(cells) else "" for i in wanted]
            if any(cells):
                yield _Row(reader.line_num, picked[0], picked[1], None, delimiter != ","), picked[2]
    except csv.Error as error:
        raise DataError(
            f"{printable(str(path))} is no CSV file, at line {reader.line_num}: {error}. "
            "Save it as CSV in UTF-8."
        ) from error


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {printable(str(path))}: {error.strerror or error}."
        ) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if re.match(rb"(?:\0[^\0]){4}|(?:[^\0]\0){4}", data):
        raise DataError(
            f"{printable(str(path))} looks like UTF-16 without a byte order mark; expected UTF-8. "
            "Save it as CSV in UTF-8."
        )
    # Surrogates stand for bytes that are not UTF-8, and name such files rightly on disk.
    return data.decode("utf-8-sig", errors="surrogateescape")


def _parts_checked(rows: Iterable[tuple[_Row, str]], problems: list[Problem]) -> Iterator[_Row]:
    for row, cell in rows:
        part = part_named(cell)
        if not row.path:
            problems.append(_problem(row, "has no path"))
        elif cell and part is None:
            problems.append(
                _problem(row, f"its split is {printable(cell)!r}, not train, val or test")
            )
        else:
            yield replace(row, part=part)


def _task_of(rows: Sequence[_Row], path: Path) -> Task:
    if any(";" in row.cell for row in rows):
        return "multilabel"
    filled = [row for row in rows if row.cell.casefold() not in _MISSING_NUMBERS]
    bad = [row for row in filled if row.value is None]
    values = {value for row in filled if (value := row.value) is not None and math.isfinite(value)}
    are_targets = len(values) > _MOST_NUMBERED_CLASSES or any(value % 1 for value in values)
    if not are_targets or len(bad) > _MOST_BAD_NUMBERS * len(filled):
        return "classify"
    if bad:
        others = f" and {len(bad) - 1:,} more" if len(bad) > 1 else ""
        raise DataError(
            f"nearly all labels in {printable(str(path))} are numbers, but row {bad[0].number} "
            f"says {printable(bad[0].cell)[:100]!r}{others}. Correct that, or say what to learn: "
            "--task regress leaves such rows out, --task classify takes each number as a name."
        )
    return "regress"


def _without_duplicates(
    rows: Iterable[_Row], task: Task, problems: list[Problem]
) -> tuple[list[_Row], dict[str, int]]:
    """Drop rows that say the same again; report those that contradict each other."""
    by_path: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_path[os.path.normpath(row.path)].append(row)
    kept: list[_Row] = []
    ignored: Counter[str] = Counter()
    for same in by_path.values():
        facts = {(row.labels if task != "regress" else row.cell, row.part) for row in same}
        if len(facts) == 1:
            kept.append(same[0])
            ignored["duplicate rows"] += len(same) - 1
        elif task == "multilabel" and len({row.part for row in same}) == 1:
            kept.append(replace(same[0], cell=";".join(row.cell for row in same)))
        else:
            lines = " and ".join(str(row.number) for row in same[:5])
            problems += [_problem(row, f"rows {lines} contradict each other") for row in same]
    return kept, {kind: count for kind, count in ignored.items() if count}


def _photo(row: _Row, root: Path, task: Task, problems: list[Problem]) -> Photo | None:
    path = _existing(root, row.path)
    if path is None:
        problems.append(_problem(row, "there is no such file"))
        return None
    name = Path(os.path.relpath(path, root)).as_posix()
    if task == "regress":
        target = row.value
        if target is None or not math.isfinite(target):
            problems.append(
                _problem(row, f"its label {printable(row.cell)!r} is not a finite number")
            )
            return None
        return Photo(path, name, target=target, split=row.part)
    labels = row.labels if task == "multilabel" else (printable(row.cell),)
    if not row.cell and task == "classify":
        problems.append(_problem(row, "has no label"))
        return None
    return Photo(path, name, labels, split=row.part)


def _existing(root: Path, cell: str) -> Path | None:
    """The file that a cell names; backslashes may stand between folders."""
    for spelled in (cell, cell.replace("\\", "/")):
        if os.path.isfile(root / spelled):  # noqa: PTH113 - False, not an error, for any odd name
            return root / spelled
    return None


def _problem(row: _Row, reason: str) -> Problem:
    return Problem(printable(row.path) or "(empty)", f"row {row.number}: {reason}")
