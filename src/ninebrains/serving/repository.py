"""The folders that brains are served from: which versions lie there.

models/<name>/<version>/          a brain's folder, or one that holds one .brain or .onnx file
models/<name>/<version>.brain     a brain in one file (.onnx: a network from elsewhere)
models/<name>.brain               a brain that has no versions here: it is version 1
models/<name>/brain.json, …       the same, as a folder

Beside an ONNX file may lie what it leaves open (`ninebrains.mind.guests.beside`): model.toml and
labels.txt in a version's folder, <version>.toml and <version>.labels.txt beside <version>.onnx.

A source may also be one brain or ONNX file, or the folder of one brain. Folders laid out for
Triton are read as they are (`<name>/<version>/model.onnx`; `config.pbtxt` is passed over). Names
that begin with a dot, end in `~` or as unfinished downloads do are nobody's business. Links are
followed while they stay in their source. Whatever else lies there is told as a problem, and stops
nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ninebrains.brains.encoding import read_manifest
from ninebrains.brains.manifest import NAME_PATTERN
from ninebrains.errors import BrainError
from ninebrains.mind.guests import files_beside

LARGEST_NUMBER = 2**63 - 1
MOST_FILES = 20_000
"""That one version may consist of; far above what a brain may hold."""

_NUMBER = re.compile(r"0*([1-9][0-9]{0,18})")
_SUFFIXES = (".brain", ".onnx")
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", "~")

Mark = tuple[tuple[str, int, int, int], ...]
"""Name, size, time of change (ns) and time of change of the entry itself (ns) of each file."""


@dataclass(frozen=True, slots=True)
class Found:
    """A version that lies there.

    Attributes:
        path: what to load.
        place: the file or folder that is the version.
        mark: changes when any of its files does.
        is_single: it was named as a source by itself, or is that source's only brain.
    """

    path: Path
    place: Path
    mark: Mark
    is_single: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that lies there and is no version.

    Attributes:
        path: of it, fit to be printed.
        reason: why not, and what to do about it.
        is_source: whether it is a source itself.
    """

    path: str
    reason: str
    is_source: bool = False


Shelf = Mapping[str, Mapping[int, Found]]


@dataclass(frozen=True, slots=True)
class Look:
    """What lies there at one moment.

    Attributes:
        shelf: the versions, by name and number.
        problems: the rest.
    """

    shelf: Shelf
    problems: tuple[Problem, ...] = ()


NOTHING = Look({})


def scan(
    sources: Iterable[Path], before: Shelf = NOTHING.shelf, only_name: str | None = None
) -> Look:
    """Look at what lies there, without reading it. Raises nothing.

    Args:
        sources: folders and files.
        before: what the look before saw. Where a source or a folder in it cannot be read just now,
            such as a network drive, this stands for what lies there.
        only_name: what to call the brain where just one lies there.
    """
    scanner = _Scanner(before)
    for source in sources:
        scanner.source(source.absolute())
    shelf = scanner.shelf
    if only_name is not None and len(shelf) == 1:
        shelf = {only_name: next(iter(shelf.values()))}
    return Look(shelf, tuple(scanner.problems))


def holds_names(source: Path) -> bool:
    """Whether a source is a folder of brains by name, and not one brain."""
    return source.is_dir() and not os.path.lexists(source / "brain.json")


def version_number(text: str) -> int | None:
    """The number that a version's folder is called by; None where it is none."""
    match = _NUMBER.fullmatch(text)
    number = int(match.group(1)) if match else LARGEST_NUMBER + 1
    return number if number <= LARGEST_NUMBER else None


