"""Labelling: every route here is a step that can be undone."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.errors import RequestError
from ninebrains.studio.http.replies import fields_of, ids_in, in_thread, number_in, reply
from ninebrains.studio.store import labels, steps
from ninebrains.studio.tables import labels_table

if TYPE_CHECKING:
    import sqlite3

    from starlette.requests import Request

    from ninebrains.studio.store.steps import Done
    from ninebrains.studio.studio import Studio

_NONE = type(None)


def routes(studio: Studio) -> list[Route]:
    """The routes of this module."""

    async def label(request: Request) -> Response:
        given = await fields_of(request, ids=list, label=(int, _NONE))
        work = partial(labels.label_photos, ids=ids_in(given["ids"]), label=given["label"] or None)
        return reply((await in_thread(studio.change, work)).plain())

    async def accept(request: Request) -> Response:
        given = await fields_of(request, ids=list, labels=(list, _NONE))
        ids = ids_in(given["ids"])
        # What people saw and took, whatever the brain says by now.
        shown = None if given["labels"] is None else ids_in(given["labels"])
        if shown is not None and len(shown) != len(ids):
            raise RequestError(f"got {len(shown)} labels for {len(ids)} photos; expected as many")
        suggested = _suggested(studio, ids) if shown is None else shown
        work = partial(labels.accept_suggestions, ids=ids, suggested=suggested)
        return reply((await in_thread(studio.change, work)).plain())

    async def remove(request: Request) -> Response:
        ids = ids_in((await fields_of(request, ids=list))["ids"])
        work = partial(labels.remove_photos, ids=ids)
        return reply((await in_thread(studio.change, work)).plain())

    async def undo(_request: Request) -> Response:
        return reply((await in_thread(studio.change, partial(_again, steps.undo))).plain())

    async def redo(_request: Request) -> Response:
        return reply((await in_thread(studio.change, partial(_again, steps.redo))).plain())

    async def make(request: Request) -> Response:
        given = await fields_of(request, name=str)
        return await _made(studio, partial(labels.make_label, name=given["name"]))

    async def split(request: Request) -> Response:
        given = await fields_of(request, ids=list, name=str)
        work = partial(labels.split_label, ids=ids_in(given["ids"]), name=given["name"])
        return await _made(studio, work)

    async def change(request: Request) -> Response:
        given = await fields_of(
            request, name=(str, _NONE), color=(str, _NONE), position=(int, _NONE)
        )
        work = partial(labels.change_label, label=number_in(request), **given)
        return reply((await in_thread(studio.change, work)).plain())

    async def merge(request: Request) -> Response:
        given = await fields_of(request, **{"from": int, "into": int})
        work = partial(labels.merge_labels, source=given["from"], into=given["into"])
        return reply((await in_thread(studio.change, work)).plain())

    async def drop(request: Request) -> Response:
        work = partial(labels.remove_label, label=number_in(request))
        return reply((await in_thread(studio.change, work)).plain())

    async def table(_request: Request) -> Response:
        data = await in_thread(_table, studio)
        return Response(
            data,
            media_type="text/csv; charset=utf-8",
            headers={
                "cache-control": "no-store",
                "content-disposition": 'attachment; filename="labels.csv"',
            },
        )

    return [
        Route("/api/labels.csv", table, methods=["GET"]),
        Route("/api/label", label, methods=["POST"]),
        Route("/api/accept", accept, methods=["POST"]),
        Route("/api/photos/remove", remove, methods=["POST"]),
        Route("/api/undo", undo, methods=["POST"]),
        Route("/api/redo", redo, methods=["POST"]),
        Route("/api/labels", make, methods=["POST"]),
        Route("/api/labels/merge", merge, methods=["POST"]),
        Route("/api/labels/split", split, methods=["POST"]),
        Route("/api/labels/{id:int}", change, methods=["PATCH"]),
        Route("/api/labels/{id:int}", drop, methods=["DELETE"]),
    ]


def _suggested(studio: Studio, ids: list[int]) -> list[int]:
    """What the current brain suggests for photos, 0 where nothing."""
    answers = studio.answers
    if answers is None or not len(answers.ids):
        return [0] * len(ids)
    rows = answers.rows_of(np.array(ids, np.int64))
    found: list[int] = np.where(rows >= 0, answers.top[rows], 0).tolist()
    return found


def _table(studio: Studio) -> bytes:
    """All labels, with paths only for those who sit at this machine."""
    spell = None if studio.is_shared else os.fspath
    with studio.database.reading() as connection:
        return labels_table(connection, studio.folder, spell)[0]


def _again(step: object, connection: sqlite3.Connection) -> Done:
    """Undo or redo, which may find nothing to do."""
    assert callable(step)
    return step(connection) or steps.nothing_done(connection)


async def _made(studio: Studio, make: object) -> Response:
    """Make a label, and tell its number too."""
    numbers: list[int] = []

    def work(connection: sqlite3.Connection) -> Done:
        assert callable(make)
        number, done = make(connection)
        numbers.append(number)
        result: Done = done
        return result

    done = await in_thread(studio.change, work)
    return reply({**done.plain(), "id": numbers[0]}, 201)
