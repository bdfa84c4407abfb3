"""Choosing under a budget, whole: real networks, real artefacts, real clocks."""

import dataclasses
import json
import re
import shutil
import tempfile

import numpy as np
import pytest

from ninebrains.brains import load
from ninebrains.errors import BrainError, DataError, ExportError, TrunkError
from ninebrains.exporting import ExportRecipe
from ninebrains.exporting.choosing import Budget, Scope, choose
from ninebrains.exporting.choosing.finishing import export_choice
from ninebrains.exporting.choosing.learning import learn
from ninebrains.exporting.choosing.lessons import from_record
from ninebrains.exporting.choosing.networks import networks_for, sizes_around
from ninebrains.exporting.choosing.page import choice_page, plain
from ninebrains.training.record import load_record
from ninebrains.trunks import add_trunk, import_trunk, load_trunk, remove_trunk
from tests.making import write_model, write_photos

FLOATS = Scope(trunks=("small",), precision="fp32", rounds=1)


@pytest.fixture(autouse=True)
def small_is_kept(home, small_trunk):
    add_trunk(small_trunk)


@pytest.fixture(scope="session")
def chosen_once(trained_once, small_trunk):
    """A choice among all sizes and precisions of the small trunk; the brain's file."""
    file, home = trained_once
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(home))
        add_trunk(small_trunk)
        scope = Scope(trunks=("small",), rounds=1)
        return choose(load(file), Budget(max_ms=1000.0, max_drop=0.9), scope=scope)


def test_sizes_precisions_and_quality_are_measured(chosen_once):
    found = chosen_once.candidates
    assert {one.size for one in found} == {"32", "40", "48", "64", "88"}
    assert {one.precision for one in found} == {"fp32", "fp16", "int8-weights", "int8"}
    assert chosen_once.chosen.score == max(one.score for one in found)
    for one in found:
        assert one.ms > 0
        assert one.mb > 0
        assert one.quality.low <= one.quality.value <= one.quality.high
        assert len(one.right) == 64
    own = next(one for one in found if one.is_brain and one.precision == "fp32")
    accuracy = chosen_once.brain.metrics.out_of_sample_accuracy
    assert own.quality.value == accuracy.value
    assert own.lost == 0.0


def test_eight_bits_are_asked_what_they_lose_and_never_counted_as_better(chosen_once):
    floats = {one.size: one for one in chosen_once.candidates if one.precision == "fp32"}
    for one in chosen_once.candidates:
        assert one.score <= floats[one.size].score
        assert one.lost_to_floats >= 0.0
        assert one.mb < floats[one.size].mb or one.precision in ("fp32", "int8-weights", "int8")


def test_the_page_and_the_values_for_programs_tell_the_same(chosen_once):
    page, values = choice_page(chosen_once), plain(chosen_once)
    assert values["chosen"] in values["candidates"]
    assert sum(one["is_chosen"] for one in values["candidates"]) == 1
    assert json.loads(json.dumps(values)) == values
    assert page.count("<circle") == len(chosen_once.candidates) + 1  # a ring around the pick
    assert "at most 1000 ms a photo" in page
    assert 'role="img"' in page
    assert not re.search(r"<script|<link|src=|https?://", page)


def test_the_network_of_the_brain_itself_gives_its_own_graph_again(brain, home):
    networks, notes = networks_for(brain, ("small",))
    lesson = from_record(brain)
    own = learn(brain, lesson, lesson.learnt_from(), networks[0])
    assert networks[0].is_brain
    assert own.brain.graph.hash == brain.graph.hash
    assert notes == ()


def test_held_out_photos_take_no_part_in_choosing(brain, tmp_path, home):
    record = load_record(brain.graph.hash)
    held_out = {outcome.sha256 for outcome in record.outcomes if outcome.split == "test"}
    lesson = from_record(brain)
    assert len(held_out) == 16
    assert len(lesson.learnt_from().photos) == 64
    learnt = learn(brain, lesson, lesson.learnt_from(), networks_for(brain, ("small",))[0][0])
    other = dataclasses.replace(lesson, dataset=_without_held_out(lesson.dataset, tmp_path))
    again = learn(brain, other, other.learnt_from(), networks_for(brain, ("small",))[0][0])
    np.testing.assert_array_equal(learnt.raw, again.raw)


