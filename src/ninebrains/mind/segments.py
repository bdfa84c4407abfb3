"""A segment: a piece of graph that is compiled and run as one unit."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ninebrains.errors import BrainError, NinebrainsError
from ninebrains.mind.backends import release_memory
from ninebrains.mind.forms.cutting import Step
from ninebrains.mind.forms.form import Shape
from ninebrains.mind.scheduling.costs import CostModel

if TYPE_CHECKING:
    from ninebrains.mind.backends import Runner
    from ninebrains.mind.tuning.choices import Choice

Array = npt.NDArray[np.generic]
Values = Mapping[str, Array]


class Segment:
    """Some steps of a network, compiled. It never changes; many threads may run it.

    Whoever holds a reference may run it: a request that is on its way keeps the segments it began
    with, and their memory goes with the last of them.

    Attributes:
        start: hash of the value that it reads.
        steps: what it consists of; the last one's `end` is what further segments read.
        outputs: hashes of the values that it can give.
        hash: stands for what it computes, on every machine: of `start` and `outputs`.
        at_once: photos that one run may hold; None for any number.
        choice: how it was compiled.
        cost: learned from its runs, in seconds by number of photos.
        num_runs: so far.
    """

    def __init__(
        self,
        start: str,
        steps: Sequence[Step],
        shapes: Mapping[str, Shape],
        runner: Runner,
        choice: Choice,
    ) -> None:
        self.start = start
        self.steps = tuple(steps)
        self.outputs = tuple(shapes)
        self.hash = segment_hash(start, self.outputs)
        self.at_once: int | None = None
        self.choice = choice
        self.cost = CostModel()
        self.num_runs = 0
        self._cost_lock = threading.Lock()
        self._shapes = dict(shapes)
        self._compiled = [runner]
        weakref.finalize(self, _let_go, self._compiled, os.getpid()).atexit = False

    @property
    def end(self) -> str:
        """Hash of the value that further segments read."""
        return self.steps[-1].end

    @property
    def multiplications(self) -> float:
        """For one photo."""
        return sum(step.cost for step in self.steps)

    @property
    def num_bytes(self) -> int:
        """Of its weights."""
        return sum(step.num_bytes for step in self.steps)

    def forget_costs(self) -> None:
        """Begin to learn anew: first runs, which take longer, say nothing about later ones."""
        with self._cost_lock:
            self.cost, self.num_runs = CostModel(), 0

    def run(self, given: Array, outputs: Sequence[str]) -> list[Array]:
        """Compute some of `outputs` for a batch.

        Args:
            given: the value `start`, one row a photo.
            outputs: hashes.

        Raises:
            BrainError: the network fails, or gives what it had not promised.
        """
        if not outputs:
            return []
        before = time.perf_counter()
        if self.at_once is None or len(given) <= self.at_once:
            found = self._run(given, outputs)
        else:
            parts = [
                self._run(given[place : place + self.at_once], outputs)
                for place in range(0, len(given), self.at_once)
            ]
            found = [np.concatenate(rows) for rows in zip(*parts, strict=True)]
        with self._cost_lock:
            self.num_runs += 1
            self.cost.observe(len(given), time.perf_counter() - before)
        return found

    def _run(self, given: Array, outputs: Sequence[str]) -> list[Array]:
        try:
            found = self._compiled[0]({self.start: given}, outputs)
        except NinebrainsError:
            raise
        except Exception as error:
            raise BrainError(f"the network failed: {error}") from error
        for name, value in zip(outputs, found, strict=True):
            expected = (len(given), *self._shapes[name][1:])
            if value.shape != expected:
                raise BrainError(
                    f"the network gave a value of the shape {list(value.shape)} for {len(given)} "
                    f"photos; expected {list(expected)}"
                )
        return found


_LOST: list[list[Runner]] = []


def _let_go(compiled: list[Runner], process: int) -> None:
    """Free what was compiled, and give its memory back: nobody holds the segment any more."""
    if os.getpid() != process:
        _LOST.append(compiled)  # the threads of its runtime are not in this process to end it
        return
    compiled.clear()
    release_memory()


def segment_hash(start: str, outputs: Sequence[str]) -> str:
    """SHA-256 (hex) of what a segment computes: the same on every machine and in any company."""
    return hashlib.sha256(f"{start} > {' '.join(sorted(outputs))}".encode()).hexdigest()
