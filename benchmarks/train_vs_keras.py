"""500 training photos, from folder to saved and tested brain: Ninebrains against the Keras recipe.

    python -m benchmarks.train_vs_keras [--seeds 5]

Both stand on the same MobileNetV2 weights, learn from the same 500 photos and are tested on the
same 126 others (a fifth of what they get), in fresh processes, one after the other for each seed.
Cold: empty feature cache. Warm: the same command again. Accuracy is then measured, outside the
clock, on the 374 photos that neither has seen.
"""

from __future__ import annotations

import argparse
import json
import random
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

PEER = Path(__file__).parent / "peers/keras_transfer.py"
PER_LABEL, TESTED_PER_LABEL = 250, 63


def lay_out(folder: Path, seed: int) -> Path:
    """train/ and test/ as links, drawn by the seed, and the rest beside them in unseen/."""
    photos = folder / f"photos-{seed}"
    tested = PER_LABEL + TESTED_PER_LABEL
    for label in ("cat", "dog"):
        found = sorted((SHARED / "data/classification/dogcat" / label).iterdir())
        random.Random(seed).shuffle(found)
        parts = {
            "photos/train": found[:PER_LABEL],
            "photos/test": found[PER_LABEL:tested],
            "unseen": found[tested:],
        }
        for part, chosen in parts.items():
            target = photos / part / label
            target.mkdir(parents=True)
            for photo in chosen:
                (target / photo.name).symlink_to(photo)
    return photos


def ours(photos: Path, home: Path, out: Path, seed: int) -> dict[str, float]:
    command = [COMMAND, "train", photos / "photos", "--trunk", "mobilenet_v2_100", "-o", out]
    command += ["--seed", str(seed), "--overwrite", "--json"]
    done = run(command, NINEBRAINS_HOME=str(home))
    told = json.loads(done.output)
    steps = told["seconds"]
    check = [COMMAND, "evaluate", out, photos / "unseen", "--json"]
    unseen = json.loads(run(check, NINEBRAINS_HOME=str(home)).output)
    return {
        "seconds": done.seconds,
        "accuracy": unseen["metrics"]["accuracy"]["value"],
        "features_share": steps["features"] / sum(steps.values()),
        "peak_mb": done.peak_bytes / 1e6,
    }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=5)
    seeds = options.parse_args().seeds
    need_shared()
    python = peer_python()
    runs: dict[str, list[dict[str, float]]] = {"cold": [], "warm": [], "keras": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backbone = folder / "backbone.keras"
        run([python, PEER, "convert", TRUNK_FILE, backbone])
        for seed in range(seeds):
            photos = lay_out(folder, seed)
            home = fresh_home(folder)
            runs["cold"].append(ours(photos, home, folder / "pets.brain", seed))
            model = folder / "pets.keras"
            train = [python, PEER, "train", backbone, photos / "photos", model, str(seed)]
            done = run(train)
            check = run([python, PEER, "evaluate", model, photos / "unseen"])
            told = json.loads(check.output.splitlines()[-1])
            runs["keras"].append(
                {
                    "seconds": done.seconds,
                    "accuracy": told["accuracy"],
                    "peak_mb": done.peak_bytes / 1e6,
                }
            )
            runs["warm"].append(ours(photos, home, folder / "pets.brain", seed))
            print(seed, {kind: found[-1] for kind, found in runs.items()}, flush=True)
    peer_seconds = median(item["seconds"] for item in runs["keras"])
    rows = []
    for kind, label in (
        ("cold", "ninebrains cold"),
        ("warm", "ninebrains warm"),
        ("keras", "keras"),
    ):
        found = runs[kind]
        seconds = median(item["seconds"] for item in found)
        rows.append(
            {
                "what": label,
                "seeds": seeds,
                "seconds_median": round(seconds, 2),
                "times_faster_than_keras": round(peer_seconds / seconds, 1),
                "accuracy_mean": round(sum(item["accuracy"] for item in found) / seeds, 4),
                "features_share_median": round(
                    median(item.get("features_share", 0.0) for item in found), 3
                ),
                "peak_mb": round(max(item["peak_mb"] for item in found)),
            }
        )
    write_results("train_vs_keras", rows)


if __name__ == "__main__":
    main()
