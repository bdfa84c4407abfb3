"""Bounds that may be looked at often: how often they are wrong, and how soon they decide."""

import math

import numpy as np
import pytest

from ninebrains.serving.traffic.sequential import bounds, log_evidence

SEQUENCES, LOOKS = 2000, 2000


def edges(share, alpha):
    """For 1 to LOOKS observations: most hits whose high bound is below `share`, or -1; and fewest
    whose low bound is above it. Both only grow with the number of observations."""
    below, above, most, least = [], [], -1, 0
    for total in range(1, LOOKS + 1):
        while most + 1 <= total and bounds(most + 1, total, alpha)[1] < share:
            most += 1
        while least <= total and bounds(least, total, alpha)[0] <= share:
            least += 1
        below.append(most)
        above.append(least)
    return np.array(below), np.array(above)


@pytest.mark.parametrize(("share", "alpha"), [(0.5, 0.05), (0.1, 0.05), (0.01, 0.05), (0.9, 0.2)])
def test_true_share_ever_leaves_the_bounds_at_most_as_often_as_told(share, alpha):
    below, above = edges(share, alpha)
    rng = np.random.default_rng(7)
    hits = np.cumsum(rng.random((SEQUENCES, LOOKS)) < share, axis=1)
    wrong = ((hits <= below) | (hits >= above)).any(axis=1).mean()
    assert wrong <= alpha


def test_usual_interval_would_be_wrong_far_more_often():
    """What the bounds are there for: with 95 % at each look, most sequences go wrong once."""
    rng = np.random.default_rng(7)
    hits = np.cumsum(rng.random((500, LOOKS)) < 0.5, axis=1)
    total = np.arange(1, LOOKS + 1)
    far = np.abs(hits / total - 0.5) > 1.96 * 0.5 / np.sqrt(total)
    assert far.any(axis=1).mean() > 0.3


@pytest.mark.parametrize(
    ("hits", "total"), [(0, 1), (1, 1), (0, 400), (3, 1000), (50, 100), (10**6, 3 * 10**6)]
)
def test_bounds_hold_what_was_seen_and_end_where_the_evidence_is_enough(hits, total):
    low, high = bounds(hits, total, 0.05)
    assert 0 <= low <= hits / total <= high <= 1
    for edge in (low, high):
        if 0 < edge < 1:
            assert log_evidence(hits, total, edge) == pytest.approx(math.log(20), abs=1e-3)


def test_nothing_is_known_without_observations_and_more_later():
    assert bounds(0, 0, 0.05) == (0.0, 1.0)
    widths = [np.ptp(bounds(n // 10, n, 0.05)) for n in (10, 100, 1000, 10_000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.03


def test_impossible_share_has_all_evidence_against_it():
    assert log_evidence(1, 2, 0.0) == log_evidence(1, 2, 1.0) == math.inf
    assert log_evidence(0, 2, 0.0) < 0
