"""The answers of a web export from where it is meant to run: a real browser.

A server on loopback gives the export's own files, the photos and one page that is no part of the
export. That page asks the export's modules about each photo and posts what they answer.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
import numpy.typing as npt

from ninebrains.errors import BrainError, PhotoError
from ninebrains.exporting.web.chromium import browsing, find_browser, version_of
from ninebrains.exporting.web.serving import Handler, bind, serving, url_of
from ninebrains.images import prepare

Floats = npt.NDArray[np.float32]

CHECKING = Path(__file__).parent / "checking"

_LARGEST_ANSWER = 256 * 1024 * 1024


@dataclass(frozen=True)
class Answers:
    """What an export answered.

    Attributes:
        values: by output, float32 [n, …]; NaN in the rows of photos without an answer.
        ms: milliseconds from a photo's bytes to its answer, [n]; NaN likewise.
        run_ms: the part of them that the networks took.
        errors: by place, why a photo has no answer.
        where: the browser and its version, or the runtime that stood in for it.
        in_browser: whether it was a browser.
        threads: that the runtime used.
    """

    values: Mapping[str, Floats]
    ms: npt.NDArray[np.float64]
    run_ms: npt.NDArray[np.float64]
    errors: Mapping[int, str]
    where: str
    in_browser: bool
    threads: int


@dataclass
class _Check:
    """A check that is running: what is to be asked, and what has been answered."""

    folder: Path
    photos: Sequence[Path]
    outputs: Sequence[str]
    token: str = field(default_factory=lambda: f"check-{secrets.token_hex(8)}")
    rows: dict[int, dict[str, Floats]] = field(default_factory=dict)
    times: dict[int, tuple[float, float]] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    failure: str | None = None
    threads: int = 1
    done: threading.Event = field(default_factory=threading.Event)
    heard_at: float = field(default_factory=time.monotonic)

    def take(self, name: str, body: bytes) -> None:
        """Understand what the page posted.

        Raises:
            ValueError: it is nothing that the page would post.
        """
        self.heard_at = time.monotonic()
        kind, _, place = name.partition("/")
        if kind == "answer":
            self._take_answer(int(place), body)
        elif kind == "error":
            self.errors[int(place)] = body.decode(errors="replace")[:500]
        elif kind == "done":
            self.threads = int(json.loads(body)["threads"])
            self.done.set()
        elif kind == "failed":
            self.failure = body.decode(errors="replace")[:500]
            self.done.set()
        else:
            raise ValueError(name)

    def _take_answer(self, place: int, body: bytes) -> None:
        head, _, data = body.partition(b"\n")
        facts = json.loads(head)
        numbers = np.frombuffer(data, "<f4")
        row, start = {}, 0
        for name, dims in zip(self.outputs, facts["dims"], strict=True):
            size = int(np.prod(dims))
            row[name] = numbers[start : start + size].reshape(dims)[0]
            start += size
        self.rows[place] = row
        self.times[place] = (float(facts["ms"]), float(facts["run_ms"]))


class _CheckHandler(Handler):
    """The export's files, and beside them the page that asks, its photos and its answers."""

    def __init__(self, *arguments: object, check: _Check) -> None:
        self.check = check
        super().__init__(*arguments, folder=check.folder)

    def _give(self, *, with_body: bool) -> None:
        self.check.heard_at = time.monotonic()
        name = self._inside()
        if name is None:
            super()._give(with_body=with_body)
        elif name.startswith("photo/") and name[6:].isdigit():
            photo = self.check.photos[int(name[6:])]
            self.reply(HTTPStatus.OK, photo.read_bytes(), "application/octet-stream", with_body)
        elif name in ("check.html", "check.mjs"):
            path = CHECKING / name
            self.reply(HTTPStatus.OK, path.read_bytes(), self.types[path.suffix], with_body)
        else:
            self.reply(HTTPStatus.NOT_FOUND, b"", "text/plain", with_body)

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        """Take an answer."""
        name = self._inside()
        size = int(self.headers.get("Content-Length", 0))
        if name is None or not 0 <= size <= _LARGEST_ANSWER:
            self.reply(HTTPStatus.NOT_FOUND, b"", "text/plain")
            return
        try:
            self.check.take(name, self.rfile.read(size))
        except (ValueError, KeyError, TypeError) as error:
            self.check.failure = f"its answer {name} cannot be understood: {error}"
            self.check.done.set()
        self.reply(HTTPStatus.OK, b"", "text/plain")

    def _inside(self) -> str | None:
        """The path below the check's own folder, which nobody else on this machine knows."""
        folder, _, name = urlsplit(self.path).path.lstrip("/").partition("/")
        return name if secrets.compare_digest(folder.encode(), self.check.token.encode()) else None


