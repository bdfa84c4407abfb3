"""20,000 photos: only what is seen is in the document, and everything still works."""

import hashlib

import pytest

from tests.browsing import until
from tests.making import jpeg
from tests.studio.page.conftest import go

NUM_PHOTOS = 20_000


@pytest.fixture
def large_project(tmp_path):
    """A project of 20,000 photos: 40 files under many names, as nothing here depends on pixels."""
    from ninebrains.studio.folder import open_folder
    from ninebrains.studio.store.database import Database
    from ninebrains.studio.store.labels import make_label
    from ninebrains.studio.store.photos import NewPhoto, insert_photo

    folder = open_folder(tmp_path / "large")
    photos = tmp_path / "photos"
    photos.mkdir()
    files = []
    for number in range(40):
        files.append(photos / f"{number}.jpg")
        files[-1].write_bytes(jpeg("cat", number))
    database = Database(folder.database)
    with database.writing() as connection:
        for name in ("cat", "dog"):
            make_label(connection, name)
        for number in range(NUM_PHOTOS):
            file = files[number % len(files)]
            sha256 = hashlib.sha256(f"{number}".encode()).hexdigest()
            name = f"photo-{number:05}.jpg"
            size = file.stat().st_size
            insert_photo(
                connection,
                NewPhoto(sha256, file, False, name, "folder", "JPEG", 96, 72, size),
            )
    database.close()
    return folder.root


def test_20000_photos_are_scrolled_searched_and_labelled(visit, start_studio, large_project):
    page = visit(start_studio(large_project))
    until(page, "document.querySelector('#view-all .tally').textContent === '20,000'")
    page.wait_for_selector(".cell")
    most = page.evaluate(
        """async () => {
            const grid = document.getElementById("grid");
            let most = 0;
            for (let step = 0; step <= 40; step++) {
                grid.scrollTop = (grid.scrollHeight - grid.clientHeight) * step / 40;
                await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
                most = Math.max(most, grid.querySelectorAll(".cell").length);
            }
            return most;
        }"""
    )
    assert 10 < most < 150
    until(page, f"document.querySelector('[data-place=\"{NUM_PHOTOS - 1}\"]') !== null")
    page.focus("#grid")
    page.keyboard.press("End")
    page.keyboard.press("2")
    last = f"[data-place='{NUM_PHOTOS - 1}'] .name"
    assert page.inner_text(last) == "dog"
    page.keyboard.press("Control+a")
    assert page.inner_text(".chosen-bar b") == "20,000 photos chosen"
    page.keyboard.press("Escape")
    go(page, "label/search:photo-0199")
    page.wait_for_selector("text=10 photos with “photo-0199”.")
    assert page.locator(".cell").count() == 10
