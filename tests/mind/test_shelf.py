"""Parked weights: nothing lost, nothing believed, nothing left behind."""

import os
import subprocess
import sys

import numpy as np
import pytest

import ninebrains as nb
from ninebrains.errors import BrainError, OutputError
from ninebrains.mind.shelf import Shelf
from ninebrains.places import cache_folder
from tests.making import jpeg
from tests.mind.making import deep_brain


def parked_files():
    return sorted(path for path in (cache_folder() / "minds").rglob("*") if path.is_file())


def test_graphs_come_back_as_they_were_and_share_weights():
    shelf, one, two = Shelf(), deep_brain(head=1).graph, deep_brain(head=2).graph
    shelf.put("one", one)
    before = len(parked_files())
    shelf.put("two", two)
    assert len(parked_files()) - before < 6  # the trunk is there already
    assert shelf.get("two").data == two.data
    assert {name: bytes(data) for name, data in shelf.get("one").weights.items()} == {
        name: bytes(data) for name, data in one.weights.items()
    }
    shelf.drop("one")
    assert shelf.get("two").hash == two.hash
    assert "one" not in shelf
    shelf.close()
    assert parked_files() == []


def test_damaged_files_are_told_and_not_used():
    for kind in ("*.onnx", "weights/*"):
        shelf = Shelf()
        shelf.put("one", deep_brain().graph)
        path = next(path for path in parked_files() if path.match(kind))
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        with pytest.raises(BrainError, match="Add it again"):
            shelf.get("one")
        path.unlink()
        with pytest.raises(BrainError, match="Add it again"):
            shelf.get("one")
        shelf.close()


def test_what_a_killed_process_left_is_cleared_away():
    script = (
        "import os, signal\n"
        "from ninebrains.mind.shelf import Shelf\n"
        "from tests.mind.making import deep_brain\n"
        "shelf = Shelf()\n"
        "shelf.put('one', deep_brain().graph)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    left = parked_files()
    assert left
    shelf = Shelf()
    shelf.put("two", deep_brain().graph)
    assert not set(left) & set(parked_files())
    assert all(path.is_relative_to(shelf._folder) for path in parked_files())
    shelf.close()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no such folders here")
def test_a_mind_that_cannot_park_says_so_and_goes_on(tmp_path, monkeypatch):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    paths = [
        deep_brain(name, head=n, upper=n, untouched=1).save(tmp_path / f"{name}.brain")
        for n, name in enumerate(("one", "two"))
    ]
    with nb.Mind(paths[:1], max_memory=1_000_000) as mind:
        before = mind.run(jpeg("cat", 1))["one"].answers
        monkeypatch.setenv("NINEBRAINS_HOME", str(blocked))
        with pytest.raises(OutputError):
            mind.add(paths[1])
        assert np.array_equal(mind.run(jpeg("cat", 1), ["one"])["one"].answers, before)


def test_a_parked_brain_whose_shelf_is_damaged_fails_alone(tmp_path):
    paths = [
        deep_brain(name, head=n, upper=n, untouched=1).save(tmp_path / f"{name}.brain")
        for n, name in enumerate(("one", "two"))
    ]
    with nb.Mind(paths, max_memory=1_000_000) as mind:
        (parked,) = mind.explain().parked
        for path in parked_files():
            path.unlink()
        with pytest.raises(BrainError, match="Add it again"):
            mind.run(jpeg("cat", 1), [parked])
        (other,) = set(mind.names) - {parked}
        assert mind.run(jpeg("cat", 1), [other])
        mind.remove(parked)
        mind.add(tmp_path / f"{parked}.brain")
        assert mind.run(jpeg("cat", 1), [parked])
