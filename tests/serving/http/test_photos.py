"""What bodies of requests become photos, and which are refused."""

import asyncio
import base64

import orjson
import pytest
from starlette.requests import Request

from ninebrains.errors import RequestError
from ninebrains.serving.http.photos import NamedPhoto, photos_of, read_photos
from ninebrains.serving.settings import Limits

LIMITS = Limits(photos=3, body_bytes=1000)
JPEG = b"\xff\xd8\xff\xe0 a photo \r\n--almost"


def request(body, kind="", *, piece=7):
    """A request whose body comes in small pieces."""
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)] or [b""]
    headers = [(b"content-type", kind.encode())] if kind else []

    async def receive():
        chunk = pieces.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(pieces)}

    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def read(body, kind="", limits=LIMITS, **options):
    sent = request(body, kind, **options)
    return asyncio.run(read_photos(sent.scope, sent.receive, limits))


def form(*parts, end=True):
    lines = b"".join(b"--edge\r\n" + head + b"\r\n\r\n" + body + b"\r\n" for head, body in parts)
    return lines + (b"--edge--\r\n" if end else b"")


def file(name="image", filename="cat.jpg", body=JPEG):
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
    return head.encode() + b"\r\nContent-Type: image/jpeg", body


def text(name, value):
    return f'Content-Disposition: form-data; name="{name}"'.encode(), value


FORM = "multipart/form-data; boundary=edge"
B64 = base64.b64encode(JPEG).decode()


RAW = ("", "image/jpeg", "IMAGE/WEBP", "application/octet-stream; x=1", "binary/octet-stream")
AS_CURL_DOES = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("kind", [*RAW, AS_CURL_DOES])
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_raw_body_is_one_photo(kind, piece):
    assert read(JPEG, kind, piece=piece).photos == [NamedPhoto(None, JPEG)]


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_every_file_of_a_form_is_a_photo_and_texts_are_fields(piece):
    body = form(file(), text("top", b"3"), file("other", "", b"x"), text("user", "Ü".encode()))
    sent = read(body, FORM, piece=piece)
    assert sent.photos == [NamedPhoto("cat.jpg", JPEG), NamedPhoto(None, b"x")]
    assert sent.fields == {"top": "3", "user": "Ü"}


def test_a_part_that_says_it_is_an_image_is_a_photo_without_a_file_name():
    head = b'Content-Disposition: form-data; name="a"\r\nContent-Type: image/png'
    assert read(form((head, JPEG)), FORM).photos == [NamedPhoto(None, JPEG)]


@pytest.mark.parametrize("piece", [7, 10**9])
def test_what_stands_after_a_form_is_left_aside(piece):
    body = form(file()) + b"bye" * 20_000
    assert read(body, FORM, Limits(), piece=piece).photos == [NamedPhoto("cat.jpg", JPEG)]


def test_photos_in_json_are_base64_with_or_without_line_breaks_or_addresses():
    items = [
        {"b64": B64, "name": "cat.jpg"},
        {"b64": f"data:image/jpeg;base64,{B64[:20]}\n{B64[20:]}\n"},
        {"url": "https://example.org/cat.jpg"},
    ]
    sent = read(orjson.dumps({"photos": items, "top": 2}), "application/json; charset=utf-8")
    assert sent.photos == [
        NamedPhoto("cat.jpg", JPEG),
        NamedPhoto(None, JPEG),
        NamedPhoto(None, b"", "https://example.org/cat.jpg"),
    ]
    assert sent.fields == {"top": 2}


def photos(*items, **fields):
    return orjson.dumps({"photos": items, **fields})


