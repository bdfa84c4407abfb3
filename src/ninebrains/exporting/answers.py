"""What a brain, or an export of it, gave for photos: the same thing from both, to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from ninebrains.brains import Brain
from ninebrains.errors import PhotoError
from ninebrains.images import prepare

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """Answers on those of the asked photos that could be read.

    Attributes:
        places: int64[n], the place of each photo among those asked, ascending.
        outputs: by name, n rows each.
        ms: float[n], milliseconds in the network, one photo at a time.
        failed: why the others could not be read, by place.
        runner: what computed them, for people.
        packages: versions of what computed them.
        memory_mib: the most that its process held, where that is known.
        not_run: parts of it that something else stood in for, and why.
    """

    places: npt.NDArray[np.int64]
    outputs: Mapping[str, Floats]
    ms: npt.NDArray[np.float64]
    failed: Mapping[int, str]
    runner: str
    packages: Mapping[str, str] = field(default_factory=dict)
    memory_mib: float | None = None
    not_run: tuple[str, ...] = ()

    def at(self, places: npt.NDArray[np.int64]) -> dict[str, Floats]:
        """The outputs on these places only, all of which it must have."""
        rows = np.searchsorted(self.places, places)
        return {name: values[rows] for name, values in self.outputs.items()}


def ask_brain(brain: Brain, photos: Sequence[Path]) -> Answers:
    """All that the brain itself tells of photos, from their bytes on, one at a time as a user asks.

    Its features are no answer, and left out.

    Raises:
        BrainError: the network fails.
    """
    outputs = [name for name in brain.outputs if name != "features"]
    places: list[int] = []
    times: list[float] = []
    failed: dict[int, str] = {}
    rows: dict[str, list[Floats]] = {name: [] for name in outputs}
    for place, photo in enumerate(photos):
        try:
            pixels = prepare(photo, brain.contract)[None]
        except PhotoError as error:
            failed[place] = str(error)
            continue
        start = perf_counter()
        given = brain.compute(pixels, outputs)
        times.append((perf_counter() - start) * 1000)
        places.append(place)
        for name, values in given.items():
            rows[name].append(values[0])
    return Answers(
        places=np.array(places, np.int64),
        outputs={name: np.array(values, np.float32) for name, values in rows.items()},
        ms=np.array(times),
        failed=failed,
        runner="the brain in ONNX Runtime",
    )
