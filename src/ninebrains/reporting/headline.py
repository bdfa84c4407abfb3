"""The number that counts, in a sentence, beside what guessing would reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ninebrains.brains.manifest import Label, Metrics, Task
from ninebrains.reporting.charts import interval
from ninebrains.reporting.wording import NOTHING, count, figure, percent, photos, sentence


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


def make_headline(metrics: Metrics | None, task: Task, labels: Sequence[Label]) -> Headline:
    """The headline of a brain, or of one that was never measured."""
    if metrics is None or metrics.num_test == 0:
        verdict = metrics.verdict if metrics else "This brain was never measured."
        return Headline(NOTHING, "not measured", "", sentence(verdict), "", Markup(""), ())
    if task == "regress":
        return _of_values(metrics)
    if task == "multilabel":
        return _of_several(metrics)
    return _of_one(metrics, labels)


def _of_one(metrics: Metrics, labels: Sequence[Label]) -> Headline:
    accuracy, num = metrics.accuracy, metrics.num_test
    if accuracy is None:
        return Headline(NOTHING, "accuracy", "", sentence(metrics.verdict), "", Markup(""), ())
    right = round(accuracy.value * num)
    said = "all of them" if right == num > 1 else count(right)
    text = (
        f"On {photos(num)} it had never seen it was right on {said}: {percent(accuracy.value)}, "
        f"and with 95 % certainty between {percent(accuracy.low)} and {percent(accuracy.high)}."
    )
    supports = {item.label_id: item.support for item in metrics.labels}
    usual = max(labels, key=lambda label: supports.get(label.id, 0))
    share = supports.get(usual.id, 0) / num
    baseline = (
        f"Always guessing “{usual.name}”, the most frequent label, would be right on "
        if (share > 0)
        else ""
    )
    return Headline(
        number=percent(accuracy.value),
        title="right on new photos",
        sentence=sentence(text),
        verdict=_added(metrics.verdict),
        baseline=f"{baseline}{percent(share)}." if baseline else "",
        chart=interval(accuracy, share if share > 0 else None),
        facts=_facts(metrics),
    )


def _of_several(metrics: Metrics) -> Headline:
    value, num = metrics.mean_average_precision, metrics.num_test
    text = (
        f"On {photos(num)} it had never seen it ranked those with a label before those without: "
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
        _added(metrics.verdict),
        baseline,
        Markup(""),
        _facts(metrics),
    )


def _of_values(metrics: Metrics) -> Headline:
    mae, num = metrics.mae, metrics.num_test
    text, baseline = "", ""
    if mae is not None:
        text = (
            f"On {photos(num)} it had never seen it was off by {figure(mae.value)} on average, and "
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
        "mean error on new photos",
        sentence(text),
        _added(metrics.verdict),
        baseline,
        Markup(""),
        _facts(metrics),
    )


def _added(verdict: str) -> str:
    """The verdict, unless it only repeats that enough was measured, as the sentence does."""
    return "" if verdict.startswith("Measured on") else sentence(verdict)


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
