"""Weights that are read from their file when they are needed, and checked then."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, Union

from ninebrains.errors import BrainError

Buffer: TypeAlias = Union[bytes, memoryview, "LateWeight"]
"""A tensor's raw little-endian bytes, or where they lie. `held` gives the bytes of either."""


@dataclass(frozen=True)
class LateWeight:
    """Bytes in a file, known by their SHA-256.

    Of a brain on a trunk that is running already, only the head has to be read at all.

    Attributes:
        path: of the file.
        offset: where in it they begin.
        num_bytes: how many.
        name: their SHA-256 (hex).
    """

    path: Path
    offset: int
    num_bytes: int
    name: str

    def __len__(self) -> int:
        return self.num_bytes

    def __bytes__(self) -> bytes:
        """Read them.

        Raises:
            BrainError: the file is gone, or no longer holds them there.
        """
        try:
            # A path that has become a pipe meanwhile must not block.
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(self.path, flags), "rb") as file:
                file.seek(self.offset)
                data = file.read(self.num_bytes)
        except OSError as error:
            raise BrainError(
                f"{self.path}: weights/{self.name} cannot be read: {error.strerror or error}"
            ) from error
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.name:
            raise BrainError(
                f"{self.path}: weights/{self.name} is damaged: the SHA-256 of its content is "
                f"{digest}"
            )
        return data


def held(data: Buffer) -> bytes | memoryview:
    """The bytes themselves, read now if they were not yet.

    Raises:
        BrainError: they cannot be read, or are damaged.
    """
    return bytes(data) if isinstance(data, LateWeight) else data
