"""Rows of `ninebrains bench`: how fast an export was on a machine, and tables of many of them.

A row comes from here or from the `run.py` of an export on a machine without Ninebrains. It is
written for spreadsheets too, so no cell may be taken for a formula there.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from ninebrains.brains.fields import Text
from ninebrains.brains.manifest import Part
from ninebrains.errors import DataError, OutputError
from ninebrains.photos import printable
from ninebrains.places import write_bytes

_LARGEST_FILE = 64 * 1024 * 1024
_FORMULA = ("=", "+", "-", "@", "'")
_Positive = Annotated[float, Field(gt=0)]
_Some = Annotated[int, Field(ge=1, le=1 << 31)]


class Row(Part):
    """One measurement: which export, how fast, on which machine, with what.

    Milliseconds are percentiles of a photo in the network, one photo at a time. `threads` is what
    was asked for, None the runtime's own choice. Memory is the most that the process held, Python
    and the runtime included; `celsius` the hottest that the machine tells of.
    """

    name: Text
    version: Text
    target: Text
    precision: Text
    runs: _Some
    threads: _Some | None = None
    fps: _Positive
    p50_ms: _Positive
    p90_ms: _Positive
    p99_ms: _Positive
    memory_mib: _Positive | None = None
    celsius: float | None = None
    host: Text
    machine: Text
    cores: _Some | None = None
    system: Text
    python: Text = ""
    runtime: Text
    date: Text = ""


COLUMNS = tuple(Row.model_fields)
_TEXTS = tuple(name for name, field in Row.model_fields.items() if field.annotation is str)


def check_row(values: object, where: str) -> Row:
    """A row from what a file or a process said.

    Raises:
        DataError: it is none.
    """
    try:
        return Row.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise DataError(
            f"{where} is no row of `ninebrains bench`: {place}: {first['msg']}. Expected what "
            "`ninebrains bench EXPORT` saved or `python run.py --bench` printed."
        ) from error


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows in a CSV of `ninebrains bench`, or in a file of JSON (`.json`, `.jsonl`).

    Raises:
        DataError: the file is something else, or damaged.
    """
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise DataError(f"{shown} cannot be read: {error.strerror or error}") from error
    if len(data) > _LARGEST_FILE:
        raise DataError(f"{shown} is larger than {_LARGEST_FILE:,} bytes; that is no table of ours")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{shown} is no text in UTF-8, so no table of `ninebrains bench`"
        ) from error
    read = _from_json if path.suffix.lower() in (".json", ".jsonl") else _from_csv
    return tuple(read(text, shown))


def _from_csv(text: str, shown: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if sorted(header) != sorted(COLUMNS):
            raise DataError(
                f"{shown} is no table of `ninebrains bench`: its first line is "
                f"{printable(','.join(header))[:200]!r}; expected {','.join(COLUMNS)}"
            )
        for cells in reader:
            where = f"line {reader.line_num} of {shown}"
            if len(cells) != len(header):
                raise DataError(f"{where} has {len(cells)} cells; expected {len(header)}")
            yield check_row(dict(_values(header, cells)), where)
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} of {shown} is damaged: {error}") from error


def _values(header: Sequence[str], cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name, cell in zip(header, cells, strict=True):
        if name in _TEXTS:
            yield name, cell.removeprefix("'")
        elif cell:
            yield name, cell


def _from_json(text: str, shown: str) -> Iterator[Row]:
    """One document with a row, a list of rows or `rows`; or a row a line."""
    try:
        try:
            found = json.loads(text)
        except ValueError:
            found = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError) as error:
        raise DataError(f"{shown} is no JSON, nor a line of JSON a row: {error}") from error
    if isinstance(found, dict) and "rows" in found:
        found = found["rows"]
    for number, values in enumerate(found if isinstance(found, list) else [found], 1):
        yield check_row(values, f"row {number} of {shown}")


def to_csv(rows: Iterable[Row]) -> str:
    """The rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = row.model_dump()
        writer.writerow([_cell(name, values[name]) for name in COLUMNS])
    return text.getvalue()


def _cell(name: str, value: object) -> object:
    """A cell that no spreadsheet takes for a formula, and that is read back as it was."""
    if name in _TEXTS and str(value).startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def check_appending(path: Path) -> tuple[Row, ...]:
    """The rows in a file that others are to be added to; none where there is no file yet.

    Raises:
        OutputError: another file is there.
    """
    if not path.exists():
        return ()
    if not path.is_file():
        raise OutputError(f"{printable(str(path))} is there and is no file; save elsewhere")
    try:
        return read_rows(path) if path.stat().st_size else ()
    except DataError as error:
        raise OutputError(
            f"{str(error).rstrip('.')}. It is left alone: save elsewhere with --save."
        ) from error


def append_rows(path: Path, rows: Sequence[Row]) -> int:
    """Add rows to a CSV, which is made if it is not there.

    Returns:
        How many rows it has now.

    Raises:
        OutputError: another file is there, or it cannot be written.
    """
    older = check_appending(path)
    write_bytes(path, to_csv([*older, *rows]).encode())
    return len(older) + len(rows)


def merged(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows without repeats: by export, and the fastest machine first."""
    return tuple(
        sorted(
            dict.fromkeys(rows),
            key=lambda row: (row.name, row.version, row.target, row.precision, -row.fps),
        )
    )