def _without_held_out(dataset, folder):
    """The same with files in the place of the held-out photos that nobody could read."""
    broken = folder / "broken.jpg"
    broken.write_bytes(b"no photo")
    photos = [
        dataclasses.replace(photo, path=broken) if photo.split == "test" else photo
        for photo in dataset.photos
    ]
    return dataclasses.replace(dataset, photos=tuple(photos))


def test_another_network_is_exported_with_its_own_brain_beside(brain_file, tmp_path):
    brain = load(brain_file).rename_label("cat", "Katze")
    brain.save(brain_file, overwrite=True)
    choice = choose(brain, Budget(), scope=FLOATS)
    small = next(one for one in choice.candidates if one.size == "48")
    trunk = next(n.trunk for n in networks_for(brain, ("small",))[0] if n.trunk.map_size == (6, 6))
    choice = dataclasses.replace(choice, chosen=small, trunk=trunk)
    made = export_choice(choice, tmp_path / "out", source=brain_file)
    beside = load(tmp_path / "out.brain")
    assert made.receipt.photos.compared == 16
    assert made.receipt.brain.graph == beside.graph.hash != brain.graph.hash
    assert [label.id for label in beside.labels] == [label.id for label in brain.labels]
    assert (made.folder / "labels.txt").read_text() == "Katze\ndog\n"
    assert beside.contract.shape == (48, 48, 3)
    assert beside.manifest.training.split == brain.manifest.training.split == "random"
    assert (beside.name, beside.version) == (brain.name, brain.version)
    assert any("out.brain" in note for note in made.notes)


def test_photos_to_calibrate_on_do_no_harm_where_floats_are_chosen(brain, pets, tmp_path):
    recipe = ExportRecipe(calibrate=pets)
    choice = choose(brain, Budget(), scope=FLOATS, recipe=recipe)
    made = export_choice(choice, tmp_path / "out")
    assert made.receipt.precision == "fp32"


def test_the_trunk_of_a_brain_is_taken_from_its_graph_where_it_is_kept_no_more(brain, home):
    remove_trunk("small")
    networks, _ = networks_for(brain)
    assert networks[0].name == "small"
    assert networks[0].is_brain
    assert {network.name for network in networks} == {"small", "octo"}
    assert networks[0].trunk.map_size == (8, 8)


def test_trunks_that_were_not_asked_for_are_for_comparison_only(brain):
    networks, _ = networks_for(brain, ("octo",))
    assert [network.is_asked for network in networks] == [False, True, True, True, True]
    assert sizes_around(load_trunk("octo")) == [(48, 48), (64, 64), (96, 96), (128, 128)]
    with pytest.raises(TrunkError, match="nosuch"):
        networks_for(brain, ("nosuch",))


@pytest.mark.parametrize("kind", ["pairs_file", "levels_file"])
def test_brains_with_several_labels_or_a_number_are_chosen_for_too(kind, request):
    brain = load(request.getfixturevalue(kind))
    choice = choose(brain, Budget(), scope=FLOATS)
    scores = [one.score for one in choice.candidates]
    assert scores == sorted(scores, reverse=True)
    values = [one.quality.value for one in choice.candidates]
    assert values == sorted(values, reverse=kind == "pairs_file")
    page = choice_page(choice)
    assert ("lower is better" in page) == (kind == "levels_file")


def test_a_brain_from_elsewhere_needs_photos(brain_file, monkeypatch, tmp_path, small_trunk):
    monkeypatch.setenv("NINEBRAINS_HOME", str(tmp_path / "elsewhere"))
    add_trunk(small_trunk)
    with pytest.raises(DataError, match="--photos"):
        choose(load(brain_file), Budget(), scope=FLOATS)
    photos = write_photos(tmp_path / "new", {"cat": 15, "dog": 15}, start=200)
    scope = dataclasses.replace(FLOATS, photos=photos)
    choice = choose(load(brain_file), Budget(), scope=scope)
    assert len(choice.lesson.learnt_from().photos) == 24
    made = export_choice(choice, tmp_path / "out")
    assert made.receipt.photos.compared == 6
    strange = write_photos(tmp_path / "cats", {"cat": 5})
    with pytest.raises(DataError, match="too few photos"):
        choose(load(brain_file), Budget(), scope=dataclasses.replace(FLOATS, photos=strange))


