"""`ninebrains trunk pull`: a stronger trunk from the public model hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ninebrains.cli.console import print_json, print_table, progress

if TYPE_CHECKING:
    from ninebrains.trunks import ListedTrunk


def pull(
    name: Annotated[str | None, typer.Argument(help="One of those that --list shows.")] = None,
    *,
    list_them: Annotated[
        bool, typer.Option("--list", help="Show what can be pulled. Needs no network.")
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="The hub's address, instead of HF_ENDPOINT.")
    ] = None,
    keep_as: Annotated[str | None, typer.Option("--as", help="Keep it under another name.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Pull again, and replace one of that name.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download a trunk by name, check it and keep it. The only command that uses the network."""
    from ninebrains.cli.trunk import show_summary
    from ninebrains.errors import TrunkError
    from ninebrains.trunks import pull_trunk

    if list_them:
        _show_list(as_json=as_json)
        return
    if name is None:
        raise TrunkError(
            "which trunk? `ninebrains trunk pull --list` shows those there are; then "
            "`ninebrains trunk pull NAME`."
        )
    with progress(f"pulling {name}", quiet=as_json, in_bytes=True) as report:
        summary = pull_trunk(
            name, name=keep_as, endpoint=endpoint, replace=replace, progress=report
        )
    show_summary(summary, as_json=as_json)


def _show_list(*, as_json: bool) -> None:
    from ninebrains.trunks import CATALOG

    if as_json:
        print_json([_plain(entry) for entry in CATALOG])
        return
    rows = [
        [
            entry.name,
            f"{entry.megabytes:.0f}",
            entry.speed,
            f"{entry.accuracy:.1f}",
            entry.accuracy_kind,
            entry.licence,
            entry.take_it,
        ]
        for entry in CATALOG
    ]
    print_table(["name", "MB", "speed", "ImageNet %", "measured", "licence", "take it for"], rows)


def _plain(entry: ListedTrunk) -> dict[str, object]:
    from dataclasses import asdict

    input_size = list(entry.overrides.size) if entry.overrides.size else None
    plain = {key: value for key, value in asdict(entry).items() if key != "overrides"}
    return {**plain, "input_size": input_size, "is_pinned": entry.is_pinned}
