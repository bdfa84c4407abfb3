"""The structure of an HDF5 file, looked over before anything of it is used.

HDF5 can lead a reader to other files (external links, external storage, virtual data sets), let it
load libraries (filters), and claim much more than it stores. A network's weights need none of it.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

from ninebrains.errors import TrunkError

LARGEST_WEIGHTS_BYTES = 2 * 1024**3
_MOST_OBJECTS = 100_000
_DEEPEST = 64
_MOST_EXPANSION = 20  # declared bytes by stored bytes, of compressed weights
_LARGEST_TEXT_BYTES = 16 * 1024**2
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# deflate, shuffle and checksum, which are part of the library; others are libraries of their own.
_OWN_FILTERS = (1, 2, 3)


@dataclass(frozen=True)
class Weights:
    """What an HDF5 file holds.

    Attributes:
        data: the whole file.
        num_values: numbers in all data sets together.
        config: the network's configuration as JSON, where the file has one.
        layer_names: of the layers that have weights, where the file says them (older files do).
    """

    data: bytes
    num_values: int
    config: str | None
    layer_names: tuple[str, ...]


def read_weights(data: bytes, file_name: str) -> Weights:
    """Look over a whole HDF5 file.

    Raises:
        TrunkError: it is none, or holds what weights do not need.
    """
    import h5py  # type: ignore[import-untyped]

    if not data.startswith(_SIGNATURE):
        raise TrunkError(f"{file_name} is not an HDF5 file; expected one that Keras has saved.")
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            values = _Look(file_name).over(file)
            config = _text(file, "model_config", file_name)
            group = file.get("model_weights", file)
            names = tuple(_texts(group, "layer_names"))
            return Weights(data, values, config, _with_weights(group, names))
    except TrunkError:
        raise
    except Exception as error:
        raise TrunkError(
            f"{file_name} is a damaged HDF5 file: {error}. Save or copy it again."
        ) from error


class _Look:
    """Walks through all that a file holds."""

    def __init__(self, file_name: str) -> None:
        self.file_name = file_name
        self.num_objects = 0
        self.num_values = 0
        self.num_bytes = 0
        self.seen: set[int] = set()

    def over(self, group: Any, depth: int = 0) -> int:  # noqa: ANN401 - an h5py group
        """Look at a group and everything below; give the number of values so far.

        Raises:
            TrunkError: something is there that weights do not need.
        """
        import h5py

        address = h5py.h5o.get_info(group.id).addr
        if address in self.seen or depth > _DEEPEST:
            raise self.fault(f"the group {group.name!r} holds itself, or lies too deep")
        self.seen.add(address)
        for name in group:
            self.num_objects += 1
            if self.num_objects > _MOST_OBJECTS:
                raise self.fault(f"more than {_MOST_OBJECTS:,} groups and data sets")
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise self.fault(f"{name!r} is a link to another place ({type(link).__name__})")
            thing = group[name]
            if isinstance(thing, h5py.Group):
                self.over(thing, depth + 1)
            elif isinstance(thing, h5py.Dataset):
                self.look_at(thing)
            else:
                raise self.fault(f"{name!r} is a {type(thing).__name__}")
        return self.num_values

    def look_at(self, data_set: Any) -> None:  # noqa: ANN401
        """One data set."""
        plist = data_set.id.get_create_plist()
        filters = [plist.get_filter(place)[0] for place in range(plist.get_nfilters())]
        if data_set.external or data_set.is_virtual:
            raise self.fault(f"the weight {data_set.name!r} lies in another file")
        if any(number not in _OWN_FILTERS for number in filters):
            raise self.fault(f"the weight {data_set.name!r} needs the filters {filters}")
        if data_set.shape is None or data_set.dtype.kind not in "fiubV":
            raise self.fault(f"the weight {data_set.name!r} holds {data_set.dtype} values")
        claimed = math.prod(data_set.shape) * data_set.dtype.itemsize
        stored = data_set.id.get_storage_size()
        if claimed > 4096 and claimed > _MOST_EXPANSION * stored:
            raise self.fault(
                f"the weight {data_set.name!r} claims {claimed:,} bytes and stores {stored:,}"
            )
        self.num_bytes += claimed
        self.num_values += math.prod(data_set.shape)
        if self.num_bytes > LARGEST_WEIGHTS_BYTES:
            raise self.fault(f"more than {LARGEST_WEIGHTS_BYTES:,} bytes of weights")

    def fault(self, found: str) -> TrunkError:
        """The error for something that should not be there."""
        return TrunkError(
            f"{self.file_name} is refused: {found}. Expected plain groups and data sets of numbers "
            "inside this one file, as Keras saves them."
        )


def _text(file: Any, name: str, file_name: str) -> str | None:  # noqa: ANN401
    """An attribute that is text."""
    if name not in file.attrs:
        return None
    attribute = file.attrs.get_id(name)
    if attribute.shape not in ((), (1,)) or attribute.dtype.kind not in "OS":
        raise TrunkError(f"{file_name}: its {name} is no text; expected JSON as Keras saves it.")
    value = file.attrs[name]
    if not isinstance(value, (str, bytes)):
        value = value.reshape(-1)[0]
    text = value.decode() if isinstance(value, bytes) else str(value)
    if len(text) > _LARGEST_TEXT_BYTES:
        raise TrunkError(
            f"{file_name}: its {name} has {len(text):,} characters; the limit is "
            f"{_LARGEST_TEXT_BYTES:,}."
        )
    return text


def _texts(group: Any, name: str) -> list[str]:  # noqa: ANN401
    """An attribute that is a list of texts; long ones are kept in parts, name0, name1 and so on."""
    parts = [name] if name in group.attrs else []
    while not parts or parts[-1] != name:
        part = f"{name}{len(parts)}"
        if part not in group.attrs:
            break
        parts.append(part)
    found = [entry for part in parts for entry in group.attrs[part]]
    return [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in found]


def _with_weights(group: Any, names: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ANN401
    """Of these layers, those that have weights."""
    return tuple(name for name in names if name in group and _texts(group[name], "weight_names"))
