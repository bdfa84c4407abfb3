"""`ninebrains evaluate`: how good is a brain on other labelled photos?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    brain: Annotated[str, typer.Argument(help="Brain file, folder, or name in the store.")],
    photos: Annotated[Path, typer.Argument(help="Labelled photos: a folder per label, or a CSV.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure a brain on labelled photos. Photos that it was trained on make it look better."""
    from ninebrains.brains import load
    from ninebrains.cli.console import print_json, progress
    from ninebrains.cli.measures import print_metrics
    from ninebrains.photos import read_dataset
    from ninebrains.training.evaluating import evaluate as measure

    loaded = load(brain)
    dataset = read_dataset(photos, loaded.task)
    with progress("running the brain", quiet=as_json) as report:
        found = measure(loaded, dataset, progress=report)
    if as_json:
        print_json(
            {
                "brain": f"{loaded.name}@{loaded.version}",
                "metrics": found.metrics.model_dump(mode="json"),
                "problems": [
                    {"photo": item.name, "reason": item.reason} for item in found.problems
                ],
            }
        )
        return
    print_metrics(found.metrics, list(loaded.labels))
    for problem in found.problems[:20]:
        typer.echo(f"left out: {problem.name}: {problem.reason}", err=True)
    if len(found.problems) > 20:
        typer.echo(f"… and {len(found.problems) - 20} more left out (--json lists all)", err=True)
