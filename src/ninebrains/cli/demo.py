"""`ninebrains demo`: the whole way once, on photos that the demo draws itself."""

from __future__ import annotations

import shlex
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ninebrains.brains import Inference
    from ninebrains.demo import DemoFolder


_DEFAULT = "octo"
_RIGHT = "right"


def demo(
    folder: Annotated[
        Path, typer.Option(help="Where everything goes: a new, an empty or an earlier demo folder.")
    ] = Path("ninebrains-demo"),
    trunk: Annotated[
        str, typer.Option(help="Name of the trunk; see `ninebrains trunk list`.")
    ] = _DEFAULT,
    num_per_label: Annotated[
        int,
        typer.Option(
            "--photos", min=5, max=10_000, help="Photos to draw of each label; earlier ones stay."
        ),
    ] = 60,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Show the report in the browser.")
    ] = False,
) -> None:
    """Draw photos of machine parts, learn them, and answer on new ones. Needs no network."""
    from ninebrains.cli.console import progress
    from ninebrains.cli.train import print_trained
    from ninebrains.demo import PARTS, DemoFolder, write_new_photos, write_training_photos
    from ninebrains.reporting import write_report
    from ninebrains.training.training import fit
    from ninebrains.trunks import load_trunk

    network = load_trunk(trunk)  # before seconds of drawing
    place = DemoFolder(folder)
    brain, page = folder / "parts.brain", folder / "parts.report.html"
    for path in (brain, page):
        place.check(path)
    with progress("drawing photos") as update:
        photos = write_training_photos(place, num_per_label, update)
        new = write_new_photos(place)
    num_there = len(list(photos.glob("*/*.jpg")))
    typer.echo(
        f"{num_there} photos of {len(PARTS)} kinds of machine parts, drawn by computer: {photos}"
    )

    _say("train", photos, *([] if trunk == _DEFAULT else ["--trunk", trunk]), "-o", brain)
    with progress("reading photos") as update:
        trained = fit(photos, trunk=network, name="parts", progress=update)
    place.make(brain, trained.brain.save)
    print_trained(trained, brain)
    typer.echo(
        "(The demo's own labels are all right: it drew the photos for them. What is suspected here "
        "only looks like another kind.)"
    )

    _say("report", brain, *(["--open"] if open_page else []))
    place.make(page, lambda draft: write_report(trained.brain, draft, trained.record))
    typer.echo(f"wrote {page}")
    if open_page:
        webbrowser.open(page.resolve().as_uri())

    _say("predict", brain, folder / "new", "--heatmap", folder / "heatmaps")
    _predict(place, brain, new)
    _say_what_next(brain, page)


def _say(*words: object) -> None:
    """Show what a user would type for the next step."""
    typer.echo(f"\n$ ninebrains {' '.join(shlex.quote(str(word)) for word in words)}")


def _predict(place: DemoFolder, brain: Path, photos: list[Path]) -> None:
    """A line for each photo, what it shows beside the answer."""
    from ninebrains.brains import load
    from ninebrains.cli.console import print_table
    from ninebrains.cli.predict import answer_cells
    from ninebrains.demo import shown_in

    loaded = load(brain)
    rows = []
    for photo in photos:
        inference = loaded.run(photo, heatmaps=True)
        _write_heatmap(place, photo, inference)
        shown = shown_in(photo)
        answer, score, also = answer_cells(inference, top=2, threshold=0.0)
        rows.append((photo.name, shown, answer, score, _judge(shown, inference), also))
    print_table(("photo", "shows", "answer", "score", "", "also"), rows, is_path_first=True)
    num_right = sum(row[4] == _RIGHT for row in rows)
    typer.echo(
        f"{num_right} of {len(rows)} right. What each answer rests on is drawn over the photos in "
        f"{place.root / 'heatmaps'}"
    )


def _judge(shown: str, inference: Inference) -> str:
    """Whether the answer is right, in a word."""
    known = {instance.label for instance in inference.instances}
    right = inference.answer == (shown if shown in known else None)
    return _RIGHT if right else "WRONG"


def _write_heatmap(place: DemoFolder, photo: Path, inference: Inference) -> None:
    import io

    from ninebrains.explaining import overlay

    file = io.BytesIO()
    overlay(photo, inference.heatmap(), inference.contract).save(file, "JPEG", quality=90)
    place.write(place.root / "heatmaps" / photo.name, file.getvalue())


def _say_what_next(brain: Path, page: Path) -> None:
    typer.echo(
        f"\nThe report is {page}, to be opened in a browser; the brain is {brain}.\n\n"
        "Your own photos: put them into a folder per label, twenty or more each, and type\n\n"
        "  ninebrains data audit photos/\n"
        "  ninebrains train photos/ -o mine.brain\n"
        "  ninebrains report mine.brain --open\n"
        "  ninebrains predict mine.brain new_photo.jpg"
    )
