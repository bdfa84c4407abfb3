"""One photo as a fresh process, and start-up: `ninebrains predict` against the same in Keras.

python -m benchmarks.predict_vs_keras [--repeats 9]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.running import (
    COMMAND,
    SHARED,
    TRUNK_FILE,
    fresh_home,
    median,
    need_shared,
    peer_python,
    run,
    write_results,
)
from benchmarks.train_vs_keras import PEER, lay_out


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=9)
    repeats = options.parse_args().repeats
    need_shared()
    python = peer_python()
    photo = sorted((SHARED / "data/classification/dogcat/cat").iterdir())[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = str(fresh_home(folder))
        photos = lay_out(folder, 0) / "photos"
        brain, backbone, peer = (folder / f for f in ("pets.brain", "backbone.keras", "pets.keras"))
        train = [COMMAND, "train", photos, "--trunk", "mobilenet_v2_100", "-o", brain]
        run(train, NINEBRAINS_HOME=home)
        run([python, PEER, "convert", TRUNK_FILE, backbone])
        run([python, PEER, "train", backbone, photos, peer, "0"])
        commands = {
            "ninebrains predict": [COMMAND, "predict", brain, photo],
            "keras predict": [python, PEER, "predict", peer, photo],
            "ninebrains --help": [COMMAND, "--help"],
        }
        found: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(repeats):
            for what, command in commands.items():
                found[what].append(run(command, NINEBRAINS_HOME=home).seconds)
    peer_seconds = median(found["keras predict"])
    write_results(
        "predict_vs_keras",
        [
            {
                "what": what,
                "repeats": repeats,
                "seconds_median": round(median(seconds), 3),
                "times_faster_than_keras": round(peer_seconds / median(seconds), 1),
            }
            for what, seconds in found.items()
        ],
    )


if __name__ == "__main__":
    main()
