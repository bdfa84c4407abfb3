"""Many heads run together: what each one says, alone and among others, and when they go."""

import gc
import sys
import threading
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import ninebrains as nb
from ninebrains.images import prepare
from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.heads.stacking import Stack
from ninebrains.mind.heads.tails import split
from ninebrains.mind.heads.templates import Tail
from tests.making import write_photos
from tests.mind.tail_making import Ending, brain_ending, photos, stem_values

OUTPUTS = ("scores", "unfamiliar", "heatmap")
WIDTH, LABELS = 768, 10


@pytest.fixture(scope="module")
def wide():
    """The tail of a brain on a trunk that gives as many features as a real one."""
    return split(brain_ending(labels=LABELS, width=WIDTH).form()).tail


def another(tail, seed):
    """The same template with other weights."""
    random = np.random.default_rng([3, seed])

    def new(array):
        return (random.normal(size=array.shape) / 8).astype(np.float32)

    blocks = tuple(tuple(new(part) for part in parts) for parts in tail.blocks)
    return Tail(tail.template, blocks, tuple(new(weight) for weight in tail.weights))


def features(tail, rows, seed=0):
    """Values that a trunk could give for some photos."""
    random = np.random.default_rng([4, seed])
    return {
        name: random.random((rows, *shape)).astype(np.float32)
        for name, shape in tail.template.frontier
    }


def bits(results, index):
    """All bits of one pair's outputs."""
    assert results.error(index) is None
    return {name: value.tobytes() for name, value in results.values(index).items()}


def answers(stack, values, seat, rows, outputs=OUTPUTS):
    """What one seat alone says about some photos."""
    results = stack.run(values, [(row, seat) for row in rows], outputs)
    return [bits(results, index) for index in range(len(rows))]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 2, 3, 8, 32])
def test_a_brain_says_the_same_bits_alone_and_among_255_others(wide, rows, threads):
    values = features(wide, rows)
    lone = Stack()
    alone = lone.add(another(wide, 0))
    with threadpool_limits(threads):
        expected = answers(lone, values, alone, range(rows), ["scores", "unfamiliar"])
        stack = Stack()
        seats = [stack.add(another(wide, number)) for number in range(1, 256)]
        # Wherever it sits: in the first slot, in the midst of a slab, in the last one.
        for place in (0, 77, 200):
            stack.remove(seats[place])
            seats[place] = None
            seats[place] = stack.add(another(wide, 0))
        seats.append(stack.add(another(wide, 0)))
        pairs = [(row, seat) for seat in seats for row in range(rows)]
        results = stack.run(values, pairs, ["scores", "unfamiliar"])
    for place in (0, 77, 200, 255):
        assert [bits(results, place * rows + row) for row in range(rows)] == expected


def test_a_brain_says_the_same_bits_in_every_place_and_order(wide):
    values = features(wide, 1)
    stack = Stack()
    seats = [stack.add(another(wide, 0)) for _ in range(150)]
    expected = answers(stack, values, seats[0], [0])
    order = np.random.default_rng(0).permutation(150)
    for chosen in (range(150), order, order[:40], order[:1]):
        results = stack.run(values, [(0, seats[place]) for place in chosen], OUTPUTS)
        assert [bits(results, index) for index in range(len(chosen))] == expected * len(chosen)


