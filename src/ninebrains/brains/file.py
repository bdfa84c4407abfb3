"""A brain as a file or folder: saved whole or not at all, loaded only if every byte is as it was.

    brain.json        the manifest
    signature.json    who vouches for it; only in signed brains
    graph.onnx        the network without its large tensors
    card.md           for people
    weights/<sha256>  one file a tensor

The same in a folder, or in one file that ends in `.brain` (see `container`). Loading never executes
code, never follows a link and never leaves the folder. Files are read, not memory-mapped: what was
checked cannot change afterwards.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ninebrains.brains import container
from ninebrains.brains.brain import Brain, Signature
from ninebrains.brains.checking import LARGEST_GRAPH_BYTES, check
from ninebrains.brains.encoding import LARGEST_JSON_BYTES, canonical, read_manifest, read_part
from ninebrains.brains.folder import write_folder
from ninebrains.brains.graph import Graph, external_weight
from ninebrains.brains.interface import check_interface
from ninebrains.brains.late import Buffer, LateWeight
from ninebrains.errors import BrainError, OutputError
from ninebrains.places import replacing

SUFFIX = ".brain"
LARGEST_CARD_BYTES = 1024 * 1024
_LIMITS = {
    "brain.json": LARGEST_JSON_BYTES,
    "signature.json": 64 * 1024,
    "graph.onnx": LARGEST_GRAPH_BYTES,
    "card.md": LARGEST_CARD_BYTES,
}
_WEIGHTS = "weights/"


def save(brain: Brain, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a brain; see `Brain.save`."""
    path = Path(path)
    _check_room(path, overwrite=overwrite)
    contents = contents_of(brain)
    for name, data in contents.items():
        check_size(name, len(data))  # what could not be loaded again must not be saved
    if path.suffix == SUFFIX and not os.path.isdir(path):  # noqa: PTH112 - never raises
        with replacing(path) as file:
            container.write(file, contents)
    else:
        write_folder(path, contents)
    return path


