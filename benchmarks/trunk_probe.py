"""How good are a trunk's features? Our own recipe on five real sets, from 10 photos a class to all.

    python -m benchmarks.trunk_probe                  everything; writes CSV and chart
    python -m benchmarks.trunk_probe --model NAME=FILE.onnx [--model ...]
                                                      a quick look at these beside the teacher

A quick look writes nothing. `--only`, `--sets`, `--levels` and `--seeds` narrow it down further:

    python -m benchmarks.trunk_probe --model new=run/step_9000.onnx --levels 10,all --seeds 2

Where a file does not say how its input is normalised, add `--mean 0.485,0.456,0.406 --std ...`
(for all files given). Features and accuracies are kept in a scratch folder by content, so that
only what is new is computed; everything runs on one core.

For every seed a stratified part of each set is held out; photos (or crops) that belong together are
on one side. The head is learnt from 10, 50 or all of the other photos of each class (from what
there is, where a class has fewer) by the recipe that `ninebrains train` uses, and measured on the
held-out part. Intervals are Student's, 95 %, over the seeds; those of a ratio are over the seeds'
own ratios, since both models have the same splits.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.probes.models import Model, features_of, from_trunk, open_trunk
from benchmarks.probes.scoring import Level, known_accuracy
from benchmarks.probes.scratch import Scratch
from benchmarks.probes.sets import SETS, ProbeSet
from benchmarks.running import SHARED, TRUNK_FILE, need_shared
from ninebrains.places import cache_folder
from ninebrains.trunks import InputOverrides

TEACHER = "mobilenet_v2_100"
LEVELS: tuple[Level, ...] = (10, 50, None)
_T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}

Accuracies = Mapping[tuple[str, Level], Sequence[float]]
"""By set and level, one for each seed."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and its 95 % interval; the interval is empty with one seed."""

    mean: float
    half: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ±{self.half:.3f}"


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of a few values and how far from it the truth may be."""
    if len(values) < 2:
        return Estimate(values[0], 0.0)
    half = _T_95[len(values)] * statistics.stdev(values) / len(values) ** 0.5
    return Estimate(statistics.mean(values), half)


def probe_model(
    model: Model,
    sets: Sequence[ProbeSet],
    levels: Sequence[Level],
    num_seeds: int,
    scratch: Scratch,
) -> dict[tuple[str, Level], list[float]]:
    """Accuracies of one model."""
    found = {}
    for probe in sets:
        features = features_of(model, probe, scratch)
        for level in levels:
            found[probe.name, level] = [
                known_accuracy(probe, features, level, seed, model.head, scratch)
                for seed in range(num_seeds)
            ]
    return found


def averages(found: Accuracies, level: Level) -> list[float]:
    """The average over the sets, for each seed."""
    columns = [values for (_, own), values in found.items() if own == level]
    return [statistics.mean(values) for values in zip(*columns, strict=True)]


def ratios(found: Accuracies, teacher: Accuracies, level: Level) -> list[float]:
    """Average over the sets against the teacher's, for each seed."""
    pairs = zip(averages(found, level), averages(teacher, level), strict=True)
    return [own / best for own, best in pairs]


def spoken(level: Level) -> str:
    """A level as people write it."""
    return "all" if level is None else str(level)


def print_level(results: Mapping[str, Accuracies], names: Sequence[str], level: Level) -> None:
    """One table: a row a model, a column a set."""
    width = max(map(len, results)) + 2
    print(f"\n{spoken(level)} photos a class")
    heads = [*names, "average", "of teacher"]
    print(" " * width + "".join(f"{head:>15}" for head in heads))
    for name, found in results.items():
        cells = [str(estimate(found[probe, level])) for probe in names]
        cells.append(str(estimate(averages(found, level))))
        if TEACHER in results:
            cells.append(str(estimate(ratios(found, results[TEACHER], level))))
        print(name.ljust(width) + "".join(f"{cell:>15}" for cell in cells))


def read_options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description="Probe trunks with the recipe on five real sets.")
    options.add_argument("--model", action="append", default=[], metavar="NAME=FILE")
    options.add_argument("--untrained", metavar="FILE.onnx")
    options.add_argument("--only", action="append", help="columns to measure, beside the teacher")
    options.add_argument("--sets", default=",".join(SETS), help="separated by commas")
    options.add_argument("--levels", default="10,50,all")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--mean", help="R,G,B of the files' normalisation, in units of 0 to 1")
    options.add_argument("--std")
    options.add_argument("--size", type=int, help="input side of files that leave it open")
    options.add_argument("--scratch", type=Path, default=cache_folder() / "trunk_probe")
    return options.parse_args()


def _levels(text: str) -> list[Level]:
    return [None if part == "all" else int(part) for part in text.split(",")]


def _overrides(options: argparse.Namespace) -> InputOverrides:
    def triple(text: str | None) -> tuple[float, float, float] | None:
        if text is None:
            return None
        red, green, blue = map(float, text.split(","))
        return red, green, blue

    size = (options.size, options.size) if options.size else None
    return InputOverrides(size=size, mean=triple(options.mean), std=triple(options.std))


def choose_models(options: argparse.Namespace) -> list[Model]:
    """The columns that were asked for."""
    models = [from_trunk(TEACHER, open_trunk(str(TRUNK_FILE)))]
    for given in options.model:
        name, _, source = given.partition("=")
        models.append(from_trunk(name, open_trunk(source, _overrides(options))))
    return models


def main() -> None:
    options = read_options()
    need_shared()
    scratch = Scratch(options.scratch)
    levels = _levels(options.levels)
    with threadpool_limits(1):
        sets = [SETS[name](SHARED / "data", scratch) for name in options.sets.split(",")]
        results = {
            model.name: probe_model(model, sets, levels, options.seeds, scratch)
            for model in choose_models(options)
        }
    for level in levels:
        print_level(results, [probe.name for probe in sets], level)


if __name__ == "__main__":
    main()
