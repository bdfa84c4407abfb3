import os
import subprocess
import sys

import pytest

from ninebrains.serving.repository import MOST_FILES, scan
from tests.brains.making import make_brain
from tests.serving.making import put, repository


def there(look):
    """What was found, without marks."""
    return {
        name: {number: found.path.name for number, found in numbers.items()}
        for name, numbers in look.shelf.items()
    }


def reasons(look):
    return {problem.path.rpartition("/")[2]: problem.reason for problem in look.problems}


def test_every_layout_is_found(models, model_file):
    data = model_file.read_bytes()
    repository(models, {"files": [1, 20]})
    make_brain().save(models / "folders" / "3")
    make_brain().save(models / "inside" / "4" / "any name.brain")
    make_brain().save(models / "alone.brain")
    make_brain().save(models / "bare")
    for place in ("triton/1/model.onnx", "triton/00000012/model.onnx", "flat/7.onnx", "net.onnx"):
        (models / place).parent.mkdir(parents=True, exist_ok=True)
        (models / place).write_bytes(data)
    (models / "triton" / "config.pbtxt").write_text('name: "triton"')
    (models / "triton" / "1" / "labels.txt").write_text("cat")
    (models / "large" / "1" / "model.onnx").mkdir(parents=True)
    (models / "large" / "1" / "model.onnx" / "model.onnx").write_bytes(data)
    (models / "large" / "1" / "model.onnx" / "weights.bin").write_bytes(b"0")
    (models / "empty").mkdir()
    look = scan([models])
    assert look.problems == ()
    assert there(look) == {
        "alone": {1: "alone.brain"},
        "bare": {1: "bare"},
        "files": {1: "1.brain", 20: "20.brain"},
        "flat": {7: "7.onnx"},
        "folders": {3: "3"},
        "inside": {4: "any name.brain"},
        "large": {1: "model.onnx"},
        "net": {1: "net.onnx"},
        "triton": {1: "model.onnx", 12: "model.onnx"},
    }
    assert len(look.shelf["large"][1].mark) == 2


def test_a_source_may_be_one_brain(tmp_path, model_file):
    make_brain(name="rooms").save(tmp_path / "out")
    file = make_brain().save(tmp_path / "cats.brain")
    look = scan([tmp_path / "out", file, model_file])
    assert there(look) == {
        "rooms": {1: "out"},
        "cats": {1: "cats.brain"},
        "small": {1: "small.onnx"},
    }
    assert all(found.is_single for numbers in look.shelf.values() for found in numbers.values())


def test_a_lone_brain_may_be_called_otherwise_and_several_not(models):
    put(models, "pets", 2)
    put(models, "pets", 3)
    assert list(scan([models], only_name="cats").shelf) == ["cats"]
    assert list(scan([models], only_name="cats").shelf["cats"]) == [2, 3]
    put(models, "rooms", 1)
    assert list(scan([models], only_name="cats").shelf) == ["pets", "rooms"]


@pytest.mark.parametrize(
    "name",
    [".hidden", "3.brain.part", "3.brain.tmp", ".3.brain.Xy12", "3.partial", "3~", "3.crdownload"],
)
def test_hidden_and_unfinished_names_are_nobodys_business(models, name):
    put(models, "pets", 1)
    (models / "pets" / name).write_bytes(b"half")
    (models / name).mkdir()
    (models / name / "1").mkdir()
    look = scan([models])
    assert there(look) == {"pets": {1: "1.brain"}}
    assert look.problems == ()


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("notes.txt", "neither a folder"),
        ("a name with spaces/", "called as no brain can be"),
        ("-pets/", "called as no brain can be"),
        ("pets@3/", "called as no brain can be"),
        ("x" * 101 + "/", "called as no brain can be"),
        ("pets/latest/", "called by no version"),
        ("pets/0/", "called by no version"),
        ("pets/-1/", "called by no version"),
        ("pets/1.5/", "called by no version"),
        ("pets/٣/", "called by no version"),
        ("pets/9223372036854775808/", "called by no version"),
        ("pets/v2.brain", "called by no version"),
        ("pets/5/", "holds 0"),
        ("pets/5/saved_model.pb", "export it to ONNX"),
    ],
)
def test_what_is_no_version_is_told_and_stops_nothing(models, place, reason):
    put(models, "pets", 1)
    if place.endswith("/"):
        (models / place).mkdir(parents=True)
    else:
        (models / place).parent.mkdir(parents=True, exist_ok=True)
        (models / place).write_bytes(b"x")
    look = scan([models])
    assert there(look) == {"pets": {1: "1.brain"}}
    (told,) = look.problems
    assert reason in told.reason


def test_the_largest_number_is_found(models):
    put(models, "pets", 2**63 - 1)
    assert there(scan([models])) == {"pets": {2**63 - 1: f"{2**63 - 1}.brain"}}


def test_two_networks_in_one_version_are_refused_unless_one_is_called_as_triton_does(models):
    folder = models / "pets" / "1"
    folder.mkdir(parents=True)
    for name in ("a.onnx", "b.onnx"):
        (folder / name).write_bytes(b"x")
    assert "holds 2" in reasons(scan([models]))["1"]
    (folder / "model.onnx").write_bytes(b"x")
    assert there(scan([models])) == {"pets": {1: "model.onnx"}}


def test_one_version_that_lies_there_twice_is_told(models, tmp_path):
    put(models, "pets", 1)
    make_brain().save(models / "pets" / "01")
    put(tmp_path / "others", "pets", 1)
    look = scan([models, tmp_path / "others"])
    assert len(look.problems) == 2
    assert all("pets@1 again" in problem.reason for problem in look.problems)
    assert len(look.shelf["pets"]) == 1


