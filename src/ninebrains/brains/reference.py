"""How training is remembered in few numbers, so that photos of later days can be held against it.

Training and hosts use the same steps and the same directions, so their numbers can be compared.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

STEP = 0.02
NUM_STEPS = 101
"""Steps of `unfamiliar`: 0 to 0.02, …, 1.98 to 2, and all above."""

NUM_DIRECTIONS = 32
_CHUNK = 4096

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def count_unfamiliar(scores: npt.NDArray[np.floating]) -> Counts:
    """How many of some `unfamiliar` scores [n] lie in each step, [NUM_STEPS]; NaN in none."""
    known = np.asarray(scores, np.float64)
    known = known[~np.isnan(known)]
    steps = np.clip(known / STEP, 0, NUM_STEPS - 1).astype(np.int64)
    return np.bincount(steps, minlength=NUM_STEPS)


def along_directions(features: npt.NDArray[np.floating]) -> Floats:
    """Features [n, D], scaled to length 1, seen along fixed directions, [n, NUM_DIRECTIONS].

    A few random directions keep distances between means well (Johnson and Lindenstrauss 1984), and
    random signs do as well as any (Achlioptas 2003). What a feature vector was cannot be got back.
    """
    directions = _directions(features.shape[1])
    parts = []
    for start in range(0, len(features), _CHUNK):
        part = features[start : start + _CHUNK].astype(np.float64)
        part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
        parts.append(part @ directions)
    return np.concatenate(parts) if parts else np.zeros((0, NUM_DIRECTIONS))


@lru_cache(maxsize=16)
def _directions(num_features: int) -> Floats:
    """Signs [D, NUM_DIRECTIONS], the same for ever: from a hash, not from a library's generator."""
    data = hashlib.shake_256(b"ninebrains directions").digest(num_features * NUM_DIRECTIONS // 8)
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(num_features, NUM_DIRECTIONS)
    return bits.astype(np.float64) * 2.0 - 1.0
