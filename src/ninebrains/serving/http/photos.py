"""The photos of a request: a raw body, the files of a form, or base64 and addresses in JSON."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ninebrains.errors import RequestError
from ninebrains.serving.converting import converted
from ninebrains.serving.http.bodies import chunks, content_type, kind_of, read_body, read_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope

    from ninebrains.serving.settings import Limits

_MOST_NAME = 500


@dataclass(frozen=True, slots=True)
class NamedPhoto:
    """A photo as it was sent.

    Attributes:
        name: as the sender calls it, if at all.
        photo: the file's bytes; empty where there is a `url`.
        url: where it is to be fetched from.
    """

    name: str | None
    photo: bytes = field(repr=False)
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What a body said.

    Attributes:
        photos: one at least.
        fields: whatever else the form or the JSON object held, by name.
    """

    photos: list[NamedPhoto]
    fields: Mapping[str, object]


async def photos_of(request: Request, limits: Limits) -> list[NamedPhoto]:
    """The photos of a request that holds nothing else: a raw photo, or files of a form.

    For protocols whose JSON has a form of its own.

    Args:
        request: whose body nobody has read.
        limits: on the body and the number of photos.

    Raises:
        RequestError: there is no photo, there are too many, the form is malformed or has fields,
            or the body is of another type (415; JSON as well).
    """
    kind = content_type(request.scope)
    if kind_of(kind) == "json":
        raise RequestError("got JSON; expected a photo as the body, or multipart/form-data", 415)
    sent = await read_photos(request.scope, request.receive, limits)
    if sent.fields:
        raise RequestError(
            f"the form has a field {next(iter(sent.fields))[:100]!r}; expected nothing but photos"
        )
    return sent.photos


async def read_photos(scope: Scope, receive: Receive, limits: Limits) -> Sent:
    """The photos of a request, and what its body says besides.

    Args:
        scope: of the request.
        receive: of the request; nobody has read the body.
        limits: on the body and the number of photos.

    Raises:
        RequestError: as in `photos_of`, or the JSON is none, or of another form.
    """
    claimed = content_type(scope)
    kind = kind_of(claimed)
    if kind == "form":
        return await _of_form(claimed, receive, limits)
    body = await read_body(receive, limits.body_bytes)
    if not body:
        raise RequestError(
            "the body is empty; expected a photo, such as: curl -T cat.jpg HOST/infer"
        )
    if kind == "photo":
        return Sent([NamedPhoto(None, body)], {})
    return await converted(len(body), partial(_of_json, body, limits.photos), limits)


async def _of_form(claimed: str, receive: Receive, limits: Limits) -> Sent:
    from ninebrains.serving.http.multipart import Form

    form = Form(claimed, limits.photos)
    photos: list[NamedPhoto] = []
    fields: dict[str, object] = {}
    for part in await form.read(chunks(receive, limits.body_bytes)):
        if part.is_file:
            photos.append(NamedPhoto((part.filename or "")[:_MOST_NAME] or None, part.content))
        elif part.name in fields:
            raise RequestError(f"the form has two fields {part.name[:100]!r}; expected one")
        else:
            fields[part.name] = _text(part.name, part.content)
    if not photos:
        raise RequestError(
            "the form holds no file; expected one photo at least, such as: "
            "curl -F image=@cat.jpg HOST/infer"
        )
    return Sent(photos, fields)


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RequestError(
            f"the field {name[:100]!r} is no text; if it is a photo, send it with a file name "
            "(curl -F image=@cat.jpg)"
        ) from error


def _of_json(body: bytes, most: int) -> Sent:
    found = read_json(body)
    if not isinstance(found, dict) or not isinstance(found.get("photos"), list):
        raise RequestError('got other JSON; expected {"photos": [{"b64": "…"}], …}')
    fields = dict(found)
    items = fields.pop("photos")
    assert isinstance(items, list)
    if not 1 <= len(items) <= most:
        raise RequestError(
            f"got {len(items)} photos; expected 1 to {most} in a request",
            413 if items else 400,
        )
    return Sent([_of_item(place, item) for place, item in enumerate(items)], fields)


def _of_item(place: int, item: object) -> NamedPhoto:
    """One of `photos` in JSON."""
    if not isinstance(item, dict) or ("b64" in item) == ("url" in item):
        raise RequestError(
            f'photos[{place}] is not understood; expected {{"b64": "…"}} or {{"url": "…"}}'
        )
    for key, value in item.items():
        if key not in ("b64", "url", "name"):
            raise RequestError(
                f"photos[{place}] has an unknown field {key[:100]!r}; expected b64 or url, and name"
            )
        if not isinstance(value, str):
            raise RequestError(f"photos[{place}].{key} is no text; expected text")
    name = item.get("name")
    if name is not None:
        name = name[:_MOST_NAME]
    if "url" in item:
        return NamedPhoto(name, b"", item["url"])
    return NamedPhoto(name, from_base64(item["b64"], f"photos[{place}].b64"))


def from_base64(text: str, where: str) -> bytes:
    """The bytes that a text stands for; line breaks and `data:image/…;base64,` may be in it.

    Raises:
        RequestError: it is no base64; the message says `where`.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass  # perhaps it has line breaks, as the program base64 makes them
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError as error:
        raise RequestError(f"{where} is no base64: {error}") from error
