"""Progress, tables and JSON: rich on a terminal, plain text elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

LONGEST_NAME = 32
_MOST_LEFT_OUT = 20


@contextmanager
def progress(
    title: str, *, quiet: bool = False, in_bytes: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Give a function to call with (done, total): a bar on a terminal, nothing elsewhere.

    A total of 0 is one that nobody knows. Numbers of bytes are shown as sizes, with the speed.
    Written to standard error, so that standard output stays for results.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    counts = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), *counts)
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever json can write
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=True))


def tell_left_out(problems: Mapping[str, str]) -> None:
    """Say on standard error which photos were left out and why, the first of them by name."""
    for name, why in sorted(problems.items())[:_MOST_LEFT_OUT]:
        typer.echo(f"left out: {name}: {why}", err=True)
    if len(problems) > _MOST_LEFT_OUT:
        typer.echo(f"left out: {len(problems) - _MOST_LEFT_OUT:,} more", err=True)


def brief(name: str) -> str:
    """A name as tables show it: without its middle where it is very long."""
    if len(name) <= LONGEST_NAME:
        return name  # saves the import, as almost always
    from ninebrains.photos import shortened

    return shortened(name, LONGEST_NAME)


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, is_path_first: bool = False
) -> None:
    """Print a table: with rules on a terminal, as aligned columns elsewhere.

    What consists of numbers is set flush right. Very long names in the first column lose their
    middle, unless it holds paths, which people copy.
    """
    if not is_path_first:
        rows = [(brief(row[0]), *row[1:]) for row in rows]
    flush_right = [
        bool(rows) and all(_is_number(row[place]) for row in rows) for place in range(len(headers))
    ]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False)
        for header, right in zip(headers, flush_right, strict=True):
            table.add_column(header, justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[place]) for row in (headers, *rows)) for place in range(len(headers))]
    for row in (headers, *rows):
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, flush_right, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())


def _is_number(cell: str) -> bool:
    return cell.strip("-+%. ").replace(".", "").replace(",", "").isdigit() or cell in ("", "-")
