"""The page itself: everything is put together here and in the templates beside."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.brains import Brain
from ninebrains.brains.manifest import Metrics
from ninebrains.photos import printable, shortened
from ninebrains.places import check_page, write_page
from ninebrains.reporting import charts, wording
from ninebrains.reporting.galleries import Selection, select
from ninebrains.reporting.headline import make_headline, was_unseen
from ninebrains.reporting.pictures import Pictures, take_pictures
from ninebrains.reporting.tables import (
    confusion_matrix,
    label_rows,
    summarise_data,
    worst_confusions,
)
from ninebrains.training.record import Record

if TYPE_CHECKING:
    import jinja2

_MOST_POINTS = 2000  # of a scatter plot


def write_report(
    brain: Brain,
    path: str | os.PathLike[str],
    record: Record | None = None,
    *,
    metrics: Metrics | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the report of a brain to one HTML file; return its path.

    Args:
        brain: to report on.
        path: of the file; an older page of ours that is there is replaced.
        record: what training or an evaluation saw; without it there are no photos on the page.
        metrics: of an evaluation on other photos, to be shown instead of the brain's own.
        overwrite: replace any other file too.

    Raises:
        OutputError: another file is there, or the file cannot be written.
        BrainError: the brain cannot be run.

    Example:
        >>> brain = nb.load("pets.brain")  # doctest: +SKIP
        >>> write_report(brain, "pets.html", load_record(brain.graph.hash))  # doctest: +SKIP
        PosixPath('pets.html')
    """
    target = Path(path)
    check_page(target, overwrite=overwrite)
    write_page(target, render_report(brain, record, metrics=metrics), overwrite=overwrite)
    return target


def render_report(
    brain: Brain, record: Record | None = None, *, metrics: Metrics | None = None
) -> str:
    """The report as HTML: one page that needs no other file, no network and no script.

    The arguments are those of `write_report`. Photos are read again from the record's folder; those
    that are gone or changed since are left out and counted.
    """
    measured = metrics or brain.metrics or Metrics(num_test=0, verdict="Never measured.")
    selection = select(record, brain.task, brain.labels, measured) if record else Selection()
    pictures = take_pictures(brain, record, selection.outcomes) if record else Pictures()
    environment = _environment()
    style = environment.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    html = environment.get_template("report.html.j2").render(
        brain=brain,
        manifest=brain.manifest,
        training=brain.manifest.training,
        task=brain.task,
        labels=brain.labels,
        record=record,
        metrics=measured,
        is_evaluation=metrics is not None,
        was_unseen=metrics is None or was_unseen(metrics),
        shows_before=_shows_before(measured),
        headline=make_headline(metrics or brain.metrics, brain.task, brain.labels),
        data=summarise_data(brain, record),
        matrix=confusion_matrix(measured, brain.labels),
        confusions=worst_confusions(measured, brain.labels, record),
        rows=label_rows(measured, brain.labels),
        pairs=_pairs(record),
        selection=selection,
        pictures=pictures,
        style=style,
        style_digest=digest,
    )
    # What no encoding can hold (bytes of file names that are no text) is shown as an escape.
    return html.encode(errors="backslashreplace").decode()


def _shows_before(metrics: Metrics) -> bool:
    """Whether the error before calibration is known and says something else than the one after."""
    found = metrics.calibration
    return found is not None and found.ece_before not in (None, found.ece_after)


def _pairs(record: Record | None) -> list[tuple[float, float]]:
    """Given and answered numbers of the test photos (regression)."""
    if record is None:
        return []
    return [
        (outcome.target, outcome.value)
        for outcome in record.outcomes
        if outcome.split == "test" and outcome.target is not None and outcome.value is not None
    ][:_MOST_POINTS]


def _environment() -> jinja2.Environment:
    import jinja2

    folder = resources.files("ninebrains.reporting").joinpath("templates")

    def load(name: str) -> str:
        return folder.joinpath(name).read_text("utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        printable=printable,
        shortened=shortened,
        percent=wording.percent,
        figure=wording.figure,
        count=wording.count,
        photos=wording.photos,
        sentence=wording.sentence,
    )
    environment.globals.update(charts=charts, names_of=wording.names_of)
    return environment
