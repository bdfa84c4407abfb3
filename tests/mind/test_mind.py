"""A mind as its users see it: real brains, real threads, real photos."""

import asyncio
import gc
import io
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from benchmarks.mind.brains import untrained
from PIL import Image

import ninebrains as nb
from ninebrains.errors import BrainError, ClosedError, PhotoError
from ninebrains.mind.passing import Passage, send
from ninebrains.mind.requests import Request, Timings
from ninebrains.trunks import load_trunk
from tests.brains.making import make_brain
from tests.making import jpeg, photo
from tests.mind.making import SIDE, deep_brain, failing_guest, mixing_brain, nan_guest


@pytest.fixture(scope="module")
def brains():
    """Three heads on one trunk, and two that were fine-tuned from it."""
    return [
        deep_brain("cats", head=1),
        deep_brain("rooms", head=2, num_labels=5),
        deep_brain("meals", head=3),
        deep_brain("tuned", head=4, upper=1, untouched=4),
        deep_brain("other", head=5, upper=2, untouched=4),
    ]


@pytest.fixture(scope="module")
def shared_trunk_brains():
    """Brains that measure how unfamiliar a photo is: always, and never."""
    return [make_brain(name="strange", trunk_seed=3), make_brain("regress", name="weight")]


@pytest.fixture
def mind(brains):
    with nb.Mind(brains) as running:
        yield running


def scores(inference):
    return inference.answers


def test_every_brain_answers_as_it_does_alone(mind, brains):
    for number in range(6):
        data = jpeg("cat", number)
        answers = mind.run(data)
        assert list(answers) == [brain.name for brain in brains]
        for brain in brains:
            ours, alone = answers[brain.name], brain.run(data)
            assert np.allclose(ours.answers, alone.answers, atol=1e-5)
            assert np.allclose(ours.features, alone.features, atol=1e-5)
            assert ours.top.label == alone.top.label
            assert ours.photo_size == alone.photo_size == (96, 72)
            assert ours.brain == alone.brain


def test_all_answers_at_once_are_those_of_the_inferences(brains, shared_trunk_brains):
    picky = deep_brain("picky", head=2, num_labels=5, unusual=8.8)
    everyone = [*brains, *shared_trunk_brains, picky, nan_guest("odd")]
    said = set()
    with nb.Mind(everyone) as mind:
        for data in (jpeg("cat", number) for number in range(8)):
            answers = mind.run(data)
            expected = {name: item.answer for name, item in answers.items() if name != "odd"}
            assert answers.answers == expected
            said.add(expected["picky"] is None)
        assert said == {True, False}
        white = np.full((SIDE, SIDE, 3), 255, np.uint8)
        assert "odd" not in mind.run(white, on_error="keep").answers


def test_only_those_who_are_asked_answer(mind):
    assert list(mind.run(jpeg("cat", 1), ["rooms", "cats"])) == ["rooms", "cats"]
    assert list(mind.run(jpeg("cat", 1), "rooms")) == ["rooms"]
    with pytest.raises(KeyError):
        mind.run(jpeg("cat", 1), ["cats"])["rooms"]


def test_heat_maps_come_when_they_are_asked_for(mind, brains):
    data = jpeg("cat", 2)
    with pytest.raises(BrainError, match="heatmaps=True"):
        mind.run(data, "rooms")["rooms"].heatmap()
    ours = mind.run(data, heatmaps=True)["rooms"].heatmap()
    assert np.allclose(ours, brains[1].run(data).heatmap(), atol=1e-4)


def test_company_changes_no_bit_of_an_answer(brains):
    photos = [jpeg("dog", number) for number in range(5)]
    for brain in brains:
        with nb.Mind([brain]) as alone, nb.Mind(brains) as together:
            for data in photos:
                one = alone.run(data, heatmaps=True)[brain.name]
                other = together.run(data, heatmaps=True)[brain.name]
                assert np.array_equal(one.answers, other.answers)
                assert np.array_equal(one.features, other.features)
                assert np.array_equal(one.heatmaps, other.heatmaps)


