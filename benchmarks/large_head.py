"""100,000 cached feature vectors of 1,280 floats in 100 labels: head and statistics.

    python -m benchmarks.large_head [--photos 100000]

The features are drawn like those of a trunk: positive, correlated, with overlapping labels.
Measured in a process of its own: everything that training does after the features are there.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from benchmarks.running import peak_bytes_of_this_process, run, write_results

NUM_FEATURES, NUM_LABELS = 1280, 100


def draw(num_photos: int) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, 1280] and labels [n]."""
    random = np.random.default_rng(0)
    means = np.abs(random.normal(size=(NUM_LABELS, NUM_FEATURES))).astype(np.float32)
    mixing = random.normal(size=(200, NUM_FEATURES)).astype(np.float32) / 8
    groups = random.integers(0, NUM_LABELS, num_photos)
    features = np.empty((num_photos, NUM_FEATURES), np.float32)
    for start in range(0, num_photos, 5000):
        part = slice(start, start + 5000)
        noise = random.normal(size=(len(groups[part]), 200)).astype(np.float32) @ mixing
        features[part] = np.maximum(0.2 * means[groups[part]] + noise, 0)
    return features, groups


def measure(num_photos: int) -> None:
    """Head, familiarity, numbers, label errors and curve; prints seconds and peak memory."""
    from ninebrains.training.label_errors import suspect_labels
    from ninebrains.training.recipe import Recipe
    from ninebrains.training.studying import Study, fit_study, measure_study
    from ninebrains.training.targets import Targets, make_labels

    features, groups = draw(num_photos)
    targets = Targets(np.eye(NUM_LABELS, dtype=np.float32)[groups], groups)
    order = np.random.default_rng(1).permutation(num_photos)
    start = time.perf_counter()
    study = Study(
        task="classify",
        labels=make_labels("classify", [f"label {k:03}" for k in range(NUM_LABELS)]),
        features=features,
        mirrored=None,
        targets=targets,
        copies=np.arange(num_photos),
        train=np.sort(order[num_photos // 5 :]),
        test=np.sort(order[: num_photos // 5]),
    )
    fitted = fit_study(study, Recipe())
    metrics = measure_study(study, fitted, Recipe())
    suspect_labels(fitted.answers, groups)
    seconds = time.perf_counter() - start
    assert metrics.accuracy is not None
    print(seconds, peak_bytes_of_this_process(), metrics.accuracy.value)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--photos", type=int, default=100_000)
    options.add_argument("--inner", action="store_true")
    chosen = options.parse_args()
    if chosen.inner:
        measure(chosen.photos)
        return
    command = [sys.executable, "-m", "benchmarks.large_head", "--inner", "--photos"]
    seconds, peak, accuracy = run([*command, str(chosen.photos)]).output.split()
    write_results(
        "large_head",
        [
            {
                "photos": chosen.photos,
                "features": NUM_FEATURES,
                "labels": NUM_LABELS,
                "seconds": round(float(seconds), 1),
                "peak_gib": round(float(peak) / 1024**3, 2),
                "test_accuracy": round(float(accuracy), 4),
            }
        ],
    )


if __name__ == "__main__":
    main()
