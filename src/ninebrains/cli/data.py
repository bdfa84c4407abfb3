"""`ninebrains data`: look at a data set before, and after, training on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ninebrains.cli.console import print_json, progress

if TYPE_CHECKING:
    from ninebrains.photos import Audit

app = typer.Typer(help="Look a data set over.", no_args_is_help=True)

_Suspect = tuple[str, str, str, float]


@app.callback()
def _data() -> None:
    """Look a data set over."""


@app.command("audit")
def audit_command(
    photos: Annotated[Path, typer.Argument(help="A folder of photos or a CSV file.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with thumbnails to this file.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is no page of ours, too.")
    ] = False,
    brain: Annotated[
        str | None,
        typer.Option(help="A brain trained on these photos: adds the labels that it doubts."),
    ] = None,
) -> None:
    """Report classes, unreadable files, copies, leaks, odd and bad photos. Changes nothing."""
    from ninebrains.photos import (
        audit,
        duplicate_groups,
        examine_all,
        read_dataset,
        split_photos,
    )
    from ninebrains.places import check_page, write_page

    if html is not None:
        check_page(html, overwrite=overwrite)  # before minutes of looking at photos

    suspects = _suspects(brain) if brain else []
    dataset = read_dataset(photos)
    with progress("Looking at photos", quiet=as_json) as report:
        facts, problems = examine_all(dataset.photos, progress=report)
    copies = duplicate_groups(facts)
    split = split_photos(dataset, facts, duplicates=copies) if dataset.task else None
    found = audit(dataset, facts, problems, split, suspects, duplicates=copies)
    if html is not None:
        write_page(html, found.to_html(), overwrite=overwrite)
    _show(found, as_json=as_json, html=html)


def _suspects(brain: str) -> list[_Suspect]:
    """What the training of a brain doubted, the worst first."""
    from ninebrains.brains import load
    from ninebrains.errors import BrainError
    from ninebrains.training.record import load_record

    loaded = load(brain)
    record = load_record(loaded.graph.hash)
    if record is None:
        raise BrainError(
            f"nothing is known here about the training of {brain}: its record stays on the machine "
            "that trained it. Run the audit there, or without --brain."
        )
    names = [label.name for label in loaded.manifest.labels]
    return [
        (
            outcome.path,
            " + ".join(names[index] for index in outcome.given) or "no label",
            names[outcome.suggested],
            outcome.label_quality or 0.0,
        )
        for outcome in record.suspects
        if outcome.suggested is not None
    ]


def _show(found: Audit, *, as_json: bool, html: Path | None) -> None:
    if as_json:
        print_json(found.to_dict())
        return
    text = found.to_text()
    if html is not None:
        text += f"\nThe page with thumbnails is in {html}\n"
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(text, markup=False, end="", soft_wrap=True, highlight=False)
    else:
        typer.echo(text, nl=False)