def answers_to_one_batch(mind, name, pixels):
    """What a brain says about photos that travel in one batch."""
    asked = mind._company.asked((name,), heatmaps=True)
    requests = []
    for _ in pixels:
        ticket = mind._scheduler.admit(flow="a batch")
        requests.append(Request(ticket, b"", asked, True, False))
        requests[-1].expect_answers()
    now = Timings(0.0, 0.0, 0.0)
    send(
        [Passage(item, 0, row, now) for row, item in enumerate(requests)],
        pixels,
        mind._company.stack,
    )
    return [request.ticket.future.result(0)[name] for request in requests]


@pytest.mark.parametrize("size", [2, 5, 16])
def test_company_changes_no_bit_in_a_batch_either(brains, size):
    pixels = np.stack([nb.prepare(jpeg("dog", n), brains[0].contract) for n in range(size)])
    for brain in brains:
        with nb.Mind([brain]) as alone, nb.Mind(brains) as together:
            ones = answers_to_one_batch(alone, brain.name, pixels)
            others = answers_to_one_batch(together, brain.name, pixels)
            for one, other in zip(ones, others, strict=True):
                assert np.array_equal(one.answers, other.answers)
                assert np.array_equal(one.features, other.features)
                assert np.array_equal(one.heatmaps, other.heatmaps)
                assert one.unfamiliar == other.unfamiliar


@pytest.mark.parametrize("size", [1, 3, 8])
def test_company_changes_no_bit_on_real_photos(shared, size):
    octo = load_trunk("octo")
    company = [untrained(octo, f"b{n}", n, 2 + n % 9) for n in range(16)]
    photos = sorted((shared / "data/detection/coco128_train").rglob("*.jpg"))[:size]
    pixels = np.stack([nb.prepare(path, octo.contract) for path in photos])
    with nb.Mind(company) as together:
        for brain in company[::5]:
            with nb.Mind([brain]) as alone:
                ones = answers_to_one_batch(alone, brain.name, pixels)
            others = answers_to_one_batch(together, brain.name, pixels)
            for path, one, other in zip(photos, ones, others, strict=True):
                assert np.array_equal(one.answers, other.answers)
                assert np.array_equal(one.heatmaps, other.heatmaps)
                assert one.unfamiliar == other.unfamiliar
                single = together.run(path, [brain.name])[brain.name]
                assert np.allclose(single.answers, one.answers, atol=1e-5)


def test_brains_on_one_trunk_share_it_and_fine_tuned_ones_share_what_was_left_alone(mind):
    (root,) = mind.explain().roots
    (lower,) = root.below
    assert set(lower.brains) == {"cats", "rooms", "meals", "tuned", "other"}
    shared = sorted(tuple(branch.brains) for branch in lower.below)
    assert shared == [("cats", "rooms", "meals"), ("other",), ("tuned",)]
    assert mind.explain().multiplications_alone > 2 * mind.explain().multiplications
    assert "cats" in str(mind.explain())
    assert mind.explain().to_svg().startswith("<svg")


def test_many_photos_come_back_in_their_order_and_bad_ones_in_their_place(mind, brains):
    photos = [jpeg("cat", number) for number in range(40)]
    photos[7] = b"no photo"
    photos[21] = photos[21][:100]
    found = list(mind.run_many(photos, ["cats"], on_error="yield"))
    assert [n for n, item in enumerate(found) if isinstance(item, PhotoError)] == [7, 21]
    for number in (0, 8, 39):
        alone = brains[0].run(photos[number])
        assert np.allclose(found[number]["cats"].answers, alone.answers, atol=1e-5)
    stream = mind.run_many(photos, on_error="raise")
    assert len([next(stream) for _ in range(7)]) == 7
    with pytest.raises(PhotoError):
        next(stream)


def test_many_photos_are_taken_only_as_they_are_needed(mind):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield jpeg("cat", 3)

    stream = mind.run_many(endless(), ["cats"])
    next(stream)
    stream.close()
    assert len(taken) <= 65


def test_many_callers_get_their_own_answers(mind, brains):
    alone = {
        (brain.name, number): brain.run(jpeg("cat", number)).answers
        for brain in brains
        for number in range(8)
    }

    def ask(turn):
        name, number = brains[turn % 5].name, turn % 8
        ours = mind.run(jpeg("cat", number), [name])[name].answers
        return np.allclose(ours, alone[name, number], atol=1e-5)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))