def _check_room(path: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise OutputError(f"{path} exists. Choose another name, or ask for it to be overwritten.")
    if path.is_dir() and not (path / "brain.json").is_file():
        raise OutputError(
            f"{path} is a folder and no brain; it is left alone. Choose another name."
        )
    if not path.is_dir() and path.suffix != SUFFIX:
        raise OutputError(
            f"{path} is a file; a brain is a folder, or a file that ends in {SUFFIX}. Choose "
            "another name."
        )


def contents_of(brain: Brain) -> dict[str, Buffer]:
    """The files that a brain consists of, in the order they are stored in."""
    contents: dict[str, Buffer] = {"brain.json": canonical(brain.manifest)}
    if brain.signature is not None:
        contents["signature.json"] = canonical(brain.signature)
    contents["graph.onnx"] = brain.graph.data
    contents["card.md"] = brain.card.encode()
    for name in sorted(brain.graph.weights):
        contents[_WEIGHTS + name] = brain.graph.weights[name]
    return contents


def load(path_or_name: str | os.PathLike[str], *, trusted: Collection[str] | None = None) -> Brain:
    """Load a brain from a file, a folder or the local store, and check every byte of it.

    Args:
        path_or_name: a `.brain` file, a brain's folder, or `name` or `name@version` of a stored
            brain (see `add_brain`).
        trusted: public keys, or paths of files that hold one each (see `signing.new_key`). Given,
            only a brain that one of them has signed is accepted, and none if there are none. None
            accepts unsigned brains too.

    Raises:
        BrainError: it is not there, damaged, hostile, of a newer version or not signed as asked
            for; the message names the file and the fault.

    Example:
        >>> load("pets.brain").run("cat.jpg").top.label  # doctest: +SKIP
        'cat'
    """
    if not isinstance(path_or_name, (str, os.PathLike)):
        raise BrainError(
            f"got {type(path_or_name).__name__}; expected the path of a brain or the name of a "
            "stored one"
        )
    path = Path(path_or_name)
    brain = _load_from(path) or _load_stored(path_or_name)
    if trusted is not None:
        from ninebrains.brains.signing import verify

        with blaming(path):
            verify(brain, trusted)
    return brain


def load_late(path_or_name: str | os.PathLike[str]) -> Brain:
    """Load a brain whose weights are read, and checked, when they are first needed (`held`).

    For those who need few of them, at once: the file must stay until then.

    Raises:
        BrainError: as `load`, but for the weights.
    """
    brain = _load_from(Path(path_or_name), late=True)
    return brain or _load_stored(path_or_name, late=True)


def _load_from(path: Path, *, late: bool = False) -> Brain | None:
    """The brain in a file or folder; None where there is no file and no folder with a brain.json.

    So a stored brain is still found by its name beside a folder of photos with that name.
    """
    with blaming(path):
        if path.is_dir():
            is_brain = os.path.lexists(path / "brain.json")
            return read_brain(_read_folder(path, late=late)) if is_brain else None
        return read_brain(_read_file(path, late=late)) if path.exists() else None


def _load_stored(path_or_name: str | os.PathLike[str], *, late: bool = False) -> Brain:
    from ninebrains.brains import store

    wanted = os.fspath(path_or_name)
    if store.is_stored(wanted):
        return store.load_stored(wanted, late=late)
    if Path(wanted).is_dir():
        raise BrainError(f"{wanted} is a folder without brain.json, so it is no brain")
    raise BrainError(
        f"there is no {wanted}, neither as a file nor in the store; "
        "`ninebrains brain list` shows what is stored"
    )


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Put the path before what went wrong there."""
    try:
        yield
    except BrainError as error:
        if str(error).startswith(str(path)):  # of a weight that came late
            raise
        raise BrainError(f"{path}: {error}") from error
    except MemoryError as error:
        raise BrainError(f"{path}: there is not enough memory to load it") from error
    except OSError as error:
        raise BrainError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_brain(contents: Mapping[str, Buffer]) -> Brain:
    """A brain from its files, by name; all of them are checked but weights that come late.

    Raises:
        BrainError: with the file at fault.
    """
    for name in ("brain.json", "graph.onnx", "card.md"):
        if name not in contents:
            raise BrainError(f"{name} is missing")
    for name, data in contents.items():
        check_size(name, len(data))
    # First, so that a newer version says so instead of failing at something we cannot know.
    manifest = read_manifest(bytes(contents["brain.json"]))
    weights = {
        name.removeprefix(_WEIGHTS): data
        for name, data in contents.items()
        if name.startswith(_WEIGHTS)
    }
    try:
        card = bytes(contents["card.md"]).decode()
    except UnicodeDecodeError as error:
        raise BrainError(f"card.md is not UTF-8 text: {error}") from error
    signature = None
    if "signature.json" in contents:
        signature = read_part(Signature, bytes(contents["signature.json"]), "signature.json")
    for name, data in weights.items():
        if isinstance(data, LateWeight):
            continue
        digest = hashlib.sha256(data).hexdigest()
        if digest != name:
            raise BrainError(f"weights/{name} is damaged: the SHA-256 of its content is {digest}")
    graph = Graph(bytes(contents["graph.onnx"]), weights)
    brain = Brain(manifest, graph, card, signature)  # checks the hashes of graph and card
    model = check(graph.data, {name: len(data) for name, data in weights.items()})
    unused = sorted(set(weights) - {external_weight(item) for item in model.graph.initializer})
    if unused:
        raise BrainError(f"weights/{unused[0]} is used by nothing in the graph")
    check_interface(model, manifest)
    if signature is not None:
        from ninebrains.brains.signing import check_signature

        check_signature(brain)
    return brain


def check_size(name: str, num_bytes: int) -> None:
    """Refuse a file that is larger than one of its name may be.

    Raises:
        BrainError: with both sizes.
    """
    limit = _LIMITS.get(name, container.LARGEST_BYTES)
    if num_bytes > limit:
        raise BrainError(f"{name} has {num_bytes:,} bytes; the limit is {limit:,}")


def _read_file(path: Path, *, late: bool) -> dict[str, Buffer]:
    def put_off(name: str, offset: int, num_bytes: int) -> Buffer | None:
        if not name.startswith(_WEIGHTS):
            return None
        return LateWeight(path, offset, num_bytes, name.removeprefix(_WEIGHTS))

    with _opened(path) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        return container.read(file, num_bytes, put_off if late else None)


def _read_folder(root: Path, *, late: bool) -> dict[str, Buffer]:
    """Every file of a folder; refuses links and whatever does not belong there."""
    contents: dict[str, Buffer] = {}
    total = 0
    for name, path in _list_folder(root):
        with _opened(path, follow=False) as file:
            num_bytes = os.fstat(file.fileno()).st_size
            check_size(name, num_bytes)
            total += num_bytes
            if total > container.LARGEST_BYTES or len(contents) >= container.LARGEST_NUM_ENTRIES:
                raise BrainError("the folder holds more files or bytes than a brain may have")
            if late and name.startswith(_WEIGHTS):
                contents[name] = LateWeight(path, 0, num_bytes, path.name)
            else:
                contents[name] = file.read(num_bytes)
    return contents


def _list_folder(root: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of each file; hidden ones, which systems leave everywhere, are passed over."""
    for path in sorted(root.iterdir()):
        if path.name == "weights" and path.is_dir() and not path.is_symlink():
            inner = [(_WEIGHTS + entry.name, entry) for entry in sorted(path.iterdir())]
        else:
            inner = [(path.name, path)]
        for name, entry in inner:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                raise BrainError(f"{name} is a symbolic link; not allowed in a brain")
            if not container.is_entry_name(name):
                raise BrainError(f"{name} does not belong in a brain; remove it")
            yield name, entry


@contextmanager
def _opened(path: Path, *, follow: bool = True) -> Iterator[IO[bytes]]:
    """Open a plain file: never a pipe or device, which could block or never end."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BrainError(f"{path.name} is not a plain file")
        yield file