@cache
def of_kind(kind):
    """Tails of four templates."""
    labels, axes, width = [(2, 8, 96), (10, 8, 96), (10, 3, 96), (1, 8, 40)][kind]
    return split(brain_ending(labels=labels, axes=axes, width=width).form()).tail


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_company_of_any_kind_changes_no_bit(data):
    stack = Stack()
    seats = []
    for kind in data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=12)):
        seats.append(stack.add(another(of_kind(kind), len(seats))))
        if data.draw(st.integers(0, 3)) == 0:
            stack.remove(seats.pop(data.draw(st.integers(0, len(seats) - 1))))
    rows = data.draw(st.integers(1, 9))
    values = {}
    for seat in seats:
        values |= features(seat, rows)
    pair = st.tuples(st.integers(0, rows - 1), st.integers(0, max(len(seats) - 1, 0)))
    asked = data.draw(st.lists(pair, max_size=40 if seats else 0))
    results = stack.run(values, [(row, seats[seat]) for row, seat in asked], OUTPUTS)
    for number, seat in enumerate(seats):
        own = [index for index, (_, other) in enumerate(asked) if other == number]
        expected = answers(stack, values, seat, [asked[index][0] for index in own])
        assert [bits(results, index) for index in own] == expected


def test_batches_of_any_size_agree(wide):
    values = features(wide, 32)
    stack = Stack()
    seats = [stack.add(another(wide, number)) for number in range(20)]
    together = stack.run(values, [(row, seat) for seat in seats for row in range(32)], OUTPUTS)
    for size in (1, 3, 7):
        rows = np.arange(size) * 4
        some = {name: value[rows] for name, value in values.items()}
        pairs = [(row, seat) for seat in seats for row in range(size)]
        results = stack.run(some, pairs, OUTPUTS)
        for index, (row, _) in enumerate(pairs):
            other = together.values(index // size * 32 + int(rows[row]))
            for name, value in results.values(index).items():
                np.testing.assert_allclose(value, other[name], rtol=1e-5, atol=1e-5)


def test_brains_of_many_templates_and_trunks_run_side_by_side():
    nets = [
        brain_ending(head, labels, trunk=trunk)
        for head, labels, trunk in ((0, 2, 0), (1, 10, 0), (2, 3, 1), (3, 10, 0))
    ]
    other = Ending(4, trunk=1)
    other.then("Sigmoid", other.linear(5), output="scores")
    pixels = photos(5)
    stack, values, pairs = Stack(), {}, []
    for net in [*nets, other]:
        form = net.form()
        parts = split(form)
        values |= stem_values(form, parts, pixels)
        seat = stack.add(parts.tail)
        pairs += [(row, seat) for row in range(5)]
    results = stack.run(values, pairs, OUTPUTS)
    for place, net in enumerate([*nets, other]):
        wanted = net.answers(pixels)
        for row in range(5):
            found = results.values(place * 5 + row)
            assert found.keys() == set(OUTPUTS) & wanted.keys()
            for name, value in found.items():
                np.testing.assert_allclose(value, wanted[name][row], rtol=1e-5, atol=1e-5)


def test_numbers_that_are_not_finite_disturb_nobody_else(wide):
    values = features(wide, 6)
    stack = Stack()
    damaged = another(wide, 1)
    damaged.weights[0][...] = np.inf
    wild = another(wide, 2)
    wild.blocks[0][0][:] = np.nan
    seats = [stack.add(tail) for tail in (another(wide, 0), damaged, wild, another(wide, 3))]
    pairs = [(row, seat) for seat in seats for row in range(6)]
    sound = [answers(stack, values, seat, range(6)) for seat in (seats[0], seats[3])]
    results = stack.run(values, pairs, OUTPUTS)
    assert [bits(results, row) for row in range(6)] == sound[0]
    assert [bits(results, 18 + row) for row in range(6)] == sound[1]
    for index in range(6, 18):
        assert "not numbers (NaN or infinite)" in results.error(index)
    # A photo that the trunk fails on fails with every brain, and no other photo does.
    for value in values.values():
        value[4] = np.nan
    results = stack.run(values, pairs, OUTPUTS)
    for index in range(6):
        if index == 4:
            assert "not numbers" in results.error(index)
            assert "not numbers" in results.error(18 + index)
        else:
            assert bits(results, index) == sound[0][index]
            assert bits(results, 18 + index) == sound[1][index]


def test_a_template_that_fails_fails_its_own_pairs():
    first, second = (split(brain_ending(trunk=trunk).form()).tail for trunk in (0, 1))
    stack = Stack()
    seats = [stack.add(first), stack.add(second)]
    values = features(first, 2)
    results = stack.run(values, [(0, seats[1]), (1, seats[0]), (0, seats[1])], ["scores"])
    assert bits(results, 1).keys() == {"scores"}
    for index in (0, 2):
        assert "but was given nothing" in results.error(index)
        assert results.values(index) == {}
    values = {name: value.astype(np.float64) for name, value in values.items()}
    results = stack.run(values, [(0, seats[0])], ["scores"])
    assert "reads float32['N', 96], but was given float64[2, 96]" in results.error(0)


def test_no_pairs_and_unknown_outputs_give_nothing(wide):
    stack = Stack()
    seat = stack.add(wide)
    assert len(stack.run({}, [], OUTPUTS)) == 0
    results = stack.run({}, [(0, seat)], ["unknown"])
    assert results.error(0) is None
    assert results.values(0) == {}


def test_a_tail_comes_back_bit_by_bit(wide):
    stack = Stack()
    tail = another(wide, 5)
    seats = [stack.add(another(wide, 4)), stack.add(tail)]
    found = seats[1].tail()
    assert found.template == tail.template
    for parts, own in zip(found.blocks, tail.blocks, strict=True):
        assert np.concatenate(parts).tobytes() == np.concatenate(own).tobytes()
    for weight, own in zip(found.weights, tail.weights, strict=True):
        assert weight.tobytes() == own.tobytes()
    values = features(wide, 2)
    expected = answers(stack, values, seats.pop(), [0, 1])
    assert answers(stack, values, stack.add(found), [0, 1]) == expected


def test_a_removed_seat_answers_as_long_as_it_is_held_and_is_free_then(wide):
    values = features(wide, 2)
    stack = Stack()
    kept, held = stack.add(another(wide, 0)), stack.add(another(wide, 1))
    expected = answers(stack, values, held, [0, 1])
    stack.remove(held)
    stack.remove(held)
    assert stack.num_seats == 1
    assert stack.num_bytes == 2 * wide.num_bytes
    others = [stack.add(another(wide, number)) for number in range(2, 8)]
    assert held.slot not in [seat.slot for seat in others]
    assert answers(stack, values, held, [0, 1]) == expected
    slot = held.slot
    del held
    gc.collect()
    assert stack.num_bytes == 7 * wide.num_bytes
    assert stack.add(another(wide, 9)).slot == slot
    for seat in (kept, *others):
        stack.remove(seat)


def test_an_emptied_stack_holds_nothing(wide):
    stack = Stack()
    seats = [stack.add(another(wide, number)) for number in range(130)]
    assert stack.num_bytes == 130 * wide.num_bytes
    while seats:
        stack.remove(seats.pop())
    gc.collect()
    assert stack.num_seats == stack.num_bytes == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kept", [0, 4], ids=["all", "three of four"])
def test_memory_of_removed_brains_returns_to_the_system(wide, kept):
    def resident_bytes():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    stack = Stack()
    before = resident_bytes()
    tail = another(wide, 0)
    seats = [stack.add(tail) for _ in range(400)]
    full = stack.num_bytes
    assert resident_bytes() - before > 0.7 * full
    for place in range(400):
        if not kept or place % kept:
            stack.remove(seats[place])
            seats[place] = None
    left = resident_bytes() - before
    assert left < (0.5 if kept else 0.25) * full


def test_brains_come_and_go_while_others_answer(wide):
    values = features(wide, 3)
    stack = Stack()
    steady = [stack.add(another(wide, number)) for number in range(4)]
    pairs = [(row, seat) for seat in steady for row in range(3)]
    reference = stack.run(values, pairs, ["scores", "unfamiliar"])
    expected = [bits(reference, index) for index in range(len(pairs))]
    wrong, done = [], threading.Event()

    def ask():
        while not done.is_set():
            results = stack.run(values, pairs, ["scores", "unfamiliar"])
            if [bits(results, index) for index in range(len(pairs))] != expected:
                wrong.append("changed by others")

    def come_and_go(seed):
        tails = [another(wide, 10 + seed * 3 + number) for number in range(3)]
        alone = Stack()
        own = [answers(alone, values, alone.add(tail), [0, 1, 2], ["scores"]) for tail in tails]
        for _ in range(40):
            seats = [stack.add(tail) for tail in tails]
            for seat, truth in zip(seats, own, strict=True):
                stack.remove(seat)
                if answers(stack, values, seat, [0, 1, 2], ["scores"]) != truth:
                    wrong.append("not what was added")

    asking = [threading.Thread(target=ask) for _ in range(2)]
    moving = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(3)]
    for thread in asking + moving:
        thread.start()
    for thread in moving:
        thread.join()
    done.set()
    for thread in asking:
        thread.join()
    gc.collect()
    assert wrong == []
    assert stack.num_seats == 4
    assert stack.num_bytes == 4 * wide.num_bytes


