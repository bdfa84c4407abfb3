"""The trunk `octo`, which comes with Ninebrains.

Its folder in the package is that of any kept trunk, but for the weights: a large one is kept as
8-bit numbers and a factor for each output channel, and is multiplied out when it is loaded. Single
precision does that the same way everywhere, so the weights still match the hashes that the graph
names them by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from importlib.resources.abc import Traversable
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ninebrains.brains.graph import Graph
from ninebrains.errors import TrunkError
from ninebrains.trunks.record import TrunkRecord
from ninebrains.trunks.trunk import Trunk

NAME = "octo"
FILES = ("trunk.json", "graph.onnx", "weights.npz")
FACTOR = "factor"  # of a weight kept as 8-bit numbers: `<sha256>` beside `<sha256>.factor`


def folder() -> Traversable:
    """Where its files are: an ordinary folder, or a place inside an archive."""
    return resources.files("ninebrains.trunks") / NAME


def read_record() -> TrunkRecord:
    """What is known about it.

    Raises:
        TrunkError: its files were changed after Ninebrains was installed.
    """
    with _noticing_changes():
        return TrunkRecord.model_validate_json((folder() / "trunk.json").read_bytes())


def read_card() -> str:
    """What it learnt from, how good it is and for what, in Markdown.

    Raises:
        TrunkError: it is missing.
    """
    with _noticing_changes():
        return (folder() / "card.md").read_text(encoding="utf-8")


def size_bytes() -> int:
    """What its files take up.

    Raises:
        TrunkError: one is missing.
    """
    with _noticing_changes():
        return sum(len((folder() / name).read_bytes()) for name in FILES)


def load() -> Trunk:
    """The trunk.

    Raises:
        TrunkError: its files were changed after Ninebrains was installed.
    """
    record = read_record()
    with _noticing_changes():
        with (folder() / "weights.npz").open("rb") as file, np.load(file) as kept:
            names = [name for name in kept.files if not name.endswith(FACTOR)]
            weights = {name: _expanded(name, kept) for name in names}
        graph = Graph((folder() / "graph.onnx").read_bytes(), weights)
        for name, raw in weights.items():
            if hashlib.sha256(raw).hexdigest() != name:
                raise ValueError(f"weight {name} is another one")
        if graph.hash != record.hash:
            raise ValueError("graph.onnx is another one")
    return record.trunk(graph)


@contextmanager
def _noticing_changes() -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise TrunkError(
            f"files of the trunk {NAME!r}, which comes with Ninebrains, are damaged or missing "
            f"in {folder()}. Install Ninebrains again."
        ) from error


def multiplied(numbers: npt.NDArray[np.int8], factors: npt.NDArray[np.float32]) -> bytes:
    """The bytes of the weight [O, ...] that 8-bit numbers and factors [O] stand for."""
    shape = (-1, *[1] * (numbers.ndim - 1))
    return (numbers.astype(np.float32) * factors.reshape(shape)).tobytes()


def _expanded(name: str, kept: np.lib.npyio.NpzFile) -> bytes:
    factors = f"{name}.{FACTOR}"
    array = kept[name]
    return multiplied(array, kept[factors]) if factors in kept else array.tobytes()
