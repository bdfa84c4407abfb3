"""`Mind`: a running set of brains that computes whatever they share once; what users call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypedDict, Unpack

from ninebrains.brains import Brain
from ninebrains.errors import BrainError, PhotoError
from ninebrains.images import Limits, PhotoSource
from ninebrains.images.preparing import is_one_photo, is_opened, read_opened
from ninebrains.mind.company import Company
from ninebrains.mind.course import Course
from ninebrains.mind.guests import Guest
from ninebrains.mind.inferences import Inferences
from ninebrains.mind.members import Source
from ninebrains.mind.requests import Request
from ninebrains.mind.scheduling.scheduler import Priority, SchedulerStats, Ticket
from ninebrains.mind.streaming import stream
from ninebrains.workers import usable_cores

if TYPE_CHECKING:
    from ninebrains.brains import Manifest
    from ninebrains.mind.explaining import Explanation
    from ninebrains.mind.tuning.choices import Choice

OnError = Literal["raise", "keep"]


class Options(TypedDict, total=False):
    """What else `run`, `submit` and `answer` may be told; see `Mind.run`."""

    heatmaps: bool
    deadline_ms: float | None
    priority: Priority
    on_error: OnError


class Mind:
    """A running set of brains, merged so that whatever they share is computed once.

    It may be used from any number of threads and from asyncio. Brains come and go while it runs.

    Args:
        brains: what joins at once; see `add`.
        threads: that one run of a network may use; by default every core, or as `ninebrains tune`
            found best.
        decoders: threads that decode photos; by default one a core.
        max_pending: requests that may wait; more are refused with OverloadError.
        max_memory: bytes of weights to keep ready; beyond it those that were not used for longest
            are put away on disk and brought back when they are asked for. None: no limit.
        limits: bytes and pixels that a photo may have.
        choices: how to compile networks, by their hash as one segment, in place of what `tune`
            found.

    Example:
        >>> import ninebrains as nb
        >>> with nb.Mind(["pets.brain", "rooms.brain"]) as mind:  # doctest: +SKIP
        ...     mind.run("cat.jpg")["pets"].answer
        'cat'
    """

    def __init__(
        self,
        brains: Iterable[Source] | Source = (),
        *,
        threads: int | None = None,
        decoders: int | None = None,
        max_pending: int = 1024,
        max_memory: int | None = None,
        limits: Limits | None = None,
        choices: Mapping[str, Choice] | None = None,
    ) -> None:
        for name, value in (("threads", threads), ("decoders", decoders)):
            _check_number(name, value, 1)
        _check_number("max_pending", max_pending, 1)
        _check_number("max_memory", max_memory, 0)
        if limits is not None and not isinstance(limits, Limits):
            raise BrainError(f"got {type(limits).__name__} as limits; expected Limits")
        self._limits = limits
        self._course = Course(decoders or usable_cores(), max_pending, limits)
        self._scheduler = self._course.scheduler
        self._company = self._course.company = Company(
            self._course.make_lane, threads=threads, choices=choices or {}, max_memory=max_memory
        )
        try:
            for source in _several(brains):
                self.add(source)
        except BaseException:
            self.close(drain=False)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close, and answer first what was admitted unless something went wrong."""
        self.close(drain=kind is None)

    def __contains__(self, name: str) -> bool:
        return name in self._company.members

    @property
    def names(self) -> tuple[str, ...]:
        """Who is here, in the order they came."""
        return tuple(self._company.members)

    @property
    def brains(self) -> Mapping[str, Manifest | Guest]:
        """What those who are here say about themselves, by name."""
        return {name: member.profile.facts for name, member in self._company.members.items()}

    def outputs(self, name: str) -> tuple[str, ...]:
        """Names of what a brain or guest computes for a photo, heat maps included.

        Raises:
            BrainError: there is no such brain.
        """
        member = self._company.members.get(name)
        if member is None:
            raise BrainError(f"there is no {name!r} in this mind")
        return tuple(member.outputs)

    def add(self, source: Source, name: str | None = None) -> str:
        """Let a brain join, or a new version of it take over.

        Everything new about it is compiled and warmed up beside what is running. Then it is there
        at once: of two versions each request is answered by one, and those that had begun finish
        on the old one, whose memory goes with the last of them.

        Args:
            source: the path of a brain or of an .onnx file, the name of a stored brain, a brain, or
                a guest (see `import_model`).
            name: under which it is asked for, in place of its own; `pets@3` where several versions
                of one name are to be here at once.

        Returns:
            That name.

        Raises:
            BrainError: it is no brain, or it cannot be run. Nothing has changed then.
        """
        return self._company.add(source, name)

    def remove(self, name: str) -> None:
        """Let a brain go. Requests that are on their way are still answered by it.

        Raises:
            BrainError: there is no such brain.
        """
        self._company.remove(name)

    def run(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None = None,
        *,
        heatmaps: bool = False,
        deadline_ms: float | None = None,
        priority: Priority = "interactive",
        on_error: OnError = "raise",
    ) -> Inferences:
        """Ask some brains, or all, about one photo, and wait for the answers.

        Args:
            photo: a path, a file's bytes, a file opened for bytes, a PIL image, or RGB pixels
                `uint8[h, w, 3]`.
            brains: names; None for all.
            heatmaps: also compute where the evidence lies.
            deadline_ms: fail if there is no answer by then.
            priority: `interactive` goes before `bulk`.
            on_error: a brain that fails raises its error (`raise`), or is left out and named in
                the answer's `errors` (`keep`).

        Raises:
            PhotoError: the photo cannot be read.
            BrainError: there is no such brain, or one failed.
            OverloadError: too many requests are waiting, or the deadline cannot be met.
            DeadlineError: there was no answer in time.
            ClosedError: the mind has been closed.
        """
        return self._submit(
            photo,
            brains,
            waits=True,
            heatmaps=heatmaps,
            deadline_ms=deadline_ms,
            priority=priority,
            on_error=on_error,
        ).result()

    async def answer(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None = None,
        **options: Unpack[Options],
    ) -> Inferences:
        """As `run`, with the same options, for asyncio. Cancelling the task cancels the request."""
        return await asyncio.wrap_future(self.submit(photo, brains, **options))

    def submit(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None = None,
        **options: Unpack[Options],
    ) -> Future[Inferences]:
        """As `run`, with the same options, without waiting.

        Errors that concern the answer come out of the future, which can be cancelled until it is
        settled. An image, an array or a list of bytes must not be changed until then.

        Raises:
            PhotoError: the photo is an open file and cannot be read.
            BrainError: there is no such brain.
            OverloadError: too many requests are waiting, or the deadline cannot be met.
            ClosedError: the mind has been closed.
        """
        return self._submit(photo, brains, **options)

    def _submit(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None,
        *,
        heatmaps: bool = False,
        deadline_ms: float | None = None,
        priority: Priority = "interactive",
        on_error: OnError = "raise",
        waits: bool = False,
        wait_for_room: bool = False,
    ) -> Future[Inferences]:
        """Admit a request and send it off; a caller who waits for the answer works on it itself."""
        if on_error not in ("raise", "keep"):
            raise BrainError(f"on_error is 'raise' or 'keep', not {on_error!r}")
        if waits:
            self._scheduler.check_may_wait()
        names = _names(brains)
        asked = self._company.asked(names, heatmaps=heatmaps)
        kept = _kept(photo, self._limits)
        first = self._course.first_lane(asked)
        ticket: Ticket[Inferences] = self._scheduler.admit(
            flow=_flow(names, priority),
            priority=priority,
            deadline_ms=deadline_ms,
            lanes=(first, *asked.lanes),
            wait=wait_for_room,
        )
        request = Request(ticket, kept, asked, heatmaps, on_error == "keep")
        put = self._scheduler.work_on if waits else self._scheduler.put
        put(first, ticket, request)
        return ticket.future

    def run_many(
        self,
        photos: Iterable[PhotoSource],
        brains: str | Iterable[str] | None = None,
        *,
        heatmaps: bool = False,
        priority: Priority = "bulk",
        on_error: Literal["raise", "yield"] = "raise",
    ) -> Iterator[Inferences | PhotoError]:
        """Ask some brains, or all, about many photos; the answers come in the photos' order.

        Memory is bounded: photos are taken from the iterable only as they are needed, so it may be
        endless. Where others keep the mind busy, this waits for room.

        Args:
            photos: as in `run`.
            brains: names; None for all.
            heatmaps: as in `run`.
            priority: `bulk` lets interactive requests go first.
            on_error: a photo that cannot be read raises its PhotoError after the answers before it
                (`raise`), or gives it in the answer's place (`yield`). With `yield`, brains that
                fail are named in the answer's `errors`.

        Raises:
            PhotoError: a photo cannot be read and `on_error` is `raise`; or `photos` is one photo.
            BrainError: there is no such brain; or one failed and `on_error` is `raise`.
            ClosedError: the mind has been closed.
        """
        if on_error not in ("raise", "yield"):
            raise BrainError(f"on_error is 'raise' or 'yield', not {on_error!r}")
        if is_one_photo(photos) or not isinstance(photos, Iterable):
            raise PhotoError(
                f"run_many got one {type(photos).__name__}; expected a list of photos, or another "
                "iterable of them. Put it into a list, or use run."
            )
        names = _names(brains)
        self._company.asked(names, heatmaps=heatmaps)  # a wrong name is told before any photo

        def submit(photo: PhotoSource) -> Future[Inferences]:
            return self._submit(
                photo,
                names,
                heatmaps=heatmaps,
                priority=priority,
                on_error="keep" if on_error == "yield" else "raise",
                wait_for_room=True,
            )

        return stream(submit, photos, raises=on_error == "raise")

    def explain(self) -> Explanation:
        """The tree as it stands: segments, who shares them, what they cost and hold."""
        from ninebrains.mind.explaining import explain

        return explain(self._company)

    def stats(self) -> SchedulerStats:
        """How many requests ended in which way, and what each queue learned about its work."""
        return self._scheduler.stats()

    def close(self, *, drain: bool = True, timeout: float | None = None) -> None:
        """Take no more requests, and end.

        Args:
            drain: answer what was admitted first; otherwise it fails with ClosedError.
            timeout: seconds to wait for that.
        """
        self._scheduler.close(drain=drain, timeout=timeout)
        if not self._scheduler.is_forked:
            self._company.close()


