"""`ninebrains bench BRAIN`: how fast do brains answer on this machine, and where does time go?"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ninebrains.mind import Mind

_MOST_PHOTOS = 100
_MOST_BYTES = 256 * 1024 * 1024
_DRAWN = 12
_PERCENTILES = (50, 90, 99)
_STEPS = {"decode": "decode_ms", "queue": "queue_ms", "trunk": "network_ms", "heads": "head_ms"}


@dataclass(frozen=True)
class _Photos:
    """Files in memory, so that the disk is not measured.

    Attributes:
        files: by name.
        told: where they come from.
        problems: why others could not be read, by name.
    """

    files: Mapping[str, bytes]
    told: str
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Measured:
    """What callers saw who each asked for the next photo when they had the answer to the last.

    Attributes:
        callers: how many there were.
        seconds: that they were at it.
        latencies_ms: of each photo.
        steps_ms: sums over the photos, by step.
    """

    callers: int
    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    steps_ms: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_STEPS, 0.0))

    def to_dict(self) -> dict[str, object]:
        import numpy as np

        total = sum(self.latencies_ms)
        cuts = np.percentile(self.latencies_ms, _PERCENTILES)
        shares = {step: value / total for step, value in self.steps_ms.items()}
        return {
            "callers": self.callers,
            "photos": len(self.latencies_ms),
            "seconds": round(self.seconds, 3),
            "photos_per_second": round(len(self.latencies_ms) / self.seconds, 2),
            "latency_ms": {
                "mean": round(total / len(self.latencies_ms), 3),
                **{
                    f"p{name}": round(float(cut), 3)
                    for name, cut in zip(_PERCENTILES, cuts, strict=True)
                },
            },
            "share": {step: round(share, 4) for step, share in shares.items()},
        }


def bench_brains(
    brains: list[str], photos: Path | None, seconds: float, callers: int, *, as_json: bool
) -> None:
    """Measure brains together on this machine, and print what was found."""
    from ninebrains.cli.console import print_json, progress, tell_left_out
    from ninebrains.cli.run import join
    from ninebrains.mind import Mind

    asked = _read(photos) if photos else _draw()
    before = _memory_bytes()
    start = time.perf_counter()
    with Mind() as mind, progress("measuring") as report:
        names = join(mind, brains, None)
        loaded = time.perf_counter()
        usable, problems, first_ms = _try(mind, asked)
        given = len(usable) + len(problems)
        counts = sorted({1, callers})
        measured = []
        for done, count in enumerate(counts):
            report(done, len(counts))
            measured.append(_measure(mind, usable, count, seconds))
        told: dict[str, object] = {
            "brains": list(names),
            "photos": {"from": asked.told, "used": len(usable), "given": given},
            "problems": [{"photo": name, "reason": why} for name, why in sorted(problems.items())],
            "cold": {
                "load_ms": round((loaded - start) * 1000, 3),
                "first_photo_ms": round(first_ms, 3),
            },
            "warm": [one.to_dict() for one in measured],
            "memory_bytes": {"before": before, "with_brains": _memory_bytes()},
        }
    if as_json:
        print_json(told)
    else:
        tell_left_out(problems)
        _print(told)


def _draw() -> _Photos:
    """The demo's photos, where the user gives none."""
    from ninebrains.demo import PARTS, draw_photo

    names = itertools.islice(itertools.cycle(PARTS), _DRAWN)
    files = {f"{name} {number}": draw_photo(name, number) for number, name in enumerate(names)}
    return _Photos(files, f"{len(files)} photos drawn by computer, 288 x 216 pixels")


