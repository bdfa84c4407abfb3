"""20,000 photos: only what is seen is in the document, and everything still works."""

import pytest

from tests.browsing import until
from tests.studio.page.conftest import go
from tests.studio.page.large import write_large_project

NUM_PHOTOS = 20_000


@pytest.fixture
def large_project(tmp_path):
    return write_large_project(tmp_path, NUM_PHOTOS)


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
