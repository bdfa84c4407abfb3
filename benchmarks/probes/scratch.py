"""Arrays that were computed before, kept by everything that decides their value."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ninebrains.places import replacing


def digest(*parts: str | bytes) -> str:
    """SHA-256 (hex) that stands for all parts, in order."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(f"{len(data)}:".encode() + data)
    return whole.hexdigest()


class Scratch:
    """A folder of arrays; whoever deletes it loses nothing but time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def array(self, key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The array kept under `key`, computed now if there is none."""
        path = self.folder / key[:2] / f"{key}.npy"
        if path.exists():
            return np.load(path, allow_pickle=False)
        value = compute()
        with replacing(path) as file:
            np.save(file, value, allow_pickle=False)
        return value
