"""What an answer to the request for a file means: the file, a refusal, or a fault that passes."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ninebrains.errors import TrunkError

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from ninebrains.trunks.catalog import HubFile
    from ninebrains.trunks.hub import Answer

_Fact = TypeVar("_Fact", int, str)

_WHOLE, _REST, _PAST_THE_END = 200, 206, 416
_COME_BACK = (408, 425, 429, 500, 502, 503, 504)
_MOST_DIGITS = 18  # of a size
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")


class PassingError(Exception):
    """A fault that may be gone at the next try. Not for users: `download` turns it into one.

    Attributes:
        wait_s: seconds until the next try as the server asks, or None for the usual ones.
        is_stale: whether what has arrived so far is of no use any more.
    """

    def __init__(self, what: str, *, wait_s: float | None = None, is_stale: bool = False) -> None:
        super().__init__(what)
        self.wait_s = wait_s
        self.is_stale = is_stale


@dataclass(frozen=True)
class Meaning:
    """A file that is on its way.

    Attributes:
        offset: place of the first byte that comes, 0 for the whole file.
        size_bytes: of the whole file, or None where nobody says.
        sha256: of the whole file (hex): the listed one, else the hub's, else None.
        etag: for going on later, or None where the server gives none that may be used so.
    """

    offset: int
    size_bytes: int | None
    sha256: str | None
    etag: str | None


def understand(
    answer: Answer, file: HubFile, url: str, offset: int = 0, begun: str | None = None
) -> Meaning:
    """Tell what comes.

    Args:
        answer: the hub's; its body is not touched.
        file: what was asked for.
        url: where; for messages.
        offset: bytes that are here already and were not asked for.
        begun: SHA-256 (hex) of the file that they belong to, or None where it is not known.

    Raises:
        TrunkError: it is refused, or is another file than the listed one.
        PassingError: try again.
    """
    response = answer.response
    _check_status(response, url, offset)
    _check_content(response, url)
    sha256 = _agreed("the SHA-256", file.sha256, answer.sha256, url)
    start, announced = _lengths(response, url, offset)
    if start and begun not in (None, sha256):
        raise PassingError(f"{url} has changed.", wait_s=0, is_stale=True)
    stated = _agreed("a size in bytes of", file.size_bytes, _stated_size(answer, url), url)
    size = _agreed("a size in bytes of", stated, announced, url)
    etag = response.headers.get("ETag", "")
    return Meaning(start, size, sha256, etag if is_strong(etag) else None)


def is_strong(etag: str) -> bool:
    """Whether an ETag promises the same bytes, which weak ones do not, and can be sent back."""
    return etag.startswith('"') and etag.isascii() and etag.isprintable()


def _check_status(response: HTTPResponse, url: str, offset: int) -> None:
    status = response.status
    if status == _WHOLE or (status == _REST and offset):
        return
    shown = f"{url} answered {status}"
    if status == _PAST_THE_END and offset:
        raise PassingError(f"{shown}: the file is shorter now.", wait_s=0, is_stale=True)
    if status in _COME_BACK:
        raise PassingError(f"{shown}: the hub is busy.", wait_s=_asked_wait(response))
    if status in (401, 403):
        raise TrunkError(
            f"{shown}: it may only be had with an account that is allowed to. Put that account's "
            "token into HF_TOKEN (sent over https alone), after accepting the terms on the model's "
            "page if it has any."
        )
    if status in (404, 410):
        raise TrunkError(f"{shown}: there is no such file on this hub (any more).")
    raise TrunkError(f"{shown}; expected the file. Is it really a model hub?")


def _check_content(response: HTTPResponse, url: str) -> None:
    kind = response.headers.get_content_type() if "Content-Type" in response.headers else ""
    if kind in ("text/html", "application/xhtml+xml"):
        raise TrunkError(
            f"{url} answered with a web page (a sign-in page or a proxy's notice?); expected an "
            "ONNX file. Open the address in a browser to see what it says."
        )
    packing = response.headers.get("Content-Encoding", "identity")
    if packing.lower() != "identity":
        raise TrunkError(f"{url} comes packed as {packing!r}, which was not asked for.")


def _lengths(response: HTTPResponse, url: str, offset: int) -> tuple[int, int | None]:
    """Place of the first byte, and the announced size of the whole file."""
    if response.status == _WHOLE:
        return 0, response.length
    text = response.headers.get("Content-Range", "")
    found = _RANGE.fullmatch(text)
    if found is None or int(found[1]) != offset:
        raise PassingError(
            f"{url} was asked to go on at byte {offset:,} and sends {text!r}.",
            wait_s=0,
            is_stale=True,
        )
    return offset, None if found[3] == "*" else int(found[3])


def _agreed(what: str, expected: _Fact | None, found: _Fact | None, url: str) -> _Fact | None:
    if expected is not None and found is not None and expected != found:
        raise TrunkError(
            f"{url} has {what} {found}; expected {expected}. It is another file than the one that "
            "is meant, so nothing was fetched."
        )
    return found if expected is None else expected


def _stated_size(answer: Answer, url: str) -> int | None:
    text = answer.size or ""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > _MOST_DIGITS:
        raise TrunkError(
            f"{url} is said to have a size of {len(text):,} digits ({text[:_MOST_DIGITS]}...); "
            "expected a number of bytes. Is it really a model hub?"
        )
    return int(text)


def _asked_wait(response: HTTPResponse) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or a date."""
    from email.utils import parsedate_to_datetime

    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError, OSError):  # no date, or one beyond this system's
        return None
