"""Photos in place that go, come back or become others: marked, told, and never mixed up."""

import os
import shutil

import pytest

from ninebrains.images import Limits
from ninebrains.studio.events import Events
from ninebrains.studio.originals import CHANGED, MISSING, Troubles, Watch
from ninebrains.studio.store.database import Database
from tests.making import jpeg, write_photos
from tests.studio.making import Page


@pytest.fixture
def folder(tmp_path):
    return write_photos(tmp_path / "mine", {"cat": 4, "dog": 4})


@pytest.fixture
def page(tmp_path, studio_home):
    opened = Page(tmp_path / "project", studio_home).sign_in()
    opened.post("/api/learn", learns=False)
    yield opened
    opened.close()


def look(page):
    """What the studio does at its start and every minute."""
    database, noted = Database(page.project / "studio.db"), []
    troubles = Troubles(database, Events(), lambda: noted.append(1))
    Watch(page.project, database, troubles, Limits()).look()
    database.close()
    return bool(noted)


def ids_by_name(page):
    told = page.get("/api/photos")["ids"]
    return {page.get(f"/api/photos/{one}")["name"].split("/")[-1]: one for one in told}


def trouble(page, photo):
    return page.get(f"/api/photos/{photo}")["trouble"]


def test_files_that_go_are_marked_until_they_are_back(page, folder, tmp_path):
    page.bring_folder(folder)
    photo = ids_by_name(page)["cat000.jpg"]
    assert not look(page)
    (folder / "cat" / "cat000.jpg").rename(tmp_path / "kept.jpg")
    assert look(page)
    assert not look(page)  # nothing new
    assert trouble(page, photo) == MISSING
    assert page.get("/api/photos", view="trouble")["ids"] == [photo]
    assert page.http.get(f"/photo/{photo}").status_code == 404
    (tmp_path / "kept.jpg").rename(folder / "cat" / "cat000.jpg")
    assert look(page)
    assert trouble(page, photo) is None
    assert page.http.get(f"/photo/{photo}").status_code == 200


def test_a_file_that_became_another_is_never_shown_under_the_old_label(page, folder):
    page.bring_folder(folder)
    photo, path = ids_by_name(page)["dog001.jpg"], folder / "dog" / "dog001.jpg"
    before = page.http.get(f"/thumb/{photo}").content
    original = path.read_bytes()
    other = jpeg("cat", 77)
    other += bytes(max(0, len(original) - len(other)))
    path.write_bytes(other)
    os.utime(path, ns=(1, 1))
    for way in (f"/photo/{photo}", f"/heat/{photo}"):
        page.http.get(way)
    assert page.http.get(f"/photo/{photo}").status_code == 400
    assert trouble(page, photo) == CHANGED
    assert page.http.get(f"/thumb/{photo}").content == before
    added = page.bring_folder(folder)
    assert (added["added"], added["known"]) == (1, 7)
    assert trouble(page, photo) == CHANGED
    path.write_bytes(original)
    assert look(page)
    assert trouble(page, photo) is None


def test_a_change_that_keeps_the_size_is_found_by_its_time_and_a_mere_touch_is_none(page, folder):
    page.bring_folder(folder)
    numbers, path = ids_by_name(page), folder / "cat" / "cat001.jpg"
    data = bytearray(path.read_bytes())
    os.utime(folder / "cat" / "cat002.jpg", ns=(5, 5))
    data[-40] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(7, 7))
    assert look(page)
    assert [trouble(page, numbers[f"cat00{n}.jpg"]) for n in (0, 1, 2)] == [None, CHANGED, None]


def test_a_folder_that_was_moved_is_found_again_when_it_is_added_again(page, folder, tmp_path):
    page.bring_folder(folder)
    shutil.move(folder, tmp_path / "elsewhere")
    report = page.bring_folder(tmp_path / "elsewhere")
    assert (report["added"], report["known"]) == (0, 8)
    assert not look(page)
    assert page.get("/api/project")["counts"]["troubled"] == 0
    assert page.http.get(f"/photo/{ids_by_name(page)['cat000.jpg']}").status_code == 200


def test_what_happened_while_the_studio_was_closed_is_seen_when_it_opens(
    page, folder, studio_home, open_page
):
    page.bring_folder(folder)
    photo = ids_by_name(page)["dog003.jpg"]
    page.close()
    (folder / "dog" / "dog003.jpg").unlink()
    again = Page(page.project, studio_home)
    page.__dict__.update(again.__dict__)
    page.sign_in()
    while trouble(page, photo) is None:
        pass
    assert page.get("/api/project")["queues"] is not None
    assert page.get("/api/photos", view="trouble")["ids"] == [photo]
