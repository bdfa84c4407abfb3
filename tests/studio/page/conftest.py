"""A studio in a process of its own, and a real browser to look at it with."""

import os
import queue
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.browsing import fetch_axe, launch, note_mistakes, until
from tests.making import write_photos

_PATIENCE_SECONDS = 60


@dataclass
class Studio:
    """A studio that runs.

    Attributes:
        folder: of its project.
        url: where it answers.
        link: lets one browser in, once.
    """

    folder: Path
    port: int = 0
    url: str = ""
    link: str = ""
    process: subprocess.Popen = field(default=None, repr=False)

    def start(self):
        """Start it, at the same port as before if it ran already."""
        command = [sys.executable, "-m", "ninebrains.cli", "studio", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, "--no-open", "--port", str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = queue.Queue()
        threading.Thread(target=_read, args=(self.process.stdout, lines), daemon=True).start()
        told = ""
        while "token=" not in told:
            line = lines.get(timeout=_PATIENCE_SECONDS)
            assert line is not None, told
            told += line
        self.link = next(word for word in told.split() if "token=" in word)
        self.url = self.link.split("?")[0]
        self.port = int(self.url.rstrip("/").rsplit(":", 1)[1])
        return self

    def stop(self):
        """End it as Ctrl-C does."""
        self.process.terminate()
        self.process.wait(timeout=_PATIENCE_SECONDS)
        self.process.stdout.close()


def _read(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(None)


@pytest.fixture(scope="package")
def studio_home(tmp_path_factory):
    """Trunks and caches of the studios of these tests."""
    return tmp_path_factory.mktemp("studio-home")


@pytest.fixture
def start_studio(studio_home, tmp_path, monkeypatch):
    """Start a studio of a project; it ends with the test."""
    monkeypatch.setenv("NINEBRAINS_HOME", str(studio_home))
    started = []

    def start(folder=None):
        studio = Studio(folder or tmp_path / "project").start()
        started.append(studio)
        return studio

    yield start
    for studio in started:
        if studio.process.poll() is None:
            studio.stop()


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
def visit(chromium, start_studio):
    """Open a studio's page in a browser of its own; fails where the page makes any mistake.

    It needs `start_studio` so that pages close before their studio ends.
    """
    mistakes = []
    with ExitStack() as stack:

        def visit(studio, *, at="", expect=(), **options):
            options = {"viewport": {"width": 1280, "height": 800}, **options}
            context = chromium.new_context(permissions=["camera"], **options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(20_000)
            note_mistakes(page, mistakes, unless=expect)
            page.goto(studio.link)
            page.wait_for_selector("main > *")
            if at:
                go(page, at)
            return page

        yield visit
    assert mistakes == []


def go(page, place):
    """Go to a place of the page, such as `label/review`."""
    page.evaluate("place => { location.hash = `#/${place}`; }", place)


def bring(page, folder, *, labels=True):
    """Bring a folder of photos in, without the dialogs for it; wait until all are there."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    for start in range(0, len(files), 100):
        parts = [
            (str(path.relative_to(folder)), path.read_bytes()) for path in files[start : start + 100]
        ]
        job = _upload(page, parts, labels=labels)
        while (state := page.request.get(f"{_base(page)}/api/jobs/{job}").json())["state"] in (
            "waiting",
            "running",
        ):
            page.wait_for_timeout(50)
        assert state["state"] == "done", state
    until(
        page,
        "n => document.querySelector('#view-all .tally')?.textContent.replace(',', '') >= n",
        len(files),
    )


def _base(page):
    return page.url.split("/#")[0].rstrip("/")


def _upload(page, parts, *, labels):
    boundary = "----photos"
    body = b""
    for name, data in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"'
        body += f"{head}\r\nContent-Type: image/jpeg\r\n\r\n".encode() + data + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    reply = page.request.post(
        f"{_base(page)}/api/import" + ("?folders=1" if labels else ""),
        data=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    assert reply.ok, reply.text()
    return reply.json()["job"]


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


@pytest.fixture(scope="session")
def few_pets(tmp_path_factory):
    """12 photos of cats and 12 of dogs, in folders."""
    return write_photos(tmp_path_factory.mktemp("few-pets"), {"cat": 12, "dog": 12})


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """axe-core's script; nothing of it is part of the project."""
    return fetch_axe(tmp_path_factory.mktemp("axe"))


@pytest.fixture(autouse=True)
def _no_home_of_others(monkeypatch):
    """Processes that a test starts show what they say at once."""
    monkeypatch.setitem(os.environ, "PYTHONUNBUFFERED", "1")
