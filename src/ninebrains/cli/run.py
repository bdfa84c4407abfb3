"""`ninebrains run`: what do many brains say about photos, a video or a camera?"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, Union

import typer

from ninebrains.cli.output import silence
from ninebrains.cli.predict import answer_cells, shown

if TYPE_CHECKING:
    from ninebrains.brains import Inference
    from ninebrains.cli.overlays import OverlayFolder
    from ninebrains.errors import PhotoError
    from ninebrains.images import PhotoSource
    from ninebrains.mind import Inferences, Mind
    from ninebrains.photos import Source

# Name, photo (kept only where a heat map is laid over it), and what the brains say or why not.
Answered = tuple[str, "PhotoSource | None", Union["Inferences", "PhotoError"]]


@dataclass(frozen=True)
class _Options:
    top: int
    thresholds: Mapping[str, float]
    overlays: OverlayFolder | None


def run(
    brains: Annotated[
        list[str],
        typer.Option(
            "--brains",
            metavar="BRAIN...",
            help="Brain files, folders, names in the store, or ONNX models.",
        ),
    ],
    source: Annotated[
        list[str],
        typer.Option(
            "--source",
            metavar="SOURCE...",
            help="Photos, folders, patterns, videos, or the number of a camera, from 0.",
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="Show that many labels of each brain.")] = 1,
    threshold: Annotated[
        Optional[float],
        typer.Option(
            min=0, max=1, help="Leave out lower scores; default 0, and 0.5 for multi-label."
        ),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Take one of so many frames of a video or camera.")
    ] = 1,
    fps: Annotated[
        Optional[float], typer.Option(help="Take at most so many frames a second.")
    ] = None,
    max_frames: Annotated[
        Optional[int], typer.Option(min=1, help="Stop after so many photos or frames.")
    ] = None,
    heatmap: Annotated[
        Optional[Path],
        typer.Option(help="Folder for pictures that show where the evidence lies."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON document a line, as answers come.")
    ] = False,
) -> None:
    """Run many brains at once on photos, videos or a camera; what they share is computed once.

    Answers are printed as they come. Photos that cannot be read are reported, and the exit code
    is 2. Ctrl-C ends a camera.
    """
    from ninebrains.cli.overlays import OverlayFolder
    from ninebrains.mind import Mind
    from ninebrains.photos import open_source

    opened = open_source(source, every=every, fps=fps)
    overlays = OverlayFolder(heatmap) if heatmap else None
    show = _show_json if as_json else _show_line
    is_all_well = True
    try:
        with closing(opened.photos), Mind() as mind:
            options = _Options(top, join(mind, brains, threshold), overlays)
            for answered in _ask(mind, opened, max_frames, overlays is not None):
                is_all_well &= show(answered, options)
    except KeyboardInterrupt:
        if not opened.is_live:  # a camera has no other end
            raise
    except BrokenPipeError:
        silence(sys.stdout)
    if not is_all_well:
        raise typer.Exit(2)


def join(mind: Mind, brains: Sequence[str], threshold: float | None) -> dict[str, float]:
    """Let the brains join; the lowest score to show for each by its name in the mind.

    Brains of one name, such as two versions, get numbers: a mind would take the later one as a new
    version of the earlier.
    """
    from ninebrains.mind.members import read_source

    thresholds: dict[str, float] = {}
    for source in brains:
        brain = read_source(source)
        name, number = brain.name, 2
        while name in thresholds:
            name, number = f"{brain.name}-{number}", number + 1
        mind.add(brain, name=name)
        usual = 0.5 if getattr(brain, "task", None) == "multilabel" else 0.0
        thresholds[name] = usual if threshold is None else threshold
    return thresholds


def _ask(mind: Mind, source: Source, most: int | None, heatmaps: bool) -> Iterator[Answered]:
    photos = islice(source.photos, most)
    if not source.is_live:
        yield from _ask_ahead(mind, photos, heatmaps)
        return
    from ninebrains.errors import PhotoError

    # One by one: whatever was taken ahead would be old when its turn came.
    for name, photo in photos:
        if isinstance(photo, PhotoError):
            yield name, None, photo
        else:
            yield name, photo, mind.run(photo, heatmaps=heatmaps, on_error="keep")


def _ask_ahead(
    mind: Mind, photos: Iterator[tuple[str, PhotoSource | PhotoError]], heatmaps: bool
) -> Iterator[Answered]:
    from ninebrains.errors import PhotoError

    asked: deque[tuple[str, PhotoSource | PhotoError | None]] = deque()

    def readable() -> Iterator[PhotoSource]:
        for name, photo in photos:
            is_kept = heatmaps or isinstance(photo, PhotoError)
            asked.append((name, photo if is_kept else None))
            if not isinstance(photo, PhotoError):
                yield photo

    def unreadable() -> Iterator[Answered]:
        while asked and isinstance(asked[0][1], PhotoError):
            name, error = asked.popleft()
            assert isinstance(error, PhotoError)
            yield name, None, error

    for answer in mind.run_many(readable(), heatmaps=heatmaps, on_error="yield"):
        yield from unreadable()
        name, photo = asked.popleft()
        assert not isinstance(photo, PhotoError)
        yield name, photo, answer
    yield from unreadable()


def _show_json(answered: Answered, options: _Options) -> bool:
    """Print a photo's answers on a line; give whether there is nothing to complain about."""
    from ninebrains.errors import PhotoError

    name, _, answer = answered
    if isinstance(answer, PhotoError):
        told: dict[str, object] = {"photo": name, "error": str(answer), "brains": {}}
        typer.echo(json.dumps(told))
        return False
    error = _write_overlays(answered, options)
    brains = {
        brain: {"error": str(answer.errors[brain])}
        if brain in answer.errors
        else _plain(answer[brain], options.top, options.thresholds[brain])
        for brain in answer
    }
    told = {"photo": name, "error": error, "photo_size": list(answer.photo_size), "brains": brains}
    told["timings"] = {step: round(value, 3) for step, value in answer.timings.items()}
    typer.echo(json.dumps(told))
    return error is None and not answer.errors


