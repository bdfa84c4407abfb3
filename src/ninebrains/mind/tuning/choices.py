"""What was fastest for a segment on this machine, as `tune` found and remembered it.

    data_folder()/tuning/<hash of the hardware>.json     {"hardware": …, "choices": {segment: …}}

A file is for one kind of hardware: the processor's model, the cores that may be used, the operating
system, and the versions of the backends. Where one of them differs, nothing has been chosen yet.
"""

from __future__ import annotations

import hashlib
import json
import platform
import threading
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from ninebrains.errors import NinebrainsWarning, OutputError
from ninebrains.mind.backends import REFERENCE, Precision, available, versions
from ninebrains.mind.tuning.processor import model
from ninebrains.places import data_folder, holding, write_bytes
from ninebrains.workers import usable_cores

_PRECISIONS = ("fp32", "bf16", "int8")


@dataclass(frozen=True)
class Choice:
    """How to compile and feed a segment. The default is the reference.

    Attributes:
        backend: its name.
        threads: for one run; None for as many as the process may use.
        batch: photos in one run from which on larger batches gain little; None if not measured.
        precision: of the products.
    """

    backend: str = REFERENCE
    threads: int | None = None
    batch: int | None = None
    precision: Precision = "fp32"


def hardware() -> dict[str, str | int]:
    """What decides which choice is the fastest."""
    return dict(_hardware(usable_cores()))


def chosen(segment: str) -> Choice | None:
    """What `keep` kept for a segment on this hardware, or None. Reads the file once a process.

    A damaged file counts as empty, after a warning: it holds nothing that `tune` cannot find again.
    So does a choice of a backend that this process does not know.
    """
    choice = _read(_path()).get(segment)
    return choice if choice is not None and choice.backend in available() else None


def keep(choices: Mapping[str, Choice]) -> Path:
    """Remember choices by the segments' hashes, beside those that are there; return the file.

    Without any, it shows before long measuring that they could be kept.

    Raises:
        OutputError: the file cannot be written.
    """
    path = _path()
    with holding(path.with_suffix(".lock")), _lock:
        _known.pop(path, None)
        merged = {**_read_again(path), **choices}
        document = {
            "hardware": hardware(),
            "choices": {name: asdict(merged[name]) for name in sorted(merged)},
        }
        write_bytes(path, (json.dumps(document, indent=2) + "\n").encode())
        _known[path] = merged
    return path


_known: dict[Path, dict[str, Choice]] = {}
_lock = threading.Lock()


def _read(path: Path) -> dict[str, Choice]:
    with _lock:
        if path not in _known:
            _known[path] = _read_again(path)
        return _known[path]


def _read_again(path: Path) -> dict[str, Choice]:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise OutputError(
            f"cannot read {path}, which `ninebrains tune` wrote: {error.strerror or error}. Mend "
            "its permissions, or delete it and tune again."
        ) from error
    try:
        entries = json.loads(text)["choices"]
        return {name: _choice(**entry) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        warnings.warn(
            f"{path} is damaged ({error}) and is left aside; segments run as if they had not been "
            "tuned. Run `ninebrains tune` again, which replaces it.",
            NinebrainsWarning,
            stacklevel=4,
        )
        return {}


def _choice(backend: str, threads: int | None, batch: int | None, precision: Precision) -> Choice:
    """A choice from what a file says.

    Raises:
        ValueError: a value cannot be.
    """
    counts_are_right = all(
        count is None or (type(count) is int and count > 0) for count in (threads, batch)
    )
    if not isinstance(backend, str) or precision not in _PRECISIONS or not counts_are_right:
        raise ValueError(f"{backend!r}, {threads!r}, {batch!r}, {precision!r} is no choice")
    return Choice(backend, threads, batch, precision)


def _path() -> Path:
    return data_folder() / "tuning" / f"{_hardware_hash(usable_cores())}.json"


@cache
def _hardware_hash(cores: int) -> str:
    return hashlib.sha256(repr(_hardware(cores)).encode()).hexdigest()[:16]


@cache
def _hardware(cores: int) -> tuple[tuple[str, str | int], ...]:
    """Cached by the cores, which a process may give away while it runs."""
    return (
        ("processor", model()),
        ("cores", cores),
        ("system", platform.system()),
        ("machine", platform.machine()),
        *sorted(versions().items()),
    )
