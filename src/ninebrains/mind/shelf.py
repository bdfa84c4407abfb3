"""Where the weights of parked members lie: a folder of this process, content-addressed.

    <cache folder>/minds/<process id>-<random>/<digest of the member>.onnx
                                              /weights/<sha256>

What a process that was killed left behind is cleared away by the next one that parks.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from ninebrains.brains.graph import Graph
from ninebrains.brains.pool import named_in
from ninebrains.errors import BrainError, OutputError
from ninebrains.places import cache_folder, write_bytes


@dataclass(frozen=True, eq=False)
class Parked:
    """A graph on the shelf; its files stay while somebody holds this.

    Attributes:
        folder: where it lies.
        digest: under which.
        hash: of the graph.
    """

    folder: Path
    digest: str
    hash: str

    def get(self) -> Graph:
        """The graph, every byte of it checked.

        Raises:
            BrainError: its files are gone or damaged.
        """
        try:
            data = (self.folder / f"{self.digest}.onnx").read_bytes()
            weights = {
                name: (self.folder / "weights" / name).read_bytes()
                for name in sorted(named_in(data))
            }
        except OSError as error:
            raise BrainError(
                f"the weights of a parked brain cannot be read back: {error}. Add it again."
            ) from error
        graph = Graph(data, weights)
        sound = all(hashlib.sha256(item).hexdigest() == name for name, item in weights.items())
        if graph.hash != self.hash or not sound:
            raise BrainError(
                f"the weights of a parked brain were damaged in {self.folder}. Add it again."
            )
        return graph


class Shelf:
    """Graphs on disk, by a digest. Nothing is written before the first `put`.

    Not thread-safe: whoever uses it holds a lock. `Parked` objects may be dropped in any thread.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._delete: weakref.finalize[..., Shelf] | None = None
        self._parked: weakref.WeakValueDictionary[str, Parked] = weakref.WeakValueDictionary()
        self._dropped: deque[str] = deque()

    def put(self, digest: str, graph: Graph) -> Parked:
        """Keep a graph for as long as somebody holds the result.

        Raises:
            OutputError: it cannot be written; then it is not kept.
        """
        self.sweep()
        there = self._parked.get(digest)
        if there is not None:
            return there
        folder = self._opened()
        for name, data in graph.weights.items():
            path = folder / "weights" / name
            if not path.exists():
                write_bytes(path, bytes(data))
        write_bytes(folder / f"{digest}.onnx", graph.data)
        parked = Parked(folder, digest, graph.hash)
        weakref.finalize(parked, self._dropped.append, digest).atexit = False
        self._parked[digest] = parked
        return parked

    def sweep(self) -> None:
        """Delete what nobody holds any more, and the weights that no other graph needs."""
        while self._dropped and self._folder is not None:
            digest = self._dropped.popleft()
            if digest in self._parked:
                continue  # put there again
            others = [self._folder / f"{other}.onnx" for other in self._parked]
            kept = {name for other in others for name in _weights_of(other)}
            for name in _weights_of(self._folder / f"{digest}.onnx") - kept:
                (self._folder / "weights" / name).unlink(missing_ok=True)
            (self._folder / f"{digest}.onnx").unlink(missing_ok=True)

    def close(self) -> None:
        """Delete everything. It is done, too, when the shelf is dropped or the program ends."""
        if self._delete is not None:
            self._delete()
        self._folder = None

    def _opened(self) -> Path:
        if self._folder is None:
            root = cache_folder() / "minds"
            try:
                root.mkdir(parents=True, exist_ok=True)
                _clear_abandoned(root)
                folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
            except OSError as error:
                raise OutputError(
                    f"could not make a folder for parked brains in {root}: {error}. Free some "
                    "space or set NINEBRAINS_HOME to another place."
                ) from error
            self._folder = folder
            self._delete = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return self._folder


def _weights_of(path: Path) -> set[str]:
    """The weights that a graph names; none where somebody deleted it."""
    return named_in(path.read_bytes()) if path.is_file() else set()


def _clear_abandoned(root: Path) -> None:
    for folder in root.iterdir():
        number = folder.name.partition("-")[0]
        if number.isdigit() and not _is_running(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
