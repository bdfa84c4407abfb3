"""Figures on arrays, as tables of cases."""

import numpy as np
import pytest

from ninebrains.brains.manifest import Estimate
from ninebrains.exporting.comparing import (
    heatmap_correlations,
    lost_quality,
    mean_estimate,
    rightness,
    same_answers,
)
from ninebrains.exporting.judging import Gate
from ninebrains.exporting.receipt import Agreement, Quality

TOO_FEW = "too few photos to tell"


def floats(*rows):
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("task", "brain", "export", "error", "expected"),
    [
        ("classify", floats([0.6, 0.4], [0.2, 0.8]), floats([0.4, 0.6], [0.1, 0.9]), None, [0, 1]),
        ("multilabel", floats([0.6, 0.4]), floats([0.9, 0.49]), None, [1]),
        ("multilabel", floats([0.6, 0.4]), floats([0.9, 0.51]), None, [0]),
        ("regress", floats([10.0], [10.0]), floats([10.4], [10.6]), 10.0, [1, 0]),
        ("regress", floats([0.0], [2.0]), floats([0.04], [2.06]), None, [1, 0]),
    ],
)
def test_same_answers(task, brain, export, error, expected):
    assert same_answers(task, brain, export, error).tolist() == [bool(one) for one in expected]


@pytest.mark.parametrize(
    ("task", "answers", "targets", "expected"),
    [
        ("classify", floats([0.6, 0.4], [0.6, 0.4]), [[1, 0], [0, 1]], [1, 0]),
        ("multilabel", floats([0.6, 0.4]), [[1, 1]], [0.5]),
        ("regress", floats([3.0]), [[5.0]], [2.0]),
    ],
)
def test_rightness(task, answers, targets, expected):
    assert rightness(task, answers, np.array(targets, float)).tolist() == expected


def test_the_interval_of_a_loss_holds_the_truth_about_as_often_as_it_says():
    """Exports that lose 2 points, on 300 photos: 95 of 100 intervals hold the 2 points."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        kinds = random.choice(4, size=300, p=[0.87, 0.05, 0.05, 0.03])  # both, lost, neither, won
        brain, export = np.isin(kinds, (0, 1)).astype(float), np.isin(kinds, (0, 3)).astype(float)
        found = lost_quality("classify", brain, export)
        held += found.low <= 0.02 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_more_tries_give_wider_intervals():
    brain, export = np.ones(200), np.concatenate([np.zeros(2), np.ones(198)])
    once, thrice = (lost_quality("classify", brain, export, tries) for tries in (1, 3))
    assert once.value == thrice.value == pytest.approx(0.01)
    assert thrice.low < once.low < 0.01 < once.high < thrice.high


def test_a_growing_error_is_told_as_a_share_of_the_brains():
    found = lost_quality("regress", np.full(50, 2.0), np.full(50, 2.2))
    assert found.value == pytest.approx(0.1)
    assert mean_estimate("regress", np.full(50, 2.0)) == Estimate(value=2.0, low=2.0, high=2.0)


def test_flat_heat_maps_have_no_correlation():
    maps = np.zeros((2, 1, 2, 2), np.float32)
    maps[1, 0] = [[1, 2], [3, 4]]
    found = heatmap_correlations(maps, -maps, np.zeros(2, int))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(-1.0)


def agreement(same, largest=0.1, none=None):
    share = Estimate(value=same, low=max(0.0, same - 0.01), high=min(1.0, same + 0.01))
    return Agreement(
        same=share,
        largest_difference=largest,
        mean_difference=0.01,
        unfamiliar_same=none,
        num_disagreements=0,
    )


def quality(value, low, high):
    whole = Estimate(value=0.9, low=0.8, high=0.95)
    lost = Estimate(value=value, low=low, high=high)
    return Quality(measure="accuracy", brain=whole, export=whole, lost=lost)


@pytest.mark.parametrize(
    ("precision", "agreed", "lost", "compared", "verdict"),
    [
        ("fp32", agreement(1.0), None, 200, "agrees"),
        ("fp32", agreement(0.98), None, 200, "differs"),
        ("fp16", agreement(1.0), None, 20, "too few photos to tell"),
        ("fp32", agreement(1.0, none=0.995), None, 200, "agrees"),
        ("fp32", agreement(1.0, none=0.9), None, 200, "differs"),
        ("int8", agreement(1.0, none=0.9), quality(0.0, -0.005, 0.009), 900, "agrees"),
        ("int8", agreement(0.9), quality(0.0, -0.005, 0.009), 900, "agrees"),
        ("int8", agreement(0.97), quality(0.005, -0.01, 0.02), 200, "too few photos to tell"),
        ("int8", agreement(0.97), quality(0.011, -0.01, 0.02), 200, "differs"),
        ("int8", agreement(0.97), quality(-0.02, -0.04, 0.0), 200, "agrees"),
        ("int8", agreement(0.98), None, 200, "differs"),  # no labels: agreement must do
        ("int8", agreement(0.995), None, 200, "agrees"),
        ("int8-weights", agreement(1.0, 1e-4), quality(0.0, -0.01, 0.014), 200, "agrees"),
        # One tie of 68 photos falls to the other side; nothing is lost.
        ("int8-weights", agreement(0.985, 0.01), quality(0.0, -0.04, 0.04), 68, TOO_FEW),
    ],
)
def test_the_gate(precision, agreed, lost, compared, verdict):
    found, reasons = Gate().judge(precision, agreed, lost, compared)
    assert found == verdict
    assert reasons
    apart = agreed.unfamiliar_same is not None and agreed.unfamiliar_same < 0.99
    assert any("none of these" in reason for reason in reasons) == apart
    assert Gate().passes(found) == (verdict != "differs")
    assert Gate(is_strict=True).passes(found) == (verdict == "agrees")


@pytest.mark.parametrize(
    ("compared", "lost", "limit", "said"),
    [
        (200, quality(0.0, -0.02, 0.02), 0.01, "About 800 labelled photos"),
        (100, quality(-0.02, -0.05, 0.025), 0.01, "About 3,000 labelled photos"),
        (200, quality(0.0095, -0.02, 0.03), 0.01, "only a great many photos"),
        (200, quality(-0.02, -0.05, 0.01), 0.0, "No number of photos"),
    ],
)
def test_how_many_photos_would_tell_follows_from_those_that_did_not(compared, lost, limit, said):
    verdict, reasons = Gate(lost=limit).judge("int8", agreement(0.97), lost, compared)
    assert verdict == TOO_FEW
    assert said in reasons[-1]