def answers(
    folder: Path,
    photos: Sequence[Path],
    outputs: Sequence[str],
    *,
    brain: int = 0,
    build: str = "wasm",
    patience_s: float = 120.0,
) -> Answers | None:
    """Ask a web export in a browser about photos, from their files on.

    Args:
        folder: of the export.
        photos: files.
        outputs: of the brain, such as `scores`, `unfamiliar`, `heatmap`, `features`.
        brain: its place in site.json.
        build: of the runtime, `wasm` or `webgpu`.
        patience_s: how long nothing may be heard of the browser, which takes its time to start, to
            compile everything and to answer large photos.

    Returns:
        The answers; None where there is no browser on this machine.

    Raises:
        BrainError: the export does not run, or the browser ended or hung.
    """
    browser = find_browser()
    if browser is None:
        return None
    check = _Check(folder, photos, outputs)
    server = bind(partial(_CheckHandler, check=check), "127.0.0.1", 0)
    asked = {
        "photos": len(photos),
        "brain": brain,
        "outputs": ",".join(outputs),
        "build": build,
    }
    page = f"{url_of(server)}{check.token}/check.html?{urlencode(asked)}"
    with serving(server):
        try:
            with browsing(browser, page) as process:
                _wait(check, process.poll, patience_s)
        except OSError as error:
            raise BrainError(f"the browser {browser} cannot be started: {error}") from error
    if check.failure is not None:
        raise BrainError(f"the export does not run in {browser.name}: {check.failure}")
    return _gathered(check, version_of(browser), in_browser=True)


def _wait(check: _Check, poll: Callable[[], int | None], patience_s: float) -> None:
    """Wait until all photos are answered.

    Raises:
        BrainError: the browser ended, or nothing was heard of it for too long.
    """
    while not check.done.wait(0.2):
        silence = time.monotonic() - check.heard_at
        if silence > patience_s:
            raise BrainError(
                f"the browser has said nothing for {silence:.0f} seconds, after "
                f"{len(check.rows)} of {len(check.photos)} photos; it hangs or is out of memory"
            )
        code = poll()
        if code is not None and not check.done.wait(1.0):
            raise BrainError(
                f"the browser ended by itself (exit code {code}), after {len(check.rows)} of "
                f"{len(check.photos)} photos. Name another one with NINEBRAINS_BROWSER."
            )


def answers_without_browser(
    folder: Path, photos: Sequence[Path], outputs: Sequence[str], *, brain: int = 0
) -> Answers:
    """Ask the networks of a web export in ONNX Runtime of this machine, where no browser is.

    Not the same proof: the page's own preparation of photos and its runtime stay untried.

    Args:
        folder: of the export.
        photos: files.
        outputs: of the brain.
        brain: its place in site.json.

    Raises:
        BrainError: the export is damaged.
    """
    import onnxruntime

    from ninebrains.exporting.web.reading import Networks

    networks = Networks.of(folder, brain)
    check = _Check(folder, photos, outputs)
    for place, photo in enumerate(photos):
        start = time.perf_counter()
        try:
            pixels = prepare(photo, networks.contract)
        except PhotoError as error:
            check.errors[place] = str(error)
            continue
        running = time.perf_counter()
        found = networks.run(pixels[None])
        end = time.perf_counter()
        check.rows[place] = {name: found[name][0] for name in outputs}
        check.times[place] = ((end - start) * 1000, (end - running) * 1000)
    where = f"ONNX Runtime {onnxruntime.__version__}"
    return _gathered(check, where, in_browser=False)


def _gathered(check: _Check, where: str, *, in_browser: bool) -> Answers:
    count = len(check.photos)
    values = {}
    for name in check.outputs:
        shape = next((row[name].shape for row in check.rows.values()), ())
        table = np.full((count, *shape), np.nan, np.float32)
        for place, row in check.rows.items():
            table[place] = row[name]
        values[name] = table
    times = np.full((count, 2), np.nan)
    for place, pair in check.times.items():
        times[place] = pair
    return Answers(values, times[:, 0], times[:, 1], check.errors, where, in_browser, check.threads)
