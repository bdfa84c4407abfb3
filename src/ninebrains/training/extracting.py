"""Photos to features: each photo read, looked up, decoded and run through the network once.

    path ──► bytes, SHA-256 ──► cache? ──► facts, features          in as many threads as cores
                      └─ miss ──► pixels, facts ──► trunk ──► cache

Memory is bounded: only a few photos are in flight. A photo that cannot be read becomes a
problem and the rest go on.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class _Item:
    """What is known of a photo: a vector for each view, and what the cache should learn."""

    facts: PhotoFacts
    vectors: tuple[npt.NDArray[np.float32], ...]
    fresh: tuple[tuple[bytes, bytes], ...] = ()


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
        fresh: list[tuple[bytes, bytes]] = []
        num_computed = 0
        items = map_ahead(work.see_or_fail, photos, ahead=3 * BATCH)
        for place, item in enumerate(items):
            if isinstance(item, PhotoError):
                problems.append(Problem(photos[place].name, str(item)))
            else:
                features[len(places)] = np.concatenate(item.vectors)
                places.append(place)
                facts.append(item.facts)
                fresh += item.fresh
                num_computed += bool(item.fresh)
            if len(fresh) >= BATCH:
                open_cache.put(fresh)
                fresh = []
            if progress is not None:
                progress(place + 1, len(photos))
        open_cache.put(fresh)
    size = trunk.num_features
    return Extraction(
        places=np.array(places, dtype=np.int64),
        features=features[: len(places), :size],
        mirrored=features[: len(places), size:] if flip else None,
        facts=tuple(facts),
        problems=tuple(problems),
        num_cached=len(places) - num_computed,
        trouble=open_cache.trouble,
    )


def recall(
    trunk: Trunk, sha256s: Sequence[str], cache: FeatureCache
) -> Iterator[tuple[npt.NDArray[np.float32], PhotoFacts] | None]:
    """Features and facts that the cache has of photos with these contents; None where it has none.

    Their files are not looked at.
    """
    work = _Work(trunk, Limits(), cache, num_views=1)
    for sha256 in sha256s:
        item = work.from_cache(sha256)
        yield None if item is None else (item.vectors[0], item.facts)


def _allocate(num_rows: int, num_columns: int) -> npt.NDArray[np.float32]:
    """A matrix in memory, or in an unnamed file where it would take more than 2 GiB."""
    if num_rows * num_columns * 4 <= _MOST_BYTES_IN_MEMORY:
        return np.empty((num_rows, num_columns), np.float32)
    with tempfile.TemporaryFile(prefix="ninebrains-features-") as file:
        return np.memmap(file, np.float32, "w+", shape=(num_rows, num_columns))


class _Work:
    """What every thread does with a photo.

    Each takes its photos through the network by itself, on one core: nobody waits for the others,
    which is faster than sharing out the work on one batch.
    """

    def __init__(self, trunk: Trunk, limits: Limits, cache: FeatureCache, num_views: int) -> None:
        import onnxruntime

        self.trunk, self.limits, self.cache = trunk, limits, cache
        self.num_views = num_views
        self.scope = (trunk.hash, trunk.contract.fingerprint, onnxruntime.__version__)
        trunk.session(threads=1)  # compiled before the threads come

    def see_or_fail(self, photo: Photo) -> _Item | PhotoError:
        """Features and facts of one photo."""
        try:
            data = read_photo(photo.path, self.limits)
            sha256 = hashlib.sha256(data).hexdigest()
            return self.from_cache(sha256) or self._compute(sha256, data)
        except PhotoError as error:
            return error

    def _keys(self, sha256: str) -> list[bytes]:
        views = ("plain", "mirrored")[: self.num_views]
        return [cache_key(sha256, *self.scope, view) for view in views]

    def from_cache(self, sha256: str) -> _Item | None:
        """What the cache has of a photo, or None."""
        found = [self.cache.get(key) for key in self._keys(sha256)]
        values = [value for value in found if value is not None]
        if len(values) < self.num_views:
            return None
        size = 4 * self.trunk.num_features
        vectors = tuple(np.frombuffer(value[:size], np.float32) for value in values)
        return _Item(PhotoFacts.from_bytes(values[0][size:]), vectors)

    def _compute(self, sha256: str, data: bytes) -> _Item:
        pixels, facts = see(data, self.trunk.contract, self.limits)
        views = (pixels, pixels[:, ::-1])[: self.num_views]
        vectors = tuple(self.trunk.run(view[None], threads=1)[0] for view in views)
        values = [vector.tobytes() + facts.to_bytes() for vector in vectors]
        return _Item(facts, vectors, tuple(zip(self._keys(sha256), values, strict=True)))
