"""The number that counts, in a sentence, beside what guessing would reach."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ninebrains.brains.manifest import Label, Metrics, Task
from ninebrains.photos import shortened
from ninebrains.reporting.charts import interval
from ninebrains.reporting.wording import (
    NOTHING,
    count,
    figure,
    names_in_short,
    percent,
    photos,
    sentence,
)

_FEW_OF_A_LABEL = 5  # on fewer test photos nothing can be said about a label
_LEARNT = re.compile(
    r"of which ([\d,]+) (?:was|were) learnt from|([\d,]+) of which were learnt from"
)


@dataclass(frozen=True)
class Headline:
    """What stands at the top of the page.

    Attributes:
        number: the measured figure, or a dash.
        title: what the number is.
        sentence: the same in words, with its interval.
        verdict: how far to trust it, where the sentence does not already say it.
        baseline: what guessing would reach, in words; may be empty.
        chart: the interval, drawn; empty for figures that are no shares.
        facts: further figures, as (value, what it is).
    """

    number: str
    title: str
    sentence: str
    verdict: str
    baseline: str
    chart: Markup
    facts: tuple[tuple[str, str], ...]


def was_unseen(metrics: Metrics) -> bool:
    """Whether all photos that were measured on are known to be new to the brain."""
    return "never saw" in metrics.verdict


def make_headline(metrics: Metrics | None, task: Task, labels: Sequence[Label]) -> Headline:
    """The headline of a brain, or of one that was never measured."""
    if metrics is None or metrics.num_test == 0:
        verdict = metrics.verdict if metrics else "This brain was never measured."
        return Headline(NOTHING, "not measured", "", sentence(verdict), "", Markup(""), ())
    if task == "regress":
        return _of_values(metrics, labels)
    if task == "multilabel":
        return _of_several(metrics, labels)
    return _of_one(metrics, labels)


def _of_one(metrics: Metrics, labels: Sequence[Label]) -> Headline:
    accuracy, num = metrics.accuracy, metrics.num_test
    if accuracy is None:
        return Headline(NOTHING, "accuracy", "", sentence(metrics.verdict), "", Markup(""), ())
    right = round(accuracy.value * num)
    said = "all of them" if right == num > 1 else count(right)
    text = (
        f"{_tested_on(metrics)} it was right on {said}: {percent(accuracy.value)}, "
        f"and with 95 % certainty between {percent(accuracy.low)} and {percent(accuracy.high)}."
    )
    supports = {item.label_id: item.support for item in metrics.labels}
    usual = max(labels, key=lambda label: supports.get(label.id, 0))
    share = supports.get(usual.id, 0) / num
    baseline = (
        f"Always guessing “{shortened(usual.name)}”, the most frequent label, would be right on "
        if (share > 0)
        else ""
    )
    return Headline(
        number=percent(accuracy.value),
        title="right on new photos" if was_unseen(metrics) else "right",
        sentence=sentence(text),
        verdict=_doubts(metrics, labels),
        baseline=f"{baseline}{percent(share)}." if baseline else "",
        chart=interval(accuracy, share if share > 0 else None),
        facts=_facts(metrics),
    )


def _of_several(metrics: Metrics, labels: Sequence[Label]) -> Headline:
    value, num = metrics.mean_average_precision, metrics.num_test
    text = (
        f"{_tested_on(metrics)} it ranked those with a label before those without: "
        f"mean average precision {percent(value)}, where {percent(1.0, 0)} is perfect."
    )
    shares = [item.support / num for item in metrics.labels if item.support]
    baseline = (
        f"Ranking by chance would reach {percent(sum(shares) / len(shares))}." if shares else ""
    )
    return Headline(
        percent(value),
        "mean average precision",
        sentence(text),
        _doubts(metrics, labels),
        baseline,
        Markup(""),
        _facts(metrics),
    )


def _of_values(metrics: Metrics, labels: Sequence[Label]) -> Headline:
    mae = metrics.mae
    text, baseline = "", ""
    if mae is not None:
        text = (
            f"{_tested_on(metrics)} it was off by {figure(mae.value)} on average, and "
            f"with 95 % certainty between {figure(mae.low)} and {figure(mae.high)}."
        )
    if metrics.rmse is not None and metrics.r2 is not None and metrics.r2 < 1.0:
        usual = metrics.rmse / (1.0 - metrics.r2) ** 0.5
        baseline = (
            f"Its typical error (root mean square) is {figure(metrics.rmse)}; always answering the "
            f"average would have {figure(usual)}."
        )
    return Headline(
        figure(mae.value if mae else None),
        "mean error on new photos" if was_unseen(metrics) else "mean error",
        sentence(text),
        _doubts(metrics, labels),
        baseline,
        Markup(""),
        _facts(metrics),
    )


def _tested_on(metrics: Metrics) -> str:
    """How many photos, and whether they were new, as far as the verdict tells."""
    num = photos(metrics.num_test)
    if was_unseen(metrics):
        return f"On {num} it had never seen"
    learnt = _num_learnt(metrics)
    return f"On {num}, {learnt} of which it had learnt from," if learnt else f"On {num}"


def _num_learnt(metrics: Metrics) -> str | None:
    found = None if was_unseen(metrics) else _LEARNT.search(metrics.verdict)
    return next(number for number in found.groups() if number) if found else None


def _doubts(metrics: Metrics, labels: Sequence[Label]) -> str:
    """What to know before relying on the figures; empty where nothing is to be said.

    The verdict's own sentences, without that which only repeats the headline's, and what can be
    seen from the figures where an older verdict does not mention it.
    """
    said = metrics.verdict
    told = [text for text in re.split(r"(?<=\.) (?=[A-Z])", said) if not _is_repeated(text)]
    learnt = _num_learnt(metrics)
    if learnt:
        were = "was" if learnt == "1" else "were"
        told.insert(0, f"{learnt} of these photos {were} learnt from, so the figures are too good.")
    supports = {item.label_id: item.support for item in metrics.labels}
    usual = max(labels, key=lambda label: supports.get(label.id, 0))
    share = supports.get(usual.id, 0) / metrics.num_test
    accuracy = metrics.accuracy
    if accuracy is not None and share > 0 and accuracy.low <= share and "guessing" not in said:
        told.append(
            "That is not clearly better than always guessing the most frequent label, "
            f"“{shortened(usual.name)}” ({percent(share)})."
        )
    rare = [label.name for label in labels if supports.get(label.id, 9) < _FEW_OF_A_LABEL]
    if rare and "Tested on fewer than" not in said:
        names = names_in_short(rare)
        told.append(f"Tested on fewer than {_FEW_OF_A_LABEL} photos, so hardly at all: {names}.")
    return sentence(" ".join(told))


def _is_repeated(text: str) -> bool:
    """Whether a sentence of a verdict says only what the headline says too."""
    return text.startswith("Measured on") and "not known" not in text


def _facts(metrics: Metrics) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = [(count(metrics.num_test), "test photos")]
    shares = (
        (metrics.top5.value if metrics.top5 else None, "right among its five best guesses"),
        (metrics.balanced_accuracy, "right with every label counting the same"),
    )
    found += [(percent(value), name) for value, name in shares if value is not None]
    figures = (
        (metrics.rmse, "RMSE, which weighs large errors more"),
        (metrics.r2, "R²: 1 is perfect, 0 is guessing the average"),
        (metrics.residual_90, "or less is the error of 90 % of photos"),
        (metrics.log_loss, "log-loss, lower is better"),
    )
    found += [(figure(value), sentence(name)) for value, name in figures if value is not None]
    return tuple(found)
