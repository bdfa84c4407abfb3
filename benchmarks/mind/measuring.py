"""How the benchmarks of the mind are called, and how each measures in processes of its own.

A module has `main(asked)`, which starts the processes and writes the results, and `measure(...)`,
which runs in each of them and gives plain values.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mind.brains import TRUNKS
from benchmarks.mind.photos import real_photos
from benchmarks.running import median, need_shared, run, write_results

Measured = dict[str, Any]
_MEASURE = "--measure"


@dataclass(frozen=True)
class Asked:
    """What the command line asked for.

    Attributes:
        folder: where brains and photos are made, and kept for the next benchmark.
        trunks: names of those to stand on.
        quick: only see that it runs.
    """

    folder: Path
    trunks: tuple[str, ...]
    quick: bool

    def quickly(self, usual: float, quick: float) -> float:
        """One of two numbers."""
        return quick if self.quick else usual

    def report(self, name: str, rows: Sequence[dict[str, object]]) -> None:
        """Print what was found, and keep it in benchmarks/results unless it was a quick look."""
        if not self.quick:
            write_results(name, rows)
            return
        for row in rows:
            print(", ".join(f"{key} {value}" for key, value in row.items() if value != ""))
        print(f"a quick look: {name}.csv stays as it was")


def start(main: Callable[[Asked], None], measure: Callable[..., Measured]) -> None:
    """Run a benchmark, or one of its measurements if this is the process for one."""
    if sys.argv[1:2] == [_MEASURE]:
        print(json.dumps(measure(**json.loads(sys.argv[2]))))
        return
    with command_line(main.__module__) as asked:
        main(asked)


@contextmanager
def command_line(name: str) -> Iterator[Asked]:
    """Read the command line; without `--folder` what is made is gone at the end."""
    options = argparse.ArgumentParser(prog=f"python -m {name}")
    options.add_argument("--quick", action="store_true", help="few repeats: see that it runs")
    options.add_argument("--trunks", default=",".join(TRUNKS))
    options.add_argument("--folder", type=Path, help="keep the brains here for the next run")
    told = options.parse_args()
    need_shared()
    trunks = tuple(told.trunks.split(","))
    if told.folder:
        told.folder.mkdir(parents=True, exist_ok=True)
        yield Asked(told.folder, trunks, told.quick)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Asked(Path(folder), trunks, told.quick)


def in_process(module: str, folder: Path, package: str = "mind", **told: object) -> Measured:
    """What `measure` of a module of a package of benchmarks finds in a fresh process."""
    command = [sys.executable, "-m", f"benchmarks.{package}.{module}", _MEASURE]
    plain = json.dumps(told, default=str)
    done = run([*command, plain], NINEBRAINS_HOME=str(folder / "home"))
    found: Measured = json.loads(done.output.splitlines()[-1])
    return found


def photo_files(folder: Path, count: int) -> Path:
    """A folder with real photos, by number."""
    target = folder / f"photos-{count}"
    if not target.is_dir():
        target.mkdir()
        for number, photo in enumerate(real_photos(count)):
            (target / f"{number:03}.jpg").write_bytes(photo)
    return target


def read_photos(folder: str | Path) -> list[bytes]:
    """The photos of such a folder."""
    return [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))]


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios of what was measured one after the other."""
    return median(one / other for one, other in zip(above, below, strict=True))


def rounded(row: Mapping[str, object], digits: int = 3) -> dict[str, object]:
    """Floats with a few digits; None as nothing."""
    return {
        name: round(value, digits) if isinstance(value, float) else "" if value is None else value
        for name, value in row.items()
    }
