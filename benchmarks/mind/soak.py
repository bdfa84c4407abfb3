"""Everything at once, every answer checked: callers, changes, deadlines, faults.

    python -m benchmarks.mind.soak [--minutes 10] [--seed 0] [--callers 6] [--max-memory MB]

Threads and asyncio tasks ask random brains about random photos, some of them broken, some with a
deadline, some cancelled, some in bursts that overflow the queue, while brains are added, removed
and replaced by other versions all the time, and two brains fail on purpose. Every answer is
compared with what the same version of the brain says alone; every error must be one that the
request may meet. A request without an outcome after a minute is lost: all threads are printed and
the run ends. The slope of the memory that the process holds is a line through the last 80 % of the
run, with its 95 % interval.

Nothing but the wheel is needed: brains have random heads on the embedded trunk and, where the
shared folder is, on MobileNetV2; photos are real where they can be, else drawn.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.mind.asking import Asker
from benchmarks.mind.brains import derive, derive_upper, untrained
from benchmarks.mind.failing import raising, without_numbers
from benchmarks.mind.figures import slope
from benchmarks.mind.holding import resident_bytes
from benchmarks.mind.measuring import Asked
from benchmarks.mind.photos import drawn_photos, real_photos
from benchmarks.mind.references import References
from benchmarks.mind.timeline import Timeline
from benchmarks.running import SHARED, TRUNK_FILE
from ninebrains.brains import Brain
from ninebrains.errors import ClosedError
from ninebrains.mind import Mind

STALL_S = 60.0
MAX_PENDING = 64
_MB, _HOUR = 1e6, 3600.0


@dataclass
class Soaked:
    """What a soak found.

    Attributes:
        seconds: how long it took.
        outcomes: how many requests ended in which way, and how many changes there were.
        wrong: answers and errors that must not be, in words; a lost answer is one of them.
        memory: (seconds since the start, bytes that the process holds), about once a second.
    """

    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)

    @property
    def growth(self) -> tuple[float, float]:
        """MB an hour that the process grows by, and half of the 95 % interval."""
        times, held = zip(*self.memory, strict=True)
        rise, half = slope(times, held)
        return rise * _HOUR / _MB, half * _HOUR / _MB

    def check(self) -> None:
        """Raise AssertionError with the first things that were wrong, if any were."""
        if self.wrong:
            shown = "\n".join(self.wrong[:10])
            raise AssertionError(f"{len(self.wrong)} wrong outcomes:\n{shown}")


def soak(
    brains: Sequence[Brain],
    photos: Sequence[bytes],
    *,
    seconds: float,
    seed: int = 0,
    callers: int = 4,
    max_memory: int | None = None,
) -> Soaked:
    """Let everything happen to a mind for some time, and judge every outcome.

    Args:
        brains: that may be loaded, of different names; each gets a second version by itself. The
            first is always there.
        photos: files that can be decoded.
        seconds: how long.
        seed: of everything that is drawn; threads meet in their own order all the same.
        callers: threads that ask; one of asyncio comes on top.
        max_memory: of the mind: weights beyond it are parked.

    Returns:
        What was found; see `Soaked.check`.
    """
    found, stop = Soaked(), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        references = _references(brains, photos, Path(folder))
        mind = Mind(max_pending=MAX_PENDING, max_memory=max_memory)
        timeline = Timeline()
        for name in references.names:
            timeline.note(name, references.versions(name)[0])
            mind.add(references.source(name, references.versions(name)[0], 0))
        asker = Asker(mind, references, timeline, found.outcomes, found.wrong, stop, STALL_S)
        threads = [
            threading.Thread(target=asker.ask_in_turn, args=([seed, number],), daemon=True)
            for number in range(callers)
        ]
        threads += [
            threading.Thread(target=asker.ask_from_asyncio, args=([seed, callers],), daemon=True),
            threading.Thread(
                target=_change, args=(mind, references, timeline, found, stop, seed), daemon=True
            ),
        ]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        _watch(found, start, seconds, stop)
        _end(mind, threads, found)
        if not found.wrong:
            _check_closed(mind, references, found)
    found.seconds = time.perf_counter() - start
    return found


def _references(brains: Sequence[Brain], photos: Sequence[bytes], folder: Path) -> References:
    """Both versions of every brain and the failing ones, with what each says alone."""
    versions = [
        version
        for number, brain in enumerate(brains)
        for version in (brain, derive(brain, brain.name, seed=number, version="2"))
    ]
    broken = [without_numbers(brains[0], "no-numbers"), raising(brains[0], "raising")]
    return References(versions, broken, photos, folder)


def _watch(found: Soaked, start: float, seconds: float, stop: threading.Event) -> None:
    """Note the memory until the time is over or something is wrong."""
    pause = min(1.0, seconds / 20)
    while not found.wrong and time.perf_counter() - start < seconds:
        found.memory.append((time.perf_counter() - start, resident_bytes()))
        stop.wait(pause)
    stop.set()


def _end(mind: Mind, threads: Sequence[threading.Thread], found: Soaked) -> None:
    """Wait for all threads, then let the mind answer what it still has."""
    end = time.monotonic() + 2 * STALL_S
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0.0))
        if thread.is_alive():
            found.wrong.append(f"{thread.name} never ended")
    closing = threading.Thread(target=mind.close, daemon=True)
    closing.start()
    closing.join(STALL_S)
    if closing.is_alive():
        found.wrong.append("the mind never closed")
    if found.wrong:
        faulthandler.dump_traceback(all_threads=True)


def _check_closed(mind: Mind, references: References, found: Soaked) -> None:
    try:
        mind.run(references.photos[0])
        found.wrong.append("a closed mind answered")
    except ClosedError:
        pass


def _change(
    mind: Mind,
    references: References,
    timeline: Timeline,
    found: Soaked,
    stop: threading.Event,
    seed: int,
) -> None:
    """Add, remove and replace brains until told to stop."""
    draw = random.Random(f"changes {seed}")
    keeps, *others = references.names
    try:
        while not stop.is_set():
            name = draw.choice([keeps, *others])
            is_there = None not in timeline.now(name)
            version = draw.choice(references.versions(name))
            if is_there and name != keeps and draw.random() < 0.15:
                with timeline.changing(name, None):
                    mind.remove(name)
                found.outcomes["removed"] += 1
            else:
                source = references.source(name, version, draw.randrange(2))
                with timeline.changing(name, version):
                    mind.add(source)
                found.outcomes["replaced" if is_there else "added"] += 1
            stop.wait(draw.choice((0.0, 0.01, 0.1)))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        found.wrong.append(f"changing {name} failed: {error!r}")


def make_brains(*, large: bool) -> list[Brain]:
    """Brains on the embedded trunk, two of them with upper layers of their own.

    `large`: also on MobileNetV2, if the shared folder is there.
    """
    from benchmarks.mind.partial import find_cut
    from ninebrains.brains.graph import unpack
    from ninebrains.trunks import import_trunk, load_trunk

    octo = load_trunk("octo")
    brains = [untrained(octo, f"octo-{number}", number, 3 + number) for number in range(4)]
    above = set(find_cut(unpack(brains[0].graph)).above)
    brains += [derive_upper(brains[0], f"upper-{seed}", above, seed) for seed in range(2)]
    if large and TRUNK_FILE.is_file():
        mobilenet = import_trunk(TRUNK_FILE, "mobilenet_v2_100")
        brains += [untrained(mobilenet, f"mobilenet-{number}", number) for number in range(3)]
    return brains


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.mind.soak")
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--callers", type=int, default=6)
    options.add_argument("--max-memory", type=float, help="MB of weights; more are parked")
    options.add_argument("--quick", action="store_true", help="ten seconds")
    told = options.parse_args()
    seconds = 10.0 if told.quick else 60 * told.minutes
    faulthandler.enable()
    faulthandler.dump_traceback_later(seconds + 5 * STALL_S, exit=True)
    photos = real_photos(24) if SHARED.is_dir() else drawn_photos(24)
    found = soak(
        make_brains(large=not told.quick),
        photos,
        seconds=seconds,
        seed=told.seed,
        callers=told.callers,
        max_memory=int(told.max_memory * _MB) if told.max_memory else None,
    )
    rise, half = found.growth
    row = {
        "minutes": round(found.seconds / 60, 1),
        "seed": told.seed,
        "callers": told.callers,
        "max_memory_mb": told.max_memory or "",
        "wrong": len(found.wrong),
        **dict(sorted(found.outcomes.items())),
        "rss_start_mb": round(found.memory[0][1] / _MB, 1),
        "rss_end_mb": round(found.memory[-1][1] / _MB, 1),
        "rss_mb_per_hour": round(rise, 2),
        "rss_mb_per_hour_95": round(half, 2),
    }
    Asked(Path(), (), quick=told.quick).report("mind_soak", [row])
    try:
        found.check()
    except AssertionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
