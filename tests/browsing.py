"""A real browser for tests: where it is, what it complains about, and the rules of axe-core."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import time

import pytest

from ninebrains.exporting.web.chromium import find_browser

FLAGS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
_AXE_VERSION = "4.14.1"  # https://github.com/dequelabs/axe-core, MPL-2.0
_AXE_INTEGRITY = (  # as the registry's `dist.integrity` says
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)


def launch(*more):
    """Playwright and a running browser; skips the test where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = find_browser()
    if executable is None:
        pytest.skip("there is no Chromium, Chrome or Edge on this machine")
    playwright = api.sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=str(executable), args=[*FLAGS, *more])
    return playwright, browser


def note_mistakes(page, mistakes, unless=()):
    """Collect what a page does wrong: uncaught errors, refused scripts, failed requests.

    Args:
        page: of playwright.
        mistakes: list that they are added to.
        unless: parts of messages that a test expects.
    """

    def note(text):
        if not any(known in text for known in unless):
            mistakes.append(text)

    page.on("pageerror", lambda error: note(str(error)))
    page.on(
        "console",
        lambda line: (
            note(f"{line.text} {line.location.get('url', '')}")
            if line.type == "error" or "Content Security Policy" in line.text
            else None
        ),
    )


def until(page, script, argument=None, seconds=30.0):
    """Wait until a script says true; unlike `wait_for_function` without leave to evaluate text."""
    ends = time.monotonic() + seconds
    while not (said := page.evaluate(script, argument)):
        assert time.monotonic() < ends, f"never came true: {script} ({argument})"
        page.wait_for_timeout(40)
    return said


def fetch_axe(folder):
    """axe-core's script from the npm registry; skips where it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, which fetches axe-core")
    command = [npm, "pack", f"axe-core@{_AXE_VERSION}", "--ignore-scripts", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip("the npm registry cannot be reached, which has axe-core")
    package = folder / f"axe-core-{_AXE_VERSION}.tgz"
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    assert found == _AXE_INTEGRITY
    with tarfile.open(package) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


def broken_rules(page, axe):
    """Rules of axe-core that a page breaks, with where."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        (rule["id"], rule["impact"], [node["html"][:160] for node in rule["nodes"]][:5])
        for rule in found["violations"]
    ]
