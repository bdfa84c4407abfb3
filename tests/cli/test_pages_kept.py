"""Pages are written over older pages of ours, and over nothing else."""

import shutil
from pathlib import Path

import pytest

from tests.making import write_photos


@pytest.fixture
def brain(ninebrains, stored_trunk, pets, tmp_path):
    """A trained brain file."""
    out = tmp_path / "pets.brain"
    ninebrains("train", pets, "--trunk", stored_trunk, "-o", out)
    return out


def test_a_report_replaces_pages_of_ours_only(ninebrains, brain, pets, tmp_path):
    photo = shutil.copy(pets / "cat/cat000.jpg", tmp_path)
    for other in (Path(photo), brain):
        before = other.read_bytes()
        told = ninebrains("report", brain, "-o", other, check=2).err
        assert "no page written by Ninebrains" in " ".join(told.split())
        assert other.read_bytes() == before
    page = tmp_path / "page.html"
    page.touch()  # an empty file holds nothing that could be lost
    ninebrains("report", brain, "-o", page)
    ninebrains("report", brain, "-o", page)
    page.write_text("mine")
    ninebrains("report", brain, "-o", page, "--overwrite")
    assert "<html" in page.read_text("utf-8")
    assert "no file" in ninebrains("report", brain, "-o", tmp_path, "--overwrite", check=2).err


def test_an_audit_page_replaces_pages_of_ours_only(ninebrains, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 3, "dog": 3})
    photo = next((photos / "cat").iterdir())
    before = photo.read_bytes()
    told = ninebrains("data", "audit", photos, "--html", photo, check=2).err
    assert "--overwrite" in told
    assert photo.read_bytes() == before
    page = tmp_path / "page.html"
    ninebrains("data", "audit", photos, "--html", page)
    ninebrains("data", "audit", photos, "--html", page)
    page.write_text("mine")
    ninebrains("data", "audit", photos, "--html", page, "--overwrite")
    assert "<html" in page.read_text("utf-8")
