"""What is counted of answers, over workers, restarts and full disks."""

import asyncio

import pytest

from ninebrains.errors import (
    BrainError,
    ClosedError,
    DeadlineError,
    NinebrainsError,
    OutputError,
    OverloadError,
    PhotoError,
)
from ninebrains.serving.asking import Answered, Asker, Chosen
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.traffic.counts import Counts
from ninebrains.serving.traffic.gates import Gate, Seen
from ninebrains.serving.traffic.route import Route
from ninebrains.serving.traffic.states import State
from ninebrains.serving.traffic.summaries import quantile_ms
from ninebrains.serving.traffic.tallies import BUCKETS, Key
from tests.serving.traffic.making import ask, hosts

STABLE, CANARY = Chosen("pets", 1, "stable"), Chosen("pets", 2, "canary")


def failed(error, seconds=0.01, chosen=CANARY):
    return Answered(chosen, None, error, seconds, "", Asker(), b"")


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "host.db")
    yield found
    found.close()


def test_answers_of_two_workers_add_up_with_their_timings(tmp_path):
    with hosts(tmp_path, {"pets": [1], "rooms": [4]}, count=2) as (one, other):
        ask(one, 3)
        ask(other, 2, ("pets", "rooms@4"))
        for host in (one, other):
            host.counts.flush()
        told = one.counts.counts()
        assert told == other.counts.counts()
        assert {key: tally.answered for key, tally in told.items()} == {
            Key("pets", 1, "stable"): 5,
            Key("rooms", 4, "version"): 2,
        }
        pets = told[Key("pets", 1, "stable")]
        assert sum(pets.buckets) == 5
        assert len(pets.buckets) == len(BUCKETS) + 1
        assert 0 < sum(pets.steps) <= pets.seconds * 1.001
        assert list(one.counts.counts("rooms")) == [Key("rooms", 4, "version")]
    with hosts(tmp_path, {}) as (one,):
        ask(one, 1)
        assert one.counts.counts()[Key("pets", 1, "stable")].answered == 6


def test_answers_count_before_they_are_in_the_ledger(ledger):
    counts = Counts(ledger, lambda _: State())
    counts.saw(failed(BrainError("broken")))
    assert counts.counts("pets")[Key("pets", 2, "canary")].failed == 1
    counts.flush()
    counts.saw(failed(BrainError("broken")))
    assert counts.counts("pets")[Key("pets", 2, "canary")].failed == 2


@pytest.mark.parametrize(
    ("error", "kind", "is_of_version"),
    [
        (BrainError("x"), "brain", True),
        (NinebrainsError("x"), "internal", True),
        (PhotoError("x"), "photo", False),
        (OverloadError("x"), "overload", False),
        (DeadlineError("x"), "deadline", False),
    ],
)
def test_errors_count_by_kind_and_some_are_not_of_the_version(ledger, error, kind, is_of_version):
    counts = Counts(ledger, lambda _: State())
    counts.saw(failed(error))
    counts.flush()
    (tally,) = counts.counts().values()
    assert tally.errors == {kind: 1}
    assert tally.failed == is_of_version
    assert tally.evidence().failed == Seen(is_of_version, is_of_version)


def test_who_gives_up_after_the_goal_waited_for_a_slow_answer(ledger):
    state = State(route=Route(stable=1, canary=2, gate=Gate(p90_ms=100)))
    counts = Counts(ledger, lambda _: state)
    for seconds in (0.05, 0.2):
        counts.saw(failed(DeadlineError("late"), seconds))
    assert counts.counts()[Key("pets", 2, "canary")].evidence().slow == Seen(1, 1)


def test_what_cannot_be_written_is_kept_and_added_later(ledger):
    counts = Counts(ledger, lambda _: State())
    for number in range(1, 400):
        counts.saw(failed(BrainError("broken"), chosen=Chosen("pets", number, "stable")))
    before = counts.counts()
    with ledger.reading() as rows:
        (pages,) = rows.execute("PRAGMA page_count").fetchone()
        rows.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutputError, match="full"):
        counts.flush()
    counts.saw(failed(BrainError("broken"), chosen=STABLE))
    with ledger.reading() as rows:
        rows.execute("PRAGMA max_page_count = 1000000")
    counts.flush()
    other = Counts(ledger, lambda _: State())
    assert other.counts() == counts.counts()
    assert other.counts()[Key("pets", 1, "stable")].failed == 2
    assert len(before) == len(other.counts()) == 399


def test_counts_of_trials_that_are_over_are_put_together_and_none_is_lost(ledger):
    state = State(trial=1)
    counts = Counts(ledger, lambda _: state)
    for trial in (1, 2, 3):
        state = State(trial=trial)
        counts.saw(failed(BrainError("broken")))
        counts.flush()
    assert counts.counts()[Key("pets", 2, "canary")].failed == 3
    with ledger.reading() as rows:
        trials = {row["trial"] for row in rows.execute("SELECT trial FROM counts")}
    assert trials == {0, 3}


def test_feedback_counts_for_the_version_that_answered(tmp_path):
    with hosts(tmp_path, {"pets": [1]}) as (host,):
        for answers, is_right in zip(ask(host, 3), (True, True, False), strict=True):
            (answered,) = answers.answered
            host.counts.confirmed(host.seal.open(answered.prediction), is_right)
        tally = host.counts.counts("pets")[Key("pets", 1, "stable")]
        assert (tally.confirmed, tally.disputed) == (2, 1)


def test_photo_that_cannot_be_read_is_no_error_of_the_version(tmp_path):
    with hosts(tmp_path, {"pets": [1]}) as (host,):
        with pytest.raises(PhotoError):
            asyncio.run(host.answer(b"no photo", ["pets"]))
        host.mind.close()
        with pytest.raises(ClosedError):  # refused at once
            ask(host, 1)
        tally = host.counts.counts("pets")[Key("pets", 1, "stable")]
        assert tally.errors == {"photo": 1, "closed": 1}
        assert tally.failed == 0


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ([0] * 14, 0.5, None),
        ([10] + [0] * 13, 0.5, 0.5),
        ([0, 0, 0, 0, 100] + [0] * 9, 0.9, 10 + 0.9 * 15),
        ([90, 10] + [0] * 12, 0.9, 1.0),
        ([90, 10] + [0] * 12, 0.95, 1.75),
        ([0] * 13 + [5], 0.5, 10_000.0),
    ],
)
def test_quantile_is_read_from_the_histogram(buckets, share, expected):
    assert quantile_ms(buckets, share) == (
        expected if expected is None else pytest.approx(expected)
    )


def test_summaries_are_by_version_and_variant(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2]}) as (host,):
        ask(host, 3)
        ask(host, 2, ("pets@1",))
        told = host.counts.summaries("pets")
        assert [(one.number, one.variant, one.answered, one.failed) for one in told] == [
            (1, "version", 2, 0),
            (2, "stable", 3, 0),
        ]
        assert 0 < told[0].p50_ms <= told[0].p90_ms <= told[0].p99_ms
