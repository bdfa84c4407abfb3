"""`ninebrains export`: a brain for another runtime, with the proof that it answers the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from ninebrains.cli.groups import WithDefault

if TYPE_CHECKING:
    from ninebrains.exporting import Export, Receipt
    from ninebrains.exporting.target import Precision

app = typer.Typer(
    cls=WithDefault,
    help="Export a brain to another runtime, with the proof that it answers the same.",
    no_args_is_help=True,
)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(WithDefault.DEFAULT)
def export(
    brains: Annotated[
        list[str],
        typer.Argument(
            help="Brain file, folder, or name in the store; several for one web page.",
            metavar="BRAIN...",
        ),
    ],
    to: Annotated[
        Optional[str],
        typer.Option(help="onnx, litert, saved_model, openvino, coreml or web."),
    ] = None,
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="Folder; default NAME-TARGET.")
    ] = None,
    precision: Annotated[
        Optional[str],
        typer.Option(help="fp32, fp16, int8-weights or int8; the target's usual one by default."),
    ] = None,
    photos: Annotated[
        Optional[Path],
        typer.Option(help="Prove it on these photos, instead of those held out in training."),
    ] = None,
    calibrate: Annotated[
        Optional[Path],
        typer.Option(help="Photos to calibrate int8 on, instead of the training photos."),
    ] = None,
    opset: Annotated[Optional[int], typer.Option(help="ONNX operator set.")] = None,
    least_agreement: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Same answers asked for, in floats.")
    ] = 0.99,
    max_drop: Annotated[
        Optional[str],
        typer.Option(
            help="The most accuracy that 8 bits may lose, such as 1% or 0.01; 1% by default. "
            "Under a budget also what may be lost in all."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse when the photos are too few to tell.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Which photos are calibrated on.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace an older export.")] = False,
    max_ms: Annotated[
        Optional[float],
        typer.Option(help="Choose trunk, size and precision: at most so many ms a photo here."),
    ] = None,
    max_mb: Annotated[
        Optional[float], typer.Option(help="Likewise: at most so many megabytes.")
    ] = None,
    runtime: Annotated[
        Optional[str],
        typer.Option(help="What to choose for: onnx (default), litert or openvino."),
    ] = None,
    trunk: Annotated[
        Optional[list[str]],
        typer.Option(help="Choose among these trunks only; all that are kept by default."),
    ] = None,
    plot: Annotated[
        Optional[Path], typer.Option(help="Write what was measured to an HTML page.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Export a brain to another runtime, and prove on photos that it answers the same.

    With --max-ms, --max-mb, --runtime or --trunk it is measured which trunk, size of photos and
    precision is the best that fits, on the photos that the brain learnt from; that is exported.
    """
    from ninebrains.brains.manifest import name_from
    from ninebrains.cli.console import print_json
    from ninebrains.errors import ExportError
    from ninebrains.exporting import ExportRecipe, Gate
    from ninebrains.exporting import export as make

    lost = share(max_drop or "1%", "--max-drop")
    gate = Gate(agreement=least_agreement, lost=lost, is_strict=strict)
    stem = name_from(Path(brains[0]).name.removesuffix(".brain").replace("@", "-"))
    if max_ms is not None or max_mb is not None or runtime or trunk:
        from ninebrains.cli.budgets import Asked, export_within
        from ninebrains.exporting.choosing import Budget, Scope

        if to is not None and runtime not in (None, to):
            raise ExportError(f"--to {to} and --runtime {runtime} disagree; give one of them")
        chosen_for = runtime or to or "onnx"
        export_within(
            brains,
            out or Path(f"{stem}-{chosen_for}"),
            Budget(max_ms, max_mb, None if max_drop is None else lost),
            Scope(chosen_for, tuple(trunk or ()), _precision(precision), photos),
            ExportRecipe(calibrate=calibrate, opset=opset, gate=gate, seed=seed),
            Asked(plot=plot, force=force, as_json=as_json),
        )
        return
    if plot is not None:
        raise ExportError(
            "--plot draws what was measured to choose from, and nothing is to be chosen; add "
            "--max-ms, --max-mb, --runtime or --trunk"
        )
    if to is None:
        raise ExportError(
            "say where to with --to onnx, litert, saved_model, openvino, coreml or web; or give a "
            "budget with --max-ms or --max-mb"
        )
    made = make(
        brains,
        to,
        out or Path(f"{stem}-{to}"),
        precision=_precision(precision),
        photos=photos,
        recipe=ExportRecipe(calibrate=calibrate, opset=opset, gate=gate, seed=seed),
        force=force,
        tell=None if as_json else lambda line: typer.echo(line, err=True),
    )
    if as_json:
        print_json(
            {"folder": str(made.folder), "notes": list(made.notes), **plain_receipts(made.receipts)}
        )
    else:
        print_export(made)


