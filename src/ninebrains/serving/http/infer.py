"""`/infer`: photos in, the answers of many brains out. The hottest route: plain ASGI, no layers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.routing import Route

from ninebrains.errors import DeadlineError, NinebrainsError
from ninebrains.serving.asking import Answered, Answers, Asker, Options
from ninebrains.serving.http.answering import Plain, plain_answers, plain_failure
from ninebrains.serving.http.callers import Caller, in_scope
from ninebrains.serving.http.infer_schema import describe
from ninebrains.serving.http.parameters import Parameters, read_parameters
from ninebrains.serving.http.photos import NamedPhoto, read_photos
from ninebrains.serving.http.replies import send_json
from ninebrains.serving.http.urls import Fetcher

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from ninebrains.serving.host import Host

__all__ = ["Infer", "describe", "routes"]


def routes(host: Host) -> list[Route]:
    """The routes of this module."""
    fetcher = Fetcher(host.settings.urls)
    host.adopters.append(lambda settings: fetcher.adopt(settings.urls))
    return [Route("/infer", Infer(host, fetcher), methods=["POST", "PUT"])]


class Infer:
    """Answers requests for answers.

    Args:
        host: who answers.
        fetcher: gets photos that are named by their address.
    """

    def __init__(self, host: Host, fetcher: Fetcher) -> None:
        self._host = host
        self._fetcher = fetcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, ask, and send the reply.

        Raises:
            NinebrainsError: the request is refused, or there is not one answer to give.
        """
        began = time.perf_counter()
        caller = in_scope(scope)
        limits = self._host.settings.limits
        sent = await read_photos(scope, receive, limits)
        parameters = read_parameters(
            scope["query_string"], scope["headers"], sent.fields, limits.deadline_ms
        )
        caller.brains = parameters.brains or ()
        asking = _Asking(self._host, self._fetcher, parameters, _asker(caller, parameters), began)
        if len(sent.photos) == 1:
            (photo,) = sent.photos
            told = [plain_answers(photo.name, await asking.ask(photo), parameters)]
        else:
            told = await _several(asking, sent.photos)
        await send_json(send, {"request_id": caller.request_id, "photos": told})


class _Asking:
    """What is the same for all photos of a request."""

    def __init__(
        self, host: Host, fetcher: Fetcher, parameters: Parameters, asker: Asker, began: float
    ) -> None:
        self._host = host
        self._fetcher = fetcher
        self._asker = asker
        self._began = began
        self.parameters = parameters
        self._options = Options(
            heatmaps=parameters.heatmap is not None,
            deadline_ms=parameters.deadline_ms,
            priority=parameters.priority,
        )

    async def ask(self, photo: NamedPhoto) -> Answers:
        """The answers on one photo.

        Raises:
            NinebrainsError: there is no answer of any brain.
        """
        options, content = self._options, photo.photo
        if photo.url is not None:
            content = await self._fetcher.fetch(photo.url)
            options = self._after(time.perf_counter() - self._began)
        answers = await self._host.answer(content, self.parameters.brains, self._asker, options)
        if all(item.error is not None for item in answers.answered):
            raise _first_error(answers.answered)
        return answers

    def _after(self, seconds: float) -> Options:
        """The options once so much of the deadline has passed."""
        deadline = self._options.deadline_ms
        if deadline is None:
            return self._options
        left = deadline - seconds * 1000
        if left <= 0.0:
            raise DeadlineError(
                f"fetching the photo took {seconds * 1000:.0f} ms, longer than the deadline of "
                f"{deadline:g} ms; allow more time, or send the photo itself"
            )
        return replace(self._options, deadline_ms=left)


def _first_error(answered: tuple[Answered, ...]) -> NinebrainsError:
    error = answered[0].error
    assert error is not None
    return error


def _asker(caller: Caller, parameters: Parameters) -> Asker:
    asker = caller.asker
    if asker.user == parameters.user and asker.consent == parameters.consent:
        return asker
    return replace(asker, user=parameters.user, consent=parameters.consent)


async def _several(asking: _Asking, photos: list[NamedPhoto]) -> list[Plain]:
    """The answers on many photos; errors in their place unless there is nothing else."""
    found = await asyncio.gather(*(asking.ask(photo) for photo in photos), return_exceptions=True)
    told: list[Plain] = []
    errors: list[NinebrainsError] = []
    for photo, answers in zip(photos, found, strict=True):
        if isinstance(answers, NinebrainsError):
            errors.append(answers)
            told.append(plain_failure(photo.name, answers))
        elif isinstance(answers, BaseException):
            raise answers
        else:
            told.append(plain_answers(photo.name, answers, asking.parameters))
    if len(errors) == len(photos):
        raise errors[0]
    return told
