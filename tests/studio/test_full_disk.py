"""Adding photos where there is no room left: a sentence, and nothing left behind."""

import subprocess
from contextlib import suppress

import pytest

from tests.making import jpeg


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own of 6 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", place]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk):
    """Leave room for a hundred thousand bytes."""
    with (disk / "rest").open("wb", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - 100_000)


@pytest.mark.parametrize("way", ["form", "raw"])
def test_photos_that_find_no_room_are_refused_whole(small_disk, open_page, way):
    page = open_page(small_disk / "project")
    page.post("/api/learn", learns=False)
    fill(small_disk)
    parts = [("photos", (f"{n}.jpg", jpeg("cat", n) + bytes(60_000))) for n in range(4)]
    sent = {"files": parts} if way == "form" else {"content": bytes(300_000)}
    reply = page.http.post("/api/import", params={"name": "photos.zip"}, **sent)
    assert reply.status_code == 507
    assert "Free some space, then add the photos again" in reply.json()["error"]
    assert list((page.project / "incoming").iterdir()) == []
    assert page.get("/api/project")["counts"]["photos"] == 0
    (small_disk / "rest").unlink()
    assert page.bring(("1.jpg", jpeg("cat", 1)))["added"] == 1