class _Scanner:
    """Collects what one look sees."""

    def __init__(self, before: Shelf) -> None:
        self.shelf: dict[str, dict[int, Found]] = {}
        self.problems: list[Problem] = []
        self._before = before
        self._root = Path()

    def source(self, source: Path) -> None:
        self._root = source
        with self._reading(source, is_source=True):
            source.stat()  # tells apart what is missing and what is empty
            if holds_names(source):
                for entry in _entries(source):
                    with self._reading(entry):
                        self._name(entry)
            elif source.is_dir():
                self._take(_name_of(source), 1, source, source, is_single=True)
            elif source.suffix.lower() in _SUFFIXES:
                self._take(source.stem, 1, source, source, is_single=True)
            else:
                reason = "expected a folder of brains, or a .brain or .onnx file"
                self._problem(source, reason, is_source=True)

    def _name(self, entry: Path) -> None:
        is_folder = entry.is_dir()
        is_file = not is_folder and entry.suffix.lower() in _SUFFIXES
        if not is_folder and not is_file:
            if not _is_beside_a_network(entry):
                self._problem(entry, "is neither a folder of versions nor a .brain or .onnx file")
        elif self._leaves(entry):
            pass
        elif is_file:
            self._take(entry.stem, 1, entry, entry)
        elif os.path.lexists(entry / "brain.json"):
            self._take(entry.name.removesuffix(".brain"), 1, entry, entry)
        elif self._is_name(entry.name, entry):
            for version in _entries(entry):
                with self._reading(version):
                    self._version(entry.name, version)

    def _version(self, name: str, entry: Path) -> None:
        is_folder = entry.is_dir()
        if not is_folder and entry.suffix.lower() not in _SUFFIXES:
            return  # config.pbtxt, labels.txt, notes
        number = version_number(entry.name if is_folder else entry.stem)
        if number is None:
            reason = f"is called by no version; expected a whole number from 1 to {LARGEST_NUMBER}"
            self._problem(entry, reason)
        elif not self._leaves(entry):
            path = self._inside(entry) if is_folder else entry
            if path is not None and (path == entry or not self._leaves(path)):
                self._take(name, number, path, entry)

    def _inside(self, folder: Path) -> Path | None:
        """What to load of a version's folder."""
        if os.path.lexists(folder / "brain.json"):
            return folder
        entries = list(_entries(folder))
        models = [path for path in entries if path.suffix.lower() in _SUFFIXES]
        if len(models) > 1 and folder / "model.onnx" in models:
            models = [folder / "model.onnx"]
        if len(models) == 1:
            # Triton lets model.onnx be a folder, for networks with their weights in other files.
            return self._inside(models[0]) if models[0].is_dir() else models[0]
        reason = f"holds {len(models)} .brain and .onnx files; expected one, or a brain's folder"
        if any(path.name == "saved_model.pb" for path in entries):
            reason = "holds a TensorFlow model; export it to ONNX (tf2onnx) and put that here"
        self._problem(folder, reason)
        return None

    def _take(
        self, name: str, number: int, path: Path, place: Path, *, is_single: bool = False
    ) -> None:
        if not self._is_name(name, place):
            return
        there = self.shelf.setdefault(name, {})
        if number in there:
            self._problem(
                place, f"is {name}@{number} again; {_shown(there[number].place)} is served"
            )
            return
        beside = files_beside(path) if path.suffix.lower() == ".onnx" else ()
        leaving = [file for file in beside if self._leaves(file)]
        if leaving:
            return
        mark = tuple(_mark(place))
        if place == path:
            mark += tuple(_facts(file, file.name) for file in beside)
        if len(mark) > MOST_FILES:
            self._problem(place, f"consists of more than {MOST_FILES:,} files, which no brain does")
            return
        there[number] = Found(path, place, mark, is_single)

    def _is_name(self, name: str, path: Path) -> bool:
        fits = re.fullmatch(NAME_PATTERN, name) is not None
        if not fits:
            reason = (
                "is called as no brain can be; expected 1 to 100 letters, digits, '.', '_' or '-', "
                "beginning with a letter or digit"
            )
            self._problem(path, reason)
        return fits

    def _leaves(self, path: Path) -> bool:
        """Whether a link leads out of the source: who may write there could serve anything."""
        if not path.is_symlink():
            return False
        target = Path(os.path.realpath(path))
        leaves = not target.is_relative_to(os.path.realpath(self._root))
        if leaves:
            place = f"{_shown(target)}, outside of {_shown(self._root)}"
            self._problem(path, f"is a link to {place}; name that as a source")
        return leaves

    @contextmanager
    def _reading(self, place: Path, *, is_source: bool = False) -> Iterator[None]:
        """Tell of what cannot be read, and take for it what was there before."""
        try:
            yield
        except FileNotFoundError as error:
            if not is_source:
                return  # it went away while we looked
            self._blind(place, error, is_source=True)
        except OSError as error:
            self._blind(place, error, is_source=is_source)

    def _blind(self, place: Path, error: OSError, *, is_source: bool) -> None:
        reason = f"cannot be read: {error.strerror or error}"
        self._problem(place, reason, is_source=is_source)
        for name, numbers in self._before.items():
            for number, found in numbers.items():
                if found.place.is_relative_to(place):
                    self.shelf.setdefault(name, {}).setdefault(number, found)

    def _problem(self, path: Path, reason: str, *, is_source: bool = False) -> None:
        self.problems.append(Problem(_shown(path), reason, is_source))


def _shown(path: Path) -> str:
    """A path for people, also one that is no text or would break a line."""
    text = os.fspath(path)
    return text if text.isprintable() else ascii(text)


def _entries(folder: Path) -> Iterator[Path]:
    """What lies in a folder, without what is hidden or not finished."""
    for entry in sorted(folder.iterdir()):
        if not entry.name.startswith(".") and not entry.name.lower().endswith(_UNFINISHED):
            yield entry


def _is_beside_a_network(entry: Path) -> bool:
    """Whether a file says something about an ONNX file beside it."""
    if entry.suffix.lower() not in (".toml", ".txt"):
        return False
    networks = (path for path in _entries(entry.parent) if path.suffix.lower() == ".onnx")
    return any(entry in files_beside(path) for path in networks)


def _name_of(source: Path) -> str:
    """What the brain in a folder calls itself; the folder's name where it is damaged."""
    try:
        return read_manifest((source / "brain.json").read_bytes()).name
    except (OSError, BrainError):
        return source.name


def _mark(place: Path) -> Iterator[tuple[str, int, int, int]]:
    """A file's facts, or those of every file below a folder; links to folders are not followed.

    Raises:
        OSError: it cannot be read.
    """
    if not place.is_dir():
        yield _facts(place, place.name)
        return
    left, count = [(place, "")], 0
    while left:
        folder, prefix = left.pop()
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                left.append((Path(entry.path), f"{prefix}{entry.name}/"))
                continue
            yield _facts(Path(entry.path), prefix + entry.name)
            count += 1
            if count > MOST_FILES:
                return


def _facts(path: Path, name: str) -> tuple[str, int, int, int]:
    """Size and times. The entry's own time tells files apart that were made to look alike."""
    try:
        status = path.stat()
    except FileNotFoundError:  # it has just gone, or is a link to nothing
        return (name, -1, 0, 0)
    return (name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
