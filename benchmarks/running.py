"""Fresh processes, interleaved and repeated; medians, ratios and a CSV with versions and machine.

The machine may be shared and noisy, so only the ratio of two things measured in the same run
counts.
"""

from __future__ import annotations

import csv
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
RESULTS = Path(__file__).parent / "results"
TRUNK_FILE = SHARED / "models/mobilenet_v2_100_imagenet.onnx"
COMMAND = Path(sys.executable).parent / "ninebrains"


@dataclass(frozen=True)
class Run:
    """What one process took and printed."""

    seconds: float
    peak_bytes: int
    output: str


def run(command: Sequence[str | Path], **environment: str) -> Run:
    """Run a command to its end in a process of its own; fail loudly if it fails."""
    before = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - before
        out.seek(0)
        printed = out.read()
    if process.returncode != 0:
        raise SystemExit(f"{command} failed with {process.returncode}:\n{printed}\n{errors}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss * unit, printed)


def peer_python(package: str = "keras") -> Path:
    """The interpreter that has a peer.

    For `keras` PEER_PYTHON, for `torch` TORCH_PYTHON, or this one if the peer is installed here.
    """
    variable, file = {
        "keras": ("PEER_PYTHON", "requirements.txt"),
        "torch": ("TORCH_PYTHON", "requirements-torch.txt"),
    }[package]
    chosen = os.environ.get(variable)
    if chosen:
        return Path(chosen)
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        raise SystemExit(
            "the peers are not installed. Make an environment for them:\n"
            "  python3 -m venv peers\n"
            f"  peers/bin/pip install -r benchmarks/peers/{file}\n"
            f"then set {variable}=peers/bin/python"
        ) from None
    return Path(sys.executable)


def need_shared() -> None:
    """Stop with a reason where the shared photos are absent."""
    if not TRUNK_FILE.is_file():
        raise SystemExit("this benchmark needs the folder ../shared with its photos and models")


def fresh_home(folder: Path) -> Path:
    """A home for Ninebrains with the trunk in it and no cache."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    add = [COMMAND, "trunk", "add", TRUNK_FILE, "--name", "mobilenet_v2_100"]
    run(add, NINEBRAINS_HOME=str(home))
    return home


def write_results(name: str, rows: Iterable[dict[str, object]]) -> Path:
    """Write rows to benchmarks/results/NAME.csv, with versions and machine beside each figure."""
    facts = {
        "versions": " ".join(
            f"{package}={_version(package)}"
            for package in ("ninebrains", "numpy", "onnxruntime", "simplejpeg")
        ),
        "python": platform.python_version(),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
    }
    rows = [{**row, **facts} for row in rows]
    path = RESULTS / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(", ".join(f"{key} {value}" for key, value in row.items() if key not in facts))
    print(f"wrote {path.relative_to(ROOT)}")
    return path


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def _version(package: str) -> str:
    return metadata.version(package)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def peak_bytes_of_this_process() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def use_home(home: Path) -> None:
    """Make this process use a home of its own."""
    os.environ["NINEBRAINS_HOME"] = str(home)
