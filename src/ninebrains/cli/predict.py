"""`ninebrains predict`: what does a brain say about photos?"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from ninebrains.brains import Brain, Inference, Instance
    from ninebrains.errors import PhotoError


@dataclass(frozen=True)
class _Options:
    top: int
    threshold: float
    heatmap: Path | None


@dataclass(frozen=True)
class _Answer:
    """One photo: its name as the user gave it, and the answer or why there is none."""

    name: str
    inference: Inference | None
    error: str | None


def predict(
    brain: Annotated[str, typer.Argument(help="Brain file, folder, or name in the store.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, folders of photos, or patterns.")],
    top: Annotated[int, typer.Option(min=1, help="Show that many labels a photo.")] = 3,
    threshold: Annotated[
        Optional[float],
        typer.Option(
            min=0, max=1, help="Leave out lower scores; default 0, and 0.5 for multi-label."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    heatmap: Annotated[
        Optional[Path],
        typer.Option(help="Folder for pictures that show where the evidence lies."),
    ] = None,
) -> None:
    """Run a brain on photos. Photos that cannot be read are reported, and the exit code is 2."""
    from ninebrains.brains import load
    from ninebrains.errors import DataError

    if as_json and as_csv:
        raise DataError("got --json and --csv; expected one of them")
    loaded = load(brain)
    if threshold is None:
        threshold = 0.5 if loaded.task == "multilabel" else 0.0
    options = _Options(top, threshold, heatmap)
    names, problems = _find(photos)
    answers = _run(loaded, names, options)
    whole = (*answers, *(_Answer(name, None, error) for name, error in problems))
    show = _show_json if as_json else _show_csv if as_csv else _show_table
    show(whole, options)
    if any(item.error is not None for item in whole):
        raise typer.Exit(2)


def _find(sources: Sequence[Path]) -> tuple[list[Path], list[tuple[str, str]]]:
    """The photos, and names and reasons of what could not be looked at."""
    if len(sources) == 1 and sources[0].is_file():
        return [sources[0]], []  # saves the import, a tenth of the time of one photo
    from ninebrains.photos import find_photos

    found = find_photos(sources)
    return [photo.path for photo in found.photos], [
        (problem.name, problem.reason) for problem in found.problems
    ]


def _run(brain: Brain, photos: Sequence[Path], options: _Options) -> list[_Answer]:
    from ninebrains.cli.console import progress
    from ninebrains.cli.overlays import OverlayFolder, stem_of

    overlays = None if options.heatmap is None else OverlayFolder(options.heatmap)
    answers: list[_Answer] = []
    with progress("looking at photos", quiet=len(photos) < 2) as report:
        for done, (path, found) in enumerate(_stream(brain, photos, options), start=1):
            error = str(found) if isinstance(found, Exception) else None
            answer = None if isinstance(found, Exception) else found
            if answer is not None and overlays is not None:
                error = overlays.write(path, stem_of(path, path.name), answer)
            if answer is not None:
                # Heat maps and features of thousands of photos would fill the memory.
                answer = replace(answer, heatmaps=None, features=None)
            answers.append(_Answer(os.fspath(path), None if error else answer, error))
            report(done, len(photos))
    return answers


def _stream(
    brain: Brain, photos: Sequence[Path], options: _Options
) -> Iterator[tuple[Path, Inference | PhotoError]]:
    found = brain.run_many(photos, on_error="yield", heatmaps=options.heatmap is not None)
    return zip(photos, found, strict=True)


def _show_json(answers: Sequence[_Answer], options: _Options) -> None:
    from ninebrains.cli.console import print_json

    print_json(
        [
            {"photo": item.name, "error": item.error}
            | (item.inference.to_dict(options.top, options.threshold) if item.inference else {})
            for item in answers
        ]
    )


def _show_csv(answers: Sequence[_Answer], options: _Options) -> None:
    """A row a photo; the labels in pairs of columns, the surest first."""
    places = range(1, options.top + 1)
    header = ["photo", "answer", "unfamiliar", "error"]
    header += [column for place in places for column in (f"label_{place}", f"score_{place}")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for item in answers:
        if item.inference is None:
            writer.writerow([shown(item.name), "", "", item.error])
            continue
        far = item.inference.unfamiliar
        row = [shown(item.name), item.inference.answer or "", "" if far is None else f"{far:.4f}"]
        row.append("")
        for instance in item.inference.at_least(options.threshold)[: options.top]:
            row += [instance.label, _figure(instance)]
        writer.writerow(row)
    typer.echo(text.getvalue(), nl=False)


def _show_table(answers: Sequence[_Answer], options: _Options) -> None:
    from ninebrains.cli.console import print_table

    rows = [
        (shown(item.name), *answer_cells(item.inference, options.top, options.threshold))
        for item in answers
        if item.inference
    ]
    if rows:
        header = ("photo", "answer", "score", "also")
        print_table(header, rows, is_path_first=True)
    for item in answers:
        if item.error is not None:
            typer.echo(f"{shown(item.name)}: {item.error}", err=True)


def answer_cells(inference: Inference, top: int, threshold: float) -> tuple[str, str, str]:
    """Answer, its score, and what else it may be, as tables show them."""
    from ninebrains.cli.console import brief

    kept = inference.at_least(threshold)[:top]
    first = inference.top
    name = brief(first.label)
    if not inference.is_familiar:
        nearest = f"nearest: {name} {_figure(first)}"
        return f"none of these (unfamiliar {inference.unfamiliar:.2f})", "", nearest
    if not kept:
        return "unsure", "", f"nearest: {name} {_figure(first)}"
    also = ", ".join(f"{brief(item.label)} {_figure(item)}" for item in kept[1:])
    return brief(kept[0].label), _figure(kept[0]), also


def _figure(instance: Instance) -> str:
    return f"{instance.score:.4f}" if instance.value is None else f"{instance.value:.6g}"


def shown(name: str) -> str:
    """A file name without what could move a terminal's cursor."""
    if name.isprintable():
        return name
    from ninebrains.photos import printable

    return printable(name)