def test_asyncio_waits_for_answers_and_may_cancel_them(mind):
    async def ask():
        answers = await asyncio.gather(*(mind.answer(jpeg("cat", n)) for n in range(10)))
        task = asyncio.create_task(mind.answer(jpeg("cat", 1)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return answers

    answers = asyncio.run(ask())
    assert all(len(answer) == 5 for answer in answers)
    assert mind.run(jpeg("cat", 1))["cats"].top


def test_every_form_of_a_photo_is_taken(mind, tmp_path):
    data = jpeg("cat", 1)
    path = tmp_path / "cat.jpg"
    path.write_bytes(data)
    pixels = np.asarray(photo("cat", 1))
    with path.open("rb") as file:
        future = mind.submit(file)
    forms = [path, str(path), data, io.BytesIO(data)]
    wanted = future.result()["cats"].answers
    for form in forms:
        assert np.array_equal(mind.run(form)["cats"].answers, wanted)
    assert np.array_equal(
        mind.run(pixels)["cats"].answers, mind.run(photo("cat", 1))["cats"].answers
    )


def test_mistakes_are_told_with_what_to_do(mind):
    for call, error, words in (
        (lambda: mind.run("no.jpg"), PhotoError, "no.jpg"),
        (lambda: mind.run(b"no"), PhotoError, "photo"),
        (lambda: mind.run(b"no", ["nobody"]), BrainError, "here are cats, rooms"),
        (lambda: mind.run(b"no", []), BrainError, "nobody was asked"),
        (lambda: mind.run(b"no", [3]), BrainError, "expected text"),
        (lambda: mind.remove("nobody"), BrainError, "here are"),
        (lambda: mind.add("nothing.brain"), BrainError, "nothing.brain"),
        (lambda: mind.add(3), BrainError, "expected a brain"),
        (lambda: mind.add(deep_brain("x"), name="a/b"), BrainError, "letters"),
        (lambda: mind.run_many(b"one photo"), PhotoError, "list"),
        (lambda: mind.run(jpeg("cat", 1), priority="low"), BrainError, "bulk"),
        (lambda: mind.run(jpeg("cat", 1), 5), BrainError, "expected names"),
        (lambda: mind.add(deep_brain("x"), name=5), BrainError, "letters"),
        (lambda: mind.add(deep_brain("x"), name=""), BrainError, "letters"),
        (lambda: mind.remove(["cats"]), BrainError, "here are"),
        (lambda: nb.Mind(5), BrainError, "list of brains"),
        (lambda: nb.Mind(max_pending="x"), BrainError, "whole number"),
        (lambda: nb.Mind(max_memory=-1), BrainError, "whole number"),
        (lambda: nb.Mind(threads=0), BrainError, "from 1"),
        (lambda: nb.Mind(decoders=-1), BrainError, "from 1"),
        (lambda: nb.Mind(limits=5), BrainError, "expected Limits"),
        (lambda: mind.run(jpeg("cat", 1), on_error="no"), BrainError, "keep"),
    ):
        with pytest.raises(error, match=words):
            call()


def test_brains_come_and_go_while_others_answer(mind, brains):
    wanted = brains[0].run(jpeg("cat", 5)).answers
    stop, wrong, count = threading.Event(), [], [0]

    def ask():
        while not stop.is_set():
            ours = mind.run(jpeg("cat", 5), ["cats"])["cats"].answers
            count[0] += 1
            if not np.allclose(ours, wanted, atol=1e-5):
                wrong.append(ours)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(12):
        mind.add(deep_brain(f"guest{number}", head=50 + number, upper=number % 3, untouched=3))
        assert mind.run(jpeg("cat", 1), [f"guest{number}"])
        if number >= 2:
            mind.remove(f"guest{number - 2}")
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert count[0]
    assert mind.names == ("cats", "rooms", "meals", "tuned", "other", "guest10", "guest11")


def test_a_new_version_takes_over_and_the_old_one_is_freed(brains):
    old, new = deep_brain("pets", "1", upper=7, untouched=1), deep_brain("pets", "2", head=9)
    with nb.Mind([brains[0], old]) as mind:
        before = mind.run(jpeg("cat", 1), ["pets"])
        (segment,) = set(mind._company.members["pets"].route) - set(
            mind._company.members["cats"].route
        )
        gone = weakref.ref(segment)
        assert mind.add(new) == "pets"
        after = mind.run(jpeg("cat", 1), ["pets"])
        assert before["pets"].brain == "pets@1"
        assert after["pets"].brain == "pets@2"
        assert np.allclose(after["pets"].answers, new.run(jpeg("cat", 1)).answers, atol=1e-5)
        del segment
        gc.collect()
        assert gone() is None
        assert before["pets"].top  # what was answered stays, and holds no weights
        assert mind.names == ("cats", "pets")
        assert mind.add(new) == "pets"  # the same again changes nothing


def test_one_file_may_run_under_several_names(brains, tmp_path):
    path = brains[0].save(tmp_path / "cats.brain")
    with nb.Mind([path]) as mind:
        assert mind.add(path, name="again") == "again"
        answers = mind.run(jpeg("cat", 1))
        assert np.array_equal(answers["cats"].answers, answers["again"].answers)
        assert answers["again"].brain == "again@1"
        assert mind.explain().multiplications_alone > 1.9 * mind.explain().multiplications


def test_a_failing_brain_fails_only_those_who_ask_for_it(brains):
    with nb.Mind([*brains[:2], failing_guest("bad"), nan_guest("odd")]) as mind:
        good, bad = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE, 3), 255, np.uint8)
        assert set(mind.run(good)) == {"cats", "rooms", "bad", "odd"}
        futures = [mind.submit(bad, [name]) for name in ("cats", "bad", "odd", "rooms") * 5]
        for number, future in enumerate(futures):
            if number % 4 in (1, 2):
                with pytest.raises(BrainError, match=("bad@", "odd@")[number % 4 - 1]):
                    future.result()
            else:
                assert len(future.result()) == 1
        with pytest.raises(BrainError, match="gave no answer"):
            mind.run(bad)
        kept = mind.run(bad, on_error="keep")
        assert set(kept.errors) == {"bad", "odd"}
        assert "bad" in kept
        assert "nobody" not in kept
        assert kept["cats"].top
        with pytest.raises(BrainError, match="bad@"):
            kept["bad"]
        assert mind.run(good)["bad"].outputs["picked"] == 0


