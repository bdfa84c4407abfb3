"""Metrics and tables as text."""

import pytest

from ninebrains.brains.manifest import Label
from ninebrains.cli.console import print_table
from ninebrains.cli.measures import print_metrics
from tests.reporting.making import classified

LABELS = [Label(id=f"id-{k}", index=k, name=name) for k, name in enumerate(("cat", "dog"))]


def test_uneven_labels_are_measured_against_guessing(capsys):
    print_metrics(classified([[123, 0], [2, 0]]), LABELS)
    out = capsys.readouterr().out
    assert "always guessing 'cat' would be right on 98.4%" in out
    assert "with every label counting the same: 97.7%" in out
    print_metrics(classified([[10, 0], [0, 10]]), LABELS)
    assert "guessing" not in capsys.readouterr().out


@pytest.mark.parametrize(("before", "is_shown"), [(0.1234, True), (None, False), (0.0321, False)])
def test_calibration_before_is_printed_only_where_known_and_different(capsys, before, is_shown):
    metrics = classified([[10, 0], [0, 10]])
    calibration = metrics.calibration.model_copy(update={"ece_before": before})
    print_metrics(metrics.model_copy(update={"calibration": calibration}), LABELS)
    out = capsys.readouterr().out
    assert "calibration error 3.2%" in out
    assert ("before calibration" in out) == is_shown


def test_very_long_names_lose_their_middle_in_tables_and_paths_do_not(capsys):
    name = "x" * 100 + "y" * 100
    metrics = classified([[10, 0], [0, 9]])
    print_metrics(metrics, [Label(id="id-0", index=0, name=name), LABELS[1]])
    out = capsys.readouterr().out
    assert f"{'x' * 16}…{'y' * 15}" in out
    assert max(map(len, out.splitlines())) < 100
    print_table(("photo", "answer"), [(name, "cat")], is_path_first=True)
    assert name in capsys.readouterr().out
