"""Which way of running a segment is the fastest on this machine, and still right?

Every backend, number of threads, precision and batch is timed against the reference, ONNX Runtime
in fp32 on all cores, and its outputs on calibration photos are compared with the reference's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ninebrains.brains.graph import Graph
from ninebrains.errors import BrainError
from ninebrains.mind.backends import (
    REFERENCE,
    Array,
    Precision,
    Runner,
    available,
    backend,
    release_memory,
)
from ninebrains.mind.tuning.agreeing import Agreement, Answers, compare
from ninebrains.mind.tuning.choices import Choice
from ninebrains.mind.tuning.trials import Trial, Tuning, best
from ninebrains.workers import usable_cores

BATCHES = (1, 4, 16)
_FEWEST_ROUNDS, _MOST_ROUNDS = 3, 25

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]
Top = Callable[[Answers], Answers]
"""From the segment's outputs to what each brain says first, [N] or [N, ...] by its name."""


def tune(
    graph: Graph,
    feeds: Mapping[str, Array],
    *,
    top: Top | None = None,
    variants: Mapping[Precision, Graph] | None = None,
    ways: Sequence[Choice] | None = None,
    batches: Sequence[int] = BATCHES,
    seconds: float = 1.0,
    progress: Progress | None = None,
) -> Tuning:
    """Find the fastest way to run a segment that agrees with the reference.

    Args:
        graph: the segment, in float32.
        feeds: what its inputs are for the calibration photos, by name: photos uint8[N, H, W, 3]
            for a segment that begins there. 200 photos or more, such as it will see in use.
        top: what the brains on it say first; without, only the outputs are compared.
        variants: the segment made for a precision in advance. There is no int8 without: it needs
            a graph that was quantised on calibration photos.
        ways: what to try beside the reference; by default `all_ways()`. Their batches are not
            looked at.
        batches: photos in one run; 1 is always tried.
        seconds: to spend on one timing.
        progress: is called with (done, total).

    Raises:
        BrainError: the reference itself cannot run the segment, or there are no photos.
    """
    counts = {name: len(value) for name, value in feeds.items()}
    if len(set(counts.values())) != 1 or not all(counts.values()):
        raise BrainError(f"calibration photos are missing: got {counts}; expected as many of each")
    bench = _Bench(graph, feeds, sorted({1, *batches}), top, seconds)
    ways = list(all_ways(variants or {}) if ways is None else ways)
    trials = list(bench.reference_trials())
    for place, way in enumerate(ways):
        if progress is not None:
            progress(place, len(ways))
        trials += bench.trials(way, (variants or {}).get(way.precision, graph))
    if progress is not None:
        progress(len(ways), len(ways))
    choice, speedup = best(trials)
    return Tuning(tuple(trials), choice, speedup, bench.num_photos, bench.unrest)


class _Bench:
    """The reference at work, for timing others beside it and comparing with it."""

    def __init__(
        self,
        graph: Graph,
        feeds: Mapping[str, Array],
        batches: Sequence[int],
        top: Top | None,
        seconds: float,
    ) -> None:
        self.feeds = feeds
        self.num_photos = len(next(iter(feeds.values())))
        self.batches = batches
        self.top = top or (lambda _outputs: {})
        self.seconds = seconds
        self.outputs = _output_names(graph)
        self.run = backend(REFERENCE).compile(graph, threads=usable_cores())
        self.expected = self._answers(self.run)
        self.expected_top = self.top(self.expected)
        times = {batch: self._pairs(self.run, batch)[:, 1] for batch in batches}
        self.ms = {batch: 1000 * float(np.median(of)) / batch for batch, of in times.items()}
        self.unrest = max(_unrest(of) for of in times.values())

    def reference_trials(self) -> Iterator[Trial]:
        """How fast the reference is."""
        for batch in self.batches:
            choice = Choice(REFERENCE, usable_cores(), batch)
            yield Trial(choice, self.ms[batch], 1.0, None, None)

    def trials(self, way: Choice, graph: Graph) -> Iterator[Trial]:
        """Try one way with every batch."""
        try:
            run = backend(way.backend).compile(graph, threads=way.threads, precision=way.precision)
            agreement = self._agreement(run)
            times = {batch: self._pairs(run, batch) for batch in self.batches}
        except BrainError as error:
            yield Trial(way, None, None, None, str(error))
            return
        del run
        release_memory()
        for batch, pairs in times.items():
            ratio = float(np.median(pairs[:, 1] / pairs[:, 0]))
            choice = Choice(way.backend, way.threads, batch, way.precision)
            ms = self.ms[batch] / ratio
            yield Trial(choice, ms, ratio, agreement, agreement.objection)

    def _agreement(self, run: Runner) -> Agreement:
        found = self._answers(run)
        return compare(found, self.expected, our_top=self.top(found), their_top=self.expected_top)

    def _answers(self, run: Runner) -> Answers:
        """The outputs for all photos, with each size of batch in turn."""
        parts = []
        start = turn = 0
        while start < self.num_photos:
            size = self.batches[turn % len(self.batches)]
            rows = {name: value[start : start + size] for name, value in self.feeds.items()}
            parts.append(run(rows, self.outputs))
            start, turn = start + size, turn + 1
        columns = zip(*parts, strict=True)
        return {
            name: np.concatenate(part) for name, part in zip(self.outputs, columns, strict=True)
        }

    def _pairs(self, run: Runner, batch: int) -> Floats:
        """Seconds of `run` and of the reference right after it, float64[rounds, 2]."""
        places = np.arange(batch) % self.num_photos
        rows = {name: value[places] for name, value in self.feeds.items()}
        for warmed in (run, self.run, run):  # the first run of a shape prepares for it
            warmed(rows, self.outputs)
        pair = self._seconds(run, rows), self._seconds(self.run, rows)
        rounds = int(np.clip(self.seconds / sum(pair), _FEWEST_ROUNDS, _MOST_ROUNDS))
        return np.array(
            [(self._seconds(run, rows), self._seconds(self.run, rows)) for _ in range(rounds)]
        )

    def _seconds(self, run: Runner, rows: Mapping[str, Array]) -> float:
        start = time.perf_counter()
        run(rows, self.outputs)
        return time.perf_counter() - start


def all_ways(variants: Collection[Precision] = ()) -> Iterator[Choice]:
    """Every installed backend with 1, 2, 4, ... threads, up to all cores, in each precision.

    Args:
        variants: precisions that there is a variant of the segment for.
    """
    for name in available():
        for precision in backend(name).precisions():
            if precision == "int8" and precision not in variants:
                continue
            for count in _thread_counts():
                way = Choice(name, count, None, precision)
                if way != Choice(REFERENCE, usable_cores()):
                    yield way


def _thread_counts() -> list[int]:
    cores = usable_cores()
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})


def _unrest(seconds: Floats) -> float:
    low, middle, high = np.quantile(seconds, (0.1, 0.5, 0.9))
    return float((high - low) / middle)


def _output_names(graph: Graph) -> list[str]:
    import onnx

    model = onnx.load_model_from_string(graph.data)
    return [value.name for value in model.graph.output]