def test_a_brain_whose_answer_would_depend_on_the_batch_is_run_photo_by_photo(brains):
    mixer = mixing_brain("mixer")
    photos = [jpeg("cat", number) for number in range(12)]
    with nb.Mind([brains[0], mixer]) as mind:
        futures = [mind.submit(data) for data in photos]
        for data, future in zip(photos, futures, strict=True):
            answers = future.result()
            for brain in (brains[0], mixer):
                alone = brain.run(data).answers
                assert np.allclose(answers[brain.name].answers, alone, atol=1e-5)


def test_closing_answers_what_was_admitted_and_refuses_the_rest(brains):
    mind = nb.Mind(brains)
    futures = [mind.submit(jpeg("cat", number)) for number in range(30)]
    mind.close()
    assert all(future.result()["cats"].top for future in futures)
    with pytest.raises(ClosedError):
        mind.run(jpeg("cat", 1))
    mind.close()


def test_idle_brains_are_parked_and_come_back_on_demand(brains, tmp_path):
    paths = [brain.save(tmp_path / f"{brain.name}.brain") for brain in brains]
    with nb.Mind(paths) as mind:
        whole = mind.explain().num_bytes
        wanted = {name: item.answers for name, item in mind.run(jpeg("cat", 1)).items()}
    with nb.Mind(paths, max_memory=int(whole * 0.7)) as mind:
        assert mind.explain().parked
        assert mind.explain().num_bytes <= whole * 0.7
        for name in wanted:
            mind.run(jpeg("cat", 1), [name])
        for path in paths:
            path.unlink()  # what was parked once does not need its file any more
        for _ in range(2):
            for name in ("tuned", "other", "cats"):
                ours = mind.run(jpeg("cat", 1), [name])[name]
                assert np.array_equal(ours.answers, wanted[name])
        assert set(mind.names) == set(wanted)


