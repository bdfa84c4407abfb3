"""The local store: brains by name and version, the weights they share held once.

data_folder()/brains/<name>/<version>/    brain.json, graph.onnx, card.md, signature.json
data_folder()/weights/<sha256>            see `pool`
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ninebrains.brains import pool
from ninebrains.brains.brain import Brain
from ninebrains.brains.encoding import read_manifest
from ninebrains.brains.file import blaming, check_size, contents_of, read_brain
from ninebrains.brains.folder import write_folder
from ninebrains.brains.manifest import Manifest
from ninebrains.errors import BrainError, OutputError
from ninebrains.places import data_folder

_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?:@([A-Za-z0-9][A-Za-z0-9._-]{0,99}))?")
_FILES = ("brain.json", "signature.json", "graph.onnx", "card.md")


@dataclass(frozen=True)
class Stored:
    """A brain in the store, without its network.

    Attributes:
        name: of the brain.
        version: of the brain.
        manifest: None where it is damaged.
        fault: what is wrong with it, or empty.
        weight_bytes: what its weights take, shared or not.
        own_bytes: what deleting it would free.
    """

    name: str
    version: str
    manifest: Manifest | None
    fault: str
    weight_bytes: int
    own_bytes: int

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON, without labels and metrics (`ninebrains brain show` has them)."""
        plain: dict[str, object] = {
            key: getattr(self, key)
            for key in ("name", "version", "fault", "weight_bytes", "own_bytes")
        }
        if self.manifest is not None:
            plain["task"] = self.manifest.task
            plain["num_labels"] = len(self.manifest.labels)
            plain["trunk"] = self.manifest.trunk.name
        return plain


def folder() -> Path:
    """Where the brains lie."""
    return data_folder() / "brains"


def is_stored(wanted: str) -> bool:
    """Whether there is a brain of this `name` or `name@version`."""
    match = _NAME.fullmatch(wanted)
    return match is not None and bool(_versions(match.group(1), match.group(2)))


def add_brain(brain: Brain, *, replace: bool = False) -> Path:
    """Keep a brain under its name and version; return its folder.

    Weights that the store has already are not written again.

    Raises:
        OutputError: another brain has this name and version and `replace` is off, or the store
            cannot be written.
    """
    path = folder() / brain.name / brain.version
    with pool.locked():
        if not replace and _holds_another(path, brain):
            raise OutputError(
                f"the store holds another {brain.name}@{brain.version}. Remove it, replace it "
                "(--replace), or give this one another version."
            )
        pool.put(brain.graph.weights)
        files = {name: data for name, data in contents_of(brain).items() if name in _FILES}
        write_folder(path, files)
        if replace:
            pool.collect(pool.references())
    return path


def _holds_another(path: Path, brain: Brain) -> bool:
    """Whether a folder holds another brain. A damaged one counts for none and may be mended."""
    try:
        return read_manifest((path / "brain.json").read_bytes()) != brain.manifest
    except (OSError, BrainError):
        return False


def load_stored(wanted: str, *, late: bool = False) -> Brain:
    """Load a brain by `name`, which gives the highest version, or `name@version`.

    Args:
        wanted: the name.
        late: read weights when they are needed (see `file.load_late`).

    Raises:
        BrainError: there is none, or it is damaged.
    """
    path = _find(wanted)
    with blaming(path):
        contents = {name: _read(path, name) for name in _FILES if (path / name).is_file()}
        names = pool.named_in(contents.get("graph.onnx", b""))
        get = pool.get_late if late else pool.get
        weights = {f"weights/{name}": get(name) for name in sorted(names)}
        return read_brain({**contents, **weights})


def _read(path: Path, name: str) -> bytes:
    check_size(name, (path / name).stat().st_size)
    return (path / name).read_bytes()


def stored_brains() -> list[Stored]:
    """Every brain in the store, by name and version."""
    found = [(name, version, folder() / name / version) for name, version in _walk()]
    named = {path: _weights_of(path) for _, _, path in found}
    elsewhere = _trunk_weights(list(named))
    result: list[Stored] = []
    for name, version, path in found:
        others = elsewhere.union(*(weights for other, weights in named.items() if other != path))
        manifest, fault = _read_facts(path)
        own = sum(entry.stat().st_size for entry in path.iterdir() if entry.is_file())
        weight_bytes = sum(map(_weight_size, named[path]))
        own += sum(map(_weight_size, named[path] - others))
        result.append(Stored(name, version, manifest, fault, weight_bytes, own))
    return result


def remove_brain(name: str, version: str | None = None) -> int:
    """Delete one version of a brain, or all of them; return how many bytes that freed.

    Weights that other brains or trunks use stay.

    Raises:
        BrainError: there is none.
        OutputError: it cannot be deleted.
    """
    with pool.locked():
        versions = _versions(name, version) if _NAME.fullmatch(name) else []
        if not versions:
            raise BrainError(_missing(f"{name}@{version}" if version else name))
        freed = 0
        try:
            for found in versions:
                path = folder() / name / found
                freed += sum(entry.stat().st_size for entry in path.iterdir())
                hidden = path.with_name(f".{found}.removed")
                shutil.rmtree(hidden, ignore_errors=True)
                path.rename(hidden)
                shutil.rmtree(hidden)
            if not any((folder() / name).iterdir()):
                (folder() / name).rmdir()
            return freed + pool.collect(pool.references())
        except OSError as error:
            raise OutputError(f"could not delete {name}: {error.strerror or error}") from error


def _find(wanted: str) -> Path:
    match = _NAME.fullmatch(wanted)
    versions = _versions(match.group(1), match.group(2)) if match else []
    if match is None or not versions:
        raise BrainError(_missing(wanted))
    return folder() / match.group(1) / versions[-1]


def _missing(wanted: str) -> str:
    known = ", ".join(f"{name}@{version}" for name, version in _walk()) or "none yet"
    return f"there is no stored brain {wanted!r}; stored: {known}"


def _walk() -> Iterator[tuple[str, str]]:
    for path in sorted(folder().iterdir()) if folder().is_dir() else ():
        if path.is_dir() and _NAME.fullmatch(path.name):
            yield from ((path.name, version) for version in _versions(path.name, None))


def _versions(name: str, version: str | None) -> list[str]:
    """The stored versions of a brain, 2 before 10; only `version` if one is given."""
    place = folder() / name
    found = [entry.name for entry in place.iterdir()] if place.is_dir() else []
    wanted = [item for item in found if item == version or version is None]
    return sorted((item for item in wanted if not item.startswith(".")), key=_natural_order)


def _natural_order(version: str) -> list[tuple[int, str]]:
    pieces = re.findall(r"\d+|\D+", version)
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]


def _read_facts(path: Path) -> tuple[Manifest | None, str]:
    try:
        return read_manifest(_read(path, "brain.json")), ""
    except (OSError, BrainError) as error:
        return None, str(error)


def _weights_of(path: Path) -> set[str]:
    graph = path / "graph.onnx"
    return pool.named_in(graph.read_bytes()) if graph.is_file() else set()


def _trunk_weights(brain_folders: list[Path]) -> set[str]:
    """Weights that graphs outside these folders name."""
    inside = {path / "graph.onnx" for path in brain_folders}
    found: set[str] = set()
    for graph in sorted(data_folder().rglob("graph.onnx")):
        if graph not in inside:
            found |= pool.named_in(graph.read_bytes())
    return found


def _weight_size(name: str) -> int:
    path = pool.folder() / name
    return path.stat().st_size if path.is_file() else 0
