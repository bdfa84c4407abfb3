"""Distances, and what chance alone does to them."""

from collections import Counter

import numpy as np
import pytest

from ninebrains.brains.reference import count_unfamiliar
from ninebrains.serving.drift import measures
from ninebrains.serving.drift.tally import Moments

RANDOM = np.random.default_rng


def labels(num, shares, seed):
    return Counter(RANDOM(seed).choice(len(shares), num, p=shares).tolist())


def scores(num, mean, seed):
    return count_unfamiliar(RANDOM(seed).normal(mean, 0.1, num))


def moments(num, shift, seed):
    return Moments.of(RANDOM(seed).normal(size=(num, 8)) + shift)


SAME, OTHER, HARDLY = (0.5, 0.3, 0.2), (0.2, 0.3, 0.5), (0.46, 0.32, 0.22)


@pytest.mark.parametrize(
    ("num", "shares", "verdict"),
    [
        (99, OTHER, "too few"),
        (100, OTHER, "drift"),
        (400, SAME, "steady"),
        (100_000, SAME, "steady"),
        (100_000, HARDLY, "slight"),
    ],
)
def test_answers(num, shares, verdict):
    found = measures.answers(labels(num, shares, 1), labels(30_000, SAME, 2))
    assert (found.verdict, found.num) == (verdict, num)


@pytest.mark.parametrize(
    ("num", "mean", "verdict"),
    [
        (99, 0.9, "too few"),
        (100, 0.9, "drift"),
        (400, 0.5, "steady"),
        (100_000, 0.515, "slight"),
    ],
)
def test_unfamiliar(num, mean, verdict):
    assert measures.unfamiliar(scores(num, mean, 1), scores(30_000, 0.5, 2)).verdict == verdict


@pytest.mark.parametrize(
    ("num", "shift", "verdict"),
    [
        (99, 2.0, "too few"),
        (100, 2.0, "drift"),
        (400, 0.0, "steady"),
        (100_000, 0.1, "slight"),
    ],
)
def test_features(num, shift, verdict):
    found = measures.moved("features", moments(num, shift, 1), moments(30_000, 0.0, 2))
    assert found.verdict == verdict


def test_distances_have_the_meaning_that_is_told():
    apart = measures.answers(Counter({0: 300, 1: 100}), Counter({0: 500, 1: 500}))
    assert apart.distance == pytest.approx(0.25)
    gap = measures.unfamiliar(count_unfamiliar(np.full(200, 1.5)), count_unfamiliar(np.full(90, 1)))
    assert gap.distance == 1.0
    shifted = measures.moved("values", moments(50_000, 0.5, 1), moments(50_000, 0.0, 2))
    assert shifted.distance == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("kind", ["answers", "rare", "unfamiliar", "features"])
def test_chance_alone_is_hardly_ever_called_more(kind):
    rare = tuple(1 / 300 for _ in range(300))
    draw = {
        "answers": lambda num, seed: labels(num, SAME, seed),
        "rare": lambda num, seed: labels(num, rare, seed),
        "unfamiliar": lambda num, seed: scores(num, 0.5, seed),
        "features": lambda num, seed: moments(num, 0.0, seed),
    }[kind]
    compare = {
        "unfamiliar": measures.unfamiliar,
        "features": lambda now, then: measures.moved("features", now, then),
    }.get(kind, measures.answers)
    beyond = 0
    for seed in range(40):
        found = compare(draw(150, seed), draw(400, seed + 1000))
        beyond += found.verdict != "steady"
    assert beyond <= 1  # one in a thousand is expected


def test_nothing_to_compare_is_too_few():
    none = np.zeros(101, np.int64)
    assert measures.answers(Counter(), Counter()).verdict == "too few"
    assert measures.unfamiliar(none, none).verdict == "too few"
    assert measures.moved("features", Moments.none(8), Moments.none(8)).verdict == "too few"
    assert measures.population_stability(Counter({1: 5}), Counter()) >= 0.0
