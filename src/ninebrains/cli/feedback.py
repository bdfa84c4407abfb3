"""`ninebrains feedback`: what people said about a host's answers, and the photos kept with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ninebrains.cli.console import print_json, print_table
from ninebrains.cli.hosts import needing_serving, settings_of, stored_by

if TYPE_CHECKING:
    from ninebrains.serving.feedback import Feedback
    from ninebrains.serving.ledger import Ledger

app = typer.Typer(
    help="What people said about a host's answers, and the photos kept with it.",
    no_args_is_help=True,
)

_Repository = Annotated[
    Path | None, typer.Option(help="The folder that was served; the state is in it.")
]
_State = Annotated[
    Path | None, typer.Option(help="The host's state folder, where it is elsewhere.")
]
_Config = Annotated[Path | None, typer.Option(help="TOML file, as given to `serve`.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    *,
    repository: _Repository = None,
    state: _State = None,
    config: _Config = None,
    brain: Annotated[str | None, typer.Option(help="Only photos that this one answered.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Only photos since then.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Also the photos that nobody has named.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Make a data set for `ninebrains train` of photos whose label people confirmed or corrected.

    It may run beside the host.
    """
    with _feedback(repository, state, config) as (ledger, feedback):
        from ninebrains.photos import printable
        from ninebrains.serving.feedback import LEAST, export

        found = export(
            ledger,
            feedback.photos,
            out,
            name=brain,
            since=since.timestamp() if since else 0.0,
            unlabelled=unlabelled,
        )
    if as_json:
        print_json(
            {
                "folder": str(found.folder),
                "labels": found.labels,
                "too_few": found.too_few,
                "unlabelled": found.unlabelled,
                "none_of_these": found.none,
                "ties": found.ties,
                "missing": found.missing,
            }
        )
        return
    print_table(["label", "photos"], [[name, str(num)] for name, num in found.labels.items()])
    if found.too_few:
        shown = ", ".join(f"{printable(name)} ({num})" for name, num in found.too_few.items())
        typer.echo(
            f"in too_few/, as training needs {LEAST} photos of a label or more: {shown}", err=True
        )
    for count, what in (
        (found.unlabelled, "photos without a label" + ("" if unlabelled else " were left out")),
        (found.none, "photos show none of the labels, people say"),
        (len(found.ties), "photos were left out: as many people say one thing as another"),
        (found.missing, "photos were gone"),
    ):
        if count:
            typer.echo(f"{count} {what}", err=True)
    if len(found.labels) > 1:
        typer.echo(f"next: ninebrains train {out / 'photos'}", err=True)


@app.command("show")
def show(
    *,
    repository: _Repository = None,
    state: _State = None,
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Show how much feedback and how many photos there are."""
    with _feedback(repository, state, config) as (_, feedback):
        found = feedback.stats()
        versions = feedback.counts()
    if as_json:
        print_json({name: value for name, value in found.items() if name != "photos_dropped"})
        return
    print_table(
        ["brain", "feedback", "confirmed", "new labels"],
        [
            [
                f"{one.name}@{one.number}",
                str(one.feedback),
                f"{one.confirmed / one.feedback:.1%}",
                str(one.new_labels),
            ]
            for one in versions
        ],
    )
    for reason, what in (
        ("low_confidence", "kept: the answer was unsure"),
        ("unfamiliar", "kept: unfamiliar"),
        ("disputed", "kept: somebody says otherwise"),
        ("waiting", "waiting for that"),
    ):
        typer.echo(f"{found[f'photos_{reason}']} photos {what}")


@app.command("forget")
def forget(
    user: Annotated[str, typer.Argument(help="The key of a user, as requests name it.")],
    *,
    repository: _Repository = None,
    state: _State = None,
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Delete the photos of a user and all feedback from or for them, also beside a running host."""
    with _feedback(repository, state, config) as (ledger, feedback):
        found = feedback.forget(user)
    if as_json:
        print_json(dict(found))
        return
    typer.echo(
        f"deleted {found['photos']} photos and {found['feedback']} pieces of feedback from "
        f"{ledger.path.parent}"
    )


@contextmanager
def _feedback(
    repository: Path | None, state: Path | None, config: Path | None
) -> Iterator[tuple[Ledger, Feedback]]:
    """What the host that these settings would start has stored.

    Raises:
        OutputError: no host has stored anything there.
    """
    with needing_serving():
        from ninebrains.serving.feedback import Feedback
        from ninebrains.serving.ledger import Ledger
        from ninebrains.serving.predictions import Seal, secret_of

        settings = settings_of(repository, state, config)
    file = stored_by(settings)
    ledger = Ledger(file)
    try:
        seal = Seal(secret_of(ledger))
        yield ledger, Feedback(ledger, seal, file.parent / "photos", settings.feedback)
    finally:
        ledger.close()
