"""A brain's files as one file: an uncompressed zip with exactly one way to write it.

Every zip tool can read it. We read only what we would have written ourselves, byte for byte in
everything but the contents: no compression, encryption, links, extra fields, comments or padding,
nothing before, between or after the entries. So there is no second way to understand a file, which
is what zip attacks live on, and one brain has one file.

Format: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from ninebrains.brains.late import Buffer, held
from ninebrains.errors import BrainError

LARGEST_BYTES = 0xFFFF_FFFE  # 4 GiB: beyond it, zip needs its 64-bit extension
LARGEST_NUM_ENTRIES = 10_000
_NAME = re.compile(r"brain\.json|signature\.json|graph\.onnx|card\.md|weights/[0-9a-f]{64}")

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DOS_TIME, _DOS_DATE = 0, (1 << 5) | 1  # midnight on the 1st of January 1980
_VERSION_NEEDED, _MADE_BY_UNIX = 20, (3 << 8) | 20
_PERMISSIONS = 0o100644 << 16


def is_entry_name(name: str) -> bool:
    """Whether a brain may hold a file of this name."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class _Entry:
    name: bytes
    crc: int
    num_bytes: int
    offset: int

    def local_header(self) -> bytes:
        sizes = (self.crc, self.num_bytes, self.num_bytes)
        times = (_DOS_TIME, _DOS_DATE)
        return (
            _LOCAL.pack(b"PK\x03\x04", _VERSION_NEEDED, 0, 0, *times, *sizes, len(self.name), 0)
            + self.name
        )

    def central_header(self) -> bytes:
        sizes = (self.crc, self.num_bytes, self.num_bytes)
        versions = (_MADE_BY_UNIX, _VERSION_NEEDED)
        places = (len(self.name), 0, 0, 0, 0, _PERMISSIONS, self.offset)
        return (
            _CENTRAL.pack(b"PK\x01\x02", *versions, 0, 0, _DOS_TIME, _DOS_DATE, *sizes, *places)
            + self.name
        )

    @property
    def end(self) -> int:
        return self.offset + _LOCAL.size + len(self.name) + self.num_bytes


def write(file: IO[bytes], contents: Mapping[str, Buffer]) -> None:
    """Write files as one, in the order given.

    Raises:
        BrainError: they are more than a zip can hold without its 64-bit extension.
    """
    entries: list[_Entry] = []
    offset = 0
    for name, content in contents.items():
        data = held(content)
        entry = _Entry(name.encode("ascii"), zlib.crc32(data), len(data), offset)
        offset = entry.end
        entries.append(entry)
        if offset > LARGEST_BYTES or len(entries) > LARGEST_NUM_ENTRIES:
            raise BrainError(
                f"the brain is over {LARGEST_BYTES:,} bytes or {LARGEST_NUM_ENTRIES:,} files, too "
                "large for one file. Save it as a folder: choose a name that does not end in .brain"
            )
        file.write(entry.local_header())
        file.write(data)
    file.write(_directory(entries, offset))


def _directory(entries: list[_Entry], offset: int) -> bytes:
    headers = b"".join(entry.central_header() for entry in entries)
    counts = (0, 0, len(entries), len(entries))
    return headers + _END.pack(b"PK\x05\x06", *counts, len(headers), offset, 0)


def read(
    file: IO[bytes], num_bytes: int, late: Callable[[str, int, int], Buffer | None] | None = None
) -> dict[str, Buffer]:
    """Read what `write` wrote.

    Args:
        file: open for reading; must be able to seek.
        num_bytes: its size.
        late: is told each entry's name, where its content begins and its size; what it gives, if
            anything, stands for the content, which then is not read.

    Raises:
        BrainError: anything else; the message names the fault.
    """
    if not _END.size <= num_bytes <= LARGEST_BYTES:
        raise BrainError(f"the file has {num_bytes:,} bytes; too short or too long for a brain")
    entries = _read_directory(file, num_bytes)
    contents: dict[str, Buffer] = {}
    for entry in entries:
        name, header = entry.name.decode(), entry.local_header()
        file.seek(entry.offset)
        if file.read(len(header)) != header:
            raise BrainError(f"the header of {name} does not agree with the index")
        put_off = late(name, entry.offset + len(header), entry.num_bytes) if late else None
        if put_off is not None:
            contents[name] = put_off
            continue
        data = file.read(entry.num_bytes)
        if len(data) != entry.num_bytes or zlib.crc32(data) != entry.crc:
            raise BrainError(f"the content of {name} is damaged (checksum)")
        contents[name] = data
    return contents


def _read_directory(file: IO[bytes], num_bytes: int) -> list[_Entry]:
    """The entries, after checking that they are all there is."""
    file.seek(num_bytes - _END.size)
    end = file.read(_END.size)
    signature, _, _, _, count, directory_bytes, offset, _ = _END.unpack(end)
    if signature != b"PK\x05\x06":
        raise BrainError(
            "this is no brain: it does not end as a zip file does. It was cut short, something was "
            "added, or it is another kind of file"
        )
    if count > LARGEST_NUM_ENTRIES or offset + directory_bytes + _END.size != num_bytes:
        raise BrainError(
            f"the index says {count:,} entries before byte {offset:,} of {num_bytes:,}; the sizes "
            "do not add up"
        )
    file.seek(offset)
    directory = file.read(directory_bytes)
    entries = list(_parse(directory))
    _check_entries(entries, offset)
    if directory + end != _directory(entries, offset):
        raise BrainError(
            "the index holds what Ninebrains does not write (comments, extra fields or the 64-bit "
            "extension)"
        )
    return entries


def _parse(directory: bytes) -> Iterator[_Entry]:
    place = 0
    while place < len(directory):
        try:
            fields = _CENTRAL.unpack_from(directory, place)
        except struct.error:
            raise BrainError("the index is cut short") from None
        signature, _, _, flags, method, _, _, crc, packed, size = fields[:10]
        name_bytes, extra_bytes, comment_bytes, _, _, mode, offset = fields[10:]
        place += _CENTRAL.size
        name = directory[place : place + name_bytes]
        place += name_bytes + extra_bytes + comment_bytes
        shown = repr(name.decode("utf-8", "backslashreplace"))
        if signature != b"PK\x01\x02":
            raise BrainError("the index is damaged")
        if flags & 1:
            raise BrainError(f"the entry {shown} is encrypted; brains are not")
        if method != 0 or packed != size:
            raise BrainError(f"the entry {shown} is compressed; brains are stored as they are")
        if (mode >> 16) & 0o170000 == 0o120000:
            raise BrainError(f"the entry {shown} is a symbolic link; not allowed")
        if not is_entry_name(name.decode("ascii", "replace")):
            raise BrainError(f"the entry {shown} does not belong in a brain")
        yield _Entry(name, crc, size, offset)


def _check_entries(entries: list[_Entry], directory_offset: int) -> None:
    names = [entry.name for entry in entries]
    for name in names:
        if len(set(names)) < len(names) and names.count(name) > 1:
            raise BrainError(f"the entry {name.decode()!r} is there twice")
    expected = 0
    for entry in entries:
        if entry.offset != expected:
            raise BrainError(
                f"the entry {entry.name.decode()!r} begins at byte {entry.offset:,}; expected "
                f"{expected:,}. Entries overlap, or something lies between them"
            )
        expected = entry.end
    if expected != directory_offset:
        raise BrainError(
            f"the entries end at byte {expected:,}, the index begins at {directory_offset:,}; the "
            "sizes do not add up"
        )
