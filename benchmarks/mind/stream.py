"""Many callers, each request for one brain drawn at random: what do more brains cost?

    python -m benchmarks.mind.stream [--quick] [--trunks ...] [--folder ...]

32 threads ask for one photo after the other, each time one of N brains, and wait for the answer.
N = 1 is the same load on a single brain. Photos come as bytes, and once more as ready pixels, so
that decoding cannot hide what the mind itself costs. Each repeat measures every N in a process of
its own, one after the other; figures are medians over the repeats.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.mind.brains import make_brains
from benchmarks.mind.callers import closed_loop
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
from ninebrains.images import PhotoSource, prepare

COUNTS = (1, 4, 16, 64, 256)
CALLERS = 32


def main(asked: Asked) -> None:
    rows = []
    for trunk in asked.trunks:
        counts = COUNTS[:3] if asked.quick else COUNTS
        brains = make_brains(trunk, counts[-1], asked.folder)
        photos = photo_files(asked.folder, 32)
        found: dict[tuple[str, int], list[Measured]] = {}
        for _ in range(int(asked.quickly(2, 1))):
            for shown in ("photos", "pixels"):
                for count in counts:
                    once = in_process(
                        "stream",
                        asked.folder,
                        brains=brains[:count],
                        photos=photos,
                        shown=shown,
                        seconds=asked.quickly(5, 2),
                    )
                    found.setdefault((shown, count), []).append(once)
        for (shown, count), measured in found.items():
            rate = [once["per_second"] for once in measured]
            single = [once["per_second"] for once in found[shown, 1]]
            rows.append(
                rounded(
                    {
                        "trunk": trunk,
                        "shown": shown,
                        "brains": count,
                        "callers": CALLERS,
                        "repeats": len(measured),
                        "per_second": median(rate),
                        "p50_ms": median(once["p50_ms"] for once in measured),
                        "p99_ms": median(once["p99_ms"] for once in measured),
                        "of_one_brain": ratio(rate, single),
                    }
                )
            )
    asked.report("mind_stream", rows)


def measure(brains: list[str], photos: str, shown: str, seconds: float) -> Measured:
    """Answers per second and their latencies, after a fifth of the time to warm up."""
    import ninebrains as nb

    files: Sequence[PhotoSource] = read_photos(photos)
    if shown == "pixels":
        contract = load(brains[0]).contract
        files = [prepare(photo, contract) for photo in files]
    with nb.Mind(brains) as mind:
        names = mind.names

        def ask(draw: random.Random) -> None:
            name = draw.choice(names)
            assert name in mind.run(draw.choice(files), [name])

        closed_loop(ask, CALLERS, seconds / 5)
        took = [call.ms for call in closed_loop(ask, CALLERS, seconds)]
    return {
        "per_second": len(took) / seconds,
        "p50_ms": percentile(took, 50),
        "p99_ms": percentile(took, 99),
    }


if __name__ == "__main__":
    start(main, measure)
