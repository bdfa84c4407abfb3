"""The page itself: everything is put together here and in the templates beside."""

from __future__ import annotations

import os
from pathlib import Path

from ninebrains.brains import Brain
from ninebrains.brains.manifest import Metrics
from ninebrains.places import check_page, write_page
from ninebrains.reporting.galleries import Selection, select
from ninebrains.reporting.headline import make_headline, was_unseen
from ninebrains.reporting.pages import render_page
from ninebrains.reporting.pictures import Pictures, take_pictures
from ninebrains.reporting.tables import (
    confusion_matrix,
    label_rows,
    summarise_data,
    worst_confusions,
)
from ninebrains.training.record import Record

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
    return render_page(
        "report.html.j2",
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
    )


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
