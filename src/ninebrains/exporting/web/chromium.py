"""A real browser without a window: found by its name, started, ended with all of its children."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge", "brave-browser"),
)
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
VARIABLE = "NINEBRAINS_BROWSER"

_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # small in containers
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=OptimizationHints,MediaRouter",
    "--metrics-recording-only",
    "--mute-audio",
    # Whatever it may want to tell its maker, it finds nobody.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_END_SECONDS = 5


def find_browser() -> Path | None:
    """The browser that `NINEBRAINS_BROWSER` names, or one of the Chromium family; None for none."""
    named = os.environ.get(VARIABLE)
    for name in (named,) if named else NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    places = () if named else _PLACES
    return next((Path(place) for place in places if Path(place).is_file()), None)


def version_of(browser: Path) -> str:
    """What it calls itself, such as "Chromium 140.0.7339.80"; its file name where it says nothing.

    On Windows, browsers do not answer and would open a window instead.
    """
    if sys.platform == "win32":
        return browser.stem
    try:
        done = subprocess.run(  # noqa: S603 - a browser of this machine
            [str(browser), "--version"], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return browser.name
    found = re.search(r"[A-Z][\w ]* [\d.]{3,40}", done.stdout.decode(errors="replace"))
    return found[0] if found else browser.name


@contextmanager
def browsing(browser: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Show a page for as long as it is needed, with a profile of its own that is deleted after.

    Raises:
        OSError: the browser cannot be started.
    """
    with tempfile.TemporaryDirectory(
        prefix="ninebrains-browser-", ignore_cleanup_errors=True
    ) as profile:
        flags = [*_FLAGS, f"--user-data-dir={profile}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium refuses to run as root with it
        process = subprocess.Popen(  # noqa: S603 - a browser of this machine
            [str(browser), *flags, url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a browser and everything that it started."""
    for force in (False, True):
        _signal(process, force=force)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    _signal(process, force=True)  # children that outlived it


if sys.platform == "win32":

    def _signal(process: subprocess.Popen[bytes], *, force: bool) -> None:
        if force:
            process.kill()
        else:
            process.terminate()

else:

    def _signal(process: subprocess.Popen[bytes], *, force: bool) -> None:
        with suppress(ProcessLookupError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)
