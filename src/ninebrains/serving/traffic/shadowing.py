"""`Shadowing`: versions that run along with an answer, so that what they say can be compared.

A photo is sent to them when its answer has been given, behind all that anybody waits for, and
not at all while the mind is busy. So nobody's answer is later for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future

from ninebrains.brains import Inference
from ninebrains.errors import BrainError, ClosedError, NinebrainsError, OverloadError
from ninebrains.images import PhotoSource
from ninebrains.mind import Inferences, Mind
from ninebrains.serving.asking import Answered, Asker, Chosen
from ninebrains.serving.traffic.counts import Counts
from ninebrains.serving.traffic.traffic import Traffic

_Pairs = Sequence[tuple[Answered, Chosen]]
"""An answer that was given, and who is asked the same."""

_NOBODY = Asker()
_DEADLINE_MS = 30_000.0
"""Nobody waits; yet a photo that finds no turn is not held for ever."""

_BUSY_SHARE = 0.5
"""Of the requests that may wait; from there on, nothing runs along."""


class Shadowing:
    """Sends photos a second time, and compares.

    Args:
        mind: where the versions run.
        traffic: says who runs along.
        counts: is told what came of it.
        max_pending: requests that may wait in the mind.

    Attributes:
        left_out: how often nothing ran along since the mind was busy.
    """

    def __init__(self, mind: Mind, traffic: Traffic, counts: Counts, max_pending: int) -> None:
        self._mind = mind
        self._traffic = traffic
        self._counts = counts
        self._most = max_pending * _BUSY_SHARE
        self.left_out = 0

    def follow(self, photo: PhotoSource, answered: Sequence[Answered]) -> None:
        """Send a photo to those who run along with what has been answered.

        Called by asyncio's thread, which does it when it has nothing else to do: after the answer
        is on its way. The photo must not change until then.
        """
        pairs = [
            (one, other)
            for one in answered
            if one.inference is not None
            for other in self._traffic.shadows(one.chosen)
        ]
        if pairs:
            asyncio.get_running_loop().call_soon(self._send, photo, pairs)

    def _send(self, photo: PhotoSource, pairs: _Pairs) -> None:
        """Raises nothing that is not a bug: whoever runs along must do no harm."""
        began = time.perf_counter()
        try:
            if self._mind.stats().pending > self._most:
                self.left_out += len(pairs)
                return
            along = self._mind.submit(
                photo,
                list(dict.fromkeys(other.member for _, other in pairs)),
                priority="bulk",
                deadline_ms=_DEADLINE_MS,
                on_error="keep",
            )
        except (OverloadError, BrainError, ClosedError):  # busy, just gone, or at the end
            self.left_out += len(pairs)
            return
        along.add_done_callback(lambda done: self._take(pairs, done, time.perf_counter() - began))

    def _take(self, pairs: _Pairs, along: Future[Inferences], seconds: float) -> None:
        """Count what shadows answered, but not what stable did for comparison only; compare."""
        for one, other in pairs:
            inference, error = _outcome(along, other)
            is_shadow = one.chosen.variant == "stable"
            if is_shadow:
                told = Answered(other, inference, error, seconds, "", _NOBODY, b"")
                self._counts.saw(told)
            if one.inference is None or inference is None:
                continue
            agrees = _agree(one.inference, inference)
            tried = other if is_shadow else one.chosen
            if agrees is not None:
                self._counts.compared(tried.name, tried.number, tried.variant, agrees)


def _outcome(
    future: Future[Inferences], chosen: Chosen
) -> tuple[Inference | None, NinebrainsError | None]:
    """What a version answered, or why it did not."""
    error = future.exception()
    if error is None:
        error = future.result().errors.get(chosen.member)
        return (None if error is not None else future.result()[chosen.member]), error
    if isinstance(error, NinebrainsError):
        return None, error
    raise error


def _agree(one: Inference, other: Inference) -> bool | None:
    """Whether two versions say the same of a photo; None where they say no label.

    The same best label, or both "none of these". Labels are compared by their id, which stays when
    a label is called by another name.
    """
    if any(answer.is_measured or not len(answer.answers) for answer in (one, other)):
        return None
    best = [answer.top.label_id if answer.is_familiar else None for answer in (one, other)]
    return best[0] == best[1]
