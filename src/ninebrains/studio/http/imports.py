"""Photos in: files and zips that are sent, folders in place, kept feedback."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from ninebrains.errors import AccessError, DataError, OutputError, RequestError
from ninebrains.serving.http.multipart import Form, Part
from ninebrains.studio.bringing.describing import describe
from ninebrains.studio.bringing.folders import open_feedback
from ninebrains.studio.bringing.items import shown_name
from ninebrains.studio.bringing.uploads import Upload, is_table, open_uploads
from ninebrains.studio.http.replies import fields_of, in_thread, query_number, reply
from ninebrains.studio.store.labels import find_label

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from ninebrains.photos import Problem
    from ninebrains.studio.bringing.items import Item
    from ninebrains.studio.jobs import Job
    from ninebrains.studio.studio import Studio

MOST_FILES = 500
_FORM_BYTES = 256 * 2**20
_LONGEST_NAME = 1_000


@dataclass(frozen=True)
class _Wanted:
    """How uploads are to be taken: the query of the request."""

    label: int | None
    folders: bool
    source: str


def routes(studio: Studio) -> list[Route]:
    """The routes of this module."""

    async def upload(request: Request) -> Response:
        query = request.query_params
        wanted = _Wanted(
            query_number(request, "label") or None,
            query.get("folders", "") in ("1", "true"),
            query.get("source", "upload")[:40],
        )
        if wanted.label is not None:
            await in_thread(_require_label, studio, wanted.label)
        uploads = await _received(request, studio.folder.incoming)
        words = uploads[0].name if len(uploads) == 1 else f"{len(uploads)} files"
        work = partial(_bring_uploads, studio, uploads, wanted)
        job = studio.jobs.start("import", f"add {words[:80]}", work)
        return reply({"job": job.id}, 202)

    async def folder(request: Request) -> Response:
        none = type(None)
        given = await fields_of(request, path=str, copies=(bool, none), labels=(bool, none))
        path = _own(studio, given["path"])
        labels, copies = given["labels"] is not False, bool(given["copies"])
        return reply({"job": studio.add_folder(path, labels=labels, copies=copies).id}, 202)

    async def feedback(request: Request) -> Response:
        path = _own(studio, (await fields_of(request, path=str))["path"])
        work = partial(_bring, studio, partial(open_feedback, path, studio.limits), "feedback")
        return reply({"job": studio.jobs.start("import", f"add {path.name}", work).id}, 202)

    return [
        Route("/api/import", upload, methods=["POST"]),
        Route("/api/import/folder", folder, methods=["POST"]),
        Route("/api/import/feedback", feedback, methods=["POST"]),
    ]


def _require_label(studio: Studio, label: int) -> None:
    with studio.database.reading() as connection:
        find_label(connection, label)


def _own(studio: Studio, text: str) -> Path:
    """A path of this machine, which only those who sit at it may name.

    Raises:
        AccessError: the studio is shared.
        RequestError: it is no path.
    """
    if studio.is_shared:
        raise AccessError(
            "a shared studio opens no folders of the machine that it runs on; drop the photos on "
            "the page instead",
            is_known=True,
        )
    if not text.strip() or "\0" in text or len(text) > 4_096:
        raise RequestError("path is that of a folder or table on this machine")
    return Path(text.strip()).expanduser().absolute()


async def _received(request: Request, incoming: Path) -> list[Upload]:
    """Write what is sent to files of our own naming."""
    await in_thread(_make, incoming)
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        parts = await Form(kind, MOST_FILES).read(_bounded(request))
        files = [part for part in parts if part.is_file]
        if not files:
            raise RequestError("the form holds no files; add photos or zips")
        return await in_thread(_write, incoming, files)
    name = request.query_params.get("name", "photo")[:_LONGEST_NAME]
    upload = Upload(name, incoming / secrets.token_hex(12))
    try:
        with _telling():
            await _copy(request, upload.path)
    except BaseException:
        upload.path.unlink(missing_ok=True)
        raise
    return [upload]


async def _copy(request: Request, path: Path) -> None:
    """Write a body to a file.

    What comes after a failure is taken and dropped: a sender who is cut off hears no reason.

    Raises:
        OSError: it cannot be written.
    """
    failed: OSError | None = None
    with path.open("wb", buffering=0) as file:
        async for piece in request.stream():
            if failed is None:
                failed = await in_thread(_append, file, piece)
                if failed is not None:
                    file.truncate(0)
    if failed is not None:
        raise failed


@contextmanager
def _telling() -> Iterator[None]:
    """Say what it means that something cannot be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"nothing of this was added: the project cannot be written ({error.strerror or error})."
            " Free some space, then add the photos again."
        ) from error


def _make(incoming: Path) -> None:
    with _telling():
        incoming.mkdir(parents=True, exist_ok=True)


def _append(file: FileIO, piece: bytes) -> OSError | None:
    """Write all of a piece: unbuffered, so that nothing is left to fail when it is closed."""
    left = memoryview(piece)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        return error
    return None


async def _bounded(request: Request) -> AsyncIterator[bytes]:
    """The pieces of a form, which is held in memory."""
    num_bytes = 0
    async for piece in request.stream():
        num_bytes += len(piece)
        if num_bytes > _FORM_BYTES:
            raise RequestError(
                f"the form has more than {_FORM_BYTES:,} bytes; send fewer photos at a time, or a "
                "zip by itself",
                413,
            )
        yield piece


def _name_of(part: Part) -> str:
    """What a file is called; browsers escape three characters of names in forms, and only those."""
    name = part.filename or part.name
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _write(incoming: Path, files: Sequence[Part]) -> list[Upload]:
    """Write the files of a form, all or none."""
    uploads = [
        Upload(_name_of(part)[:_LONGEST_NAME], incoming / secrets.token_hex(12)) for part in files
    ]
    try:
        with _telling():
            for upload, part in zip(uploads, files, strict=True):
                upload.path.write_bytes(part.content)
    except BaseException:
        for upload in uploads:
            upload.path.unlink(missing_ok=True)
        raise
    return uploads


def _bring_uploads(
    studio: Studio, uploads: Sequence[Upload], wanted: _Wanted, job: Job
) -> dict[str, Any]:
    """Take the photos in, then what tables say of them."""
    tables = [one for one in uploads if is_table(one)]
    try:
        items = partial(open_uploads, uploads, studio.limits, folders=wanted.folders)
        total = len(uploads) - len(tables)
        told = _bring(studio, items, wanted.source, job, label=wanted.label, total=total)
        for table in tables:
            try:
                found = describe(studio.database, studio.events, table.path)
            except DataError as error:
                if len(uploads) == 1:
                    raise
                told["refused"].append({"name": shown_name(table.name), "reason": str(error)})
                told["num_refused"] += 1
            else:
                told["described"] = told.get("described", 0) + found.found
                told["undescribed"] = told.get("undescribed", 0) + found.missed
        return told
    finally:
        for one in uploads:
            one.path.unlink(missing_ok=True)


def _bring(
    studio: Studio,
    items: Callable[[], Iterable[Item | Problem | None]],
    source: str,
    job: Job,
    *,
    label: int | None = None,
    total: int = 0,
) -> dict[str, Any]:
    report = studio.intake.take(items(), source, job, label=label, total=total)
    studio.brought(report)
    return report.plain()