def _plain(inference: Inference, top: int, threshold: float) -> dict[str, object]:
    """A brain's answer without what is the same for all of them."""
    told = {"error": None} | inference.to_dict(top, threshold)
    for name in ("photo_size", "timings"):
        told.pop(name, None)
    if not len(inference.answers):
        told["outputs"] = {name: list(value.shape) for name, value in inference.outputs.items()}
    return told


def _show_line(answered: Answered, options: _Options) -> bool:
    """Print a photo's answers on a line; give whether there is nothing to complain about."""
    from ninebrains.errors import PhotoError

    name, _, answer = answered
    if isinstance(answer, PhotoError):
        typer.echo(f"{shown(name)}: {answer}", err=True)
        return False
    error = _write_overlays(answered, options)
    parts = [
        f"{brain}: {_words(answer[brain], options.top, options.thresholds[brain])}"
        for brain in answer
        if brain not in answer.errors
    ]
    if parts:
        typer.echo(f"{shown(name)}  {' | '.join(parts)}")
    problems = [*([error] if error else []), *map(str, answer.errors.values())]
    for problem in problems:
        typer.echo(f"{shown(name)}: {problem}", err=True)
    return not problems


def _words(inference: Inference, top: int, threshold: float) -> str:
    if not len(inference.answers):
        return ", ".join(f"{name} {list(value.shape)}" for name, value in inference.outputs.items())
    answer, score, also = answer_cells(inference, top, threshold)
    return ", ".join(filter(None, (f"{answer} {score}".rstrip(), also)))


def _write_overlays(answered: Answered, options: _Options) -> str | None:
    """A picture for each brain that computes heat maps; why the photo cannot be read again."""
    from ninebrains.cli.overlays import stem_of
    from ninebrains.errors import PhotoError

    name, photo, answer = answered
    if options.overlays is None or photo is None or isinstance(answer, PhotoError):
        return None
    whole = {brain: answer[brain] for brain in answer if brain not in answer.errors}
    able = {brain: one for brain, one in whole.items() if one.heatmaps is not None}
    if whole and not able:
        next(iter(whole.values())).heatmap()  # says why there is none
    for brain, inference in able.items():
        stem = f"{stem_of(photo, name)}.{brain}"
        if error := options.overlays.write(photo, stem, inference):
            return error
    return None
