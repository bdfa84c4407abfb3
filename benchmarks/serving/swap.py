"""A thousand new versions while others answer: nothing may fail, nobody may wait for it.

    python -m benchmarks.serving.swap [--quick] [--trunks octo] [--folder ...]

A host serves four brains and one whose versions change: its folder gets the next version by an
atomic rename, the one before the last is taken away, and so on without a pause, each as soon as the
one before answers. Two load generators ask meanwhile, one the four others, one the changing brain.
Windows without changes lie between windows with them; the ratio is that of the 99th percentiles of
the others, window by window. Memory is that of the process that answers, its slope a line through
all but the first fifth.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.mind.brains import make_brains
from benchmarks.mind.figures import slope
from benchmarks.mind.measuring import Asked, command_line, ratio, rounded
from benchmarks.running import median
from benchmarks.serving.load import Load, Prepared, need_wrk, send, write_requests
from benchmarks.serving.photos import web_photos
from benchmarks.serving.servers import SERVERS, Given, serving

NUM_OTHERS = 4
CONNECTIONS = 1
_WATCH = {"NINEBRAINS_SERVE_WATCH_SECONDS": "0.05"}
_MB, _HOUR = 1e6, 3600.0


@dataclass
class _Seen:
    """What the windows found."""

    quiet: list[Load] = field(default_factory=list)
    busy: list[Load] = field(default_factory=list)
    changing: list[Load] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    swaps: int = 0


def main(asked: Asked) -> None:
    need_wrk()
    rows = [_on_trunk(asked, trunk) for trunk in asked.trunks]
    asked.report("serving_swap", rows)


def _on_trunk(asked: Asked, trunk: str) -> dict[str, object]:
    brains = make_brains(trunk, NUM_OTHERS + 2, asked.folder)
    given = Given(brains[:NUM_OTHERS], asked.folder)
    wanted = int(asked.quickly(1000, 12))
    seen = _Seen()
    ours = SERVERS[0]
    with serving(ours, given, _WATCH) as (port, process):
        changing = _Changing(asked.folder / "models" / "changing", brains[NUM_OTHERS:], port)
        changing.next()
        others = _requests(asked.folder / "requests/others", given.names)
        own = _requests(asked.folder / "requests/changing", ["changing"])
        with _watched(process.pid, seen):
            while seen.swaps < wanted:
                seconds = asked.quickly(15, 3)
                seen.quiet.append(_both(others, own, port, seconds / 3)[0])
                busy, mine = _while_changing(changing, seen, (others, own), port, seconds)
                seen.busy.append(busy)
                seen.changing.append(mine)
    return _row(trunk, seen)


def _requests(folder: Path, names: list[str]) -> Path:
    photos = web_photos()
    return write_requests(
        [
            Prepared(f"/infer?brains={names[number % len(names)]}", "image/jpeg", photo)
            for number, photo in enumerate(photos)
        ],
        folder,
    )


def _both(others: Path, own: Path, port: int, seconds: float) -> tuple[Load, Load]:
    """The others and the changing one asked at the same time."""
    with ThreadPoolExecutor(2) as pool:
        first, second = (
            pool.submit(send, listed, port, connections=CONNECTIONS, seconds=seconds)
            for listed in (others, own)
        )
        return first.result(), second.result()


def _while_changing(
    changing: _Changing, seen: _Seen, listed: tuple[Path, Path], port: int, seconds: float
) -> tuple[Load, Load]:
    end = threading.Event()

    def change() -> None:
        while not end.is_set():
            changing.next()
            seen.swaps += 1

    thread = threading.Thread(target=change)
    thread.start()
    found = _both(*listed, port, seconds)
    end.set()
    thread.join()
    return found


class _Changing:
    """A brain whose versions change; two brains take turns."""

    def __init__(self, folder: Path, brains: list[Path], port: int) -> None:
        self._folder = folder
        self._brains = brains
        self._url = f"http://127.0.0.1:{port}/v1/models/changing"
        self._number = 0
        folder.mkdir()

    def next(self) -> None:
        """Let a version appear, wait until it answers, and take the one before the last away."""
        self._number += 1
        brain = self._brains[self._number % len(self._brains)]
        hidden = self._folder / f".{self._number}"
        shutil.copytree(brain, hidden, copy_function=os.link)
        hidden.rename(self._folder / str(self._number))
        self._wait()
        old = self._folder / str(self._number - 2)
        if old.is_dir():
            gone = self._folder / f".gone-{self._number - 2}"
            old.rename(gone)
            shutil.rmtree(gone)

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self._url}/versions/{self._number}") as reply:
                    (status,) = json.load(reply)["model_version_status"]
                if status["state"] == "AVAILABLE":
                    return
            except urllib.error.HTTPError:
                pass
            time.sleep(0.01)
        raise SystemExit(f"version {self._number} did not become ready")


@contextmanager
def _watched(pid: int, seen: _Seen) -> Iterator[None]:
    """Note once a second what the answering process holds."""
    (worker,) = subprocess.check_output(["pgrep", "-P", str(pid)], text=True).split()[-1:]
    end, began = threading.Event(), time.monotonic()

    def note() -> None:
        while not end.wait(1.0):
            pages = int(Path(f"/proc/{worker}/statm").read_text().split()[1])
            held = pages * os.sysconf("SC_PAGE_SIZE")
            seen.memory.append((time.monotonic() - began, held))

    thread = threading.Thread(target=note)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _row(trunk: str, seen: _Seen) -> dict[str, object]:
    times, held = zip(*seen.memory[len(seen.memory) // 5 :], strict=True)
    rise, half = slope(times, held)
    return rounded(
        {
            "trunk": trunk,
            "swaps": seen.swaps,
            "answers_per_s_changing": median(one.rate for one in seen.busy),
            "failed": sum(one.errors for one in (*seen.quiet, *seen.busy, *seen.changing)),
            "others_p99_quiet_ms": median(one.p99_ms for one in seen.quiet),
            "others_p99_changing_ms": median(one.p99_ms for one in seen.busy),
            "p99_of_quiet": ratio(
                [one.p99_ms for one in seen.busy], [one.p99_ms for one in seen.quiet]
            ),
            "p50_of_quiet": ratio(
                [one.p50_ms for one in seen.busy], [one.p50_ms for one in seen.quiet]
            ),
            "mb_an_hour": rise * _HOUR / _MB,
            "mb_an_hour_give_or_take": half * _HOUR / _MB,
            "windows": len(seen.busy),
        }
    )


if __name__ == "__main__":
    with command_line("benchmarks.serving.swap") as asked_for:
        main(asked_for)
