"""`Shadowing`: versions that run along with an answer, so that what they say can be compared.

Who asked has their answer as soon as it is there: nobody waits for the other one, which goes behind
everything that anybody waits for, and is left out while the mind is busy.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future

from ninebrains.errors import BrainError, ClosedError, NinebrainsError, OverloadError
from ninebrains.images import PhotoSource
from ninebrains.mind import Inferences, Mind
from ninebrains.serving.asking import Answered, Asker, Chosen
from ninebrains.serving.traffic.counts import Counts
from ninebrains.serving.traffic.traffic import Traffic

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

    def follow(
        self,
        photo: PhotoSource,
        chosen: Sequence[Chosen],
        future: Future[Inferences],
    ) -> None:
        """Send a photo to those who run along with `chosen`, whose request is on its way.

        Raises nothing that is not a bug: whoever runs along must not harm the answer.
        """
        pairs = [(one, other) for one in chosen for other in self._traffic.shadows(one)]
        if not pairs:
            return
        if self._mind.stats().pending > self._most:
            self.left_out += len(pairs)
            return
        began = time.perf_counter()
        try:
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

        def compare(_: Future[Inferences]) -> None:
            self._count(pairs, along, time.perf_counter() - began)
            future.add_done_callback(lambda _: self._compare(pairs, future, along))

        along.add_done_callback(compare)

    def _count(
        self, pairs: Sequence[tuple[Chosen, Chosen]], along: Future[Inferences], seconds: float
    ) -> None:
        """Count the answers of shadows, but not those that stable gave for comparison only."""
        for one, other in pairs:
            if one.variant != "stable":
                continue
            error = _error(along, other)
            inference = None if error else along.result()[other.member]
            self._counts.saw(Answered(other, inference, error, seconds, "", _NOBODY, b""))

    def _compare(
        self,
        pairs: Sequence[tuple[Chosen, Chosen]],
        future: Future[Inferences],
        along: Future[Inferences],
    ) -> None:
        for one, other in pairs:
            if future.cancelled() or _error(future, one) or _error(along, other):
                continue
            agrees = _agree(future.result(), one, along.result(), other)
            tried = other if one.variant == "stable" else one
            if agrees is not None:
                self._counts.compared(tried.name, tried.number, tried.variant, agrees)


def _error(future: Future[Inferences], chosen: Chosen) -> NinebrainsError | None:
    """Why a version has no answer, if so."""
    error = future.exception()
    if error is None:
        return future.result().errors.get(chosen.member)
    if isinstance(error, NinebrainsError):
        return error
    raise error


def _agree(first: Inferences, one: Chosen, second: Inferences, other: Chosen) -> bool | None:
    """Whether two versions say the same of a photo; None where they say no label.

    The same best label, or both "none of these". Labels are compared by their id, which stays when
    a label is called by another name.
    """
    answers = [first[one.member], second[other.member]]
    if any(answer.is_measured or not len(answer.answers) for answer in answers):
        return None
    best = [answer.top.label_id if answer.is_familiar else None for answer in answers]
    return best[0] == best[1]