def _read(folder: Path) -> _Photos:
    from ninebrains.cli.predict import shown
    from ninebrains.photos import find_photos

    dataset = find_photos([folder])
    found = dataset.photos
    files: dict[str, bytes] = {}
    problems = {problem.name: problem.reason for problem in dataset.problems}
    size = 0
    for photo in found[:: -(-len(found) // _MOST_PHOTOS)]:  # from all over the folder
        name = shown(str(photo.path))
        try:
            if photo.path.stat().st_size + size <= _MOST_BYTES:
                files[name] = photo.path.read_bytes()
                size += len(files[name])
        except OSError as error:
            problems[name] = f"cannot be read: {error.strerror or error}"
    told = f"{len(files)} of the {len(found):,} photos in {shown(str(folder))}"
    return _Photos(files, told, problems)


def _try(mind: Mind, asked: _Photos) -> tuple[list[bytes], dict[str, str], float]:
    """Ask about each photo once, to be warm.

    Returns:
        Those that can be read, why others cannot by name, and the first's time in ms.

    Raises:
        PhotoError: none of them can be read.
    """
    from ninebrains.errors import PhotoError

    usable: list[bytes] = []
    first_ms, problems = 0.0, dict(asked.problems)
    for name, data in asked.files.items():
        start = time.perf_counter()
        try:
            mind.run(data)
        except PhotoError as error:
            problems[name] = str(error)
            continue
        if not usable:
            first_ms = (time.perf_counter() - start) * 1000
        usable.append(data)
    if not usable and problems:
        name, why = next(iter(problems.items()))
        raise PhotoError(f"none of {len(problems)} photos can be read; the first is {name}: {why}")
    if not usable:
        raise PhotoError("there is no photo to measure with; give a folder of photos")
    return usable, problems, first_ms


def _measure(mind: Mind, files: Sequence[bytes], callers: int, seconds: float) -> _Measured:
    """Let so many callers ask for so long, all of them going through the photos together."""
    found, lock = _Measured(callers), threading.Lock()
    places = itertools.count()
    start = time.perf_counter()
    end = start + seconds

    def call() -> None:
        while (begun := time.perf_counter()) < end:
            answer = mind.run(files[next(places) % len(files)])
            taken = (time.perf_counter() - begun) * 1000
            timings = answer.timings
            with lock:
                found.latencies_ms.append(taken)
                for step, name in _STEPS.items():
                    found.steps_ms[step] += timings.get(name, 0.0)

    with ThreadPoolExecutor(callers, thread_name_prefix="caller") as pool:
        try:
            for future in [pool.submit(call) for _ in range(callers)]:
                future.result()
        finally:
            end = start  # a caller that failed, or Ctrl-C, ends all of them
    found.seconds = time.perf_counter() - start
    return found


def _memory_bytes() -> int | None:
    """What this process holds in memory now; at the most so far, where the system tells no more."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except FileNotFoundError:
        return _peak_bytes()
    import resource

    return pages * resource.getpagesize()


def _peak_bytes() -> int | None:
    if sys.platform == "linux":  # where ru_maxrss counts what the process before this one held
        lines = Path("/proc/self/status").read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line[:6] == "VmHWM:"), None)
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _print(told: Mapping[str, object]) -> None:
    from ninebrains.cli.console import print_table

    brains, photos, cold = told["brains"], told["photos"], told["cold"]
    warm, memory = told["warm"], told["memory_bytes"]
    assert isinstance(brains, list)
    assert isinstance(photos, dict)
    assert isinstance(cold, dict)
    assert isinstance(warm, list)
    assert isinstance(memory, dict)
    count = "1 brain" if len(brains) == 1 else f"{len(brains)} brains"
    left_out = photos["given"] - photos["used"]
    note = f"; {left_out} of them could not be read" if left_out else ""
    typer.echo(f"{count}, {photos['from']}{note}")
    typer.echo(f"load and compile  {cold['load_ms']:.1f} ms")
    typer.echo(f"first photo       {cold['first_photo_ms']:.1f} ms")
    if memory["before"] and memory["with_brains"]:
        before, after = (memory[name] / 1024**2 for name in ("before", "with_brains"))
        typer.echo(
            f"memory            {after:.0f} MiB, {after - before:.0f} MiB of it since the start"
        )
    typer.echo("")
    steps = [f"{step} %" for step in _STEPS]
    header = ("callers", "photos/s", "mean ms", "p50 ms", "p90 ms", "p99 ms", *steps)
    print_table(header, [_row(one) for one in warm])


def _row(one: Mapping[str, object]) -> tuple[str, ...]:
    latency, share = one["latency_ms"], one["share"]
    assert isinstance(latency, dict)
    assert isinstance(share, dict)
    return (
        str(one["callers"]),
        f"{one['photos_per_second']:.1f}",
        *(f"{value:.2f}" for value in latency.values()),
        *(f"{100 * value:.0f}" for value in share.values()),
    )
