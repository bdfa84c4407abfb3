"""Trunks on disk: `data_folder()/trunks/<name>/{trunk.json, graph.onnx}`, weights in the pool."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ninebrains.brains import pool
from ninebrains.brains.checking import check
from ninebrains.brains.graph import Graph
from ninebrains.brains.manifest import NAME_PATTERN, name_from
from ninebrains.errors import BrainError, OutputError, TrunkError
from ninebrains.images import Contract
from ninebrains.places import data_folder, write_bytes
from ninebrains.trunks import embedded
from ninebrains.trunks.importing import check_name, import_trunk
from ninebrains.trunks.record import TrunkRecord
from ninebrains.trunks.trunk import Trunk

_LEAST_HASH_LETTERS = 8


@dataclass(frozen=True)
class TrunkSummary:
    """What a list of trunks shows about one.

    Attributes:
        name: under which it is kept.
        record: what is known about it; None where trunk.json is damaged.
        size_bytes: graph and weights together; weights may be shared with others.
        problem: what is wrong with it, or None. Hashes are not checked for this.
        card: what it learnt from, how good it is and for what, in Markdown; None for one that was
            added.
    """

    name: str
    record: TrunkRecord | None
    size_bytes: int
    problem: str | None = None
    card: str | None = None


def add_trunk(trunk: Trunk, *, replace: bool = False) -> None:
    """Keep a trunk for later. Adding the same one again mends what is damaged.

    Args:
        trunk: the trunk.
        replace: whether another trunk of that name may go.

    Raises:
        TrunkError: another trunk has that name, or it is that of the embedded one.
        OutputError: it cannot be written.
    """
    check_own_name(trunk.name)
    record = TrunkRecord.of(trunk)
    folder = _folder(trunk.name)
    with pool.locked():
        before = _known_record(folder)
        is_other = before is not None and _identity(before) != _identity(record)
        if is_other and not replace:
            raise TrunkError(
                f"there is another trunk {trunk.name!r}, from {before.source if before else '?'}. "
                "Choose another name, or replace it (--replace, or replace=True)."
            )
        pool.put(trunk.graph.weights)
        write_bytes(folder / "graph.onnx", trunk.graph.data)
        write_bytes(folder / "trunk.json", record.model_dump_json(indent=2).encode() + b"\n")
        if is_other:
            pool.collect(pool.references())


def check_own_name(name: str) -> None:
    """Refuse a name that no trunk of the user's can have.

    Raises:
        TrunkError: it could not be a folder's, or is that of the embedded trunk.
    """
    check_name(name)
    if name == embedded.NAME:
        raise TrunkError(f"{name!r} comes with Ninebrains. Choose another name.")


def load_trunk(wanted: str | os.PathLike[str]) -> Trunk:
    """A trunk that was added before, or `octo`, which comes with Ninebrains.

    Args:
        wanted: its name, its hash (the first 8 letters are enough), or the path of an ONNX file,
            which is then imported but not kept.

    Raises:
        TrunkError: there is none, or it is damaged.

    Example:
        >>> load_trunk("mobilenet_v2_100").num_features  # doctest: +SKIP
        1280
    """
    text = os.fspath(wanted)
    if text.endswith(".onnx"):
        return import_trunk(text, name_from(Path(text).stem))
    name = _name_of(text)
    if name == embedded.NAME:
        return embedded.load()
    try:
        return _read(name)
    except TrunkError as error:
        # It may be being replaced just now: look again when nobody is writing.
        try:
            with pool.locked():
                return _read(name)
        except OutputError:
            raise error from None  # a folder that cannot be written is not being replaced


def list_trunks() -> list[TrunkSummary]:
    """The embedded trunk and every one that is kept, by name."""
    return [summarise(name) for name in (embedded.NAME, *_kept_names())]


def summarise(name: str) -> TrunkSummary:
    """What is known about a trunk without reading its weights.

    Raises:
        TrunkError: there is no such trunk.
    """
    name = _name_of(name)
    if name == embedded.NAME:
        return _summarise_embedded()
    folder = _folder(name)
    paths = [folder / "graph.onnx"]
    record, problem = None, None
    try:
        record = _record(folder)
        paths += [pool.folder() / weight for weight in pool.named_in(paths[0].read_bytes())]
    except (TrunkError, OSError) as error:
        problem = str(error)
    missing = [path for path in paths if not path.is_file()]
    if missing and problem is None:
        problem = f"{len(missing)} of its files are missing; add it again"
    size_bytes = sum(path.stat().st_size for path in paths if path not in missing)
    return TrunkSummary(folder.name, record, size_bytes, problem)


def remove_trunk(name: str) -> int:
    """Forget a trunk and the weights that nothing else uses; return how many bytes that freed.

    Brains made with it hold their own copy of the graph and still run.

    Raises:
        TrunkError: there is no such trunk, or it is the embedded one.
    """
    with pool.locked():
        folder = _folder(_name_of(name))
        if folder.name == embedded.NAME:
            raise TrunkError(f"{embedded.NAME!r} comes with Ninebrains and cannot be removed.")
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise TrunkError(f"cannot remove {folder}: {error.strerror or error}.") from error
        return pool.collect(pool.references())


def _summarise_embedded() -> TrunkSummary:
    try:
        size, card = embedded.size_bytes(), embedded.read_card()
        return TrunkSummary(embedded.NAME, embedded.read_record(), size, card=card)
    except TrunkError as error:
        return TrunkSummary(embedded.NAME, None, 0, problem=str(error))


def _folder(name: str) -> Path:
    return data_folder() / "trunks" / name


def _identity(record: TrunkRecord) -> tuple[str, Contract]:
    return (record.hash, record.contract)


def _name_of(wanted: str) -> str:
    """The name of a trunk, from its name or the beginning of its hash."""
    kept = _kept_names()
    if wanted in (embedded.NAME, *kept):
        return wanted
    records = [(name, _known_record(_folder(name))) for name in kept]
    records.append((embedded.NAME, _summarise_embedded().record))
    known = {name: record.hash for name, record in records if record is not None}
    if len(wanted) >= _LEAST_HASH_LETTERS:
        names = [name for name, value in known.items() if value.startswith(wanted)]
        if len({known[name] for name in names}) == 1:
            return names[0]
    raise TrunkError(
        f"there is no trunk {wanted!r}; known are: {', '.join(known)}. Add one with "
        "`ninebrains trunk add MODEL.onnx --name NAME`, or fetch one of those that "
        "`ninebrains trunk pull --list` shows."
    )


def _kept_names() -> list[str]:
    root = data_folder() / "trunks"
    if not root.is_dir():
        return []
    names = sorted(path.name for path in root.iterdir() if (path / "trunk.json").exists())
    return [name for name in names if re.fullmatch(NAME_PATTERN, name) and name != embedded.NAME]


def _known_record(folder: Path) -> TrunkRecord | None:
    """What is on record, or None where nothing is or it is damaged."""
    try:
        return _record(folder)
    except TrunkError:
        return None


def _record(folder: Path) -> TrunkRecord:
    path = folder / "trunk.json"
    try:
        record = TrunkRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise TrunkError(f"cannot read {path}: {error.strerror or error}.") from error
    except ValidationError as error:
        raise _damaged(folder.name, f"trunk.json: {error.errors()[0]['msg']}") from error
    if record.name != folder.name:
        raise _damaged(folder.name, f"trunk.json belongs to {record.name!r}")
    return record


def _read(name: str) -> Trunk:
    folder = _folder(name)
    record = _record(folder)
    try:
        data = (folder / "graph.onnx").read_bytes()
    except OSError as error:
        raise _damaged(name, f"graph.onnx: {error.strerror or error}") from error
    try:
        graph = Graph(data, pool.load(pool.named_in(data)))
        if graph.hash != record.hash:
            raise _damaged(name, "graph.onnx does not match the hash in trunk.json")
        check(data, {weight: len(raw) for weight, raw in graph.weights.items()})
    except BrainError as error:
        raise _damaged(name, str(error)) from error
    return record.trunk(graph)


def _damaged(name: str, what: str) -> TrunkError:
    return TrunkError(
        f"trunk {name!r} is damaged: {what}. Add it again from its ONNX file: "
        f"`ninebrains trunk add MODEL.onnx --name {name} --replace`."
    )
