"""Learning: the runs, what each knew, and having the learner start, stop or take another trunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from ninebrains.errors import MissingError, RequestError
from ninebrains.studio.answers import load_answers
from ninebrains.studio.http.replies import fields_of, in_thread, number_in, reply
from ninebrains.studio.learning.runs import answers_path, find_run, list_runs, thresholds
from ninebrains.studio.learning.trunks import told_trunks
from ninebrains.studio.store.settings import write_setting
from ninebrains.trunks import load_trunk

if TYPE_CHECKING:
    import sqlite3

    from starlette.requests import Request

    from ninebrains.studio.answers import Answers
    from ninebrains.studio.learning.runs import Run
    from ninebrains.studio.studio import Studio


def routes(studio: Studio) -> list[Route]:
    """The routes of this module."""

    async def runs(_request: Request) -> Response:
        def work() -> list[dict[str, Any]]:
            with studio.database.reading() as connection:
                return [one.summary() for one in list_runs(connection)]

        return reply({"runs": await in_thread(work)})

    async def run(request: Request) -> Response:
        return reply(await in_thread(_told, studio, number_in(request)))

    async def learn(request: Request) -> Response:
        none = type(None)
        given = await fields_of(
            request,
            now=(bool, none),
            cancel=(bool, none),
            trunk=(str, none),
            learns=(bool, none),
        )
        if all(value is None for value in given.values()):
            raise RequestError("expected now, cancel, trunk or learns")
        await in_thread(_set, studio, given)
        if given["cancel"]:
            studio.learner.cancel()
        if given["now"]:
            studio.learner.learn_now()
        return reply(studio.learner.state())

    async def trunks(_request: Request) -> Response:
        return reply({"trunks": await in_thread(told_trunks)})

    return [
        Route("/api/runs", runs, methods=["GET"]),
        Route("/api/runs/{id:int}", run, methods=["GET"]),
        Route("/api/learn", learn, methods=["POST"]),
        Route("/api/trunks", trunks, methods=["GET"]),
    ]


def run_of(studio: Studio, number: int) -> Run:
    """A run.

    Raises:
        MissingError: there is none.
    """
    with studio.database.reading() as connection:
        return find_run(connection, number)


def answers_of_run(studio: Studio, number: int) -> Answers:
    """What a run's brain said of every photo; the current one's also of photos that came since.

    Raises:
        DataError: its file is damaged.
        MissingError: there is no such run.
    """
    current = studio.answers
    if current is not None and current.run == number:
        return current
    run_of(studio, number)
    return load_answers(answers_path(studio.folder.brains, number))


def _told(studio: Studio, number: int) -> dict[str, Any]:
    """Everything about a run."""
    with studio.database.reading() as connection:
        found = find_run(connection, number)
        history = [
            {"id": one.id, "at": one.at, "accuracy": one.accuracy, "low": one.low, "high": one.high}
            for one in reversed(list_runs(connection))
        ]
    told = {
        **found.summary(),
        "labels": found.labels,
        "metrics": found.metrics,
        "advice": found.advice,
        "history": history,
        "has_brain": (studio.folder.brains / found.file).is_file(),
    }
    try:
        told["thresholds"] = thresholds(answers_of_run(studio, number))
    except MissingError:
        told["thresholds"] = None
    return told


def _set(studio: Studio, given: dict[str, Any]) -> None:
    """Keep what was chosen, and have the learner see to it."""
    if given["trunk"] is not None:
        load_trunk(given["trunk"])  # refuses one that is not there
    chosen = {name: given[name] for name in ("trunk", "learns") if given[name] is not None}
    if chosen:
        with studio.database.writing() as connection:
            _write(connection, chosen)
        studio.learner.wake()


def _write(connection: sqlite3.Connection, chosen: dict[str, Any]) -> None:
    for name, value in chosen.items():
        write_setting(connection, name, value)
