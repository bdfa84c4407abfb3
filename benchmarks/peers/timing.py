"""One photo through N models of a peer, timed. Runs in each peer's own environment.

A peer's script is called with one argument, JSON:

    models    files, one a brain
    pixels    .npy file of uint8[photos, H, W, 3], as the networks take it
    setting   how the peer is to run (see the script)
    threads   inside one run of one model
    pool      threads that run models side by side; 1 runs one model after the other
    seconds   to measure for, after a fifth of it to warm up

It prints, as its last line, the milliseconds of each photo through all models, the scores of the
first photo for each model, and the peer's version.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

Scores = Any
Answer = Callable[[np.ndarray], Scores]


@dataclass(frozen=True)
class Told:
    """What the benchmark asks of a peer."""

    models: list[str]
    pixels: str
    setting: str
    threads: int
    pool: int
    seconds: float


def told() -> Told:
    """The script's argument."""
    return Told(**json.loads(sys.argv[1]))


def measure(answers: Sequence[Answer], asked: Told, version: str) -> None:
    """Time all models on one photo after the other and print what was found.

    Args:
        answers: one a model; takes uint8[1, H, W, 3] and gives `scores`, `features` and
            `unfamiliar`, computed when it returns.
        asked: from `told`.
        version: of the peer.
    """
    photos = np.load(asked.pixels)
    with ThreadPoolExecutor(asked.pool) as pool:

        def through_all(photo: np.ndarray) -> list[Scores]:
            if asked.pool == 1:
                return [answer(photo) for answer in answers]
            return list(pool.map(lambda answer: answer(photo), answers))

        first = [np.asarray(found[0], np.float32).tolist() for found in through_all(photos[:1])]
        _timed(through_all, photos, asked.seconds / 5)
        took = _timed(through_all, photos, asked.seconds)
    print(json.dumps({"ms": took, "scores": first, "version": version}))


def _timed(run: Callable[[np.ndarray], object], photos: np.ndarray, seconds: float) -> list[float]:
    """Milliseconds of each run: whole rounds of the photos until the time is over."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not took:
        for row in range(len(photos)):
            before = time.perf_counter()
            run(photos[row : row + 1])
            took.append(1000 * (time.perf_counter() - before))
    return took
