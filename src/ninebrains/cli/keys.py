"""`ninebrains keys`: who may ask a host, correct it, and change it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from ninebrains.cli.hosts import needing_serving, settings_of, stored_by, to_be_stored_by

if TYPE_CHECKING:
    from ninebrains.serving.keys import KeyEntry, Keys

app = typer.Typer(no_args_is_help=True, help="Add, list and remove API keys of a host.")

_Repository = Annotated[
    Optional[Path], typer.Option(help="The folder of brains that the host serves.")
]
_State = Annotated[
    Optional[Path], typer.Option(help="Folder for what outlives the host, as given to `serve`.")
]
_Config = Annotated[Optional[Path], typer.Option(help="TOML file, as given to `serve`.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Name = Annotated[str, typer.Argument(help="Name of the key; it appears in logs.")]


@app.command()
def add(
    name: _Name,
    scope: Annotated[
        Optional[list[str]],
        typer.Option(help="infer, feedback or admin. May be repeated; default: the first two."),
    ] = None,
    requests_per_second: Annotated[
        Optional[float], typer.Option(help="How many requests a second, on average.")
    ] = None,
    at_once: Annotated[Optional[int], typer.Option(help="How many requests at a time.")] = None,
    repository: _Repository = None,
    state: _State = None,
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Make a key and print it, this once. A running host knows it at once."""
    from ninebrains.cli.console import print_json

    with _keys(repository, state, config, is_new=True) as (keys, file):
        scopes = scope or ["infer", "feedback"]
        secret = keys.add(
            name,
            scopes,  # type: ignore[arg-type] # what is no scope is told by name
            requests_per_second=requests_per_second,
            at_once=at_once,
        )
    if as_json:
        print_json({"name": name, "key": secret, "scopes": scopes, "stored_in": str(file)})
        return
    typer.echo(secret)
    typer.echo(
        f"Keep it now: only its hash is stored, in {file}, and nobody can show it again.", err=True
    )


@app.command("list")
def list_command(
    repository: _Repository = None,
    state: _State = None,
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Show all keys by name, with what they allow."""
    from dataclasses import asdict

    from ninebrains.cli.console import print_json

    with _keys(repository, state, config) as (keys, file):
        entries = keys.all()
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    for entry in entries:
        typer.echo(f"{entry.name:<24} {','.join(entry.scopes):<22} {_limits(entry)}".rstrip())
    if not entries:
        typer.echo(f"There are no keys in {file}; `ninebrains keys add NAME` makes one.", err=True)


@app.command()
def remove(
    name: _Name,
    repository: _Repository = None,
    state: _State = None,
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Forget a key. A running host refuses it at once."""
    from ninebrains.cli.console import print_json

    with _keys(repository, state, config) as (keys, file):
        keys.remove(name)
    if as_json:
        print_json({"removed": name})
        return
    typer.echo(f"removed {name} from {file}")


def _limits(entry: KeyEntry) -> str:
    rate, at_once = entry.requests_per_second, entry.at_once
    told = [
        *([] if rate is None else [f"{rate:g} a second"]),
        *([] if at_once is None else [f"{at_once} at once"]),
        *(["from the settings"] if entry.source == "settings" else []),
    ]
    return ", ".join(told)


@contextmanager
def _keys(
    repository: Path | None, state: Path | None, config: Path | None, *, is_new: bool = False
) -> Iterator[tuple[Keys, Path]]:
    """The keys of the host that these settings would start, and the file where they are stored.

    Raises:
        SettingsError: the settings name no host.
        OutputError: that host has stored nothing yet, and `is_new` does not allow for that.
    """
    with needing_serving():
        from ninebrains.serving.keys import Keys
        from ninebrains.serving.ledger import Ledger

        settings = settings_of(repository, state, config, is_new=is_new)
    # A file with keys is enough to list them; the host itself may be yet to come.
    file = (to_be_stored_by if is_new or settings.keys else stored_by)(settings)
    ledger = Ledger(file)
    try:
        yield Keys(ledger, settings), file
    finally:
        ledger.close()
