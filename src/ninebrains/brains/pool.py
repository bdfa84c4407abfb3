"""Weights that trunks and stored brains share: one file a tensor, named by its SHA-256.

The files lie in `data_folder()/weights`. Whoever keeps a graph there keeps it as
`.../graph.onnx` somewhere under `data_folder()`, whose outside tensors name their weights; a weight
that no such graph names may be deleted. Put weights and write their graph under one `locked()`, or
another process may collect them in between.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ninebrains.brains.late import Buffer, LateWeight, held
from ninebrains.errors import BrainError
from ninebrains.places import data_folder, holding, write_bytes

_NAME = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(rb"weights/([0-9a-f]{64})")


def folder() -> Path:
    """Where the weights lie."""
    return data_folder() / "weights"


def put(weights: Mapping[str, Buffer]) -> None:
    """Keep weights, by SHA-256 (hex). One that is there already is left alone unless damaged.

    Raises:
        BrainError: a name is not the SHA-256 of its bytes.
        OutputError: a file cannot be written.
    """
    for name, content in weights.items():
        data = held(content)
        if hashlib.sha256(data).hexdigest() != name:
            raise BrainError(f"weight {name!r} is not named by the SHA-256 of its bytes")
        if _read_intact(name) is None:
            write_bytes(folder() / name, bytes(data))


def get(name: str) -> Buffer:
    """The bytes of one weight, checked against its name.

    Raises:
        BrainError: there is no such weight, or it is damaged.
    """
    data = _read_intact(name) if _NAME.fullmatch(name) else None
    if data is None:
        state = "damaged" if (folder() / name).is_file() else "missing"
        raise BrainError(
            f"weight {name} is {state} in {folder()}; add the trunk or the brain that uses it again"
        )
    return data


def load(names: Iterable[str]) -> dict[str, Buffer]:
    """Several weights at once, by SHA-256 (see `get`)."""
    return {name: get(name) for name in sorted(set(names))}


def get_late(name: str) -> Buffer:
    """One weight, to be read and checked when it is needed.

    Raises:
        BrainError: there is no such weight.
    """
    path = folder() / name
    if not _NAME.fullmatch(name) or not path.is_file():
        return get(name)  # which says what is wrong
    return LateWeight(path, 0, path.stat().st_size, name)


def named_in(graph: bytes) -> set[str]:
    """The weights that a serialised graph names. Too many rather than too few: it is not parsed."""
    return {match.decode() for match in _REFERENCE.findall(graph)}


def references() -> set[str]:
    """Every weight that some graph.onnx under `data_folder()` names.

    Raises:
        OSError: a graph cannot be read; then nothing may be deleted.
    """
    found: set[str] = set()
    for graph in sorted(data_folder().rglob("graph.onnx")):
        found |= named_in(graph.read_bytes())
    return found


def collect(keep: Collection[str]) -> int:
    """Delete the weights that are not in `keep`; return how many bytes that freed.

    Call it under `locked()`, with what `references()` says under the same lock.
    """
    freed = 0
    for path in sorted(folder().glob("[0-9a-f]*")):
        if _NAME.fullmatch(path.name) and path.name not in keep:
            freed += path.stat().st_size
            path.unlink(missing_ok=True)
    return freed


@contextmanager
def locked() -> Iterator[None]:
    """Let one process at a time change what is kept. Waits; the lock ends with its process.

    Raises:
        OutputError: the folder cannot be written.
    """
    with holding(folder() / ".lock"):
        yield


def _read_intact(name: str) -> bytes | None:
    """The bytes of a weight, or None where it is missing or does not match its name."""
    try:
        data = (folder() / name).read_bytes()
    except FileNotFoundError:
        return None
    return data if hashlib.sha256(data).hexdigest() == name else None
