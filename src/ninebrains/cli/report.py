"""`ninebrains report`: one page that shows how good a brain is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from ninebrains.brains import Brain
    from ninebrains.training.evaluating import Evaluation


def report(
    brain: Annotated[str, typer.Argument(help="Brain file, folder, or name in the store.")],
    out: Annotated[
        Optional[Path],
        typer.Option("--out", "-o", help="Page to write; default NAME.report.html by the brain."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    photos: Annotated[
        Optional[Path],
        typer.Option(help="Measure on these labelled photos instead: folder per label, or CSV."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is no page of ours, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a page with quality, errors, photos with heat maps, and origin. It needs no network."""
    from ninebrains.brains import load
    from ninebrains.cli.console import print_json
    from ninebrains.places import check_page
    from ninebrains.reporting import write_report
    from ninebrains.training.record import load_record

    loaded = load(brain)
    target = out or _default_path(brain, loaded.name)
    check_page(target, overwrite=overwrite)  # before minutes of looking at photos
    evaluation = _evaluate(loaded, photos, quiet=as_json) if photos else None
    record = evaluation.record if evaluation else load_record(loaded.graph.hash)
    metrics = evaluation.metrics if evaluation else None
    write_report(loaded, target, record, metrics=metrics, overwrite=overwrite)
    if as_json:
        problems = evaluation.problems if evaluation else ()
        print_json(
            {
                "brain": f"{loaded.name}@{loaded.version}",
                "report": str(target),
                "has_photos": record is not None,
                "problems": [{"photo": item.name, "reason": item.reason} for item in problems],
            }
        )
    else:
        typer.echo(f"wrote {target}")
        if record is None:
            typer.echo(
                "note: the photos are known only where it was trained; "
                f"`ninebrains report {brain} --photos FOLDER` shows others."
            )
    if open_page:
        import webbrowser

        webbrowser.open(target.resolve().as_uri())


def _default_path(brain: str, name: str) -> Path:
    """Beside a brain that is a file or folder; in the present folder for one from the store."""
    path = Path(brain)
    if not path.exists():
        return Path(f"{name}.report.html")
    stem = path.name.removesuffix(".brain") or name
    return path.parent / f"{stem}.report.html"


def _evaluate(brain: Brain, photos: Path, *, quiet: bool) -> Evaluation:
    from ninebrains.cli.console import progress
    from ninebrains.photos import read_dataset
    from ninebrains.training.evaluating import evaluate

    dataset = read_dataset(photos, brain.task)
    with progress("running the brain", quiet=quiet) as update:
        return evaluate(brain, dataset, progress=update)
