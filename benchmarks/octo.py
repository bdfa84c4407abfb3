"""The embedded trunk beside its teacher: size, time to load, time for a photo, and whole brains.

    python -m benchmarks.octo [--repeats 7] [--seeds 5]

Time for a photo is the network alone through ONNX Runtime, at each trunk's own input size, on one
core and on all. Brains are trained by the command, from an empty cache, and tested on the photos
that it holds out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.running import (
    COMMAND,
    ROOT,
    SHARED,
    fresh_home,
    median,
    need_shared,
    run,
    write_results,
)

TRUNKS = ("octo", "mobilenet_v2_100")
SETS = ("dogcat", "clothing343")

LOAD = """
import time
from ninebrains.trunks import load_trunk, list_trunks  # what importing takes is not loading
before = time.perf_counter()
load_trunk({trunk!r})
print(1000 * (time.perf_counter() - before))
"""
PHOTO = """
import statistics, time
import numpy as np
from ninebrains.trunks import load_trunk
trunk = load_trunk({trunk!r})
session = trunk.session({threads})
pixels = np.random.default_rng(0).integers(0, 256, (1, *trunk.contract.shape)).astype(np.uint8)
took = []
for _ in range(120):
    before = time.perf_counter()
    session.run(["features"], {{"photos": pixels}})
    took.append(1000 * (time.perf_counter() - before))
print(statistics.median(took[20:]))
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--seeds", type=int, default=5)
    told = options.parse_args()
    need_shared()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = fresh_home(folder)
        found = _small(home, told.repeats)
        for photos in SETS:
            found |= _brains(folder, home, SHARED / "data/classification" / photos, told.seeds)
        found["wheel, MB"] = {"octo": [_wheel_mb(folder)], "mobilenet_v2_100": []}
    rows = []
    for what, values in found.items():
        middle = {trunk: median(values[trunk]) if values[trunk] else None for trunk in TRUNKS}
        own, teacher = (middle[trunk] for trunk in TRUNKS)
        rows.append(
            {
                "what": what,
                "repeats": len(values["octo"]),
                **{
                    trunk: round(value, 3) if value is not None else ""
                    for trunk, value in middle.items()
                },
                "octo_share": round(own / teacher, 3) if own and teacher else "",
            }
        )
    write_results("octo", rows)


def _small(home: Path, repeats: int) -> dict[str, dict[str, list[float]]]:
    """Loading, and one photo."""
    scripts = {
        "load, ms": LOAD,
        "photo on one core, ms": PHOTO.replace("{threads}", "1"),
        "photo on all cores, ms": PHOTO.replace("{threads}", "None"),
    }
    found: dict[str, dict[str, list[float]]] = {
        what: {trunk: [] for trunk in TRUNKS} for what in scripts
    }
    for _ in range(repeats):
        for what, script in scripts.items():
            for trunk in TRUNKS:
                code = script.format(trunk=trunk)
                done = run([sys.executable, "-c", code], NINEBRAINS_HOME=str(home))
                found[what][trunk].append(float(done.output))
    return found


def _brains(
    folder: Path, home: Path, photos: Path, seeds: int
) -> dict[str, dict[str, list[float]]]:
    """Brains on each trunk, the same seeds."""
    kinds = ("accuracy", "training, s", "brain, MB", "predicting one photo, s")
    found: dict[str, dict[str, list[float]]] = {
        f"{photos.name}: {kind}": {trunk: [] for trunk in TRUNKS} for kind in kinds
    }
    photo = sorted(photos.rglob("*.jp*g"))[0]
    for seed in range(seeds):
        for trunk in TRUNKS:
            brain = folder / f"{photos.name}-{trunk}-{seed}.brain"
            own = {"NINEBRAINS_HOME": str(home), "NINEBRAINS_CACHE_BYTES": "0"}
            train = [COMMAND, "train", photos, "--trunk", trunk, "--seed", str(seed)]
            done = run([*train, "-o", brain, "--json"], **own)
            predicted = run([COMMAND, "predict", brain, photo], **own)
            accuracy = json.loads(done.output)["manifest"]["metrics"]["accuracy"]["value"]
            values = (accuracy, done.seconds, brain.stat().st_size / 1e6, predicted.seconds)
            for kind, value in zip(kinds, values, strict=True):
                found[f"{photos.name}: {kind}"][trunk].append(value)
    return found


def _wheel_mb(folder: Path) -> float:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    run([*pip, "--wheel-dir", folder / "wheel", ROOT])
    (wheel,) = (folder / "wheel").glob("*.whl")
    return wheel.stat().st_size / 1e6


if __name__ == "__main__":
    main()
