"""`ninebrains report`: one self-contained page about a brain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    brain: Annotated[str, typer.Argument(help="Brain file, folder, or name in the store.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Page to write.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    photos: Annotated[
        Path | None, typer.Option(help="Labelled photos to measure the brain on and show.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write one self-contained page about a brain."""
