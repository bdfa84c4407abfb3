"""Photos to features: read, look up, decode and run the network, all overlapped, each photo once.

    path ──(threads)──► bytes, SHA-256 ──► cache? ──► facts, features
                              └─ miss ──► pixels, facts ──(batches)──► trunk ──► cache

Memory is bounded: only a few batches of photos are in flight. A photo that cannot be read becomes a
problem and the rest go on.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ninebrains.errors import PhotoError
from ninebrains.images import Contract, Limits, Pixels, decode, fit_pixels, read_photo
from ninebrains.photos import Photo, PhotoFacts, Problem, examine
from ninebrains.training.caching import FeatureCache, cache_key
from ninebrains.trunks import Trunk
from ninebrains.workers import map_ahead

BATCH = 32
_MOST_BYTES_IN_MEMORY = 2 * 1024**3
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Extraction:
    """Features of the photos that could be read, in the order of the data set.

    Attributes:
        places: index in the data set of each row.
        features: float32[n, D].
        mirrored: float32[n, D] of the mirrored photos, or None.
        facts: one for each row.
        problems: the photos that could not be read, and why.
        num_cached: rows that came from the cache.
        trouble: why the cache could not be used, or None.
    """

    places: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    mirrored: npt.NDArray[np.float32] | None
    facts: tuple[PhotoFacts, ...]
    problems: tuple[Problem, ...]
    num_cached: int
    trouble: str | None = None


def see(data: bytes, contract: Contract, limits: Limits) -> tuple[Pixels, PhotoFacts]:
    """Decode a photo once, for the network's input and for the audit."""
    pixels, info = decode(data, limits, (contract.width, contract.height))
    return fit_pixels(pixels, contract), examine(data, pixels, info)


@dataclass
class _Item:
    """One photo on its way."""

    place: int
    sha256: str
    facts: PhotoFacts | None = None
    pixels: Pixels | None = None
    vectors: list[npt.NDArray[np.float32]] = field(default_factory=list)


@dataclass(frozen=True)
class _Failure:
    place: int
    reason: str


def extract(
    trunk: Trunk,
    photos: Sequence[Photo],
    *,
    limits: Limits,
    flip: bool = False,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> Extraction:
    """Features of `photos`.

    Args:
        trunk: the network.
        photos: of a data set.
        limits: bytes and pixels that a photo may have.
        flip: also of the mirrored photos.
        cache: where features are looked up and kept; by default the user's own.
        progress: called with (done, total) after each photo.
    """
    with cache if cache is not None else FeatureCache() as open_cache:
        work = _Work(trunk, limits, open_cache, 2 if flip else 1)
        features = _allocate(len(photos), trunk.num_features * work.num_views)
        places: list[int] = []
        facts: list[PhotoFacts] = []
        problems: list[Problem] = []
        for done, item in enumerate(work.run(photos), start=1):
            if isinstance(item, _Failure):
                problems.append(Problem(photos[item.place].name, item.reason))
            else:
                assert item.facts is not None
                features[len(places)] = np.concatenate(item.vectors)
                places.append(item.place)
                facts.append(item.facts)
            if progress is not None:
                progress(done, len(photos))
    size = trunk.num_features
    return Extraction(
        places=np.array(places, dtype=np.int64),
        features=features[: len(places), :size],
        mirrored=features[: len(places), size:] if flip else None,
        facts=tuple(facts),
        problems=tuple(problems),
        num_cached=work.num_cached,
        trouble=open_cache.trouble,
    )


def _allocate(num_rows: int, num_columns: int) -> npt.NDArray[np.float32]:
    """A matrix in memory, or in an unnamed file where it would take more than 2 GiB."""
    if num_rows * num_columns * 4 <= _MOST_BYTES_IN_MEMORY:
        return np.empty((num_rows, num_columns), np.float32)
    with tempfile.TemporaryFile(prefix="ninebrains-features-") as file:
        return np.memmap(file, np.float32, "w+", shape=(num_rows, num_columns))


class _Work:
    """The pipeline's fixed parts, and its count of cache hits."""

    def __init__(self, trunk: Trunk, limits: Limits, cache: FeatureCache, num_views: int) -> None:
        import onnxruntime

        self.trunk, self.limits, self.cache = trunk, limits, cache
        self.num_views = num_views
        self.num_cached = 0
        self.scope = (trunk.hash, trunk.contract.fingerprint, onnxruntime.__version__)

    def run(self, photos: Sequence[Photo]) -> Iterator[_Item | _Failure]:
        """Finished photos in order; batches go through the network as they fill."""
        waiting: deque[_Item | _Failure] = deque()
        batch: list[_Item] = []
        for item in map_ahead(self._prepare, enumerate(photos), ahead=3 * BATCH):
            waiting.append(item)
            if isinstance(item, _Item) and item.pixels is not None:
                batch.append(item)
                if len(batch) == BATCH:
                    self._compute(batch)
                    batch = []
            while waiting and (isinstance(waiting[0], _Failure) or waiting[0].vectors):
                yield waiting.popleft()
        if batch:
            self._compute(batch)
        yield from waiting

    def _prepare(self, numbered: tuple[int, Photo]) -> _Item | _Failure:
        place, photo = numbered
        try:
            data = read_photo(photo.path, self.limits)
            item = _Item(place, hashlib.sha256(data).hexdigest())
            if self._from_cache(item):
                return item
            item.pixels, item.facts = see(data, self.trunk.contract, self.limits)
        except PhotoError as error:
            return _Failure(place, str(error))
        return item

    def _key(self, sha256: str, view: int) -> bytes:
        return cache_key(sha256, *self.scope, "mirrored" if view else "plain")

    def _from_cache(self, item: _Item) -> bool:
        found = [self.cache.get(self._key(item.sha256, view)) for view in range(self.num_views)]
        if any(value is None for value in found):
            return False
        vector_bytes = 4 * self.trunk.num_features
        for value in found:
            assert value is not None
            item.vectors.append(np.frombuffer(value[:vector_bytes], np.float32))
            item.facts = PhotoFacts.from_bytes(value[vector_bytes:])
        self.num_cached += 1
        return True

    def _compute(self, batch: list[_Item]) -> None:
        pixels = np.stack([item.pixels for item in batch if item.pixels is not None])
        entries: list[tuple[bytes, bytes]] = []
        for view in range(self.num_views):
            features = self.trunk.run(pixels if view == 0 else pixels[:, :, ::-1])
            for item, vector in zip(batch, features, strict=True):
                assert item.facts is not None
                item.vectors.append(vector)
                value = vector.tobytes() + item.facts.to_bytes()
                entries.append((self._key(item.sha256, view), value))
        for item in batch:
            item.pixels = None
        self.cache.put(entries)
