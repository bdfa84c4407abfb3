"""Metrics as lines of text, for `train` and `evaluate`."""

from __future__ import annotations

import typer

from ninebrains.brains.manifest import Estimate, Label, LabelQuality, Metrics
from ninebrains.cli.console import brief, print_table

_MOST_ROWS = 40


def print_metrics(metrics: Metrics, labels: list[Label]) -> None:
    """Print what was measured, the headline first, then a row a label."""
    for line in _headlines(metrics, labels):
        typer.echo(line)
    typer.echo(metrics.verdict)
    if metrics.labels:
        typer.echo("")
        _print_labels(metrics.labels, labels)


def _headlines(metrics: Metrics, labels: list[Label]) -> list[str]:
    lines: list[str] = []
    if metrics.accuracy is not None:
        lines.append(f"accuracy {_share(metrics.accuracy)} on {metrics.num_test} test photos")
        lines += _uneven(metrics, labels)
    if metrics.top5 is not None:
        lines.append(f"right among the five best: {_share(metrics.top5)}")
    if metrics.mean_average_precision is not None:
        lines.append(
            f"mean average precision {metrics.mean_average_precision:.3f} "
            f"on {metrics.num_test} test photos"
        )
    if metrics.mae is not None:
        mae = metrics.mae
        lines.append(
            f"mean error {mae.value:.4g} (95 %: {mae.low:.4g} to {mae.high:.4g}), "
            f"RMSE {_figure(metrics.rmse)}, R2 {_figure(metrics.r2)} "
            f"on {metrics.num_test} test photos"
        )
    if metrics.calibration is not None:
        before, after = metrics.calibration.ece_before, metrics.calibration.ece_after
        added = f" (before calibration {before:.1%})" if before not in (None, after) else ""
        lines.append(f"calibration error {after:.1%}{added}")
    if metrics.familiarity is not None and metrics.familiarity.rejected_test is not None:
        lines.append(f'answered "none of these": {metrics.familiarity.rejected_test:.1%}')
    if metrics.learning_curve is not None:
        lines.append(metrics.learning_curve.verdict)
    return lines


def _uneven(metrics: Metrics, labels: list[Label]) -> list[str]:
    """What guessing reaches where some labels have more test photos than others."""
    lines: list[str] = []
    supports = {quality.label_id: quality.support for quality in metrics.labels}
    if len(set(supports.values())) < 2 or not metrics.num_test:
        return lines
    if metrics.balanced_accuracy is not None:
        lines.append(f"with every label counting the same: {metrics.balanced_accuracy:.1%}")
    usual = max(labels, key=lambda label: supports.get(label.id, 0))
    share = supports.get(usual.id, 0) / metrics.num_test
    lines.append(f"always guessing '{brief(usual.name)}' would be right on {share:.1%}")
    return lines


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} (95 %: {estimate.low:.1%} to {estimate.high:.1%})"


def _print_labels(qualities: list[LabelQuality], labels: list[Label]) -> None:
    names = {label.id: label.name for label in labels}
    averaged = any(quality.average_precision is not None for quality in qualities)
    headers = ["label", "photos", "precision", "recall", "F1", *(["AP"] if averaged else [])]
    rows = [
        [
            names.get(quality.label_id, quality.label_id),
            str(quality.support),
            _percent(quality.precision),
            _percent(quality.recall),
            _percent(quality.f1),
            *([_percent(quality.average_precision)] if averaged else []),
        ]
        for quality in qualities[:_MOST_ROWS]
    ]
    print_table(headers, rows)
    if len(qualities) > _MOST_ROWS:
        typer.echo(f"… and {len(qualities) - _MOST_ROWS} more labels; see the report or --json")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