def test_an_image_that_is_not_loaded_yet_may_be_asked_about_many_times_at_once(mind, tmp_path):
    for number in range(5):
        path = tmp_path / f"{number}.png"
        photo("cat", number, size=(640, 480)).save(path)
        wanted = mind.run(path)["cats"].answers
        with Image.open(path) as image:
            futures = [mind.submit(image, ["cats"]) for _ in range(8)]
            for future in futures:
                assert np.allclose(future.result()["cats"].answers, wanted, atol=1e-5)


def test_a_guest_with_other_labels_or_another_contract_takes_over(model_file):
    first = nb.import_model(model_file, "namer", labels=list("abcdefghij"), activation="softmax")
    other = nb.import_model(model_file, "namer", labels=list("klmnopqrst"), activation="softmax")
    padded = nb.import_model(model_file, "namer", fit="pad")
    with nb.Mind([first]) as mind:
        assert mind.run(jpeg("cat", 1))["namer"].top.label in "abcdefghij"
        mind.add(other)
        assert mind.run(jpeg("cat", 1))["namer"].top.label in "klmnopqrst"
        mind.add(padded)
        assert mind.run(jpeg("cat", 1))["namer"].contract.fit == "pad"


def test_a_file_that_was_damaged_meanwhile_costs_sharing_and_nothing_else(tmp_path):
    old, new = deep_brain("old"), deep_brain("new", upper=1, untouched=3)
    path = old.save(tmp_path / "old.brain")
    with nb.Mind([path]) as mind:
        data = bytearray(path.read_bytes())
        largest = max(bytes(item) for item in old.graph.weights.values() if len(item) > 10_000)
        data[data.index(largest) + 5] ^= 1
        path.write_bytes(data)
        mind.add(new)
        answers = mind.run(jpeg("cat", 1))
        for brain in (old, new):
            alone = brain.run(jpeg("cat", 1)).answers
            assert np.allclose(answers[brain.name].answers, alone, atol=1e-5)


def test_waiting_for_an_answer_in_a_callback_is_refused_and_blocks_nobody(mind):
    seen, done = [], threading.Event()

    def ask_again(_future):
        try:
            mind.run(jpeg("cat", 2))
        except BrainError as error:
            seen.append(error)
        done.set()

    mind.submit(jpeg("cat", 1)).add_done_callback(ask_again)
    assert done.wait(60)
    assert "Use submit" in str(seen[0])
    assert mind.run(jpeg("cat", 1), deadline_ms=60_000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_forked_process_is_told_to_make_a_mind_of_its_own(tmp_path):
    script = tmp_path / "forked.py"
    script.write_text(
        "import os, signal, sys, warnings\n"
        "import ninebrains as nb\n"
        "from tests.making import jpeg\n"
        "from tests.mind.making import deep_brain\n"
        "warnings.simplefilter('ignore')\n"
        "mind = nb.Mind([deep_brain()])\n"
        "mind.run(jpeg('cat', 1))\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(60)\n"
        "    try:\n"
        "        mind.run(jpeg('cat', 1))\n"
        "    except nb.ClosedError as error:\n"
        "        mind.close()\n"
        "        print('forked' in str(error), flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(len(mind.run(jpeg('cat', 1))))\n"
        "mind.close()\n"
    )
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        check=False,
    )
    assert done.stdout.decode().split() == ["True", "1"], done.stderr.decode()


@pytest.mark.parametrize("first", [0, 1])
def test_sharing_does_not_depend_on_who_comes_first(first):
    plain = deep_brain("plain")
    mixer = deep_brain("mixer", mixes=True)
    pair = [plain, mixer] if first == 0 else [mixer, plain]
    with nb.Mind(pair) as mind:
        assert mind.explain().multiplications_alone > 1.8 * mind.explain().multiplications
        futures = [mind.submit(jpeg("cat", number)) for number in range(12)]
        for number, future in enumerate(futures):
            answers = future.result()
            for brain in pair:
                alone = brain.run(jpeg("cat", number)).answers
                assert np.allclose(answers[brain.name].answers, alone, atol=1e-5)


def test_a_mind_without_brains_says_so():
    with nb.Mind() as mind, pytest.raises(BrainError, match="add brains first"):
        mind.run(jpeg("cat", 1))
    assert str(nb.Mind().explain()) == "nobody is here"