@app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(help="An export's folder.")],
    photos: Annotated[
        Optional[Path],
        typer.Argument(help="Compare it with its brain again on these photos."),
    ] = None,
    brain: Annotated[
        Optional[str], typer.Option(help="What it was made from, if it is not found by itself.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Check that an export is what its receipt is about, and that it still answers the same."""
    from ninebrains.brains import load
    from ninebrains.cli.console import print_json
    from ninebrains.errors import ExportError
    from ninebrains.exporting import verify as check

    found = check(folder, photos, brain=load(brain) if brain else None)
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "stored": plain_receipts(found.stored),
                **plain_receipts(found.again),
            }
        )
    else:
        typer.echo(f"{folder}: all {len(found.stored[0].files)} files are as the receipt says")
        for receipt in found.again or found.stored:
            _print_summary(receipt)
    apart = [one for one in found.again if one.verdict == "differs"]
    if apart:
        raise ExportError(f"{folder} does not answer as its brain does: {apart[0].reasons[0]}")


@app.command("serve")
def serve(
    folder: Annotated[Path, typer.Argument(help="A folder exported with --to web.")],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
) -> None:
    """Serve an exported page, to try it; any host of static files will do for others."""
    from ninebrains.exporting.facts import read_facts
    from ninebrains.exporting.web.serving import serve as start

    read_facts(folder)
    start(folder, host, port, tell=typer.echo)


def share(text: str, option: str) -> float:
    """A share from `1%` or `0.01`.

    Raises:
        ExportError: it is neither.
    """
    from ninebrains.errors import ExportError

    try:
        value = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise ExportError(f"{option} is a share such as 1% or 0.01, not {text!r}")
    return value


def _precision(text: str | None) -> Precision | None:
    from ninebrains.errors import ExportError
    from ninebrains.exporting.target import PRECISIONS

    for precision in PRECISIONS:
        if text == precision:
            return precision
    if text is None:
        return None
    raise ExportError(f"--precision is one of {', '.join(PRECISIONS)}, not {text!r}")


def plain_receipts(receipts: tuple[Receipt, ...]) -> dict[str, object]:
    """For programs."""
    return {"receipts": [one.model_dump(mode="json", exclude={"files"}) for one in receipts]}


def print_export(made: Export) -> None:
    """What was made, for people."""
    for receipt in made.receipts:
        _print_summary(receipt)
    for note in made.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"\nwrote {made.folder}; {made.folder / 'README.md'} says how to run it")


def _print_summary(receipt: Receipt) -> None:
    from ninebrains.exporting.describing import summary

    typer.echo(f"{receipt.brain.name} for {receipt.target} in {receipt.precision}")
    for line in summary(receipt):
        typer.echo(f"  {line}")
    agreement = receipt.agreement
    for one in agreement.disagreements[:5] if agreement else ():
        typer.echo(
            f"  {one.photo}: {one.brain} ({one.brain_score:.2f}) became {one.export} "
            f"({one.export_score:.2f})"
        )
