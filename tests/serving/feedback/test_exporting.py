"""Kept photos as a data set."""

import csv

import pytest

import ninebrains as nb
from ninebrains.errors import DataError, OutputError
from ninebrains.photos import read_dataset
from ninebrains.serving.feedback import export
from tests.making import jpeg
from tests.serving.feedback.making import Desk

UNSURE = (0.4, 0.35, 0.25)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "state")


def out(desk, folder, **options):
    desk.feedback.flush()
    return export(desk.ledger, desk.feedback.photos, folder, **options)


def table(folder):
    with (folder / "feedback.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_people_said_trains_a_brain(desk, tmp_path, stored_trunk):
    for number in range(24):
        label = ("cat", "dog")[number % 2]
        prediction = desk.answer(jpeg(label, number), UNSURE)
        desk.feedback.give(prediction, label=label)
    desk.answer(jpeg("cat", 99), UNSURE)
    result = out(desk, tmp_path / "out")
    assert (result.labels, result.unlabelled) == ({"cat": 12, "dog": 12}, 1)
    brain = nb.train(tmp_path / "out" / "photos", trunk=stored_trunk)
    assert [label.name for label in brain.labels] == ["cat", "dog"]
    assert brain.manifest.training.num_train + brain.manifest.training.num_test == 24


def test_the_majority_decides_and_ties_are_left_out_and_listed(desk, tmp_path):
    says = {
        b"two to one": (("a", "cat"), ("b", "dog"), ("c", "dog")),
        b"a tie": (("a", "cat"), ("b", "dog")),
        b"mind changed": (("a", "cat"), ("a", "dog")),
        b"nobody twice": (("", "sofa"), ("", "sofa"), ("a", "cat")),
    }
    for photo, words in says.items():
        for user, label in words:
            desk.feedback.give(desk.answer(photo, UNSURE, user=user), label=label)
    result = out(desk, tmp_path / "out")
    assert (result.labels, result.too_few) == ({"dog": 2}, {"sofa": 1})
    (tie,) = [row for row in table(tmp_path / "out") if row["truth"] == "tie"]
    assert result.ties == (tie["sha256"],)
    assert (tie["file"], tie["told"], tie["agreeing"]) == ("", "2", "1")


def test_photos_that_nobody_named_are_exported_where_asked_for(desk, tmp_path):
    desk.answer(b"\xff\xd8\xff unsure", UNSURE)
    desk.feedback.give(desk.answer(b"\x89PNG\r\n\x1a\n nothing"), none=True)
    desk.answer(b"waits")
    without = out(desk, tmp_path / "without")
    assert (without.labels, without.unlabelled, without.none) == ({}, 1, 1)
    assert [path.name for path in (tmp_path / "without").iterdir()] == ["feedback.csv"]
    out(desk, tmp_path / "with", unlabelled=True)
    suffixes = sorted(path.suffix for path in (tmp_path / "with" / "unlabelled").iterdir())
    assert suffixes == [".jpg", ".png"]
    assert {row["truth"] for row in table(tmp_path / "with")} == {"", "none of these"}


def test_labels_become_folders_that_can_be_read_whatever_they_are_called(desk, tmp_path):
    names = ("a/b", "a\\b", "..", ".hidden", "CAT", "cat", "train", "=1+1", "Ünïcode")
    for number, name in enumerate(names * 2):
        desk.feedback.give(desk.answer(b"\xff\xd8\xff %d" % number, UNSURE), label=name)
    result = out(desk, tmp_path / "out")
    assert set(result.labels) == set(names)
    dataset = read_dataset(tmp_path / "out" / "photos")
    assert (len(dataset.labels), len(dataset.photos)) == (len(names), 2 * len(names))
    assert not any(row["truth"].startswith("=") for row in table(tmp_path / "out"))


def test_labels_with_too_few_photos_do_not_keep_the_others_from_being_trained_on(
    desk, tmp_path, stored_trunk, ninebrains
):
    for number, label in enumerate(("cat", "dog", "cat", "lynx", "dog", "cat")):
        shown = "dog" if label == "dog" else "cat"
        desk.feedback.give(desk.answer(jpeg(shown, number), UNSURE), label=label)
    desk.feedback.flush()
    done = ninebrains("feedback", "export", tmp_path / "out", "--state", tmp_path / "state")
    assert "lynx (1)" in done.err
    assert "lynx" not in done.out
    assert f"next: ninebrains train {tmp_path / 'out/photos'}" in done.err
    brain = nb.train(tmp_path / "out" / "photos", trunk=stored_trunk)
    assert [label.name for label in brain.labels] == ["cat", "dog"]
    (left,) = (tmp_path / "out/too_few/lynx").iterdir()
    rows = {row["file"]: row["truth"] for row in table(tmp_path / "out")}
    assert rows[f"too_few/lynx/{left.name}"] == "lynx"


def test_a_truth_that_is_one_of_several_labels_makes_no_folder(tmp_path):
    desk = Desk(tmp_path / "state", task="multilabel")
    desk.feedback.give(desk.answer(b"photo", UNSURE), label="dog")
    assert out(desk, tmp_path / "out").labels == {}
    assert table(tmp_path / "out")[0]["truth"] == "dog"


def test_the_same_ledger_gives_the_same_files(desk, tmp_path):
    for number in range(9):
        desk.feedback.give(desk.answer(b"%d" % number, UNSURE), rank=number % 3 + 1)
    out(desk, tmp_path / "one")
    out(desk, tmp_path / "two")
    one, two = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two


@pytest.mark.parametrize("taken", ["file", "folder"])
def test_nothing_is_overwritten(desk, tmp_path, taken):
    desk.answer(b"photo", UNSURE)
    target = tmp_path / "out"
    if taken == "folder":
        target.mkdir()
        (target / "mine").touch()
    else:
        target.touch()
    with pytest.raises(OutputError, match="choose a new"):
        out(desk, target)
    assert len(list(tmp_path.iterdir())) == 2


def test_one_brain_is_exported_at_a_time(desk, tmp_path):
    with pytest.raises(DataError, match="no kept photos"):
        out(desk, tmp_path / "out")
    for name in ("pets", "cars"):
        desk.answer(name.encode(), UNSURE, name=name)
    with pytest.raises(DataError, match="cars, pets"):
        out(desk, tmp_path / "out")
    with pytest.raises(DataError, match="there are some of cars, pets"):
        out(desk, tmp_path / "out", name="dogs")
    assert out(desk, tmp_path / "out", name="cars").unlabelled == 1


def test_photos_whose_file_is_gone_are_counted(desk, tmp_path):
    for photo in (b"one", b"two"):
        desk.answer(photo, UNSURE)
    desk.feedback.flush()
    next(path for path in (tmp_path / "state/photos").glob("*/*")).unlink()
    result = out(desk, tmp_path / "out")
    assert (result.unlabelled, result.missing) == (1, 1)
