"""For the impatient: the whole way once, in a few seconds. `make smoke` runs this file alone."""

import json

import numpy as np
import pytest
from PIL import Image

import ninebrains as nb
from tests.making import photo, write_photos


def test_from_a_folder_to_answers(pets, small_trunk, tmp_path):
    brain = nb.train(pets, trunk=small_trunk)
    assert brain.metrics.accuracy.value > 0.8
    brain.save(tmp_path / "pets.brain")

    loaded = nb.load(tmp_path / "pets.brain")
    path = tmp_path / "new.png"
    image = photo("cat", 999)
    image.save(path)
    for source in (path, str(path), path.read_bytes(), image, np.asarray(image)):
        inference = loaded.run(source)
        assert inference.top.label == "cat"
        assert inference.top.score == pytest.approx(loaded.run(path).top.score, abs=1e-6)
    assert {instance.label for instance in inference.instances} == {"cat", "dog"}
    assert sum(instance.score for instance in inference.instances) == pytest.approx(1, abs=1e-5)
    assert inference.heatmap("cat").ndim == 2
    assert inference.is_familiar


def test_from_a_folder_to_answers_on_the_command_line(ninebrains, model_file, pets, tmp_path):
    brain = tmp_path / "pets.brain"
    ninebrains("trunk", "add", model_file, "--name", "small")
    trained = ninebrains("train", pets, "--trunk", "small", "-o", brain)
    assert "accuracy" in trained.out
    more = write_photos(tmp_path / "more", {"cat": 4, "dog": 4}, start=500)
    told = json.loads(ninebrains("predict", brain, more, "--json").out)
    assert len(told) == 8
    assert "accuracy" in ninebrains("evaluate", brain, more).out
    ninebrains("report", brain, "-o", tmp_path / "report.html")
    assert "<html" in (tmp_path / "report.html").read_text()


def test_a_sofa_is_none_of_these(pets, small_trunk):
    brain = nb.train(pets, trunk=small_trunk)
    checkers = np.kron(np.indices((12, 12)).sum(axis=0) % 2, np.ones((8, 8))).astype(np.uint8) * 255
    inference = brain.run(Image.fromarray(checkers))
    assert inference.unfamiliar > 1
    assert inference.answer is None
