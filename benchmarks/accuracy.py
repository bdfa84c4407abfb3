"""Test accuracy with the default recipe: mean of 5 seeds on two real sets.

python -m benchmarks.accuracy [--seeds 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import ninebrains as nb
from benchmarks.running import SHARED, fresh_home, need_shared, use_home, write_results


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=5)
    seeds = options.parse_args().seeds
    need_shared()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        use_home(fresh_home(Path(name)))
        for data in ("dogcat", "clothing343"):
            found = [
                nb.train(
                    SHARED / "data/classification" / data,
                    trunk="mobilenet_v2_100",
                    recipe=nb.Recipe(seed=seed),
                ).metrics
                for seed in range(seeds)
            ]
            accuracies = [metrics.accuracy.value for metrics in found]
            rows.append(
                {
                    "data": data,
                    "seeds": seeds,
                    "test_photos": found[0].num_test,
                    "accuracy_mean": round(statistics.mean(accuracies), 4),
                    "accuracy_min": round(min(accuracies), 4),
                    "accuracy_max": round(max(accuracies), 4),
                    "ece_before_mean": _mean(m.calibration.ece_before for m in found),
                    "ece_after_mean": _mean(m.calibration.ece_after for m in found),
                    "interval_holds_out_of_sample": sum(
                        m.accuracy.low <= m.out_of_sample_accuracy.value <= m.accuracy.high
                        for m in found
                    ),
                }
            )
    write_results("accuracy", rows)


def _mean(values: object) -> float:
    return round(statistics.mean(values), 4)


if __name__ == "__main__":
    main()
