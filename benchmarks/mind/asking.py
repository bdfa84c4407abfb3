"""Callers that ask a changing mind for anything, and judge what they get."""

from __future__ import annotations

import asyncio
import faulthandler
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any

from benchmarks.mind.references import References
from benchmarks.mind.timeline import Timeline
from ninebrains.errors import (
    BrainError,
    DeadlineError,
    NinebrainsError,
    OverloadError,
    PhotoError,
)
from ninebrains.mind import Inferences, Mind

TOLERANCE = 1e-5
BURST = "the queue may be full"
_BAD_PHOTOS = (b"", b"no photo at all", b"\xff\xd8\xff\xe0" + bytes(64))
_BURST_SIZE = 150


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        photo: number of a good one, or None for one that cannot be decoded.
        data: the file's bytes.
        names: of brains, or None for all.
        options: for `Mind.submit`.
        cancel_after: seconds after which it is cancelled, or None.
    """

    photo: int | None
    data: bytes = field(repr=False)
    names: tuple[str, ...] | None
    options: dict[str, Any]
    cancel_after: float | None

    @property
    def has_deadline(self) -> bool:
        """Whether it may be late."""
        return self.options["deadline_ms"] is not None


class Asker:
    """Asks until told to stop. One for all callers.

    Args:
        mind: that is asked.
        references: who there is, and what they say.
        timeline: which version of whom was there when.
        outcomes: counts how requests ended.
        wrong: takes a sentence for everything that must not be.
        stop: ends all callers.
        stall_s: a request without an outcome for that long is lost.
    """

    def __init__(
        self,
        mind: Mind,
        references: References,
        timeline: Timeline,
        outcomes: Counter[str],
        wrong: list[str],
        stop: threading.Event,
        stall_s: float,
    ) -> None:
        self._mind, self._references, self._timeline = mind, references, timeline
        self._outcomes, self._wrong, self._stop = outcomes, wrong, stop
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._bursting = threading.Lock()
        timeline.note(BURST, "no")

    def ask_in_turn(self, seed: Sequence[int]) -> None:
        """A caller's thread: one request after the other, now and then many at once."""
        draw = random.Random(str(seed))
        try:
            while not self._stop.is_set():
                if draw.random() < 0.002:
                    self._burst(draw)
                else:
                    self._ask(self._draw(draw))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._find(f"a caller met {error!r}:\n{traceback.format_exc()}")

    def ask_from_asyncio(self, seed: Sequence[int]) -> None:
        """The thread of an event loop with a few tasks that ask."""
        draw = random.Random(str(seed))
        try:
            asyncio.run(self._ask_in_tasks(draw))
        except Exception as error:  # noqa: BLE001
            self._find(f"a task met {error!r}:\n{traceback.format_exc()}")

    async def _ask_in_tasks(self, draw: random.Random) -> None:
        async def go_on() -> None:
            while not self._stop.is_set():
                await self._answer(self._draw(draw))

        await asyncio.gather(*(go_on() for _ in range(3)))

    async def _answer(self, question: Question) -> None:
        begin = time.perf_counter()
        task = asyncio.create_task(
            self._mind.answer(question.data, question.names, **question.options)
        )
        try:
            if question.cancel_after is not None:
                await asyncio.wait([task], timeout=question.cancel_after)
                task.cancel()
            found = await asyncio.wait_for(task, self._stall_s)
        except asyncio.CancelledError:
            self._judge_error(question, begin, None, CancelledError())
        except TimeoutError:
            self._lose(question)
        except NinebrainsError as error:
            # The request was made when the task first ran: at the latest when this one waited.
            self._judge_error(question, begin, None, error)
        else:
            self._judge(question, begin, time.perf_counter(), found)

    def _draw(self, draw: random.Random) -> Question:
        names = self._references.names
        whole = [name for name in names if name not in self._references.broken]
        kind = draw.random()
        if kind < 0.1:
            chosen = None
        elif kind < 0.2:
            chosen = tuple(draw.sample(names, draw.randint(1, len(names))))
        else:
            chosen = tuple(draw.sample(whole, draw.randint(1, min(4, len(whole)))))
        is_bad = draw.random() < 0.05
        photo = None if is_bad else draw.randrange(len(self._references.photos))
        data = draw.choice(_BAD_PHOTOS) if photo is None else self._references.photos[photo]
        options = {
            "heatmaps": draw.random() < 0.1,
            "deadline_ms": draw.uniform(1.0, 60.0) if draw.random() < 0.15 else None,
            "priority": draw.choice(("interactive", "interactive", "bulk")),
            "on_error": draw.choice(("raise", "keep")),
        }
        cancel = draw.uniform(0.0, 0.01) if draw.random() < 0.1 else None
        return Question(photo, data, chosen, options, cancel)

    def _ask(self, question: Question) -> None:
        begin = time.perf_counter()
        try:
            future = self._mind.submit(question.data, question.names, **question.options)
        except NinebrainsError as error:
            self._judge_error(question, begin, time.perf_counter(), error)
            return
        admitted = time.perf_counter()
        if question.cancel_after is not None:
            time.sleep(question.cancel_after)
            future.cancel()
        self._await(question, begin, admitted, future)

    def _await(
        self, question: Question, begin: float, admitted: float, future: Future[Inferences]
    ) -> None:
        try:
            found = future.result(self._stall_s)
        except FutureTimeoutError:
            self._lose(question)
        except (NinebrainsError, CancelledError) as error:
            self._judge_error(question, begin, admitted, error)
        else:
            self._judge(question, begin, admitted, found)

    def _burst(self, draw: random.Random) -> None:
        """More requests at once than may wait; one burst at a time, so that it is known when."""
        with self._bursting:
            with self._timeline.changing(BURST, "yes"):
                self._ask_many(draw, _BURST_SIZE)
            self._timeline.note(BURST, "no")
        self._count("bursts")

    def _ask_many(self, draw: random.Random, count: int) -> None:
        """Submit them all, then wait for each."""
        waiting = []
        for _ in range(count):
            question = self._draw(draw)
            begin = time.perf_counter()
            try:
                future = self._mind.submit(question.data, question.names, **question.options)
            except NinebrainsError as error:
                self._judge_error(question, begin, time.perf_counter(), error)
                continue
            waiting.append((question, begin, time.perf_counter(), future))
        for each in waiting:
            self._await(*each)

    def _judge(self, question: Question, begin: float, admitted: float, found: Inferences) -> None:
        """An answer: of the right brains, in a version of the right time, with the right values."""
        self._count("answered")
        if question.photo is None:
            self._find(f"{list(found)} answered for a photo that cannot be read")
            return
        if question.names is not None and tuple(found) != question.names:
            self._find(f"{list(found)} answered; asked were {question.names}")
        if question.names is None:
            self._judge_all(found, begin, admitted)
        for name in found:
            if name in found.errors:
                self._judge_failed(question, name, found.errors[name])
                continue
            inference = found[name]
            known = self._timeline.between(name, begin, admitted)
            version = inference.brain.partition("@")[2]
            if version not in known:
                self._find(f"{inference.brain} answered when there was {sorted(map(str, known))}")
            if question.options["heatmaps"] != (inference.heatmaps is not None):
                self._find(f"{inference.brain}: heat maps that nobody asked for, or none")
            fault = self._references.fault(question.photo, inference, TOLERANCE)
            if fault:
                self._find(fault)

    def _judge_all(self, found: Inferences, begin: float, admitted: float) -> None:
        """Asked for all: whoever was there all the time must be in, whoever never was must not."""
        answering = set(found)
        for name in self._references.names:
            known = self._timeline.between(name, begin, admitted)
            is_in = name in answering
            if (None not in known and not is_in) or (known == {None} and is_in):
                self._find(
                    f"all were asked, {sorted(map(str, known))} of {name} was there: {found}"
                )

    def _judge_failed(self, question: Question, name: str, error: NinebrainsError) -> None:
        self._count("brains failed")
        is_meant = name in self._references.broken and isinstance(error, BrainError)
        if not is_meant or question.options["on_error"] == "raise":
            self._find(f"{name} failed: {error!r}")

    def _judge_error(
        self, question: Question, begin: float, admitted: float | None, error: BaseException
    ) -> None:
        """An error: one that this request may meet."""
        end = admitted or time.perf_counter()
        self._count(type(error).__name__)
        if isinstance(error, CancelledError):
            may_be = question.cancel_after is not None
        elif isinstance(error, DeadlineError):
            may_be = question.has_deadline
        elif isinstance(error, OverloadError):
            full = "yes" in self._timeline.between(BURST, begin, end)
            may_be = question.has_deadline or full
        elif isinstance(error, PhotoError):
            may_be = question.photo is None
        else:
            may_be = isinstance(error, BrainError) and self._may_fail(question, begin, end)
        if not may_be:
            self._find(f"{question} ended with {error!r}")

    def _may_fail(self, question: Question, begin: float, end: float) -> bool:
        """Whether a brain that was asked was missing, or fails on purpose and was to be raised."""
        names = self._references.names if question.names is None else question.names
        raises = question.options["on_error"] == "raise"
        fails = raises and any(name in self._references.broken for name in names)
        missing = question.names is not None and any(
            None in self._timeline.between(name, begin, end) for name in names
        )
        return fails or missing

    def _lose(self, question: Question) -> None:
        self._find(f"no outcome after {self._stall_s:.0f} s: {question}")
        faulthandler.dump_traceback(all_threads=True)

    def _find(self, text: str) -> None:
        with self._lock:
            self._wrong.append(text)
        self._stop.set()

    def _count(self, what: str) -> None:
        with self._lock:
            self._outcomes[what] += 1
