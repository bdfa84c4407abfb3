"""Weights that are read when they are needed, and checked then."""

import os

import numpy as np
import pytest

from ninebrains.brains import add_brain
from ninebrains.brains.file import load_late
from ninebrains.errors import BrainError
from tests.brains.making import make_brain, photo


@pytest.fixture(params=["file", "folder", "store"])
def kept(request, tmp_path):
    """A brain where it is kept, and what to load it by."""
    brain = make_brain(large=1000)
    if request.param == "store":
        add_brain(brain)
        return brain, "pets"
    return brain, brain.save(tmp_path / ("pets.brain" if request.param == "file" else "pets"))


def test_a_brain_that_was_loaded_late_is_the_same(kept, tmp_path):
    brain, place = kept
    late = load_late(place)
    assert late == brain
    assert {name: len(data) for name, data in late.graph.weights.items()} == {
        name: len(data) for name, data in brain.graph.weights.items()
    }
    assert np.array_equal(late.run(photo()).answers, brain.run(photo()).answers)
    again = load_late(late.save(tmp_path / "again.brain"))
    assert again.graph.held().weights == brain.graph.weights


def test_a_weight_that_was_changed_or_has_gone_meanwhile_is_told(tmp_path):
    brain = make_brain(large=1000)
    path = brain.save(tmp_path / "pets.brain")
    late = load_late(path)
    largest = max(late.graph.weights.values(), key=len)
    with path.open("r+b") as file:
        file.seek(largest.offset)
        file.write(b"!")
    with pytest.raises(BrainError, match="damaged"):
        bytes(largest)
    with pytest.raises(BrainError, match="damaged"):
        late.run(photo())
    path.unlink()
    with pytest.raises(BrainError, match="cannot be read"):
        bytes(largest)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_file_that_has_become_a_pipe_does_not_block(tmp_path):
    path = make_brain(large=1000).save(tmp_path / "pets.brain")
    late = load_late(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BrainError):
        late.run(photo())
