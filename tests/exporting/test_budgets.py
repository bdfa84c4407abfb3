"""Which of the measured candidates is taken, and what is said when none is: rules alone."""

import dataclasses

import numpy as np
import pytest

from ninebrains.brains.manifest import Estimate
from ninebrains.errors import ExportError
from ninebrains.exporting.choosing.artefacts import quietest_and_noise
from ninebrains.exporting.choosing.budget import Budget, Candidate, Rules, front, next_step, pick
from ninebrains.exporting.choosing.wording import notes_on, step_up, table, why


def candidate(size, ms, mb, quality, precision="fp32", **more):
    estimate = Estimate(value=quality, low=quality / 2, high=quality)
    right = (np.arange(200) < round(200 * quality)).astype(float)
    values = {"score": quality, "lost": 0.95 - quality, "lost_to_floats": 0.0, "right": right}
    return Candidate("octo", size, size, precision, estimate, ms=ms, mb=mb, **{**values, **more})


SMALL = candidate(48, 1.0, 12.0, 0.80)
SMALL_HALF = candidate(48, 1.0, 6.0, 0.80, "fp16")
MIDDLE = candidate(96, 4.0, 12.0, 0.90)
MIDDLE_HALF = candidate(96, 4.1, 6.0, 0.90, "fp16")
LARGE = candidate(128, 8.0, 12.0, 0.95)
ALL = (LARGE, MIDDLE_HALF, SMALL, MIDDLE, SMALL_HALF)


def rules(*limits, gate=0.01, task="classify"):
    return Rules(task, Budget(*limits), gate)


@pytest.mark.parametrize(
    ("limits", "chosen"),
    [
        ((), LARGE),
        ((8.0,), LARGE),
        ((7.9,), MIDDLE_HALF),  # as good and as fast as in fp32, and smaller
        ((2.0,), SMALL_HALF),
        ((None, 7.0), MIDDLE_HALF),
        ((2.0, 7.0), SMALL_HALF),
        ((5.0, 20.0, 0.06), MIDDLE_HALF),
    ],
)
def test_the_best_that_fits_is_taken_and_of_equals_the_faster_then_the_smaller(limits, chosen):
    assert pick(rules(*limits), ALL) is chosen
    assert rules(*limits).fits(chosen)


def test_a_faster_one_is_taken_before_a_smaller_one_when_the_clock_can_tell():
    quick = candidate(96, 3.0, 12.0, 0.90)
    assert pick(rules(5.0), (MIDDLE_HALF, quick)) is quick


def test_eight_bits_that_lose_more_than_the_gate_allows_are_never_taken():
    poor = candidate(96, 1.0, 3.0, 0.93, "int8", lost_to_floats=0.02)
    assert pick(rules(5.0), (poor, MIDDLE)) is MIDDLE
    assert pick(rules(5.0, gate=0.03), (poor, MIDDLE)) is poor
    assert "loses too much" in table(rules(5.0), (poor,), MIDDLE)[0]


def test_what_was_not_asked_for_or_not_timed_is_never_taken():
    stranger = dataclasses.replace(LARGE, is_asked=False)
    untimed = dataclasses.replace(LARGE, ms=None)
    assert pick(rules(), (stranger, untimed, SMALL)) is SMALL


def test_where_nothing_fits_the_nearest_are_named_with_the_limits_that_they_break():
    with pytest.raises(ExportError) as refusal:
        pick(rules(0.9, 5.0, 0.1), ALL)
    first = str(refusal.value).splitlines()[1]
    assert "octo at 48 px in fp16" in first
    assert "1.00 ms is over 0.9 ms; 6.00 MB is over 5 MB" in first
    assert "it loses 15 points to the brain; 10 points may be lost" in first


def test_the_front_holds_what_no_other_beats_in_time_size_and_quality_at_once():
    assert set(map(id, front(ALL))) == {id(LARGE), id(MIDDLE_HALF), id(SMALL_HALF)}


def test_noise_alone_puts_nothing_on_the_front():
    assert front((MIDDLE, dataclasses.replace(MIDDLE_HALF, ms=4.15))) == (
        dataclasses.replace(MIDDLE_HALF, ms=4.15),
    )


def test_the_next_step_up_is_the_next_better_one_and_what_it_breaks():
    chosen = pick(rules(2.0, 7.0), ALL)
    better = next_step(rules(2.0, 7.0), ALL, chosen)
    assert better is MIDDLE_HALF
    said = step_up(rules(2.0, 7.0), chosen, better)
    assert "octo at 96 px in fp16" in said
    assert "+10.0 points of accuracy" in said
    assert "4.10 ms is over 2 ms" in said
    assert next_step(rules(), ALL, LARGE) is None
    assert "better" in step_up(rules(), LARGE, None)


def test_a_pick_that_hangs_on_the_clock_is_told():
    notes = list(notes_on(rules(1.02), ALL, SMALL_HALF))
    assert any("on another run it may be over 1.02 ms" in note for note in notes)
    notes = list(notes_on(rules(7.8), ALL, MIDDLE_HALF))
    assert any("octo at 128 px in fp32 is better and misses 7.8 ms" in note for note in notes)
    assert not any("another run" in note for note in notes_on(rules(6.0), ALL, MIDDLE_HALF))


def test_a_faster_one_that_the_photos_cannot_tell_from_the_pick_is_told():
    near = candidate(64, 2.0, 12.0, 0.895)
    (note,) = notes_on(rules(6.0), (MIDDLE, near, SMALL), MIDDLE)
    assert note.startswith("octo at 64 px in fp32 takes 2.00 ms instead of 4.00")
    assert not list(notes_on(rules(6.0), (MIDDLE, SMALL), MIDDLE))  # clearly worse


def test_errors_of_a_regression_are_better_when_lower():
    good = dataclasses.replace(MIDDLE, score=-3.0, quality=Estimate(value=3, low=2, high=4))
    poor = dataclasses.replace(SMALL, score=-9.0, quality=Estimate(value=9, low=8, high=10))
    assert pick(rules(task="regress"), (poor, good)) is good
    assert "3 mean error" in why(rules(task="regress"), good)


@pytest.mark.parametrize("limits", [(0.0,), (-1.0,), (None, 0.0), (None, None, 1.5), (np.nan,)])
def test_limits_that_nothing_can_keep_to_are_refused(limits):
    with pytest.raises(ExportError, match="expected"):
        Budget(*limits)


def test_the_quietest_round_counts():
    assert quietest_and_noise([5.0]) == (5.0, 0.0)
    assert quietest_and_noise([9.0, 2.0, 2.5]) == (2.0, 0.5)
