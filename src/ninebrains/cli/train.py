"""`ninebrains train`: photos in, tested brain out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from ninebrains.errors import DataError, OutputError

if TYPE_CHECKING:
    from ninebrains.training.training import Trained

_Task = Literal["classify", "multilabel", "regress"]


def train(
    photos: Annotated[Path, typer.Argument(help="Folder with a folder per label, or a CSV file.")],
    trunk: Annotated[
        str, typer.Option(help="Name of the trunk; see `ninebrains trunk list`.")
    ] = "octo",
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="Brain to write; default NAME.brain.")
    ] = None,
    name: Annotated[Optional[str], typer.Option(help="Name of the brain.")] = None,
    task: Annotated[
        Optional[_Task], typer.Option(help="What to learn; by default what the data looks like.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same brain.")] = 0,
    test_share: Annotated[float, typer.Option(help="Share of photos held out for testing.")] = 0.2,
    balance: Annotated[
        Optional[bool],
        typer.Option(help="Same say for every label; by default above an imbalance of 3:1."),
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Also learn from mirrored photos, if that helps.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older brain.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Train a brain from labelled photos and measure it on photos that it has not seen."""
    from ninebrains.brains.manifest import name_from
    from ninebrains.cli.console import progress
    from ninebrains.training.recipe import Recipe
    from ninebrains.training.training import fit

    name = name or name_from(out.stem if out else photos.resolve().stem)
    out = out or Path(f"{name}.brain")
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists. Choose another name with -o, or add --overwrite.")
    try:
        recipe = Recipe(seed=seed, test_share=test_share, balanced=balance, flip=flip)
    except ValueError as error:
        raise DataError(str(error)) from error
    with progress("reading photos", quiet=as_json) as report:
        trained = fit(photos, trunk=trunk, task=task, recipe=recipe, name=name, progress=report)
    trained.brain.save(out, overwrite=overwrite)
    if as_json:
        _print_json(trained, out)
    else:
        print_trained(trained, out)


def _print_json(trained: Trained, out: Path) -> None:
    from ninebrains.cli.console import print_json

    print_json(
        {
            "brain": str(out),
            "hash": trained.brain.hash,
            "manifest": trained.brain.manifest.model_dump(mode="json"),
            "notes": list(trained.notes),
            "seconds": dict(trained.seconds),
        }
    )


def print_trained(trained: Trained, out: Path) -> None:
    """Say what was learnt, how good it is and what to type next."""
    from ninebrains.cli.measures import print_metrics

    brain = trained.brain
    training, metrics = brain.manifest.training, brain.metrics
    assert training is not None
    assert metrics is not None
    typer.echo(
        f"{brain.name}: learnt from {training.num_train} photos in "
        f"{sum(trained.seconds.values()):.1f} s"
    )
    print_metrics(metrics, list(brain.labels))
    if metrics.num_suspected_label_errors:
        typer.echo(
            f"\n{metrics.num_suspected_label_errors} photos may have the wrong label; "
            f"`ninebrains report {shlex.quote(str(out))}` shows them."
        )
    for note in trained.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"\nwrote {out}. Next: ninebrains report {shlex.quote(str(out))} --open")