def _several(brains: Iterable[Source] | Source) -> Iterable[Source]:
    """Sources one by one; one alone is most likely meant as a list of one."""
    if isinstance(brains, (str, os.PathLike, Brain, Guest)):
        return [brains]
    if not isinstance(brains, Iterable):
        raise BrainError(f"got {type(brains).__name__}; expected a list of brains")
    return brains


def _names(brains: str | Iterable[str] | None) -> tuple[str, ...] | None:
    if brains is None:
        return None
    if not isinstance(brains, Iterable):
        raise BrainError(f"got {type(brains).__name__} as brains; expected names, or None for all")
    names = (brains,) if isinstance(brains, str) else tuple(brains)
    for name in names:
        if not isinstance(name, str):
            raise BrainError(f"got {type(name).__name__} as a brain's name; expected text")
    return tuple(dict.fromkeys(names))


def _flow(names: tuple[str, ...] | None, priority: Priority) -> str:
    """Whose turn a request takes: that of the brains it is for, in whatever order.

    A bulk caller's line is no obstacle to the same one's interactive requests.
    """
    wanted = "those for all brains" if names is None else f"those for {', '.join(sorted(names))}"
    return f"{wanted} ({priority})"


def _check_number(name: str, value: object, least: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BrainError(f"{name} is {value!r}; expected a whole number from {least}")


def _kept(photo: PhotoSource, limits: Limits | None) -> PhotoSource:
    """A photo that stays what it is: an open file is read by the caller, who may close it."""
    return read_opened(photo, limits) if is_opened(photo) else photo