def test_a_seat_that_vanishes_while_another_is_added_is_freed(wide):
    # Python may collect garbage at any time: here in `add`, which holds the stack's lock.
    class Collecting(tuple):
        def __iter__(self):
            gc.collect()
            return super().__iter__()

    stack = Stack()
    kept = stack.add(wide)
    cycle = [stack.add(wide)]
    cycle.append(cycle)
    stack.remove(cycle[0])
    del cycle
    new = stack.add(Tail(wide.template, Collecting(wide.blocks), wide.weights))
    assert stack.num_bytes == 2 * wide.num_bytes
    assert (kept.slot, new.slot, stack.add(wide).slot) == (0, 2, 1)


def test_trained_brains_say_together_what_they_say_alone(small_trunk, pets, tmp_path):
    fishes = write_photos(tmp_path, {"bird": 12, "cat": 12, "fish": 12})
    brains = [nb.train(folder, trunk=small_trunk) for folder in (pets, fishes)]
    # On drawn photos `unfamiliar` is a small difference of numbers near 300, in any runtime.
    assert_as_alone(brains, sorted(pets.glob("*/*.jpg"))[::16], unfamiliar=3e-4)


def test_brains_trained_on_real_photos_say_together_what_they_say_alone(shared, tmp_path):
    data = shared / "data" / "classification"
    clothes = sorted((data / "clothing343").rglob("*.jpg"))
    for path in clothes[::6]:
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    brains = [nb.train(tmp_path), nb.train(tmp_path, recipe=nb.Recipe(seed=1))]
    assert_as_alone(brains, clothes[:5])


def assert_as_alone(brains, paths, unfamiliar=1e-5):
    """Whether brains on one trunk say, stacked, what each of them computes."""
    near = {"scores": 1e-5, "heatmap": 1e-5, "unfamiliar": unfamiliar}
    contract = brains[0].contract
    pixels = np.stack([prepare(path.read_bytes(), contract) for path in paths])
    stack, values, seats = Stack(), {}, []
    for brain in brains:
        form = read_form(brain.graph, brain.contract)
        parts = split(form)
        assert set(parts.tail.outputs) == set(OUTPUTS)
        values |= stem_values(form, parts, pixels)
        seats.append(stack.add(parts.tail))
    assert len(values) == 2, "brains on one trunk read the same features and the same map"
    pairs = [(row, seat) for seat in seats for row in range(len(pixels))]
    results = stack.run(values, pairs, OUTPUTS)
    for place, brain in enumerate(brains):
        wanted = brain.compute(pixels, OUTPUTS)
        for row in range(len(pixels)):
            for name, value in results.values(place * len(pixels) + row).items():
                np.testing.assert_allclose(value, wanted[name][row], near[name], near[name])
