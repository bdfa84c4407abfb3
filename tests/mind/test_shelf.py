"""Parked weights: nothing lost, nothing believed, nothing left behind."""

import subprocess
import sys

import numpy as np
import pytest

import ninebrains as nb
from ninebrains.errors import BrainError
from ninebrains.mind.shelf import Shelf
from ninebrains.places import cache_folder
from tests.making import jpeg
from tests.mind.making import deep_brain


def parked_files():
    return sorted(path for path in (cache_folder() / "minds").rglob("*") if path.is_file())


def test_graphs_come_back_as_they_were_and_share_weights():
    shelf, one, two = Shelf(), deep_brain(head=1).graph, deep_brain(head=2).graph
    first = shelf.put("one", one)
    before = len(parked_files())
    second = shelf.put("two", two)
    assert shelf.put("two", two) is second
    assert len(parked_files()) - before < 6  # the trunk is there already
    assert second.get().data == two.data
    assert {name: bytes(data) for name, data in first.get().weights.items()} == {
        name: bytes(data) for name, data in one.weights.items()
    }
    del first
    shelf.sweep()
    assert not any(path.name == "one.onnx" for path in parked_files())
    assert second.get().hash == two.hash
    shelf.close()
    assert parked_files() == []


def test_damaged_files_are_told_and_not_used():
    for kind in ("*.onnx", "weights/*"):
        shelf = Shelf()
        parked = shelf.put("one", deep_brain().graph)
        path = next(path for path in parked_files() if path.match(kind))
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        with pytest.raises(BrainError, match="Add it again"):
            parked.get()
        path.unlink()
        with pytest.raises(BrainError, match="Add it again"):
            parked.get()
        shelf.close()


def test_what_a_killed_process_left_is_cleared_away():
    script = (
        "import os, signal\n"
        "from ninebrains.mind.shelf import Shelf\n"
        "from tests.mind.making import deep_brain\n"
        "shelf = Shelf()\n"
        "parked = shelf.put('one', deep_brain().graph)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    left = parked_files()
    assert left
    shelf = Shelf()
    parked = shelf.put("two", deep_brain().graph)
    assert parked.get()
    assert not set(left) & set(parked_files())
    assert all(path.is_relative_to(shelf._folder) for path in parked_files())
    shelf.close()


def two_apart(folder):
    """Two brains with little in common, as files."""
    return [
        deep_brain(name, head=n, upper=n, untouched=1).save(folder / f"{name}.brain")
        for n, name in enumerate(("one", "two"))
    ]


def test_a_mind_that_cannot_park_warns_and_answers_all(tmp_path, monkeypatch):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    paths = two_apart(tmp_path)
    with nb.Mind(paths[:1], max_memory=1_000_000) as mind:
        before = mind.run(jpeg("cat", 1))["one"].answers
        monkeypatch.setenv("NINEBRAINS_HOME", str(blocked))
        with pytest.warns(RuntimeWarning, match="one cannot be parked"):
            mind.add(paths[1])
        assert np.array_equal(mind.run(jpeg("cat", 1))["one"].answers, before)
        assert mind.names == ("one", "two")


def test_a_parked_brain_whose_shelf_is_damaged_comes_from_its_file(tmp_path):
    paths = two_apart(tmp_path)
    with nb.Mind(paths, max_memory=1_000_000) as mind:
        (parked,) = mind.explain().parked
        for path in parked_files():
            path.unlink()
        assert mind.run(jpeg("cat", 1), [parked])


def test_a_parked_brain_that_is_nowhere_fails_alone_and_can_be_added_again(tmp_path):
    paths = two_apart(tmp_path)
    with nb.Mind(paths, max_memory=1_000_000) as mind:
        (parked,) = mind.explain().parked
        file = tmp_path / f"{parked}.brain"
        moved = file.rename(tmp_path / "moved.brain")
        for path in parked_files():
            path.unlink()
        with pytest.raises(BrainError, match="Add it again"):
            mind.run(jpeg("cat", 1), [parked])
        (other,) = set(mind.names) - {parked}
        assert mind.run(jpeg("cat", 1), [other])
        assert mind.add(moved) == parked
        assert mind.run(jpeg("cat", 1), [parked])


def test_a_limit_below_what_one_request_needs_still_answers_it(tmp_path):
    brains = [deep_brain(f"b{n}", head=n, upper=n, untouched=n) for n in range(4)]
    paths = [brain.save(tmp_path / f"{brain.name}.brain") for brain in brains]
    with nb.Mind(paths, max_memory=100_000) as mind:
        futures = [mind.submit(jpeg("cat", n)) for n in range(6)]
        futures += [mind.submit(jpeg("cat", n), [f"b{n % 4}"]) for n in range(12)]
        for number, future in enumerate(futures):
            answers = future.result(timeout=60)
            for brain in brains:
                if brain.name in answers:
                    alone = brain.run(jpeg("cat", number if number < 6 else number - 6))
                    assert np.allclose(answers[brain.name].answers, alone.answers, atol=1e-5)


def test_requests_for_parked_brains_are_answered_by_those_whom_they_were_for(tmp_path):
    old = [deep_brain(f"b{n}", head=n, upper=n, untouched=1) for n in range(3)]
    paths = [brain.save(tmp_path / f"{brain.name}.brain") for brain in old]
    new = deep_brain("b0", "2", head=9, upper=9, untouched=1)
    with nb.Mind(paths, max_memory=500_000) as mind:
        assert "b0" in mind.explain().parked
        with mind._company._changing:  # nobody can be woken yet
            futures = [mind.submit(jpeg("cat", n)) for n in range(4)]
            mind.remove("b1")
            mind.add(new)
        for number, future in enumerate(futures):
            answers = future.result(timeout=60)
            assert [item.brain for item in answers.values()] == ["b0@1", "b1@1", "b2@1"]
            for brain in old:
                alone = brain.run(jpeg("cat", number))
                assert np.allclose(answers[brain.name].answers, alone.answers, atol=1e-5)
        assert mind.run(jpeg("cat", 1), ["b0"])["b0"].brain == "b0@2"
        assert mind.names == ("b0", "b2")
