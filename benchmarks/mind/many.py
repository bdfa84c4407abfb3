"""One photo through N brains: the mind beside ONNX Runtime, Keras and PyTorch.

    python -m benchmarks.mind.many [--quick] [--trunks ...] [--folder ...]

The mind is measured for N = 1, 4, 16, 64 and 256, from the photo's bytes (decoding included) and
from pixels that are ready, until `run` returns and until every brain's label has been read. Peers
hold N separate models of the same brains and answer from ready pixels; decoding, measured here, is
then added once. `alone` is the least that one brain can take: `images.prepare` and one session.

Every repeat runs all of them one after the other in fresh processes; figures are medians over the
repeats of medians over photos, ratios the medians of each repeat's ratio. In a first round each
peer tries its settings (threads inside a model, models side by side, kinds of compilation) and
keeps the fastest for each N. A peer whose scores differ from the mind's by 1e-3 stops the run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.mind.brains import make_brains
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
from benchmarks.mind.peering import PeerBench, thread_counts
from benchmarks.mind.photos import write_pixels
from benchmarks.running import median
from ninebrains.brains import Inference, load
from ninebrains.images import prepare

COUNTS = (1, 4, 16, 64, 256)
TOLERANCE = 1e-3
OUTPUTS = ["scores", "features", "unfamiliar"]

Found = dict[tuple[str, int], list[Measured]]
"""What every repeat found, by tool and number of brains."""


def main(asked: Asked) -> None:
    rows: list[dict[str, object]] = []
    for trunk in asked.trunks:
        rows += _on_trunk(asked, trunk)
    asked.report("mind_many", rows)


def _on_trunk(asked: Asked, trunk: str) -> list[dict[str, object]]:
    counts = COUNTS[:3] if asked.quick else COUNTS
    brains = make_brains(trunk, counts[-1], asked.folder)
    photos = photo_files(asked.folder, int(asked.quickly(32, 8)))
    contract = load(brains[0]).contract
    pixels = write_pixels(read_photos(photos), contract, asked.folder / f"pixels-{trunk}.npy")
    seconds = asked.quickly(2, 0.5)
    told = {"photos": photos, "seconds": seconds}
    peers = PeerBench(brains, pixels, asked.folder / "onnx", seconds)
    settings = peers.tune(counts)
    found: Found = {}
    repeats = int(asked.quickly(3, 2))
    for repeat in range(repeats):
        for threads in thread_counts():
            alone = in_process(
                "many", asked.folder, what="alone", brains=brains[:1], threads=threads, **told
            )
            found.setdefault((f"alone, threads {threads}", 1), []).append(alone)
        for count in counts:
            mind = in_process(
                "many", asked.folder, what="mind", brains=brains[:count], threads=None, **told
            )
            found.setdefault(("ninebrains", count), []).append(mind)
            for (peer, at), setting in settings.items():
                if at == count:
                    once = peers.once(peer, at, setting)
                    found.setdefault((f"{peer.name}, {setting}", at), []).append(once)
        print(trunk, f"repeat {repeat + 1} of {repeats}", flush=True)
    _check_scores(found)
    return [_row(trunk, key, found) for key in sorted(found)]


def _check_scores(found: Found) -> None:
    """Stop unless everyone gave the same answers."""
    for (name, count), measured in found.items():
        ours = np.array(found["ninebrains", count][0]["scores"])
        theirs = np.array(measured[0]["scores"])
        worst = float(np.abs(ours - theirs).max())
        if worst > TOLERANCE:
            raise SystemExit(f"{name} with {count} brains differs from the mind by {worst:.1e}")


def _row(trunk: str, key: tuple[str, int], found: Found) -> dict[str, object]:
    """One line of the results: a tool at one N, and how many times faster the mind is."""
    (name, _, setting), count = key[0].partition(", "), key[1]
    mind, here = found["ninebrains", count], found[key]
    alone = min(
        (measured for (what, _), measured in found.items() if what.startswith("alone")),
        key=lambda measured: median(_all(measured, "photo_ms")),
    )
    decode = _all(alone, "decode_ms")
    pixels = _all(here, "pixels_ms")
    # Peers answer from pixels; decoding is the same for all and counted once.
    photo = [
        float(one.get("photo_ms", decode[place] + pixels[place])) for place, one in enumerate(here)
    ]
    single = found["ninebrains", 1]
    is_mind = name == "ninebrains"
    return rounded(
        {
            "trunk": trunk,
            "what": name,
            "brains": count,
            "setting": setting,
            "version": here[0].get("version", ""),
            "repeats": len(here),
            "decode_ms": median(decode),
            "photo_ms": median(photo),
            "pixels_ms": median(pixels),
            "answers_read_ms": median(one["read_ms"] for one in here) if is_mind else None,
            "mind_times_faster": None if is_mind else ratio(photo, _all(mind, "photo_ms")),
            "mind_times_faster_from_pixels": (
                None if is_mind else ratio(pixels, _all(mind, "pixels_ms"))
            ),
            "of_one_brain": ratio(photo, _all(single, "photo_ms")) if is_mind else None,
            "of_one_brain_from_pixels": (
                ratio(pixels, _all(single, "pixels_ms")) if is_mind else None
            ),
            "of_alone": ratio(photo, _all(alone, "photo_ms")) if is_mind else None,
        }
    )


def _all(measured: Sequence[Measured], name: str) -> list[float]:
    return [float(one[name]) for one in measured]


def measure(
    what: str, brains: list[str], photos: str, threads: int | None, seconds: float
) -> Measured:
    """Milliseconds for a photo, in this process."""
    shown = read_photos(photos)
    if what == "alone":
        return _measure_alone(brains[0], shown, threads, seconds)
    return _measure_mind(brains, shown, seconds)


def _measure_mind(brains: list[str], photos: list[bytes], seconds: float) -> Measured:
    import ninebrains as nb

    with nb.Mind(brains) as mind:
        contract = load(brains[0]).contract
        ready = [prepare(photo, contract) for photo in photos]
        first = mind.run(ready[0])
        took: dict[str, list[float]] = {"photo_ms": [], "pixels_ms": [], "read_ms": []}
        for number in _rounds(len(photos), seconds):
            before = time.perf_counter()
            found = mind.run(photos[number])
            after = time.perf_counter()
            for inference in found.values():
                inference.top.label, inference.unfamiliar  # noqa: B018 - reading is the work
            read = time.perf_counter()
            mind.run(ready[number])
            took["photo_ms"].append(1000 * (after - before))
            took["read_ms"].append(1000 * (read - before))
            took["pixels_ms"].append(1000 * (time.perf_counter() - read))
        scores = [_scores(inference) for inference in first.values()]
    return {**_medians(took, len(photos)), "scores": scores}


def _measure_alone(
    brain: str, photos: list[bytes], threads: int | None, seconds: float
) -> Measured:
    loaded = load(brain)
    contract, session = loaded.contract, loaded.graph.session(threads)
    ready = [prepare(photo, contract)[None] for photo in photos]
    scores = session.run(OUTPUTS, {"photos": ready[0]})[0]
    took: dict[str, list[float]] = {"photo_ms": [], "decode_ms": [], "pixels_ms": []}
    for number in _rounds(len(photos), seconds):
        before = time.perf_counter()
        pixels = prepare(photos[number], contract)
        decoded = time.perf_counter()
        session.run(OUTPUTS, {"photos": pixels[None]})
        after = time.perf_counter()
        session.run(OUTPUTS, {"photos": ready[number]})
        took["photo_ms"].append(1000 * (after - before))
        took["decode_ms"].append(1000 * (decoded - before))
        took["pixels_ms"].append(1000 * (time.perf_counter() - after))
    return {**_medians(took, len(photos)), "scores": scores.tolist(), "threads": threads}


def _rounds(num_photos: int, seconds: float) -> Iterator[int]:
    """Numbers of photos, all of them again and again; the first round is to warm up."""
    end = time.perf_counter() + seconds
    yield from range(num_photos)
    yield from range(num_photos)
    while time.perf_counter() < end:
        yield from range(num_photos)


def _medians(took: dict[str, list[float]], skip: int) -> dict[str, float]:
    return {name: median(values[skip:]) for name, values in took.items()}


def _scores(inference: Inference) -> list[float]:
    by_index = sorted(inference.instances, key=lambda instance: instance.index)
    return [instance.score for instance in by_index]


if __name__ == "__main__":
    start(main, measure)
