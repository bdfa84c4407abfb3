"""`ninebrains trunk`: add, list, show and remove the backbone networks that brains stand on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninebrains.cli.console import print_json, print_table
from ninebrains.cli.pull import pull

if TYPE_CHECKING:
    from ninebrains.trunks import InputOverrides, TrunkSummary

app = typer.Typer(help="Backbone networks that brains stand on.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_MIB = 1024**2


@app.command("add")
def add(
    model: Annotated[
        str,
        typer.Argument(
            help="An image classifier: an ONNX file, a Keras file (.keras, .h5), or one of Keras's "
            "applications, such as keras:MobileNetV2 or 'keras:MobileNet?alpha=0.25'."
        ),
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option(help="Under which the trunk is kept; that of the model by default."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Pixels: 224, or 240x320 (height x width). Only if the model is open."),
    ] = None,
    fit: Annotated[str, typer.Option(help="crop, pad or stretch photos of another form.")] = "crop",
    mean: Annotated[
        str | None, typer.Option(help="R,G,B in units of 0 to 1, such as 0.485,0.456,0.406.")
    ] = None,
    std: Annotated[
        str | None, typer.Option(help="R,G,B in units of 0 to 1, such as 0.229,0.224,0.225.")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="nchw or nhwc.")] = None,
    color: Annotated[
        str | None, typer.Option(help="Channel order that the model reads: rgb or bgr.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Weights of a Keras application (.h5). Without, Keras downloads them."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace one of that name.")] = False,
    as_json: _Json = False,
) -> None:
    """Turn a classifier into a trunk, check that its features are the same, and keep it."""
    from ninebrains.brains.manifest import name_from
    from ninebrains.trunks import add_trunk, import_trunk, summarise
    from ninebrains.trunks.store import check_own_name

    if name is None:
        word = str(model).removeprefix("keras:").partition("?")[0]
        name = name_from(Path(word).stem)
    check_own_name(name)
    overrides = _overrides(size=size, fit=fit, mean=mean, std=std, layout=layout, color=color)
    add_trunk(import_trunk(model, name, overrides, weights=weights), replace=replace)
    show_summary(summarise(name), as_json=as_json)


app.command("pull")(pull)


@app.command("list")
def list_command(*, as_json: _Json = False) -> None:
    """List the trunks that are kept."""
    from ninebrains.trunks import list_trunks

    summaries = list_trunks()
    if as_json:
        print_json([_plain(summary) for summary in summaries])
        return
    print_table(
        ["name", "features", "input", "family", "MiB", "hash"],
        [_row(summary) for summary in summaries],
    )


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A trunk's name, or the beginning of its hash.")],
    *,
    as_json: _Json = False,
) -> None:
    """Show what is known about a trunk."""
    from ninebrains.trunks import summarise

    show_summary(summarise(name), as_json=as_json)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="A trunk's name, or the beginning of its hash.")],
) -> None:
    """Forget a trunk. Brains made with it still run."""
    from ninebrains.trunks import remove_trunk, summarise

    full_name = summarise(name).name
    freed = remove_trunk(full_name)
    typer.echo(f"removed {full_name}; {freed / _MIB:.1f} MiB freed")


def _overrides(**given: str | None) -> InputOverrides:
    """What was said on the command line, read."""
    from ninebrains.errors import TrunkError
    from ninebrains.trunks import InputOverrides

    if given["fit"] not in ("crop", "pad", "stretch"):
        raise TrunkError(f"--fit is crop, pad or stretch, not {given['fit']!r}")
    return InputOverrides(
        size=_size(given["size"]),
        fit=given["fit"],  # type: ignore[arg-type]
        mean=_triple("--mean", given["mean"]),
        std=_triple("--std", given["std"]),
        layout=given["layout"],  # type: ignore[arg-type]
        color=given["color"],  # type: ignore[arg-type]
    )


def _size(text: str | None) -> tuple[int, int] | None:
    from ninebrains.errors import TrunkError

    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(re.fullmatch("[0-9]{1,9}", side) for side in sides):
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        raise TrunkError(f"--size is like 224 or 240x320 (height x width), not {shown!r}")
    return int(sides[0]), int(sides[-1])


def _triple(option: str, text: str | None) -> tuple[float, float, float] | None:
    from ninebrains.errors import TrunkError

    if text is None:
        return None
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        raise TrunkError(
            f"{option} is three numbers such as 0.485,0.456,0.406 (R,G,B), not {text!r}"
        ) from None
    return red, green, blue


def _plain(summary: TrunkSummary) -> dict[str, Any]:
    record = summary.record.model_dump(mode="json") if summary.record else {}
    return {
        "name": summary.name,
        **record,
        "size_bytes": summary.size_bytes,
        "problem": summary.problem,
        "card": summary.card,
    }


def _row(summary: TrunkSummary) -> list[str]:
    size = f"{summary.size_bytes / _MIB:.1f}"
    record = summary.record
    if record is None or summary.problem:
        return [summary.name, "", "", "DAMAGED", size, record.hash[:12] if record else ""]
    shape = f"{record.contract.height}x{record.contract.width} {record.contract.fit}"
    return [summary.name, str(record.num_features), shape, record.family, size, record.hash[:12]]


def show_summary(summary: TrunkSummary, *, as_json: bool) -> None:
    """Print what is known about a trunk."""
    if as_json:
        print_json(_plain(summary))
        return
    typer.echo(f"{'name':9} {summary.name}")
    if summary.record is not None:
        record, contract = summary.record, summary.record.contract
        typer.echo(f"{'hash':9} {record.hash}")
        typer.echo(f"{'input':9} {contract.height}x{contract.width} pixels, {contract.fit}")
        typer.echo(f"{'family':9} {record.family} (decides how pixels are normalised)")
        typer.echo(f"{'features':9} {record.num_features}")
        typer.echo(f"{'map':9} {record.map_size[0]}x{record.map_size[1]}")
        typer.echo(f"{'source':9} {record.source}")
    typer.echo(f"{'size':9} {summary.size_bytes / _MIB:.1f} MiB")
    if summary.problem:
        typer.echo(f"{'problem':9} {summary.problem}")
    if summary.card:
        typer.echo(f"\n{summary.card.rstrip()}")
