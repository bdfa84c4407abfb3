"""What a batch costs is learned from the batches that ran."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninebrains.mind.scheduling.costs import WORTH, CostModel


def learn(observations):
    cost = CostModel()
    for num_items, seconds in observations:
        cost.observe(num_items, seconds)
    return cost


def noisy(rng, count, *, each, fixed, sizes=(1, 2, 3, 5, 8, 16)):
    """Batches as a machine gives them: mostly on the line, now and then somewhat slower."""
    for _ in range(count):
        size = rng.choice(sizes)
        yield size, (each * size + fixed) * (1 + 0.1 * rng.random() ** 3)


@pytest.mark.parametrize(
    ("each", "fixed"), [(2e-3, 5e-3), (5e-3, 5e-4), (1e-5, 1e-3), (0.0, 4e-3), (4e-3, 0.0)]
)
def test_the_line_is_learned_from_noisy_batches(each, fixed):
    cost = learn(noisy(random.Random(1), 200, each=each, fixed=fixed))
    for size in (1, 4, 16):
        assert cost.predict(size) == pytest.approx(each * size + fixed, rel=0.15)
    assert cost.each == pytest.approx(each, rel=0.15, abs=3e-4)
    assert cost.fixed == pytest.approx(fixed, rel=0.25, abs=3e-4)


def test_nothing_seen_predicts_nothing_and_tries_the_largest_batch():
    cost = CostModel()
    assert (cost.predict(9), cost.best_batch(64)) == (0.0, 64)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_one_size_seen_is_predicted_and_larger_batches_are_tried(size):
    cost = learn([(size, 0.02)] * 30)
    assert cost.predict(size) == pytest.approx(0.02)
    assert cost.predict(2 * size) > 0.02
    assert cost.best_batch(64) > 1


def test_one_outlier_does_not_wreck_what_was_learned():
    rng = random.Random(2)
    observations = list(noisy(rng, 60, each=2e-3, fixed=5e-3))
    before = learn(observations)
    after = learn([*observations, (4, 50 * before.predict(4))])
    for size in (1, 4, 16):
        assert after.predict(size) == pytest.approx(before.predict(size), rel=0.25)


@pytest.mark.parametrize("factor", [20.0, 0.05])
def test_a_lasting_change_is_learned_soon(factor):
    rng = random.Random(3)
    before = list(noisy(rng, 100, each=2e-3, fixed=5e-3))
    after = list(noisy(rng, 30, each=2e-3 * factor, fixed=5e-3 * factor))
    assert learn([*before, *after]).predict(4) == pytest.approx(13e-3 * factor, rel=0.2)


def test_a_cold_start_is_soon_forgotten():
    assert learn([(1, 0.5), *[(1, 0.01)] * 12]).predict(1) == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(
    ("each", "fixed", "best"),
    [(1.0, 0.0, 1), (1.0, 0.1, 2), (1.0, 1.0, 19), (1.0, 100.0, 64), (0.0, 1.0, 64)],
)
def test_the_best_batch_is_the_smallest_that_no_larger_one_beats_by_much(each, fixed, best):
    cost = CostModel()
    cost.each, cost.fixed = each, fixed
    assert cost.best_batch(64) == best

    def share_to_save(size):
        return (fixed / size) / (each + fixed / size)

    assert best == 64 or share_to_save(best) <= WORTH + 1e-9
    assert best == 1 or share_to_save(best - 1) > WORTH


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 256), st.floats(0, 1e4)), min_size=1, max_size=60),
    st.integers(1, 256),
)
def test_costs_are_never_negative_and_the_best_batch_is_possible(observations, most):
    cost = learn(observations)
    assert cost.each >= 0
    assert cost.fixed >= 0
    assert cost.predict(most) >= cost.predict(1) >= 0
    assert 1 <= cost.best_batch(most) <= most
