"""`RemoteHost`: a running server, used like a mind that is here; what users call."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Literal, Self, Unpack

from ninebrains.connecting.brain import RemoteBrain
from ninebrains.connecting.doing import Doing, Line
from ninebrains.connecting.facts import Known
from ninebrains.connecting.inferences import RemoteInference, RemoteInferences
from ninebrains.connecting.options import Options, names_of, user_header
from ninebrains.connecting.retrying import Patience
from ninebrains.connecting.steps import Talk
from ninebrains.connecting.talking import (
    Noted,
    Question,
    describe,
    describe_all,
    give_feedback,
    infer,
)
from ninebrains.errors import ClosedError, PhotoError, RequestError
from ninebrains.images import PhotoSource
from ninebrains.images.preparing import is_one_photo, is_opened, read_opened
from ninebrains.mind.scheduling.tickets import Priority
from ninebrains.mind.streaming import stream

_ROOM_SECONDS = 600.0


class RemoteHost:
    """A host that runs elsewhere. `nb.connect` makes it.

    It may be used from any number of threads and from asyncio.

    Args:
        line: how it is reached.
        user: the key of the user for whom is asked, where a call does not say otherwise.
        consent: whether photos may be kept, where a call does not say otherwise.
        shrink: whether photos that are much larger than needed are made smaller before they are
            sent.
        timeout: seconds that a call without a deadline may take, retries included.
        retries: how often a call is tried again where that is safe and may help.
        at_once: photos of `submit` and `run_many` that are on their way together.
    """

    def __init__(
        self,
        line: Line,
        *,
        user: str = "",
        consent: bool = False,
        shrink: bool = True,
        timeout: float = 60.0,
        retries: int = 5,
        at_once: int = 8,
    ) -> None:
        if not 0 < timeout < float("inf") or retries < 0 or at_once < 1:
            raise RequestError(
                f"got timeout={timeout}, retries={retries}, at_once={at_once}; expected seconds "
                "above 0, 0 or more, and 1 or more"
            )
        user_header(user)
        self.url = line.url
        self._user, self._consent, self._shrink = user, consent, shrink
        self._timeout, self._retries, self._at_once = timeout, retries, at_once
        self._doing = Doing(line)
        self._known = Known()
        self._lock = threading.Lock()
        self._pool: tuple[int, ThreadPoolExecutor] | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"RemoteHost({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def names(self) -> tuple[str, ...]:
        """Which brains it can ask, as the host says now.

        Raises:
            AccessError: the key does not allow it.
            HostError: the host cannot be reached.
        """
        talk = describe_all(self._headers(), self._known, self._patience())
        return tuple(facts.name for facts in self._doing.do(talk))

    async def anames(self) -> tuple[str, ...]:
        """As `names`, for asyncio."""
        talk = describe_all(self._headers(), self._known, self._patience())
        return tuple(facts.name for facts in await self._doing.do_async(talk))

    def get(self, name: str) -> RemoteBrain:
        """A brain of the host, to be used like one that is here.

        Args:
            name: of a brain, or `pets@3`, `pets@stable`, `pets@canary`, `pets@shadow`.

        Raises:
            MissingError: there is no such brain.
            AccessError: the key does not allow it.
            HostError: the host cannot be reached.
        """
        talk = describe(name, self._headers(), self._known, self._patience())
        return RemoteBrain(self, name, self._doing.do(talk))

    async def aget(self, name: str) -> RemoteBrain:
        """As `get`, for asyncio."""
        talk = describe(name, self._headers(), self._known, self._patience())
        return RemoteBrain(self, name, await self._doing.do_async(talk))

    def run(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None = None,
        **options: Unpack[Options],
    ) -> RemoteInferences:
        """Ask some brains, or all, about one photo, and wait for the answers.

        Args:
            photo: a path, a file's bytes, a file opened for bytes, a PIL image, or RGB pixels
                `uint8[h, w, 3]`.
            brains: names, with `@3`, `@stable`, `@canary` or `@shadow` if need be; None for all.
            options: `heatmaps` and `features` (get them as well; False), `deadline_ms` (fail if
                there is no answer by then, retries included), `priority` (`interactive` goes before
                `bulk`), `on_error` (a brain that fails raises its error, `raise`, or is named in
                the answer's `errors`, `keep`), `user` and `consent` (instead of those that
                `nb.connect` was given).

        Raises:
            PhotoError: the photo cannot be read.
            MissingError: there is no such brain.
            BrainError: a brain failed.
            RequestError: an option makes no sense, or the photo is larger than the host takes.
            AccessError: the key is missing, unknown, or does not allow it.
            OverloadError: the host is too busy, or the deadline cannot be met.
            DeadlineError: there was no answer in time.
            ClosedError: the host is about to end, or this connection has been closed.
            HostError: the host cannot be reached, or answers nonsense.
        """
        return self._doing.do(self._asked(photo, brains, options))

    async def answer(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None = None,
        **options: Unpack[Options],
    ) -> RemoteInferences:
        """As `run`, with the same options, for asyncio. Cancelling the task ends the request."""
        return await self._doing.do_async(self._asked(photo, brains, options))

    def submit(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None = None,
        **options: Unpack[Options],
    ) -> Future[RemoteInferences]:
        """As `run`, with the same options, without waiting.

        An image, an array or a list of bytes must not be changed until the future is settled. The
        deadline counts from now, also while others are on their way.

        Raises:
            PhotoError: the photo is an open file and cannot be read.
            ClosedError: this connection has been closed.
        """
        return self._submit(photo, brains, options)

    def run_many(
        self,
        photos: Iterable[PhotoSource],
        brains: str | Iterable[str] | None = None,
        *,
        heatmaps: bool = False,
        priority: Priority = "bulk",
        on_error: Literal["raise", "yield"] = "raise",
    ) -> Iterator[RemoteInferences | PhotoError]:
        """Ask some brains, or all, about many photos; the answers come in the photos' order.

        `at_once` photos are on their way together. Memory is bounded: photos are taken from the
        iterable only as they are needed, so it may be endless. Where others keep the host busy,
        this waits for room, ten minutes for one photo.

        Args:
            photos: as in `run`.
            brains: as in `run`.
            heatmaps: also get where the evidence lies.
            priority: `bulk` lets interactive requests go first.
            on_error: a photo that cannot be read raises its PhotoError after the answers before it
                (`raise`), or gives it in the answer's place (`yield`). With `yield`, brains that
                fail are named in the answer's `errors`.

        Raises:
            NinebrainsError: as `run`.
        """
        if on_error not in ("raise", "yield"):
            raise RequestError(f"on_error is 'raise' or 'yield', not {on_error!r}")
        if is_one_photo(photos) or not isinstance(photos, Iterable):
            raise PhotoError(
                f"run_many got one {type(photos).__name__}; expected a list of photos, or another "
                "iterable of them. Put it into a list, or use run."
            )
        names = names_of(brains)
        options = Options(
            heatmaps=heatmaps,
            priority=priority,
            on_error="keep" if on_error == "yield" else "raise",
        )

        def submit(photo: PhotoSource) -> Future[RemoteInferences]:
            return self._submit(photo, names, options, waits_for_room=True)

        return stream(submit, photos, raises=on_error == "raise")

    def feedback(
        self,
        answer: str | RemoteInference,
        *,
        rank: int | None = None,
        label: str | None = None,
        none: bool = False,
        user: str | None = None,
    ) -> Noted:
        """Say which label was right; one of `rank`, `label` and `none`.

        Args:
            answer: an inference of this host, or its `prediction_id`.
            rank: the place of the right label in the answer, 1 for the top one.
            label: its name or id.
            none: it is none of the brain's labels.
            user: whose word it is; by default as `nb.connect` was told.

        Raises:
            RequestError: it says nothing, or contradicts itself.
            MissingError: the host knows no such prediction, or label.
            OutputError: the host cannot store it now.
            AccessError: the key does not allow it.
            HostError: the host cannot be reached.
        """
        return self._doing.do(self._said(answer, rank, label, none=none, user=user))

    async def afeedback(
        self,
        answer: str | RemoteInference,
        *,
        rank: int | None = None,
        label: str | None = None,
        none: bool = False,
        user: str | None = None,
    ) -> Noted:
        """As `feedback`, for asyncio."""
        return await self._doing.do_async(self._said(answer, rank, label, none=none, user=user))

    def close(self) -> None:
        """Send nothing more; what is on its way is still answered, then the connections go."""
        with self._lock:
            self._is_closed = True
            pool, self._pool = self._pool, None
        if pool is not None and pool[0] == os.getpid():
            pool[1].shutdown(wait=False, cancel_futures=True)
        self._doing.close()

    async def aclose(self) -> None:
        """As `close`; use it where `await` was used."""
        self.close()
        await self._doing.close_async()

    def _asked(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None,
        options: Options,
        patience: Patience | None = None,
    ) -> Talk[RemoteInferences]:
        on_error = options.get("on_error", "raise")
        if on_error not in ("raise", "keep"):
            raise RequestError(f"on_error is 'raise' or 'keep', not {on_error!r}")
        question = Question(
            names_of(brains),
            options.get("heatmaps", False),
            options.get("features", False),
            options.get("priority", "interactive"),
            on_error == "keep",
            self._shrink,
            self._headers(options.get("user"), options.get("consent")),
        )
        patience = patience or self._patience(options.get("deadline_ms"))
        return infer(photo, question, self._known, patience)

    def _submit(
        self,
        photo: PhotoSource,
        brains: str | Iterable[str] | None,
        options: Options,
        *,
        waits_for_room: bool = False,
    ) -> Future[RemoteInferences]:
        kept = read_opened(photo) if is_opened(photo) else photo
        names = names_of(brains)
        patience = None if waits_for_room else self._patience(options.get("deadline_ms"))

        def ask() -> RemoteInferences:
            # A stream is in no hurry: its time begins when its turn has come.
            own = patience or Patience.of(
                self.url,
                None,
                max(self._timeout, _ROOM_SECONDS),
                self._retries,
                waits_for_room=True,
            )
            return self._doing.do(self._asked(kept, names, options, own))

        with self._lock:
            if self._is_closed:
                raise ClosedError(
                    "this connection to a host has been closed; make another with nb.connect"
                )
            if self._pool is None or self._pool[0] != os.getpid():  # threads do not fork along
                self._pool = os.getpid(), ThreadPoolExecutor(self._at_once, "ninebrains-host")
            return self._pool[1].submit(ask)

    def _said(
        self,
        answer: str | RemoteInference,
        rank: int | None,
        label: str | None,
        *,
        none: bool,
        user: str | None,
    ) -> Talk[Noted]:
        prediction = answer if isinstance(answer, str) else getattr(answer, "prediction_id", None)
        if prediction is None:
            raise RequestError(
                f"feedback is on an inference of a host, or its prediction_id; got "
                f"{type(answer).__name__}, which no host made"
            )
        said: dict[str, object] = {"prediction_id": prediction}
        said |= {
            key: value for key, value in (("rank", rank), ("label", label)) if value is not None
        }
        if none:
            said["none"] = True
        return give_feedback(said, self._headers(user), self._patience())

    def _patience(self, deadline_ms: float | None = None) -> Patience:
        return Patience.of(self.url, deadline_ms, self._timeout, self._retries)

    def _headers(self, user: str | None = None, consent: bool | None = None) -> dict[str, bytes]:
        """Who asks."""
        headers: dict[str, bytes] = {}
        told = user_header(self._user if user is None else user)
        if told:
            headers["X-User-Key"] = told
        if self._consent if consent is None else consent:
            headers["X-Consent"] = b"true"
        return headers
