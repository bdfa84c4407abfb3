"""Brains as files and folders: the same bytes for the same brain, nothing overwritten unasked."""

import copy
import hashlib
import pickle
import stat
import zipfile

import pytest

from ninebrains.brains import diff, load
from ninebrains.errors import BrainError, OutputError

from .making import make_brain, photo

TASKS = ("classify", "multilabel", "regress")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["pets.brain", "pets"])
def test_a_saved_brain_is_the_same_brain(tmp_path, task, name):
    brain = make_brain(task)
    path = brain.save(tmp_path / name)
    loaded = load(path)
    assert loaded == brain
    assert hash(loaded) == hash(brain)
    assert (loaded.manifest, loaded.card) == (brain.manifest, brain.card)
    assert dict(loaded.graph.weights) == dict(brain.graph.weights)
    assert loaded.run(photo()).instances == brain.run(photo()).instances


def test_the_same_brain_gives_the_same_bytes(tmp_path):
    one = make_brain().save(tmp_path / "one.brain").read_bytes()
    folder = make_brain().save(tmp_path / "folder")
    assert one == load(folder).save(tmp_path / "two.brain").read_bytes()
    assert one == load(tmp_path / "two.brain").save(tmp_path / "three.brain").read_bytes()


def test_any_zip_tool_opens_a_brain_and_finds_the_folder_in_it(tmp_path):
    brain = make_brain()
    folder = brain.save(tmp_path / "folder")
    with zipfile.ZipFile(brain.save(tmp_path / "pets.brain")) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert (folder / entry.filename).read_bytes() == archive.read(entry)
        archive.extractall(tmp_path / "extracted")
    assert load(tmp_path / "extracted") == brain


def test_the_hash_is_that_of_brain_json(tmp_path):
    brain = make_brain()
    data = (brain.save(tmp_path / "folder") / "brain.json").read_bytes()
    assert brain.hash == hashlib.sha256(data).hexdigest()


def test_weights_are_named_by_their_hash(tmp_path):
    weights = list((make_brain().save(tmp_path / "folder") / "weights").iterdir())
    assert weights
    for path in weights:
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["pets.brain", "pets"])
def test_an_output_that_exists_is_only_overwritten_when_asked(tmp_path, name):
    old, new = make_brain(), make_brain(head_seed=1)
    path = old.save(tmp_path / name)
    with pytest.raises(OutputError, match="exists"):
        new.save(path)
    assert load(path) == old
    new.save(path, overwrite=True)
    assert load(path) == new
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_what_is_no_brain_is_never_overwritten(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"precious")
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(OutputError, match="no brain"):
        make_brain().save(photos, overwrite=True)
    with pytest.raises(OutputError, match=r"ends in \.brain"):
        make_brain().save(tmp_path / "notes.txt", overwrite=True)
    assert (photos / "cat.jpg").read_bytes() == b"precious"
    assert (tmp_path / "notes.txt").read_text() == "precious"


def test_a_place_that_cannot_be_written_is_an_error_that_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file/pets.brain", "file/pets"):
        with pytest.raises(OutputError, match="could not write"):
            make_brain().save(tmp_path / name)


def test_a_folder_gets_ordinary_permissions(tmp_path):
    (tmp_path / "plain").mkdir()
    folder = make_brain().save(tmp_path / "pets")
    assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert stat.S_IMODE((folder / "brain.json").stat().st_mode) & 0o400


def test_renaming_a_label_in_a_folder_leaves_the_weights_alone(tmp_path):
    folder = make_brain().save(tmp_path / "pets")
    before = {path: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}
    load(folder).rename_label("cat", "Katze").save(folder, overwrite=True)
    after = {path: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path in after if after[path] != before[path]] == ["brain.json"]
    assert load(folder).labels[0].name == "Katze"


def test_hidden_files_in_a_folder_do_no_harm(tmp_path):
    folder = make_brain().save(tmp_path / "pets")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "weights" / ".abc.tmp").write_bytes(b"x")
    assert load(folder) == make_brain()


def test_a_brain_that_is_not_there_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(BrainError, match=r"no nothing\.brain, neither as a file nor in the store"):
        load("nothing.brain")
    with pytest.raises(BrainError, match=r"without brain.json"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".brain"])
def test_names_that_no_system_takes_are_errors_that_say_so(tmp_path, name):
    with pytest.raises(BrainError, match="File name too long"):
        load(tmp_path / name)
    with pytest.raises(OutputError, match="File name too long"):
        make_brain().save(tmp_path / name)


def test_a_brain_can_be_copied_and_sent_to_another_process():
    brain = make_brain()
    answer = brain.run(photo()).instances
    for twin in (copy.deepcopy(brain), pickle.loads(pickle.dumps(brain))):
        assert twin == brain
        assert twin.run(photo()).instances == answer


def test_parts_that_do_not_belong_together_make_no_brain():
    one, two = make_brain(), make_brain(head_seed=1)
    with pytest.raises(BrainError, match=r"graph.onnx has the SHA-256"):
        type(one)(one.manifest, two.graph, one.card)
    with pytest.raises(BrainError, match=r"card.md has the SHA-256"):
        type(one)(one.manifest, one.graph, "another card")


def test_differences_are_told_by_label_weight_and_number():
    one = make_brain(large=1000)
    two = make_brain(large=1000, head_seed=1, version="2", names=("cat", "hound", "sofa"))
    found = diff(one, two)
    lines = [str(change) for change in found.changes]
    assert "label id-dog: removed dog" in lines
    assert "label id-hound: added hound" in lines
    assert "version: 1 -> 2" in lines
    assert any(line.startswith("graph.onnx: ") for line in lines)
    assert found.shared_bytes > 4000
    assert diff(one, one).changes == ()
    renamed = diff(one, one.rename_label("cat", "Katze"))
    assert [str(change) for change in renamed.changes] == ["label id-cat name: cat -> Katze"]
