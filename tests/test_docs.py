"""Every example in the README and the docs runs, in the order in which a reader meets it."""

import contextlib
import io
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.making import jpeg, photo, write_photos
from tests.photos.films import write_film
from tests.serving.feedback.making import corrected_host
from tests.serving.making import repository, running

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HOST = "http://localhost:8000"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_command(line, monkeypatch):
    """A line of a console example; shell patterns are expanded as a shell would."""
    from ninebrains import cli

    words = []
    for word in shlex.split(line, comments=True):
        found = sorted(str(path) for path in Path().glob(word)) if "*" in word else []
        words += found or [word]
    monkeypatch.setattr(sys, "argv", words)
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            cli.main()
        except SystemExit as stop:
            if stop.code:
                pytest.fail(f"{line}\n{out.getvalue()}\n{errors.getvalue()}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page, stored_trunk, model_file, tmp_path, monkeypatch):
    from ninebrains.trunks import add_trunk, import_trunk

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda *_arguments, **_options: True)
    blocks = BLOCK.findall(page.read_text())
    shutil.copy(model_file, "mobilenet_v2.onnx")
    write_photos("photos", {"cat": 25, "dog": 25})
    write_photos("more_photos", {"cat": 4, "dog": 4}, start=200)
    Path("holiday").mkdir()
    for number in range(3):
        Path(f"holiday/{number}.jpg").write_bytes(jpeg("dog", 300 + number))
    photo("cat", 400).save("cat.jpg")
    text = "\n".join(body for _, body in blocks)
    if "trunk add" not in text:
        add_trunk(import_trunk(model_file, "mobilenet_v2_100"))
    if "pets.brain" in text and "train" not in text.split("pets.brain")[0]:
        run_command("ninebrains train photos/ --trunk mobilenet_v2_100 -o pets.brain", monkeypatch)
    if "rooms.brain" in text:
        run_command(
            f"ninebrains train photos/ --trunk {stored_trunk} --seed 1 -o rooms.brain", monkeypatch
        )
    if "ninebrains feedback" in text:
        corrected_host(Path("models"))
    if "clip.mp4" in text:
        write_film(Path("clip.mp4"))
    with contextlib.ExitStack() as stack:
        if f'nb.connect("{HOST}"' in text:
            models = repository(Path("served").absolute(), {"pets": [1, 2], "rooms": [1]})
            host = stack.enter_context(running({"sources": [models], "state": tmp_path / "state"}))
            blocks = [(kind, body.replace(HOST, str(host))) for kind, body in blocks]
        run_blocks(blocks, page, monkeypatch)


def run_blocks(blocks, page, monkeypatch):
    names = {}
    for kind, body in blocks:
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(body, str(page), "exec"), names)
            continue
        for line in body.splitlines():
            if line.startswith("$ ninebrains "):
                if " -o " in line and "--overwrite" not in line:
                    target = Path(line.split(" -o ")[1].split()[0])
                    target.unlink(missing_ok=True)
                run_command(line.removeprefix("$ "), monkeypatch)
            else:
                assert not line.startswith("$") or "pip install" in line, f"not run: {line}"


def test_pages_link_to_pages_that_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_docs_are_built_without_a_warning(tmp_path):
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    with contextlib.chdir(ROOT):
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site")))
    assert (tmp_path / "site/index.html").exists()
