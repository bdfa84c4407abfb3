"""The photos that the demo draws: always the same, all readable, none twice."""

import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ninebrains.demo import (
    PARTS,
    STRANGERS,
    DemoFolder,
    draw_photo,
    shown_in,
    write_new_photos,
    write_training_photos,
)

NAMES = [*PARTS, *STRANGERS]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A demo folder with 6 photos of each label and the new ones; tests must not change it."""
    folder = DemoFolder(tmp_path_factory.mktemp("demo") / "demo")
    write_training_photos(folder, 6)
    write_new_photos(folder)
    return folder.root


def test_there_are_at_least_four_labels_some_of_them_damaged():
    assert len(PARTS) >= 4
    for label in PARTS:
        if label.endswith("_broken"):
            assert label.removesuffix("_broken") in PARTS


@pytest.mark.parametrize("name", NAMES)
def test_a_photo_is_a_jpeg_with_something_to_see(name):
    image = Image.open(io.BytesIO(draw_photo(name, 3)))
    assert image.format == "JPEG"
    assert image.mode == "RGB"
    assert sorted(image.size) == [216, 288]
    pixels = np.asarray(image, float)
    assert 25 < pixels.mean() < 230
    assert pixels.std() > 8


def test_the_same_photo_has_the_same_bytes_in_every_process():
    code = (
        "import hashlib; from ninebrains.demo import *; "
        "print(*(hashlib.sha256(draw_photo(name, 5, 2)).hexdigest() "
        "for name in [*PARTS, *STRANGERS]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = [hashlib.sha256(draw_photo(name, 5, 2)).hexdigest() for name in NAMES]
    assert done.stdout.split() == here


@pytest.mark.parametrize("other", [("nut", 2, 0), ("nut", 1, 1), ("washer", 1, 0)])
def test_another_number_seed_or_name_is_another_photo(other):
    assert draw_photo(*other) != draw_photo("nut", 1, 0)


def test_many_photos_of_each_part_can_be_drawn():
    for name in NAMES:  # the smallest, the largest, those at the edge: none may fail
        for number in range(100, 104):
            assert draw_photo(name, number)[:2] == b"\xff\xd8"


def test_every_label_has_its_folder_and_its_photos(drawn):
    found = {folder.name: len(list(folder.iterdir())) for folder in (drawn / "photos").iterdir()}
    assert found == dict.fromkeys(PARTS, 6)
    assert {shown_in(photo) for photo in (drawn / "new").iterdir()} == set(NAMES)


def test_new_photos_are_not_among_those_to_learn_from(drawn):
    def hashes(folder):
        return {hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*.jpg")}

    assert not hashes(drawn / "photos") & hashes(drawn / "new")


def test_the_audit_finds_no_copies_and_no_faults(drawn):
    from ninebrains.photos import audit, duplicate_groups, examine_all, read_dataset

    dataset = read_dataset(drawn / "photos")
    facts, problems = examine_all(dataset.photos)
    copies = duplicate_groups(facts)
    assert copies.exact == copies.near == []
    assert not problems
    found = audit(dataset, facts, problems, duplicates=copies)
    assert not found.ignored
    assert [section.key for section in found.sections if section.findings] in ([], ["blurred"])
