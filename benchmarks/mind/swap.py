"""Brains come and go while others answer.

    python -m benchmarks.mind.swap [--quick] [--trunks ...] [--folder ...]

`add`: 100 times, to a mind with 16 brains on the same trunk, from a `.brain` file (which is read
and checked) and from a brain in memory; and how long the new one's first answer takes beside that
of an old one, since an `add` that left work for later would only look quick.

`load`: latency of the other 16 brains while brains are added and removed, or replaced by another
version, beside quiet. Ten windows of each, in turn; in a busy one ten brains are added from files
and removed again, either one every 100 ms or one right after the other. Three kinds of load: one
caller, who waits for each answer; requests that come at random moments at half of what the mind can
do; the same while one of the answering brains is being replaced. Figures are over the calls of all
windows of a kind; the ratio is the median over the repeats, each in a process of its own.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.mind.brains import derive, make_brains
from benchmarks.mind.callers import Call, closed_loop, open_loop
from benchmarks.mind.figures import percentile
from benchmarks.mind.measuring import (
    Asked,
    Measured,
    in_process,
    photo_files,
    ratio,
    read_photos,
    rounded,
    start,
)
from benchmarks.running import median
from ninebrains.brains import load

if TYPE_CHECKING:
    from ninebrains import Mind

LOADED, EXTRA = 16, 10
LOADS = ("one caller", "half of capacity", "half of capacity, replaced")


def main(asked: Asked) -> None:
    rows = []
    for trunk in asked.trunks:
        brains = make_brains(trunk, LOADED + EXTRA, asked.folder)
        told = {
            "brains": brains[:LOADED],
            "extra": _files(brains[LOADED:], asked.folder),
            "newer": _newer(brains[0], asked.folder),
            "photos": photo_files(asked.folder, 32),
        }
        rows += _adding(asked, trunk, told)
        rows += _under_load(asked, trunk, told)
    asked.report("mind_swap", rows)


def _files(brains: Sequence[Path], folder: Path) -> list[Path]:
    """Brains as people keep them: one file each."""
    files = [folder / f"{path.name}.brain" for path in brains]
    for path, file in zip(brains, files, strict=True):
        if not file.is_file():
            load(path).save(file)
    return files


def _newer(path: Path, folder: Path) -> list[Path]:
    """Two more versions of a brain."""
    files = []
    for version in ("2", "3"):
        file = folder / f"{path.name}-version-{version}.brain"
        if not file.is_file():
            brain = load(path)
            derive(brain, brain.name, seed=1000 + int(version), version=version).save(file)
        files.append(file)
    return files


def _adding(asked: Asked, trunk: str, told: dict[str, object]) -> list[dict[str, object]]:
    repeats = int(asked.quickly(2, 1))
    rounds = int(asked.quickly(10, 1))
    found = [
        in_process("swap", asked.folder, what="add", rounds=rounds, every=0.0, **told)
        for _ in range(repeats)
    ]
    names = ("file_ms", "file_p99_ms", "memory_ms", "remove_ms", "first_answer_ms", "answer_ms")
    return [
        rounded(
            {
                **_empty_row(trunk, f"add, {LOADED} loaded", repeats),
                **{name: median(once[name] for once in found) for name in names},
            }
        )
    ]


def _under_load(asked: Asked, trunk: str, told: dict[str, object]) -> list[dict[str, object]]:
    rows = []
    repeats, rounds = int(asked.quickly(1, 1)), int(asked.quickly(10, 2))
    for what in LOADS:
        for every in (0.1, 0.0):
            found = [
                in_process("swap", asked.folder, what=what, rounds=rounds, every=every, **told)
                for _ in range(repeats)
            ]
            pace = f"one every {every * 1000:.0f} ms" if every else "one right after the other"
            quiet, busy = ([once[kind] for once in found] for kind in ("quiet_p99", "busy_p99"))
            row = {
                **_empty_row(trunk, f"{what}: {pace}", repeats),
                "changes": median(once["changes"] for once in found),
                "quiet_p50_ms": median(once["quiet_p50"] for once in found),
                "busy_p50_ms": median(once["busy_p50"] for once in found),
                "quiet_p99_ms": median(quiet),
                "busy_p99_ms": median(busy),
                "p99_of_quiet": ratio(busy, quiet),
            }
            rows.append(rounded(row))
    return rows


def _empty_row(trunk: str, what: str, repeats: int) -> dict[str, object]:
    """Every column, so that all rows have the same."""
    columns = "file_ms file_p99_ms memory_ms remove_ms first_answer_ms answer_ms changes"
    columns += " quiet_p50_ms busy_p50_ms quiet_p99_ms busy_p99_ms p99_of_quiet"
    return {"trunk": trunk, "what": what, "repeats": repeats} | dict.fromkeys(columns.split())


def measure(
    what: str,
    brains: list[str],
    extra: list[str],
    newer: list[str],
    photos: str,
    rounds: int,
    every: float,
) -> Measured:
    """One kind of change to a mind with brains, in this process."""
    import ninebrains as nb

    shown = read_photos(photos)
    with nb.Mind(brains) as mind:
        for photo in shown:
            mind.run(photo)
        if what == "add":
            return _measure_adding(mind, extra, shown, rounds)
        change = _replacing(mind, newer) if "replaced" in what else _coming_and_going(mind, extra)
        return _measure_load(mind, what, change, shown, rounds, every)


def _measure_adding(mind: Mind, extra: list[str], shown: list[bytes], rounds: int) -> Measured:
    loaded = [load(path) for path in extra]
    old = mind.names[0]
    took: dict[str, list[float]] = {
        name: [] for name in ("file", "memory", "remove", "first_answer", "answer")
    }

    def timed(name: str, work: Callable[[], object]) -> None:
        before = time.perf_counter()
        work()
        took[name].append(1000 * (time.perf_counter() - before))

    for number in range(rounds * len(extra)):
        path, brain = extra[number % len(extra)], loaded[number % len(extra)]
        photo = shown[number % len(shown)]
        timed("file", lambda path=path: mind.add(path))
        timed("first_answer", lambda photo=photo, brain=brain: mind.run(photo, brain.name))
        timed("answer", lambda photo=photo: mind.run(photo, old))
        timed("remove", lambda brain=brain: mind.remove(brain.name))
        timed("memory", lambda brain=brain: mind.add(brain))
        mind.remove(brain.name)
    found = {f"{name}_ms": median(values) for name, values in took.items()}
    return {**found, "file_p99_ms": percentile(took["file"], 99)}


def _coming_and_going(mind: Mind, extra: list[str]) -> Callable[[int], None]:
    def change(number: int) -> None:
        mind.remove(mind.add(extra[number % len(extra)]))

    return change


def _replacing(mind: Mind, newer: list[str]) -> Callable[[int], None]:
    def change(number: int) -> None:
        mind.add(newer[number % len(newer)])

    return change


def _measure_load(
    mind: Mind,
    what: str,
    change: Callable[[int], None],
    shown: list[bytes],
    rounds: int,
    every: float,
) -> Measured:
    names, stop = mind.names, threading.Event()

    def submit(draw: random.Random) -> Future[object]:
        return mind.submit(draw.choice(shown), [draw.choice(names)])

    def ask(draw: random.Random) -> None:
        submit(draw).result()

    if what == "one caller":
        load_for = lambda seconds: closed_loop(ask, 1, seconds, stop)  # noqa: E731
    else:
        capacity = len(closed_loop(ask, 32, 2.0)) / 2.0
        load_for = lambda seconds: open_loop(submit, capacity / 2, seconds, stop)  # noqa: E731
    calls: list[Call] = []
    faults: list[Exception] = []

    def run_load() -> None:
        try:
            calls.extend(load_for(3600.0))
        except Exception as error:  # noqa: BLE001 - raised below
            faults.append(error)

    thread = threading.Thread(target=run_load)
    thread.start()
    windows = _windows(change, rounds, every)
    stop.set()
    thread.join()
    if faults:
        raise faults[0]
    return {**_by_window(calls, windows), "changes": rounds * EXTRA, "calls": len(calls)}


Window = tuple[str, float, float]
"""Quiet or busy, from when to when."""


def _windows(change: Callable[[int], None], rounds: int, every: float) -> list[Window]:
    """Be quiet and busy in turn; a quiet window is as long as the busy one before it."""
    windows: list[Window] = []
    time.sleep(1.0)
    length, number = 1.0, 0
    for _ in range(rounds):
        begun = time.perf_counter()
        time.sleep(length)
        windows.append(("quiet", begun, time.perf_counter()))
        begun = time.perf_counter()
        for _ in range(EXTRA):
            due = time.perf_counter() + every
            change(number)
            number += 1
            time.sleep(max(due - time.perf_counter(), 0.0))
        windows.append(("busy", begun, time.perf_counter()))
        length = max(windows[-1][2] - begun, 0.2)
        time.sleep(0.1)  # what the last change leaves behind belongs to neither
    return windows


def _by_window(calls: Sequence[Call], windows: Sequence[Window]) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind in ("quiet", "busy"):
        own = [
            call.ms
            for call in calls
            if any(begun <= call.began < end for what, begun, end in windows if what == kind)
        ]
        found[f"{kind}_p50"], found[f"{kind}_p99"] = percentile(own, 50), percentile(own, 99)
    return found


if __name__ == "__main__":
    start(main, measure)