JSON = "application/json"
REFUSED = {
    "nothing": (b"", "", 400, "empty"),
    "a page": (b"<p>", "text/html", 415, "text/html"),
    "a large body": (b"x" * 1001, "", 413, "1,000 bytes"),
    "a large form": (form(file(body=b"x" * 1001)), FORM, 413, "1,000 bytes"),
    "no boundary": (form(file()), "multipart/form-data", 400, "boundary"),
    "a long boundary": (form(file()), FORM + "x" * 500, 400, "oundary"),
    "another boundary": (form(file()), "multipart/form-data; boundary=x", 400, "multipart"),
    "an empty form": (form(), FORM, 400, "no"),
    "a form of texts": (form(text("top", b"1")), FORM, 400, "no file"),
    "a cut form": (form(file(), end=False), FORM, 400, "ended"),
    "an empty body as form": (b"", FORM, 400, "ended"),
    "four files": (form(*[file(body=b"x")] * 4), FORM, 413, "more than 3 photos"),
    "many fields": (form(*[text(str(n), b"") for n in range(40)]), FORM, 400, "32 fields"),
    "a field twice": (form(file(), text("a", b""), text("a", b"")), FORM, 400, "two fields"),
    "a photo without file name": (form(text("image", JPEG)), FORM, 400, "file name"),
    "a nameless part": (form((b"X: 1", b"")), FORM, 400, "Content-Disposition"),
    "a part's long header": (form((b"X: " + b"y" * 5000, b"")), FORM, 400, "multipart"),
    "no JSON": (b"{", JSON, 400, "no JSON"),
    "JSON in another encoding": ("{}".encode("utf-16"), JSON, 400, "no JSON"),
    "a list": (b"[]", JSON, 400, "photos"),
    "no list of photos": (b'{"photos": {}}', JSON, 400, "photos"),
    "no photos": (photos(), JSON, 400, "1 to 3"),
    "four photos": (photos(*[{"b64": ""}] * 4), JSON, 413, "1 to 3"),
    "a number": (photos(3), JSON, 400, r"photos\[0\]"),
    "both": (photos({"b64": "", "url": ""}), JSON, 400, r"photos\[0\]"),
    "more": (photos({"b64": "", "x": ""}), JSON, 400, "unknown field 'x'"),
    "a number as base64": (photos({"b64": 3}), JSON, 400, r"photos\[0\].b64"),
    "no base64": (photos({"b64": "Ü?"}), JSON, 400, "no base64"),
    "cut base64": (photos({"b64": "abc"}), JSON, 400, "no base64"),
    "deep JSON": (b"[" * 2000, JSON, 400, "no JSON"),
}


@pytest.mark.parametrize(("body", "kind", "status", "says"), REFUSED.values(), ids=REFUSED)
def test_other_bodies_are_refused_with_a_reason(body, kind, status, says):
    limits = LIMITS if status == 413 else Limits(photos=3)
    with pytest.raises(RequestError, match=says) as refused:
        read(body, kind, limits)
    assert refused.value.status == status


@pytest.mark.parametrize("bomb", [b"[" * 20_000, b"[" + b"{}," * 20_000 + b"1]", b"1," * 20_000])
def test_json_of_very_many_values_is_refused_before_it_is_read(bomb):
    with pytest.raises(RequestError, match="values") as refused:
        read(bomb, JSON, Limits())
    assert refused.value.status == 413


def test_a_sender_who_hangs_up_is_no_photo():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(RequestError, match="whole"):
        asyncio.run(read_photos({"headers": []}, receive, LIMITS))


@pytest.mark.parametrize(("body", "kind"), [(JPEG, "image/jpeg"), (form(file(body=JPEG)), FORM)])
def test_other_protocols_take_photos_raw_or_as_files(body, kind):
    (photo,) = asyncio.run(photos_of(request(body, kind), LIMITS))
    assert photo.photo == JPEG


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(photos({"b64": ""}), JSON, 415), (form(file(), text("top", b"1")), FORM, 400)],
)
def test_other_protocols_take_neither_our_json_nor_fields(body, kind, status):
    with pytest.raises(RequestError) as refused:
        asyncio.run(photos_of(request(body, kind), LIMITS))
    assert refused.value.status == status
