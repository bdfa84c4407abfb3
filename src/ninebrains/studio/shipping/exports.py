"""Exports of a project: made as the command line makes them, in a process of their own."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ninebrains.errors import ExportError, MissingError, NinebrainsError
from ninebrains.studio.jobs import CancelledError, Job

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_FACTS = "export.json"
_LOOK_SECONDS = 0.2


def export_brain(
    brain: Path, to: str, precision: str | None, folder: Path, job: Job
) -> dict[str, Any]:
    """Export a brain, and tell what its receipt says.

    It is the line that the page shows as a command, run for the user: what an export loads and
    takes in memory goes with its process.

    Raises:
        CancelledError: it was cancelled; nothing is left of it.
        ExportError: it failed, or does not answer as its brain does.
    """
    from ninebrains.exporting.target import PRECISIONS
    from ninebrains.exporting.targets import NAMES

    if to not in NAMES or (precision is not None and precision not in PRECISIONS):
        raise ExportError(
            f"there is no target {to[:40]!r} in {precision!r}; expected one of {', '.join(NAMES)}"
        )
    command = [sys.executable, "-m", "ninebrains.cli", "export", str(brain), "--to", to]
    command += ["--out", str(folder), "--force", *(["--precision", precision] if precision else ())]
    folder.parent.mkdir(parents=True, exist_ok=True)
    said = _run(command, job)
    if said is not None:
        raise ExportError(said)
    return told_export(folder)


def _run(command: Sequence[str], job: Job) -> str | None:
    """Run a command until its end; what it says went wrong, or None."""
    with subprocess.Popen(  # noqa: S603 - our own program, its arguments checked
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        lines: deque[str] = deque(maxlen=50)
        assert process.stderr is not None
        reader = threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True)
        reader.start()
        try:
            while True:
                try:
                    code = process.wait(_LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    job.progress(0, 0, lines[-1].strip()[:200] if lines else "exporting")
        except CancelledError:
            process.kill()
            raise
        finally:
            if process.poll() is None:
                process.kill()
            reader.join(timeout=5.0)
    if code == 0:
        return None
    errors = [line.strip() for line in lines if line.startswith("error:")]
    said = errors[-1].removeprefix("error: ") if errors else "".join(lines)[-500:].strip()
    return said or f"the export ended with code {code}"


def list_exports(exports: Path) -> list[dict[str, Any]]:
    """All exports of a project, by name."""
    folders = sorted(exports.iterdir()) if exports.is_dir() else []
    found = []
    for folder in folders:
        if _NAME.fullmatch(folder.name) and (folder / _FACTS).is_file():
            try:
                found.append(told_export(folder))
            except NinebrainsError as error:
                found.append({"folder": folder.name, "error": str(error)})
    return found


def told_export(folder: Path) -> dict[str, Any]:
    """What an export and its receipts say.

    Raises:
        ExportError: it is damaged.
    """
    from ninebrains.exporting.facts import read_facts
    from ninebrains.exporting.receipting import read_receipts

    facts = read_facts(folder)
    receipts = [one.model_dump(mode="json", exclude={"files"}) for one in read_receipts(folder)]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "folder": folder.name,
        "path": str(folder),
        "name": facts["name"],
        "version": facts["version"],
        "target": facts["target"],
        "precision": facts["precision"],
        "bytes": size,
        "made": (folder / _FACTS).stat().st_mtime,
        "receipts": receipts,
    }


def find_export(exports: Path, name: str) -> Path:
    """The folder of an export.

    Raises:
        MissingError: there is none.
    """
    if not _NAME.fullmatch(name) or not (exports / name / _FACTS).is_file():
        raise MissingError(f"there is no export {name[:100]!r}; reload the page")
    return exports / name


def remove_export(exports: Path, name: str) -> None:
    """Delete an export.

    Raises:
        MissingError: there is none.
    """
    shutil.rmtree(find_export(exports, name))


def zip_export(folder: Path) -> bytes:
    """An export as a zip, to be taken elsewhere, after a check that it is what was proved.

    Raises:
        ExportError: its files were changed since.
    """
    from ninebrains.exporting import verify

    verify(folder)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return file.getvalue()
