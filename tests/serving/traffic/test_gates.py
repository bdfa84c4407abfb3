"""What a gate says about a canary, from what was seen of it."""

import numpy as np
import pytest
from pydantic import ValidationError

from ninebrains.serving.traffic.gates import Evidence, Gate, Seen, assess

NOTHING = Evidence()


def standing(gate, canary, stable=NOTHING):
    return assess(gate, 2, canary, stable).standing


@pytest.mark.parametrize(
    ("gate", "evidence", "expected"),
    [
        (Gate(error_rate=0.01), NOTHING, "undecided"),
        (Gate(error_rate=0.01), Evidence(failed=Seen(0, 2000)), "passing"),
        (Gate(error_rate=0.01), Evidence(failed=Seen(60, 1000)), "failing"),
        (Gate(error_rate=0.01), Evidence(failed=Seen(10, 1000)), "undecided"),
        (Gate(error_rate=0.0), Evidence(failed=Seen(0, 10**6)), "undecided"),
        (Gate(p90_ms=50), Evidence(slow=Seen(20, 1000)), "passing"),
        (Gate(p90_ms=50), Evidence(slow=Seen(200, 1000)), "failing"),
        (Gate(confirmed=0.8), Evidence(confirmed=Seen(470, 500)), "passing"),
        (Gate(confirmed=0.8), Evidence(confirmed=Seen(300, 500)), "failing"),
        (Gate(agreement=0.9), Evidence(agreed=Seen(200, 200)), "passing"),
        (Gate(agreement=0.9), Evidence(agreed=Seen(100, 200)), "failing"),
    ],
)
def test_goal_is_passing_failing_or_undecided(gate, evidence, expected):
    assert standing(gate, evidence) == expected


def test_nothing_is_said_before_the_least_number_of_observations():
    evidence = Evidence(failed=Seen(40, 40))
    assert standing(Gate(error_rate=0.01, least=41), evidence) == "undecided"
    assert standing(Gate(error_rate=0.01, least=40), evidence) == "failing"


def test_all_goals_must_pass_and_one_may_fail():
    gate = Gate(error_rate=0.01, agreement=0.9)
    good, bad = Seen(0, 3000), Seen(300, 3000)
    assert standing(gate, Evidence(failed=good, agreed=Seen(300, 300))) == "passing"
    assert standing(gate, Evidence(failed=good)) == "undecided"
    assert standing(gate, Evidence(failed=bad)) == "failing"


@pytest.mark.parametrize(
    ("canary", "stable", "expected"),
    [
        (Seen(1860, 2000), Seen(1800, 2000), "passing"),
        (Seen(1500, 2000), Seen(1800, 2000), "failing"),
        (Seen(1720, 2000), Seen(1800, 2000), "undecided"),
        (Seen(1500, 2000), Seen(50, 60), "undecided"),
        (Seen(1500, 2000), Seen(), "undecided"),
    ],
)
def test_confirmation_can_be_measured_against_stable(canary, stable, expected):
    gate = Gate(confirmed_below_stable=0.05)
    assert standing(gate, Evidence(confirmed=canary), Evidence(confirmed=stable)) == expected


def test_status_gives_share_bounds_and_a_sentence():
    status = assess(Gate(error_rate=0.01), 2, Evidence(failed=Seen(60, 1000)), NOTHING)
    (goal,) = status.goals
    assert (goal.goal, goal.share, goal.limit, goal.samples) == ("error_rate", 0.06, 0.01, 1000)
    assert 0.01 < goal.low < 0.06 < goal.high < 0.1
    assert goal.text == status.why
    assert goal.text == (
        f"errors: 60 of 1000; the share is between {goal.low:.4f} and {goal.high:.4f}, "
        "at most 0.01 allowed: failing"
    )


@pytest.mark.parametrize(
    "fields", [{}, {"error_rate": 2}, {"p90_ms": 0}, {"error_rate": 0.1, "alpha": 0}, {"p95": 1}]
)
def test_senseless_gate_is_refused(fields):
    with pytest.raises(ValidationError):
        Gate(**fields)


def decisions(gate, errors, agreement, *, sequences, looks, step):
    """How each of many trials ended, when looked at every `step` requests."""
    rng = np.random.default_rng(3)
    told = []
    for _ in range(sequences):
        failed = np.cumsum(rng.random(looks * step) < errors)
        agreed = np.cumsum(rng.random(looks * step) < agreement)
        ends = range(step, looks * step + 1, step)
        standings = (
            standing(
                gate,
                Evidence(failed=Seen(int(failed[n - 1]), n), agreed=Seen(int(agreed[n - 1]), n)),
            )
            for n in ends
        )
        told.append(next((one for one in standings if one != "undecided"), "undecided"))
    return told


def test_canary_just_at_its_goals_is_seldom_judged():
    """Either verdict would be wrong; both together come up at most as often as `alpha` says."""
    gate = Gate(error_rate=0.05, agreement=0.9, alpha=0.2, least=1)
    told = decisions(gate, 0.05, 0.9, sequences=80, looks=40, step=10)
    assert sum(one != "undecided" for one in told) <= 0.2 * 80


def test_clearly_worse_canary_fails_soon_and_clearly_good_one_passes():
    gate = Gate(error_rate=0.01, agreement=0.9)
    worse = decisions(gate, 0.06, 0.9, sequences=60, looks=10, step=60)
    assert worse.count("failing") >= 57
    good = decisions(gate, 0.001, 0.99, sequences=40, looks=10, step=250)
    assert good.count("passing") >= 38