def test_a_brain_whose_photos_are_gone_says_so(brain, home):
    file = next((home / "data" / "records").glob("*.json"))
    record = json.loads(file.read_text())
    record["root"] = str(home / "gone")
    file.write_text(json.dumps(record))
    with pytest.raises(DataError, match="gone from"):
        choose(brain, Budget(), scope=FLOATS)


def test_targets_that_nothing_here_can_time_are_refused(brain):
    with pytest.raises(BrainError, match="fp12"):
        choose(brain, Budget(), scope=Scope(precision="fp12"))
    for runtime, said in (
        ("onnx", "operator set 3; expected 14"),
        ("openvino", "not for openvino"),
    ):
        with pytest.raises(BrainError, match=said):
            choose(brain, Budget(), scope=Scope(runtime), recipe=ExportRecipe(opset=3))
    with pytest.raises(ExportError, match="--runtime onnx"):
        choose(brain, Budget(), scope=Scope(runtime="web"))


def test_the_command_chooses_tells_and_exports(ninebrains, brain_file, tmp_path):
    limits = ("--max-ms", "500", "--trunk", "small", "--precision", "fp16")
    out, plot = tmp_path / "out", tmp_path / "plot.html"
    done = ninebrains("export", brain_file, *limits, "-o", out, "--plot", plot)
    assert "learning from 64 photos: small at 64x64 px (1 of 5)" in done.err
    assert "Chosen: small at" in done.out
    assert "chosen" in next(line for line in done.out.splitlines() if "chosen" in line)
    assert "held-out photos took no part" in done.out
    assert "next step up" in done.out or "Nothing that was measured is better" in done.out
    assert json.loads((out / "export.json").read_text())["precision"] == "fp16"
    assert (out / "receipt.json").is_file()
    assert plot.read_text().startswith("<!doctype html>")
    again = ninebrains("export", brain_file, *limits, "-o", out, check=2)
    assert "exists" in again.err


def test_the_command_names_the_nearest_when_nothing_fits(ninebrains, brain_file, tmp_path):
    limits = ("--max-mb", "0.001", "--trunk", "small", "--precision", "fp32")
    done = ninebrains("export", brain_file, *limits, "-o", tmp_path / "out", check=2)
    assert "none of 5 ways of exporting keeps to the budget" in done.err
    assert "MB is over 0.001 MB" in done.err
    assert not (tmp_path / "out").exists()


WRONG = {
    "a budget of -1": ("--max-ms", "-1"),
    "disagree": ("--max-ms", "5", "--to", "litert", "--runtime", "onnx"),
    "say where to": (),
    "is no page": ("--max-ms", "5", "--plot", "notes.txt"),
}


@pytest.mark.parametrize("said", WRONG)
def test_nonsense_is_refused_before_anything_is_measured(ninebrains, brain_file, tmp_path, said):
    (tmp_path / "notes.txt").write_text("mine")
    shutil.copy(brain_file, tmp_path / "again.brain")
    done = ninebrains("export", "again.brain", *WRONG[said], cwd=tmp_path, check=2)
    assert said in done.err
    assert "learning" not in done.err
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_artefact_that_does_not_run_is_left_out_with_its_reason(brain, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def break_the_second(line):
        if line.startswith("timing"):
            for model in tmp_path.glob("ninebrains-choosing-*/001/model.onnx"):
                model.write_bytes(b"no network any more")

    choice = choose(brain, Budget(), scope=FLOATS, tell=break_the_second)
    assert len(choice.candidates) == 4
    (note,) = [note for note in choice.notes if note.startswith("Left out")]
    assert "small at 32x32 px in fp32" in note
    assert "32" not in {one.size for one in choice.candidates}


def test_another_trunk_under_the_name_of_the_brains_own_is_told_apart(brain, tmp_path, home):
    other = import_trunk(write_model(tmp_path / "other.onnx", seed=1), "small")
    add_trunk(other, replace=True)
    networks, _ = networks_for(brain, ("small",))
    assert networks[0].name == "small-own"
    assert not networks[0].is_asked
    assert {network.name for network in networks[1:]} == {"small"}
