"""`ninebrains tune`: which way of running brains is the fastest here, and still right?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ninebrains.images import Contract, Pixels
    from ninebrains.mind.tuning.choices import Choice
    from ninebrains.mind.tuning.stems import Stem
    from ninebrains.mind.tuning.trials import Trial, Tuning
    from ninebrains.photos import Photo

_HEADERS = (
    "backend",
    "precision",
    "threads",
    "batch",
    "ms a photo",
    "times as fast",
    "cosine",
    "same top-1",
    "accepted",
)


def tune(
    brains: Annotated[
        list[str], typer.Argument(help="Brain files, folders, names in the store, or ONNX models.")
    ],
    photos: Annotated[
        list[Path],
        typer.Option(
            help="Photos or a folder of photos as the brains will see them, to compare answers on; "
            "200 or more. May be given several times."
        ),
    ],
    limit: Annotated[int, typer.Option(min=1, help="Take at most so many photos, evenly.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure how brains run fastest on this machine, and remember it for every mind.

    Tries each installed backend, number of threads, precision and batch against ONNX Runtime in
    fp32. One is taken only if what the network tells about the photos stays the same (cosine at
    least 0.999 for every photo) and so do the brains' answers (top-1 on at least 99.5 %).

    There is no int8 yet: it needs a variant of the network that was calibrated for it.
    """
    from ninebrains.cli.console import print_json, progress, tell_left_out
    from ninebrains.mind.members import read_source
    from ninebrains.mind.tuning.choices import hardware, keep
    from ninebrains.mind.tuning.stems import stems_of

    found, problems = _find(photos, limit)
    chosen: dict[str, Choice] = {}
    report: list[dict[str, object]] = []
    keep({})  # whether it can be kept must be known before long measuring
    for stem in stems_of(read_source(brain) for brain in brains):
        pixels, unreadable = _prepare(found, stem.contract)
        problems.update(unreadable)
        with progress("tuning", quiet=as_json) as show:
            tuning = _tune(stem, pixels, show)
        chosen[stem.hash] = tuning.choice
        report.append({"segment": stem.hash, "brains": list(stem.brains), **tuning.to_dict()})
        if not as_json:
            _print(stem, tuning)
    file = keep(chosen)
    if as_json:
        left_out = [{"photo": name, "reason": why} for name, why in sorted(problems.items())]
        print_json(
            {
                "hardware": hardware(),
                "segments": report,
                "problems": left_out,
                "file": str(file),
            }
        )
        return
    tell_left_out(problems)
    typer.echo(f"kept in {file}; `ninebrains run`, `bench` and every nb.Mind use it")


def _find(sources: Sequence[Path], limit: int) -> tuple[list[Photo], dict[str, str]]:
    """At most `limit` photos, evenly from all, and the reasons of what could not be looked at."""
    from ninebrains.photos import find_photos

    dataset = find_photos(sources)
    every = dataset.photos
    count = min(limit, len(every))
    found = [every[place * len(every) // count] for place in range(count)]
    return found, {problem.name: problem.reason for problem in dataset.problems}


def _prepare(photos: Sequence[Photo], contract: Contract) -> tuple[Pixels, dict[str, str]]:
    """The pixels uint8[N, H, W, 3] of what can be read, and why the rest cannot.

    Raises:
        DataError: nothing can be read.
    """
    import numpy as np

    from ninebrains.errors import DataError, PhotoError
    from ninebrains.images import prepare
    from ninebrains.workers import map_ahead

    def prepare_or_error(photo: Photo) -> Pixels | PhotoError:
        try:
            return prepare(photo.path, contract)
        except PhotoError as error:
            return error

    readable: list[Pixels] = []
    problems: dict[str, str] = {}
    for photo, result in zip(photos, map_ahead(prepare_or_error, photos, ahead=64), strict=True):
        if isinstance(result, PhotoError):
            problems[photo.name] = str(result)
        else:
            readable.append(result)
    if not readable:
        name, why = next(iter(problems.items()))
        raise DataError(f"none of {len(photos)} photos can be read; the first is {name}: {why}")
    return np.stack(readable), problems


def _tune(stem: Stem, pixels: Pixels, show: Callable[[int, int], None]) -> Tuning:
    from ninebrains.mind.tuning.tuning import BATCHES
    from ninebrains.mind.tuning.tuning import tune as measure

    batches = [size for size in BATCHES if stem.at_once is None or size <= stem.at_once]
    return measure(stem.graph, {stem.source: pixels}, top=stem.top, batches=batches, progress=show)


def _print(stem: Stem, tuning: Tuning) -> None:
    from ninebrains.cli.console import print_table

    names = ", ".join(stem.brains[:5])
    more = f" and {len(stem.brains) - 5} more" if len(stem.brains) > 5 else ""
    typer.echo(f"segment {stem.hash[:8]} of {names}{more}; photos: {tuning.num_photos}")
    print_table(_HEADERS, [_row(trial) for trial in tuning.trials])
    choice = tuning.choice
    typer.echo(
        f"chosen: {choice.backend} in {choice.precision}, threads: {choice.threads}, batch: "
        f"{choice.batch}; {tuning.speedup:.2f} times as fast as the reference"
    )
    for note in tuning.notes:
        typer.echo(f"note: {note}")
    typer.echo("")


def _row(trial: Trial) -> tuple[str, ...]:
    choice, agreement = trial.choice, trial.agreement
    same_top = agreement.same_top if agreement is not None else None
    return (
        choice.backend,
        choice.precision,
        str(choice.threads),
        str(choice.batch or "-"),
        "-" if trial.ms is None else f"{trial.ms:.2f}",
        "-" if trial.ratio is None else f"{trial.ratio:.2f}",
        "-" if agreement is None else f"{agreement.cosine:.5f}",
        "-" if same_top is None else f"{same_top:.1%}",
        _verdict(trial),
    )


def _verdict(trial: Trial) -> str:
    if trial.objection is not None:
        return f"no: {trial.objection}"
    return "yes" if trial.agreement is not None else "the reference"
