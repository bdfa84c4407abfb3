"""`ninebrains bench EXPORT`, and the tables of what was measured on several machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ninebrains.exporting.rows import Row

_HEADERS = (
    "export",
    "photos/s",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "MiB",
    "°C",
    "threads",
    "host",
    "machine",
    "runtime",
    "date",
)
_SUFFIXES = (".csv", ".html", ".md")


def is_export(name: str) -> bool:
    """Whether an argument is the folder of an export."""
    from ninebrains.exporting.facts import FACTS

    return Path(name, FACTS).is_file()


def bench_exports(
    folders: Sequence[Path], runs: int, threads: int | None, save: Path | None, *, as_json: bool
) -> None:
    """Measure exports, print a row each, and add them to a file."""
    from ninebrains.cli.console import progress
    from ninebrains.exporting.benching import bench_exports as measure
    from ninebrains.exporting.rows import append_rows, check_appending

    files = [save or _beside(folder) for folder in folders]
    for file in files:
        check_appending(file)  # before long measuring
    with progress("measuring", quiet=as_json) as show:
        rows = measure(folders, runs, threads, show)
    print_rows(rows, as_json=as_json)
    for file in dict.fromkeys(files):
        given = [row for row, other in zip(rows, files, strict=True) if other == file]
        total = append_rows(file, given)
        if not as_json:
            typer.echo(f"{file}: {total:,} row{'s' if total != 1 else ''} now")


def _beside(folder: Path) -> Path:
    """Beside the folder and not in it, whose files are those that its receipt is about."""
    whole = folder.resolve()
    name = whole.with_name(f"{whole.name}-bench.csv")
    return (
        name if folder.is_absolute() or folder.name in ("", "..") else folder.with_name(name.name)
    )


def print_rows(rows: Sequence[Row], *, as_json: bool) -> None:
    """Rows as a table, or all that they hold as JSON."""
    from ninebrains.cli.console import print_json, print_table

    if as_json:
        print_json({"rows": [row.model_dump(mode="json") for row in rows]})
    else:
        print_table(_HEADERS, [tuple(_cells(row)) for row in rows], is_path_first=True)


def _cells(row: Row) -> Iterator[str]:
    yield f"{row.name}@{row.version} {row.target} {row.precision}"
    yield f"{row.fps:,.1f}"
    yield from (f"{ms:.2f}" for ms in (row.p50_ms, row.p90_ms, row.p99_ms))
    yield "-" if row.memory_mib is None else f"{row.memory_mib:.0f}"
    yield "-" if row.celsius is None else f"{row.celsius:.0f}"
    yield "-" if row.threads is None else str(row.threads)
    yield row.host
    cores = "" if row.cores is None else f", {row.cores} core{'s' if row.cores != 1 else ''}"
    yield f"{row.system} {row.machine}{cores}"
    yield row.runtime
    yield row.date


def check_table(path: Path, *, overwrite: bool) -> None:
    """Make sure that a table can be written there, before anything else is done.

    Raises:
        OutputError: the suffix is none of ours, or a file is there that must not be lost.
    """
    from ninebrains.errors import OutputError
    from ninebrains.places import check_page

    if path.suffix.lower() not in _SUFFIXES:
        raise OutputError(f"{path} ends in none of {', '.join(_SUFFIXES)}; expected one of them")
    if path.suffix.lower() == ".html":
        check_page(path, overwrite=overwrite)
    elif path.exists() and not (overwrite and path.is_file()):
        raise OutputError(f"{path} is there; choose another name, or replace it with --overwrite")


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, as a page or as Markdown, by the suffix."""
    from ninebrains.exporting.rows import to_csv
    from ninebrains.places import write_bytes
    from ninebrains.reporting.pages import render_page

    suffix = path.suffix.lower()
    if suffix == ".csv":
        text = to_csv(rows)
    elif suffix == ".md":
        text = _markdown(rows)
    else:
        text = render_page(
            "bench.html.j2",
            "ninebrains.exporting",
            headers=_HEADERS,
            rows=[tuple(_cells(row)) for row in rows],
            machines=len({(row.host, row.machine, row.system) for row in rows}),
        )
    write_bytes(path, text.encode())


def _markdown(rows: Sequence[Row]) -> str:
    """A table in Markdown, in which no name starts a link, a tag or another cell."""
    lines = [_HEADERS, tuple("---" for _ in _HEADERS)]
    lines += [tuple(_quoted(cell) for cell in _cells(row)) for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _quoted(cell: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>|!#" else letter for letter in cell)
