"""What the benchmarks of the mind rest on: that they would see what goes wrong."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import Future

import numpy as np
import pytest
from benchmarks.mind.asking import Asker
from benchmarks.mind.brains import HEAD, derive, derive_upper, head_bytes, untrained, write_linked
from benchmarks.mind.callers import closed_loop, open_loop
from benchmarks.mind.equal import answers_of, are_equal, difference
from benchmarks.mind.failing import raising, without_numbers
from benchmarks.mind.figures import percentile, slope
from benchmarks.mind.partial import find_cut
from benchmarks.mind.references import References
from benchmarks.mind.timeline import Timeline

from ninebrains.brains import load
from ninebrains.brains.graph import unpack
from ninebrains.errors import BrainError
from ninebrains.mind import Mind
from ninebrains.trunks import load_trunk
from tests.making import jpeg


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([5.0], 99, 5.0), (range(1, 101), 99, 99), (range(1, 101), 50, 50), ([3, 1, 2], 100, 3)],
)
def test_a_percentile_is_one_of_the_values(values, percent, expected):
    assert percentile(values, percent) == expected


def test_the_slope_of_a_line_leaves_out_its_beginning():
    times = np.arange(100.0)
    held = np.where(times < 15, 0.0, 1000.0 + 2.5 * times)
    rise, half = slope(times, held)
    assert rise == pytest.approx(2.5)
    assert half == pytest.approx(0.0, abs=1e-9)


def test_the_interval_of_a_slope_holds_the_truth_although_neighbours_are_alike():
    hits, times = 0, np.arange(600.0)
    for seed in range(100):
        steps = np.random.default_rng(seed).normal(size=600)
        noise = np.convolve(steps, 0.8 ** np.arange(30))[:600]
        rise, half = slope(times, 0.01 * times + noise)
        hits += abs(rise - 0.01) <= half
    assert hits >= 88


def test_a_slope_of_two_samples_is_refused():
    with pytest.raises(ValueError, match="3 samples"):
        slope([0.0, 1.0], [1.0, 2.0])


def test_a_timeline_knows_what_may_have_been_there():
    timeline = Timeline()
    before = time.perf_counter()
    timeline.note("pets", "1")
    first = time.perf_counter()
    with timeline.changing("pets", "2"):
        during = time.perf_counter()
        assert timeline.now("pets") == {"1", "2"}
    after = time.perf_counter()
    assert timeline.between("pets", before, first) == {None, "1"}
    assert timeline.between("pets", first, first) == {"1"}
    assert timeline.between("pets", first, during) == {"1", "2"}
    assert timeline.between("pets", after, after) == {"2"}
    assert timeline.between("rooms", before, after) == {None}


def test_callers_that_meet_an_error_pass_it_on():
    with pytest.raises(ZeroDivisionError):
        closed_loop(lambda _: 1 / 0, 3, 60.0)


def test_requests_are_timed_from_when_they_were_due():
    held: list[Future[int]] = []

    def submit(_: random.Random) -> Future[int]:
        held.append(Future())
        if len(held) == 1:
            time.sleep(0.2)  # a stall: the next ones are late before they are made
        if len(held) == 5:
            for future in held:
                future.set_result(1)
        return held[-1] if len(held) <= 5 else _settled()

    calls = open_loop(submit, 100.0, 0.3)
    assert len(calls) > 5
    assert max(call.ms for call in calls) >= 200
    assert sorted(call.ms for call in calls)[1] < 200


def _settled() -> Future[int]:
    future: Future[int] = Future()
    future.set_result(1)
    return future


def test_derived_brains_share_the_trunk_and_nothing_of_the_head(small_trunk, tmp_path):
    brains = [untrained(small_trunk, "first", 1)]
    brains += [derive(brains[0], f"other-{seed}", seed) for seed in range(3)]
    for brain in brains:
        write_linked(brain, tmp_path / brain.name, tmp_path / "pool")
    paths = [tmp_path / brain.name for brain in brains]
    assert [load(path) for path in paths] == brains
    weights = [set(brain.graph.weights) for brain in brains]
    common = set.intersection(*weights)
    tensors = unpack(brains[0].graph).graph.initializer
    trunk = [len(t.raw_data) for t in tensors if not t.name.startswith(HEAD)]
    assert sum(len(brains[0].graph.weights[name]) for name in common) >= max(trunk)
    assert len(set.union(*weights)) == len(common) + sum(len(own - common) for own in weights)
    assert head_bytes(paths) == sum(
        len(brain.graph.weights[name])
        for brain, own in zip(brains, weights, strict=True)
        for name in own - common
    )


def test_octo_is_cut_where_two_thirds_of_the_work_are_below():
    brain = untrained(load_trunk("octo"), "octo", 0)
    cut = find_cut(unpack(brain.graph))
    assert 0.55 < cut.share < 0.75
    tuned = derive_upper(brain, "tuned", set(cut.above), seed=1)
    kept = set(brain.graph.weights) & set(tuned.graph.weights)
    before = {t.name: t for t in unpack(brain.graph).graph.initializer}
    for tensor in unpack(tuned.graph).graph.initializer:
        is_same = tensor.raw_data == before[tensor.name].raw_data
        is_changed = tensor.name in cut.above or tensor.name.startswith(HEAD)
        assert is_same or is_changed, tensor.name
    assert kept


def test_differences_are_seen(small_trunk):
    brain = untrained(small_trunk, "pets", 1)
    photo = jpeg("cat", 1)
    answers = answers_of(brain.run(photo))
    again = answers_of(brain.run(photo))
    assert are_equal(answers, again)
    again["scores"] = again["scores"] + np.float32(1e-4)
    assert not are_equal(answers, again)
    assert difference(answers, again) == pytest.approx(1e-4, rel=0.1)
    del again["scores"]
    assert difference(answers, again) == float("inf")


@pytest.mark.parametrize("broken", [without_numbers, raising])
def test_failing_brains_fail(small_trunk, broken):
    brain = broken(untrained(small_trunk, "pets", 1), "broken")
    with pytest.raises(BrainError):
        brain.run(np.zeros((64, 64, 3), np.uint8))


@pytest.fixture
def asked(small_trunk, tmp_path):
    """References for two brains, and what an asker of a mind finds wrong."""
    brains = [untrained(small_trunk, name, seed) for seed, name in enumerate(("pets", "rooms"))]
    photos = [jpeg("cat", number) for number in range(3)]
    references = References(brains, [without_numbers(brains[0], "broken")], photos, tmp_path)
    timeline = Timeline()
    for name in references.names:
        timeline.note(name, "1")

    def ask(mind, stall_s=20.0, seconds=1.0):
        wrong, stop = [], threading.Event()
        asker = Asker(mind, references, timeline, Counter(), wrong, stop, stall_s)
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        asker.ask_in_turn([1])
        timer.cancel()
        timer.join()
        return wrong

    ask.brains = [references.source(name, "1", 0) for name in references.names]
    return ask


def test_an_asker_is_content_with_right_answers(asked):
    with Mind(asked.brains) as mind:
        assert asked(mind) == []


def test_an_asker_sees_wrong_answers(asked):
    changed = derive(asked.brains[1], asked.brains[1].name, seed=5)
    with Mind([asked.brains[0], changed, asked.brains[2]]) as mind:
        (wrong,) = asked(mind, seconds=20.0)
    assert "rooms@1 differs by" in wrong


def test_an_asker_sees_that_a_brain_is_missing(asked):
    with Mind(asked.brains[:1]) as mind:
        wrong = asked(mind, seconds=20.0)
    assert any("rooms" in text for text in wrong)


def test_an_asker_sees_lost_answers(asked, capfd):
    class Silent:
        def submit(self, *_, **__):
            return Future()

    (wrong,) = asked(Silent(), stall_s=0.05, seconds=20.0)
    assert "no outcome" in wrong
    assert "most recent call first" in capfd.readouterr().err