def test_names_that_are_no_text_are_told_in_letters(models):
    os.mkdir(os.fsencode(models) + b"/pets\xff\n")  # noqa: PTH102 - no text
    (problem,) = scan([models]).problems
    assert problem.path.isprintable()
    problem.path.encode()
    problem.reason.encode()


def test_links_are_followed_while_they_stay(models):
    make_brain().save(models / ".store" / "pets-1")
    put(models, "rooms", 1)
    (models / "pets").mkdir()
    (models / "pets" / "1").symlink_to("../.store/pets-1")
    (models / "again").symlink_to("rooms")
    look = scan([models])
    assert there(look) == {
        "again": {1: "1.brain"},
        "pets": {1: "1"},
        "rooms": {1: "1.brain"},
    }
    assert look.problems == ()


def test_links_out_of_the_source_are_refused(models, tmp_path):
    put(tmp_path / "else", "pets", 1)
    (models / "whole").symlink_to(tmp_path / "else" / "pets")
    (models / "flat.brain").symlink_to(tmp_path / "else" / "pets" / "1.brain")
    (models / "pets" / "2").mkdir(parents=True)
    (models / "pets" / "1.brain").symlink_to(tmp_path / "else" / "pets" / "1.brain")
    (models / "pets" / "2" / "model.onnx").symlink_to("/etc/passwd")
    (models / "pets" / "3.brain").symlink_to(models / "pets" / "3.brain")  # to itself
    look = scan([models])
    told = reasons(look)
    assert "cannot be read" in told.pop("3.brain")
    assert look.shelf.get("pets", {}) == {}
    assert set(told) == {"whole", "flat.brain", "1.brain", "model.onnx"}
    assert all("is a link to" in reason for reason in told.values())


def test_a_source_behind_a_link_is_served(models, tmp_path):
    put(models, "pets", 1)
    (tmp_path / "link").symlink_to(models)
    assert there(scan([tmp_path / "link"])) == {"pets": {1: "1.brain"}}


@pytest.mark.parametrize("change", ["grow", "touch", "replace", "add"])
def test_the_mark_changes_with_the_files(models, change):
    make_brain().save(models / "pets" / "1")
    card = models / "pets" / "1" / "card.md"
    before = scan([models]).shelf["pets"][1]
    assert scan([models]).shelf["pets"][1] == before
    if change == "grow":
        card.write_bytes(card.read_bytes() + b"x")
    elif change == "touch":
        os.utime(card, ns=(1, 1))
    elif change == "add":
        (models / "pets" / "1" / ".4.part").write_bytes(b"")
    else:  # another file with the same name, size and time
        status, draft = card.stat(), models / "draft"
        draft.write_bytes(bytes(status.st_size))
        os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
        draft.rename(card)
    assert scan([models]).shelf["pets"][1].mark != before.mark


def test_a_folder_with_too_many_files_is_refused(models, monkeypatch):
    assert MOST_FILES > 10_000
    monkeypatch.setattr("ninebrains.serving.repository.MOST_FILES", 3)
    make_brain().save(models / "pets" / "1")
    for number in range(3):
        (models / "pets" / "1" / f"{number}.txt").touch()
    assert "more than 3 files" in reasons(scan([models]))["1"]


def test_missing_sources_are_told_and_what_was_there_stays(models, tmp_path):
    put(models, "pets", 1)
    before = scan([models])
    models.rename(tmp_path / "away")
    look = scan([models], before.shelf)
    assert look.shelf == before.shelf
    assert [problem.is_source for problem in look.problems] == [True]
    assert scan([models]).shelf == {}


def test_a_source_of_another_kind_is_told(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"x")
    (problem,) = scan([tmp_path / "cat.jpg"]).problems
    assert problem.is_source
    assert "expected a folder of brains" in problem.reason


def test_unreadable_folders_are_told_and_what_was_there_stays(models):
    """In a process without the right of root to read everything."""
    repository(models, {"pets": [1], "rooms": [1], "cars": [1]})
    make_brain().save(models / "cars" / "2")
    script = f"""
import ctypes, sys
from pathlib import Path
from ninebrains.serving.repository import scan
if sys.platform == "linux":
    nothing = (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), nothing) == 0
models = Path({str(models)!r})
def numbers(look):
    return {{name: set(numbers) for name, numbers in look.shelf.items()}}
before = scan([models])
assert numbers(before) == dict(pets={{1}}, rooms={{1}}, cars={{1, 2}})
for name in ("pets", "cars/2"):
    (models / name).chmod(0)
try:
    look = scan([models], before.shelf)
    assert look.shelf == before.shelf, look
    assert [p.path for p in look.problems] == [str(models / "cars/2"), str(models / "pets")], look
    assert all("Permission denied" in p.reason for p in look.problems), look
    assert numbers(scan([models])) == dict(rooms={{1}}, cars={{1}})
finally:
    for name in ("pets", "cars/2"):
        (models / name).chmod(0o755)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_files_that_vanish_during_a_look_do_no_harm(models):
    """Another process makes and deletes versions as fast as it can."""
    put(models, "rooms", 1)
    script = f"""
import os, shutil
from pathlib import Path
pets = Path({str(models)!r}) / "pets"
while True:
    (pets / "1" / "weights").mkdir(parents=True)
    (pets / "1" / "brain.json").touch()
    (pets / "2.brain").touch()
    shutil.rmtree(pets)
"""
    process = subprocess.Popen([sys.executable, "-S", "-c", script])
    try:
        while "pets" not in scan([models]).shelf:
            assert process.poll() is None
        for _ in range(300):
            assert 1 in scan([models]).shelf["rooms"]
    finally:
        process.kill()
        process.wait()
