"""A studio in a process of its own, and a real browser to look at it with."""

from contextlib import ExitStack

import pytest

from tests.browsing import fetch_axe, launch, note_mistakes, until
from tests.making import write_photos
from tests.studio.making import Page


@pytest.fixture
def start_studio(studio_home, tmp_path):
    """Start a studio of a project; it ends with the test."""
    started = []

    def start(project=None, *options):
        studio = Page(project or tmp_path / "project", studio_home, *options).sign_in()
        started.append(studio)
        return studio

    yield start
    for studio in started:
        if studio.process.poll() is None:
            studio.close()


@pytest.fixture
def studio(start_studio):
    """One with an empty project."""
    return start_studio()


@pytest.fixture(scope="package")
def chromium():
    """A browser with a fake camera. Ends with this package: its loop must not outlive it."""
    playwright, browser = launch()
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture
def visit(chromium):
    """Open a studio's page in a browser of its own; fails where the page makes any mistake."""
    mistakes = []
    with ExitStack() as stack:

        def visit(studio, *, expect=(), **options):
            options = {"viewport": {"width": 1280, "height": 800}, **options}
            context = chromium.new_context(permissions=["camera"], **options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(30_000)
            # A studio that ends lets its pages go before they do.
            note_mistakes(page, mistakes, unless=(*expect, "ERR_CONNECTION_REFUSED"))
            page.goto(studio.url + studio.post("/api/link")["path"].lstrip("/"))
            page.wait_for_selector("main > *")
            return page

        yield visit
    assert mistakes == []


def go(page, place):
    """Go to a place of the page, such as `label/review`."""
    page.evaluate("place => { location.hash = `#/${place}`; }", place)


def bring(page, studio, folder, *, labels=True):
    """Bring a folder of photos in without the page's dialogs; wait until it shows them."""
    told = studio.bring_folder(folder, labels=labels)
    shown = "n => document.querySelector('#view-all .tally')?.textContent.replace(',', '') >= n"
    until(page, shown, told["added"])
    page.wait_for_selector(".cell")


def labels_of(page):
    """What the photos in the grid are called, in order."""
    return page.eval_on_selector_all(
        ".cell",
        "cells => cells.sort((a, b) => a.dataset.place - b.dataset.place)"
        ".map(cell => cell.querySelector('.name').textContent)",
    )


def counts_of(page):
    """How many photos each label has, as the side shows it."""
    return dict(
        page.eval_on_selector_all(
            ".label",
            "rows => rows.map(row => [row.querySelector('.name').textContent,"
            " Number(row.querySelector('.count').textContent)])",
        )
    )


def until_labels(page, **wanted):
    """Wait until the side shows these counts."""
    counting = """wanted => { const shown = Object.fromEntries(
        [...document.querySelectorAll(".label")]
        .map(row => [row.querySelector(".name").textContent,
                     Number(row.querySelector(".count").textContent)]));
        return JSON.stringify(Object.entries(shown).sort())
            === JSON.stringify(Object.entries(wanted).sort()); }"""
    until(page, counting, wanted)


@pytest.fixture(scope="session")
def few_pets(tmp_path_factory):
    """12 photos of cats and 12 of dogs, in folders."""
    return write_photos(tmp_path_factory.mktemp("few-pets"), {"cat": 12, "dog": 12})


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """axe-core's script; nothing of it is part of the project."""
    return fetch_axe(tmp_path_factory.mktemp("axe"))
