"""What was chosen and why, in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ninebrains.brains.manifest import Estimate, Task
from ninebrains.exporting.choosing.budget import SAME_MS, Candidate, Rules, front
from ninebrains.exporting.comparing import lost_quality

MEASURES: dict[Task, str] = {
    "classify": "accuracy",
    "multilabel": "right decisions",
    "regress": "mean error",
}
HOW = (
    "Quality is that of answers on the training photos by fits that had not seen them; the "
    "held-out photos took no part in the choice and are for the receipt."
)


def headers(task: Task) -> tuple[str, ...]:
    """Of the table."""
    return ("trunk", "pixels", "precision", "ms", "MB", MEASURES[task], "95 %", "fits", "front")


def table(rules: Rules, candidates: Sequence[Candidate], chosen: Candidate) -> list[list[str]]:
    """A row for each candidate."""
    best = front(candidates)
    return [
        [
            one.trunk,
            one.size,
            one.precision,
            "-" if one.ms is None else f"{one.ms:.2f}",
            f"{one.mb:.2f}",
            value(rules.task, one.quality.value),
            interval(rules.task, one.quality),
            _fits(rules, one, chosen),
            "yes" if any(one is other for other in best) else "",
        ]
        for one in candidates
    ]


def _fits(rules: Rules, one: Candidate, chosen: Candidate) -> str:
    if one is chosen:
        return "chosen"
    if rules.fits(one):
        return "yes"
    if not one.is_asked:
        return "not asked for"
    budget, broken = rules.budget, []
    if budget.max_ms is not None and one.ms is not None and one.ms > budget.max_ms:
        broken.append("too slow")
    if budget.max_mb is not None and one.mb > budget.max_mb:
        broken.append("too large")
    if (budget.max_drop is not None and one.lost > budget.max_drop) or (
        one.lost_to_floats > rules.gate
    ):
        broken.append("loses too much")
    return ", ".join(broken)


def value(task: Task, number: float) -> str:
    """A quality for people."""
    return f"{number:.4g}" if task == "regress" else f"{100 * number:.1f} %"


def interval(task: Task, estimate: Estimate) -> str:
    """Its 95 % interval for people."""
    if task == "regress":
        return f"{estimate.low:.4g} to {estimate.high:.4g}"
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def why(rules: Rules, chosen: Candidate) -> str:
    """A sentence on the pick."""
    said = value(rules.task, chosen.quality.value)
    return (
        f"Chosen: {chosen.name}: {said} {MEASURES[rules.task]}, {chosen.ms:.2f} ms, "
        f"{chosen.mb:.2f} MB: the best that fits."
    )


def step_up(rules: Rules, chosen: Candidate, better: Candidate | None) -> str:
    """A sentence on what more money would buy."""
    if better is None:
        return "Nothing that was measured is better, whatever it may cost."
    broken = "; ".join(breach.what for breach in rules.breaches(better))
    if better.ms is None:
        broken = f"{broken}; its speed was not measured"
    return f"The next step up: {better.name}, {_gain(rules, chosen, better)}, but {broken}."


def _gain(rules: Rules, chosen: Candidate, better: Candidate) -> str:
    gain = lost_quality(rules.task, better.right, chosen.right)
    if rules.task == "regress":
        said = f"with {100 * gain.value:.1f} % less error"
    else:
        said = f"{100 * gain.value:+.1f} points of {MEASURES[rules.task]}"
    doubt = "" if gain.low > 0 else ", which these photos cannot tell from chance"
    return f"{said} (95 %: {100 * gain.low:.1f} to {100 * gain.high:.1f}{doubt})"


def notes_on(rules: Rules, candidates: Sequence[Candidate], chosen: Candidate) -> Iterator[str]:
    """What hangs on chance: of the clock, and of the photos."""
    limit = rules.budget.max_ms
    if limit is not None:
        yield from _near_misses(rules, candidates, chosen, limit)
    yield from _cheaper(rules, candidates, chosen)


def _near_misses(
    rules: Rules, candidates: Sequence[Candidate], chosen: Candidate, limit: float
) -> Iterator[str]:
    near = [one for one in candidates if one.ms is not None and abs(one.ms - limit) <= _doubt(one)]
    if chosen in near:
        yield (
            f"{chosen.name} takes {chosen.ms:.2f} ms, give or take {_doubt(chosen):.2f}: on "
            f"another run it may be over {limit:g} ms."
        )
    better = [
        one
        for one in near
        if one.is_asked
        and one.score > chosen.score
        and one.ms is not None
        and one.ms > limit
        and len(rules.breaches(one)) == 1
    ]
    if better:
        one = max(better, key=lambda one: one.score)
        yield (
            f"{one.name} is better and misses {limit:g} ms by no more than the noise ("
            f"{one.ms:.2f} ms, give or take {_doubt(one):.2f}): another run may choose it."
        )


def _doubt(one: Candidate) -> float:
    """How far off the milliseconds may be."""
    return max(one.ms_noise, SAME_MS * (one.ms or 0.0))


def _cheaper(rules: Rules, candidates: Sequence[Candidate], chosen: Candidate) -> Iterator[str]:
    """The fastest one that fits and is not clearly worse, if it is clearly faster."""
    fitting = [one for one in candidates if rules.fits(one) and one is not chosen]
    for one in sorted(fitting, key=lambda one: one.ms or 0.0):
        if one.ms is None or chosen.ms is None or one.ms > chosen.ms * (1 - 4 * SAME_MS):
            return
        lost = lost_quality(rules.task, chosen.right, one.right)
        if lost.low <= 0:
            yield (
                f"{one.name} takes {one.ms:.2f} ms instead of {chosen.ms:.2f}, and these photos "
                f"cannot tell whether it is worse (95 %: {100 * lost.low:.1f} to "
                f"{100 * lost.high:.1f} points)."
                if rules.task != "regress"
                else f"{one.name} takes {one.ms:.2f} ms instead of {chosen.ms:.2f}, and these "
                "photos cannot tell whether it is worse."
            )
            return
