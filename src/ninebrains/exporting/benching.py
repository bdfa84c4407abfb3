"""How fast exports are here: each in a process of its own, turn by turn.

Load, heat and clock of a machine change while it is measured. Exports that take turns get the same
share of each, so what is compared can be compared.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import ExportError
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.facts import read_facts
from ninebrains.exporting.rows import Row, check_row
from ninebrains.exporting.running import complaint, put_scripts
from ninebrains.exporting.targets import target as find_target
from ninebrains.exporting.verifying import check_files

_TURNS = 10
_SECONDS_TO_START, _SECONDS_A_RUN = 300, 30
_LONGEST_ANSWER = 1 << 20


def bench_exports(
    folders: Sequence[Path],
    runs: int = 250,
    threads: int | None = None,
    tell: Callable[[int, int], object] = lambda _done, _total: None,
) -> tuple[Row, ...]:
    """Measure exports on this machine, one photo at a time, without decoding.

    Args:
        folders: of exports.
        runs: that are counted, after a tenth of that to be warm.
        threads: that each runtime may use; its own choice by default.
        tell: called with how many turns are done, and of how many.

    Returns:
        A row each.

    Raises:
        ExportError: one is no export, was changed since its receipt, or cannot be run here.
    """
    for folder in folders:
        check_files(folder)
    return take_turns(folders, runs, threads, tell)


def take_turns(
    folders: Sequence[Path],
    runs: int,
    threads: int | None = None,
    tell: Callable[[int, int], object] = lambda _done, _total: None,
) -> tuple[Row, ...]:
    """Like `bench_exports`, for artefacts that are so new that they have no receipt yet.

    Raises:
        ExportError: one cannot be run here.
    """
    rows: dict[int, Row] = {}
    with ExitStack() as stack:
        runners = {}
        for place, folder in enumerate(folders):
            runtime = find_target(read_facts(folder)["target"]).runtime
            if runtime is None:
                rows[place] = _by_asking(folder, runs, threads)
            else:
                runners[place] = stack.enter_context(_runner(folder, runtime, threads))
        turns = [(num, runner) for num in _turns(runs) for runner in runners.values()]
        for done, (num, runner) in enumerate(turns):
            tell(done, len(turns))
            runner.run(num)
        rows |= {place: runner.figures() for place, runner in runners.items()}
    return tuple(rows[place] for place in range(len(folders)))


def _turns(runs: int) -> list[int]:
    """How many runs each turn has; the first only warms up.

    >>> _turns(250)
    [25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25]
    >>> _turns(3)
    [5, 1, 1, 1]
    """
    cuts = [runs * turn // _TURNS for turn in range(_TURNS + 1)]
    turns = [end - start for start, end in itertools.pairwise(cuts) if end > start]
    return [max(5, runs // 10), *turns]


class _Runner:
    """An export in a process that runs it when it is told to."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._folder, self._process, self._errors = folder, process, errors
        self._hear(b"ready", _SECONDS_TO_START)

    def run(self, num: int) -> None:
        """Run the network so often."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended; hearing nothing from it says why
            self._process.stdin.write(b"%d\n" % num)
        self._hear(b"done", _SECONDS_A_RUN * num)

    def figures(self) -> Row:
        """End, and give what was measured."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        said = self._line(_SECONDS_TO_START)
        try:
            values = json.loads(said)
        except ValueError:
            raise self._failure() from None
        return check_row(values, f"what the export in {self._folder} said")

    def _hear(self, word: bytes, seconds: float) -> None:
        if self._line(seconds).strip() != word:
            raise self._failure()

    def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            return self._process.stdout.readline(_LONGEST_ANSWER)
        finally:
            timer.cancel()

    def _failure(self) -> ExportError:
        self._process.kill()
        code = self._process.wait()
        self._errors.seek(0)
        why = complaint(self._errors.read(), code)
        return ExportError(f"the export in {self._folder} cannot be run: {why}")


@contextmanager
def _runner(folder: Path, runtime: str, threads: int | None) -> Iterator[_Runner]:
    """A process of its own, isolated and with our copies of the export's scripts."""
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as errors:
        driver = put_scripts(folder, runtime, "turns.py", Path(scratch))
        command = [sys.executable, "-I", str(driver), scratch, str(folder.absolute())]
        process = subprocess.Popen(  # noqa: S603 - our own scripts
            [*command, str(threads or 0)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
        )
        with process:
            try:
                yield _Runner(folder, process, errors)
            finally:
                process.kill()  # it has nothing more to say


def _by_asking(folder: Path, runs: int, threads: int | None) -> Row:
    """A row of an export that no script runs: its target asks it, in a browser or the like."""
    from PIL import Image

    facts = read_facts(folder)
    target = find_target(facts["target"])
    if threads is not None:
        raise ExportError(f"{target.title} takes no --threads: how many it uses is its own affair")
    warm = max(5, runs // 10)
    contract = facts["contract"]
    shape = (contract["height"], contract["width"], 3)
    with tempfile.TemporaryDirectory() as scratch:
        photo = Path(scratch, "noise.png")
        Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8)).save(photo)
        answers = target.ask(folder, 0, [photo] * (warm + runs))
    if answers is None or len(answers.ms) != warm + runs:
        raise ExportError(
            f"the export in {folder} was not measured: nothing on this machine runs "
            f"{target.title}. Measure it where it will be used."
        )
    return _row(facts, answers, answers.ms[warm:])


def _row(facts: Mapping[str, Any], answers: Answers, times: npt.NDArray[np.float64]) -> Row:
    """What `run.py` would have said of these milliseconds."""
    cuts = np.percentile(times, (50, 90, 99)).round(3)
    versions = ", ".join(f"{name} {version}" for name, version in answers.packages.items())
    memory = answers.memory_mib
    values = {key: facts[key] for key in ("name", "version", "target", "precision")} | {
        "runs": len(times),
        "fps": round(1000 * len(times) / float(times.sum()), 2),
        **dict(zip(("p50_ms", "p90_ms", "p99_ms"), map(float, cuts), strict=True)),
        "memory_mib": round(memory, 1) if memory else None,
        "host": platform.node(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "runtime": versions or answers.runner,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    return check_row(values, "what was measured")
