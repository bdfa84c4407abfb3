"""A receipt for every target and precision: does each export answer as its brain, on real photos?

    python -m benchmarks.receipts [--folder KEEP] [--targets onnx,litert] [--again]

Three trunks (octo, `mobilenet_v2_100`, a Keras MobileNetV1 0.25), two sets of photos. Of each set
that many are held out that there are 200 at least to compare on: half of the 1,000 cats and dogs,
so that a point of accuracy can be told from chance, and three fifths of the 341 clothes. Each
export is made by `ninebrains export` in a process of its own, with the gate as it is by default;
one that is refused is a row too. What was measured is kept in the folder: a run that was stopped
goes on, and `--again` measures the named targets anew.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pages import put_between_marks
from benchmarks.running import COMMAND, ROOT, SHARED, TRUNK_FILE, need_shared, run, write_results

Row = dict[str, Any]

SETS = {"dogcat": 0.5, "clothing343": 0.6}
KERAS_WEIGHTS = SHARED / "models/keras_mobilenet_v1_0.25_224_imagenet.h5"
ADDED = {
    "octo": [],
    "mobilenet_v2_100": [TRUNK_FILE],
    "mobilenet_v1_025": ["keras:MobileNet?alpha=0.25", "--weights", KERAS_WEIGHTS],
}
TITLES = {
    "octo": "octo",
    "mobilenet_v2_100": "mobilenet_v2_100",
    "mobilenet_v1_025": "Keras MobileNetV1 0.25",
}
PAGE = ROOT / "docs/exporting.md"
_SECONDS, _RUNS = 1800, 200
_LIST = "--list"


@dataclass(frozen=True)
class Cell:
    """One export to be made."""

    data: str
    trunk: str
    target: str
    precision: str

    @property
    def name(self) -> str:
        """For files."""
        return f"{self.data}-{self.trunk}-{self.target}-{self.precision}"


def buildable() -> Iterator[tuple[str, str]]:
    """Each target and precision that can be built here; why not is printed."""
    from ninebrains.errors import ExtraError
    from ninebrains.exporting.targets import NAMES, target

    for name in NAMES:
        try:
            found = target(name)
        except ModuleNotFoundError as error:
            print(f"passed over {name}: {error}", file=sys.stderr)
            continue
        for precision in found.precisions:
            try:
                found.require(precision)
            except ExtraError as error:
                print(f"passed over {name} {precision}: {error}", file=sys.stderr)
                continue
            yield name, precision


def targets() -> list[tuple[str, str]]:
    """`buildable`, asked in a process of its own, which may then hold a gigabyte of packages."""
    done = run([sys.executable, "-m", "benchmarks.receipts", _LIST])
    return [(name, precision) for name, precision in json.loads(done.output.splitlines()[-1])]


def trunks(home: Path) -> list[str]:
    """Those that can be had here, kept in the home."""
    kept = []
    for name, words in ADDED.items():
        done = home / f"{name}.added"
        if words and not done.is_file():
            command = [COMMAND, "trunk", "add", *words, "--name", name]
            try:
                run(command, NINEBRAINS_HOME=str(home))
            except SystemExit as error:
                print(f"passed over {name}: {str(error).strip().splitlines()[-1]}")
                continue
            done.touch()
        kept.append(name)
    return kept


def train(data: str, trunk: str, folder: Path) -> Path:
    """A brain, trained once."""
    brain = folder / f"{data}-{trunk}.brain"
    if not brain.is_file():
        photos = SHARED / "data/classification" / data
        command = [COMMAND, "train", photos, "--trunk", trunk, "--test-share", str(SETS[data])]
        run([*command, "-o", brain, "--json"], NINEBRAINS_HOME=str(folder / "home"))
    return brain


def measure(cell: Cell, brain: Path, folder: Path) -> Row:
    """Make one export and read its receipt; a refusal or failure is told in the row."""
    out = folder / "exports" / cell.name
    shutil.rmtree(out, ignore_errors=True)
    command = [COMMAND, "export", brain, "--to", cell.target, "--precision", cell.precision]
    row: Row = {"data": cell.data, "trunk": cell.trunk, "target": cell.target}
    row["precision"] = cell.precision
    try:
        done = subprocess.run(
            [*map(str, command), "-o", str(out), "--json"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "NINEBRAINS_HOME": str(folder / "home")},
        )
    except subprocess.TimeoutExpired:
        return row | {"verdict": "failed", "note": f"took longer than {_SECONDS} s"}
    if done.returncode == 0:
        (receipt,) = json.loads(done.stdout)["receipts"]
        return row | figures(receipt)
    said = [line for line in done.stderr.splitlines() if line.startswith(("error:", "internal"))]
    why = said[0].partition("error: ")[2] if said else f"ended with {done.returncode}"
    head, _, refusal = why.partition(" was refused. ")
    verdict = "refused" if refusal else "failed"
    return row | {
        "verdict": verdict,
        "note": (refusal or head).removesuffix(" Nothing was written."),
    }


def figures(receipt: dict[str, Any]) -> Row:
    """The columns of a receipt, as `receipt.json` has it."""
    agreement, quality = receipt["agreement"], receipt["quality"]
    cost, photos = receipt["cost"], receipt["photos"]
    row: Row = {"verdict": receipt["verdict"], "photos": photos["compared"]}
    if agreement is not None:
        row |= _ends("same", agreement["same"])
        row["largest_difference"] = round(agreement["largest_difference"], 6)
        row["heatmap_mean"] = _digits(agreement["heatmap_mean"], 5)
    if quality is not None:
        row["accuracy_brain"] = _digits(quality["brain"]["value"])
        row["accuracy_export"] = _digits(quality["export"]["value"])
        row |= _ends("lost", quality["lost"])
    return row | {
        "mb": _digits(cost["model_bytes"] / 1e6, 3),
        "brain_mb": _digits(cost["brain_bytes"] / 1e6, 3),
        "step": receipt["step"] or "",
        "runner": receipt["runner"],
        "packages": " ".join(f"{name}={number}" for name, number in receipt["packages"].items()),
        "note": " ".join(receipt["not_run"]),
    }


def take_turns(cells: Sequence[Cell], folder: Path) -> None:
    """Let the exports of one brain run in turn, so that their times can be compared.

    The receipts' own times are from minutes that lie apart, on a machine that others use too.
    """
    made = [cell for cell in cells if (folder / "exports" / cell.name / "run.py").is_file()]
    outs = [folder / "exports" / cell.name for cell in made]
    if not made:
        return
    command = [COMMAND, "bench", *outs, "--runs", str(_RUNS), "--save", folder / "bench.csv"]
    try:
        done = run([*command, "--json"], NINEBRAINS_HOME=str(folder / "home"))
    except SystemExit as error:
        print(f"{made[0].data} on {made[0].trunk} was not timed: {error}")
        return
    for cell, found in zip(made, json.loads(done.output)["rows"], strict=True):
        file = folder / "figures" / f"{cell.name}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"ms": found["p50_ms"]}))


def _ends(name: str, estimate: dict[str, float]) -> Row:
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {f"{name}{suffix}": _digits(estimate[end]) for suffix, end in ends.items()}


def _digits(value: float | None, digits: int = 4) -> float | str:
    return "" if value is None else round(value, digits)


COLUMNS = (
    *("data", "trunk", "target", "precision", "verdict", "photos", "same", "same_low", "same_high"),
    *("accuracy_brain", "accuracy_export", "lost", "lost_low", "lost_high", "largest_difference"),
    *("heatmap_mean", "mb", "brain_mb", "ms", "step", "runner", "packages", "note"),
)

HEADS = (
    *("brain", "target", "precision", "verdict", "same answer", "accuracy", "lost (95 %)"),
    *("largest difference", "heat maps", "MB", "ms"),
)


def table(rows: Sequence[Row], data: str) -> str:
    """Markdown: the exports of one set of photos."""
    heads = f"| {' | '.join(HEADS)} |"
    lines = [heads, "|---" * len(HEADS) + "|"]
    chosen = [row for row in rows if row["data"] == data]
    lines += [f"| {' | '.join(_cells(row))} |" for row in chosen]
    return "\n".join(lines)


def _cells(row: Row) -> Iterator[str]:
    yield TITLES[row["trunk"]]
    yield from (f"`{row['target']}`", row["precision"])
    if row["verdict"] in ("refused", "failed"):
        yield f"{row['verdict']}: {row['note']}".replace("|", "\\|")
        yield from [""] * 7
        return
    yield row["verdict"] + (f" ({row['step']})" if row.get("step") else "")
    yield _percent(row.get("same"))
    yield _arrow(row)
    yield _lost(row)
    difference = row.get("largest_difference", "")
    yield "" if difference == "" else f"{difference:.2g}"
    heat = row.get("heatmap_mean", "")
    yield "" if heat == "" else f"{heat:.4f}"
    yield f"{row['mb']:.2f}"
    yield f"{row['ms']:.1f}" if row.get("ms") else ""


def _percent(share: float | str | None) -> str:
    return f"{100 * share:.1f} %" if isinstance(share, float) else ""


def _arrow(row: Row) -> str:
    if "accuracy_brain" not in row:
        return ""
    return f"{_percent(row['accuracy_brain'])} → {_percent(row['accuracy_export'])}"


def _lost(row: Row) -> str:
    if "lost" not in row:
        return ""
    low, lost, high = (100 * row[name] for name in ("lost_low", "lost", "lost_high"))
    return f"{lost:.1f} ({low:.1f} to {high:.1f})"


def text_of(rows: Sequence[Row]) -> str:
    """All tables, each with what it is about."""
    parts = []
    for data in SETS:
        compared = {row["photos"] for row in rows if row["data"] == data and row.get("photos")}
        if compared:
            parts.append(f"{data}, {max(compared)} photos held out:\n\n{table(rows, data)}")
    return "\n\n".join(parts)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--folder", type=Path, help="keep brains and figures for the next run")
    options.add_argument("--targets", default="", help="only these")
    options.add_argument("--again", action="store_true", help="measure the named targets anew")
    options.add_argument(_LIST, action="store_true", help=argparse.SUPPRESS)
    told = options.parse_args()
    if told.list:
        print(json.dumps(list(buildable())))
        return
    need_shared()
    with tempfile.TemporaryDirectory() as scratch:
        folder = told.folder or Path(scratch)
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        wanted = [
            pair for pair in targets() if not told.targets or pair[0] in told.targets.split(",")
        ]
        names = trunks(folder / "home")
        cells = [Cell(data, trunk, *pair) for data in SETS for trunk in names for pair in wanted]
        for number, cell in enumerate(cells, 1):
            file = folder / "figures" / f"{cell.name}.json"
            if not file.is_file() or told.again:
                row = measure(cell, train(cell.data, cell.trunk, folder), folder)
                file.write_text(json.dumps(row))
                shown = {name: row.get(name, "") for name in ("verdict", "same", "lost", "note")}
                print(f"{number}/{len(cells)} {cell.name}: {shown}", flush=True)
        for data, trunk in itertools.product(SETS, names):
            take_turns(all_cells([data], [trunk]), folder)
        report(folder, names)


def all_cells(sets: Iterable[str], names: Sequence[str]) -> list[Cell]:
    """Every export that there could be of brains for these sets, on these trunks."""
    from ninebrains.exporting.target import PRECISIONS
    from ninebrains.exporting.targets import NAMES

    return [Cell(*kind) for kind in itertools.product(sets, names, NAMES, PRECISIONS)]


def report(folder: Path, names: Sequence[str]) -> None:
    """Write the CSV and the tables, of all that was ever measured in the folder."""
    cells = all_cells(SETS, names)
    files = [folder / "figures" / f"{cell.name}.json" for cell in cells]
    rows = [json.loads(file.read_text()) for file in files if file.is_file()]
    write_results(
        "export_receipts", [{name: row.get(name, "") for name in COLUMNS} for row in rows]
    )
    put_between_marks(PAGE, "receipts", text_of(rows))


if __name__ == "__main__":
    main()
