"""Asking an export in a fresh process that has nothing but what the export brings along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from ninebrains.errors import ExportError
from ninebrains.exporting.answers import Answers

_SECONDS_TO_START, _SECONDS_A_PHOTO = 300, 30
_LONGEST_COMPLAINT = 600


def runner_files(runtime: str) -> dict[str, bytes]:
    """The scripts that run an export in Python, by the names that they have there."""
    scripts = resources.files("ninebrains.exporting.runners")
    names = {"run.py": "run.py", "contract.py": "contract.py", "runtime.py": f"{runtime}.py"}
    return {name: scripts.joinpath(file).read_bytes() for name, file in names.items()}


def ask_runner(folder: Path, runtime: str, photos: Sequence[Path]) -> Answers:
    """What an export's own `run.py`, `runtime.py` and `contract.py` give for photos.

    The scripts are run from this package, once those of the export were seen to be the same to the
    byte: an export from elsewhere never gets its own code run here.

    Raises:
        ExportError: its scripts are others, or it cannot be opened or run.
    """
    paths = b"".join(os.fsencode(photo.absolute()) + b"\0" for photo in photos)
    with tempfile.TemporaryDirectory() as scratch:
        driver = put_scripts(folder, runtime, "drive.py", Path(scratch))
        out = Path(scratch, "answers.npz")
        # Isolated: nothing of this process's environment or folder gets onto its path.
        command = [sys.executable, "-I", str(driver), scratch, str(folder.absolute()), str(out)]
        done = _run(command, paths, _SECONDS_TO_START + _SECONDS_A_PHOTO * len(photos), folder)
        if done.returncode != 0 or not out.is_file():
            raise ExportError(
                f"the export in {folder} cannot be run: {complaint(done.stderr, done.returncode)}"
            )
        return _read(out)


def put_scripts(folder: Path, runtime: str, driver: str, scratch: Path) -> Path:
    """Put our own copies of an export's scripts into `scratch`, and a driver that uses them.

    Returns:
        The driver's path.

    Raises:
        ExportError: the scripts in the export's folder are others.
    """
    for name, data in runner_files(runtime).items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != data:
            raise ExportError(
                f"{folder / name} is not the script that this version of Ninebrains writes, so it "
                "is not run here. Export again."
            )
        Path(scratch, name).write_bytes(data)
    path = Path(scratch, driver)
    path.write_bytes(resources.files("ninebrains.exporting.runners").joinpath(driver).read_bytes())
    return path


def _run(
    command: Sequence[str], paths: bytes, seconds: float, folder: Path
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - our own script; paths come on standard input
            command, input=paths, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise ExportError(f"the export in {folder} gave no answers for {seconds:.0f} s") from None


def complaint(stderr: bytes, code: int) -> str:
    """The last line of what it said, which names the error."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    said = next((line for line in reversed(lines) if line.strip()), "")
    return said[:_LONGEST_COMPLAINT] or f"its process ended with code {code}"


def _read(path: Path) -> Answers:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(str(arrays.pop("about")))
        failed = {int(place): str(why) for place, why in about["failed"].items()}
        packages = {str(name): str(version) for name, version in about["packages"].items()}
        return Answers(
            places=arrays["place"],
            outputs={
                name.removeprefix("output_"): values
                for name, values in arrays.items()
                if name.startswith("output_")
            },
            ms=arrays["ms"],
            failed=failed,
            runner="run.py of the export, in a process of its own",
            packages=packages,
            memory_mib=about["memory_mib"],
        )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ExportError(f"the export's answers cannot be read: {error}") from error
