"""A choice as a page for people, and as plain values for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ninebrains.exporting.choosing.budget import Candidate, front
from ninebrains.exporting.choosing.choosing import Choice
from ninebrains.exporting.choosing.wording import (
    HOW,
    MEASURES,
    headers,
    interval,
    step_up,
    table,
    value,
)
from ninebrains.exporting.receipting import machine
from ninebrains.reporting.pages import render_page
from ninebrains.reporting.tradeoffs import Point, tradeoff


def choice_page(choice: Choice) -> str:
    """One HTML page with the plot and the table; it needs no other file, no network, no script."""
    task, chosen = choice.rules.task, choice.chosen
    best = set(map(id, front(choice.candidates)))
    points = [
        _point(choice, one, is_best=id(one) in best)
        for one in choice.candidates
        if one.ms is not None
    ]
    limit = choice.rules.budget.max_ms
    return render_page(
        "choice.html.j2",
        "ninebrains.exporting",
        choice=choice,
        limits=list(_limits(choice)),
        machine=machine()["processor"],
        measure=MEASURES[task],
        quality=value(task, chosen.quality.value),
        step=step_up(choice.rules, chosen, choice.next_step),
        chart=tradeoff(points, MEASURES[task], limit, is_error=task == "regress"),
        headers=headers(task),
        rows=table(choice.rules, choice.candidates, chosen),
        how=HOW,
    )


def _point(choice: Choice, one: Candidate, *, is_best: bool) -> Point:
    task = choice.rules.task
    assert one.ms is not None
    said = f"{value(task, one.quality.value)} ({interval(task, one.quality)})"
    return Point(
        name=f"{one.trunk} {one.size}",
        about=f"{one.name}: {one.ms:.2f} ms, {one.mb:.2f} MB, {said}",
        ms=one.ms,
        mb=one.mb,
        value=one.quality.value,
        low=one.quality.low,
        high=one.quality.high,
        is_best=is_best,
        is_chosen=one is choice.chosen,
    )


def _limits(choice: Choice) -> Iterator[str]:
    """The budget in words."""
    budget = choice.rules.budget
    if budget.max_ms is not None:
        yield f"at most {budget.max_ms:g} ms a photo"
    if budget.max_mb is not None:
        yield f"at most {budget.max_mb:g} MB"
    if budget.max_drop is not None:
        yield f"loses at most {100 * budget.max_drop:g} %"


def plain(choice: Choice) -> dict[str, Any]:
    """The same for programs."""
    best = set(map(id, front(choice.candidates)))
    rules, step = choice.rules, choice.next_step
    return {
        "runtime": choice.scope.runtime,
        "measure": MEASURES[rules.task],
        "how": HOW,
        "chosen": _plain(choice, choice.chosen, best),
        "next_step": None if step is None else _plain(choice, step, best),
        "candidates": [_plain(choice, one, best) for one in choice.candidates],
        "notes": list(choice.notes),
        "seconds": round(choice.seconds, 2),
    }


def _plain(choice: Choice, one: Candidate, best: set[int]) -> dict[str, Any]:
    return {
        "trunk": one.trunk,
        "height": one.height,
        "width": one.width,
        "precision": one.precision,
        "ms": one.ms,
        "ms_noise": one.ms_noise,
        "mb": round(one.mb, 4),
        "quality": one.quality.model_dump(),
        "lost": one.lost,
        "lost_to_floats": one.lost_to_floats,
        "fits": choice.rules.fits(one),
        "breaches": [breach.what for breach in choice.rules.breaches(one)],
        "is_on_front": id(one) in best,
        "is_chosen": one is choice.chosen,
    }
