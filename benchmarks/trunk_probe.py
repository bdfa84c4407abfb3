"""How good are a trunk's features? Our own recipe on five real sets, from 10 photos a class to all.

    python -m benchmarks.trunk_probe                  everything; writes the CSV, the
                                                      chart and the table in the docs
    python -m benchmarks.trunk_probe --model NAME=FILE.onnx [--model ...]
                                                      a quick look at these beside the teacher

A quick look writes nothing. `--only`, `--sets`, `--levels` and `--seeds` narrow it down further:

    python -m benchmarks.trunk_probe --model new=run/step_9000.onnx --levels 10,all --seeds 2

Where a file does not say how its input is normalised, add `--mean 0.485,0.456,0.406 --std ...`
(for all files given). Features and accuracies are kept in a scratch folder by content, so that
only what is new is computed; everything runs on one core. A trunk's features take 20 MB there;
delete the folder when you like.

For every seed a stratified part of each set is held out; photos (or crops) that belong together are
on one side. The head is learnt from 10, 50 or all of the other photos of each class (from what
there is, where a class has fewer) by the recipe that `ninebrains train` uses, and measured on the
held-out part. Intervals are Student's, 95 %, over the seeds; those of a ratio are over the seeds'
own ratios, since both models have the same splits.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.probes.chart import write_chart
from benchmarks.probes.models import (
    Model,
    features_of,
    from_trunk,
    hog_model,
    mobilenet_v1,
    open_trunk,
    untrained,
)
from benchmarks.probes.page import write_table
from benchmarks.probes.scoring import Level, known_accuracy, part_of
from benchmarks.probes.scratch import Scratch
from benchmarks.probes.sets import SETS, ProbeSet
from benchmarks.running import ROOT, SHARED, TRUNK_FILE, need_shared, peer_python, write_results
from ninebrains.errors import TrunkError
from ninebrains.places import cache_folder
from ninebrains.trunks import InputOverrides

TEACHER, OCTO, UNTRAINED = "mobilenet_v2_100", "octo", "octo untrained"
MOBILENET_V1, HOG = "MobileNetV1 0.25", "HOG + ridge"
PEERS = (MOBILENET_V1, UNTRAINED, HOG)
AVERAGE = "average"
DOCS = ROOT / "docs"
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
    options.add_argument(
        "--incomplete", action="store_true", help="write CSV and chart though columns are missing"
    )
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


@dataclass(frozen=True)
class Columns:
    """The models that can be measured here, and why the others cannot."""

    models: list[Model]
    missing: dict[str, str]


def choose_models(options: argparse.Namespace) -> Columns:
    """The columns that were asked for: the teacher always, the files given, or everything."""
    teacher = from_trunk(TEACHER, open_trunk(str(TRUNK_FILE)))
    given = [_given(text, options) for text in options.model]
    wanted = options.only or ([] if given else [OCTO, *PEERS])
    found, missing = {}, {}
    for name in wanted:
        if name == TEACHER:
            continue
        try:
            found[name] = _column(name, options)
        except (SystemExit, TrunkError) as error:
            missing[name] = str(error)
    return Columns([teacher, *given, *found.values()], missing)


def _given(text: str, options: argparse.Namespace) -> Model:
    name, equals, source = text.partition("=")
    if not equals:
        raise SystemExit(f"--model {text}: expected NAME=FILE")
    return from_trunk(name, open_trunk(source, _overrides(options)))


def _column(name: str, options: argparse.Namespace) -> Model:
    """One of the columns that are always there."""
    if name == OCTO:
        return from_trunk(name, open_trunk("octo"))
    if name == UNTRAINED and options.untrained:
        return from_trunk(name, open_trunk(options.untrained, _overrides(options)))
    if name == UNTRAINED:
        return from_trunk(name, untrained(open_trunk("octo")))
    if name == MOBILENET_V1:
        weights = SHARED / "models/keras_mobilenet_v1_0.25_224_imagenet.h5"
        return from_trunk(name, mobilenet_v1(weights, peer_python()))
    if name == HOG:
        return hog_model(name)
    raise SystemExit(f"no column is called {name!r}; there are {', '.join([OCTO, *PEERS])}")


def rows_of(
    results: Mapping[str, Accuracies], sets: Sequence[ProbeSet], level: Level
) -> Iterator[dict[str, object]]:
    """The lines of the CSV for one level."""
    teacher = results[TEACHER]
    for name, found in results.items():
        for probe in sets:
            values, best = found[probe.name, level], teacher[probe.name, level]
            parts = [part_of(probe, level, seed) for seed in range(len(values))]
            yield {
                "model": name,
                "photos_a_class": spoken(level),
                "data": probe.name,
                "classes": len(probe.classes),
                "learnt_from": round(statistics.mean(len(part.train) for part in parts)),
                "fewest_in_a_class": min(
                    int(np.bincount(probe.labels[part.train]).min()) for part in parts
                ),
                "tested_on": round(statistics.mean(len(part.test) for part in parts)),
                "seeds": len(values),
                **_figures(values, [own / other for own, other in zip(values, best, strict=True)]),
                "left_out": probe.left_out,
            }
        yield {
            "model": name,
            "photos_a_class": spoken(level),
            "data": AVERAGE,
            "seeds": len(averages(found, level)),
            **_figures(averages(found, level), ratios(found, teacher, level)),
        }


def _figures(values: Sequence[float], of_teacher: Sequence[float]) -> dict[str, object]:
    figures: dict[str, object] = {}
    for name, found in (("accuracy", estimate(values)), ("of_teacher", estimate(of_teacher))):
        figures[f"{name}_mean"] = round(found.mean, 4)
        figures[f"{name}_low"] = round(found.mean - found.half, 4)
        figures[f"{name}_high"] = round(found.mean + found.half, 4)
    return figures


def main() -> None:
    options = read_options()
    need_shared()
    scratch = Scratch(options.scratch)
    levels = _levels(options.levels)
    columns = choose_models(options)
    with threadpool_limits(1):
        sets = [SETS[name](SHARED / "data", scratch) for name in options.sets.split(",")]
        results = {
            model.name: probe_model(model, sets, levels, options.seeds, scratch)
            for model in columns.models
        }
    for level in levels:
        print_level(results, [probe.name for probe in sets], level)
    for name, reason in columns.missing.items():
        print(f"\nnot measured: {name}: {reason}")
    if options.model or options.only or _is_part(options):
        return
    if columns.missing and not options.incomplete:
        raise SystemExit("nothing written, because columns are missing; --incomplete writes anyway")
    rows = [row for level in levels for row in rows_of(results, sets, level)]
    write_results("trunk_probe", rows)
    write_chart(rows, DOCS / "trunk_probe.svg")
    write_table(rows, columns.missing, DOCS / "benchmarks.md")


def _is_part(options: argparse.Namespace) -> bool:
    """Whether this is less than what the committed figures stand for."""
    return (
        options.seeds < 5
        or _levels(options.levels) != list(LEVELS)
        or (options.sets != ",".join(SETS))
    )


if __name__ == "__main__":
    main()
