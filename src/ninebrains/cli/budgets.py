"""`ninebrains export --max-ms ...`: what was measured, which was chosen, and its export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ninebrains.exporting import ExportRecipe
    from ninebrains.exporting.choosing import Budget, Choice, Scope


@dataclass(frozen=True)
class Asked:
    """How to tell.

    Attributes:
        plot: page to write, or None.
        force: replace an older export.
        as_json: print one JSON document.
    """

    plot: Path | None
    force: bool
    as_json: bool


def export_within(
    brains: Sequence[str],
    folder: Path,
    budget: Budget,
    scope: Scope,
    recipe: ExportRecipe,
    asked: Asked,
) -> None:
    """Choose under a budget, tell of it, and export the choice."""
    from ninebrains.brains import load
    from ninebrains.cli.console import print_json
    from ninebrains.cli.export import plain_receipts, print_export
    from ninebrains.errors import BrainError
    from ninebrains.exporting.choosing import choose
    from ninebrains.exporting.choosing.finishing import check_both, export_choice
    from ninebrains.exporting.choosing.page import choice_page, plain
    from ninebrains.places import check_page, write_page

    if len(brains) != 1:
        raise BrainError(f"got {len(brains)} brains; a budget is for one. Export them one by one.")
    check_both(folder, force=asked.force)  # before minutes of measuring
    if asked.plot is not None:
        check_page(asked.plot)
    tell = None if asked.as_json else lambda line: typer.echo(line, err=True)
    choice = choose(load(brains[0]), budget, scope=scope, recipe=recipe, tell=tell)
    if asked.plot is not None:
        write_page(asked.plot, choice_page(choice))
    if not asked.as_json:
        _print(choice, asked.plot)
    made = export_choice(choice, folder, source=brains[0], force=asked.force, tell=tell)
    if asked.as_json:
        told = {"folder": str(made.folder), "choice": plain(choice), "notes": list(made.notes)}
        print_json(told | plain_receipts(made.receipts))
    else:
        print_export(made)


def _print(choice: Choice, plot: Path | None) -> None:
    from ninebrains.cli.console import print_table
    from ninebrains.exporting.choosing.wording import HOW, headers, step_up, table, why

    rules, chosen = choice.rules, choice.chosen
    print_table(headers(rules.task), table(rules, choice.candidates, chosen))
    typer.echo(f"\n{HOW}\n")
    typer.echo(why(rules, chosen))
    typer.echo(step_up(rules, chosen, choice.next_step))
    for note in choice.notes:
        typer.echo(f"note: {note}")
    if plot is not None:
        typer.echo(f"wrote {plot}")
    typer.echo("")
