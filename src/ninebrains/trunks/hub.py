"""The public model hub over HTTP: where its files are, who may see the token, what it states.

A file lies at `{endpoint}/{repo}/resolve/{revision}/{path}`. The hub answers with a redirect to a
content network, and says in the redirect's headers what will arrive there: `X-Linked-Etag` (the
SHA-256 of large files), `X-Linked-Size`. The variables are those of the hub's own client:
https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
"""

from __future__ import annotations

import os
import re
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from ninebrains.errors import TrunkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse

DEFAULT_ENDPOINT = "https://huggingface.co"

_OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN = 200  # characters of what a server says


@dataclass(frozen=True)
class Answer:
    """What came back for one file, its body not read yet.

    Attributes:
        response: of the last server; close it.
        sha256: of the whole file as the hub states it, or None.
        size: of the whole file in bytes, as the hub writes it, or None.
    """

    response: HTTPResponse
    sha256: str | None
    size: str | None


@dataclass(frozen=True)
class Hub:
    """One hub.

    Attributes:
        endpoint: its address without a slash at the end.
        token: shown to the endpoint's own host alone and over https alone, or None.
    """

    endpoint: str = DEFAULT_ENDPOINT
    token: str | None = field(default=None, repr=False)

    def url(self, repo: str, revision: str, path: str) -> str:
        """Where a file lies.

        Example:
            >>> Hub().url("owner/name", "main", "onnx/model.onnx")
            'https://huggingface.co/owner/name/resolve/main/onnx/model.onnx'
        """
        return f"{self.endpoint}/{quote(repo)}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def get(self, url: str, headers: Mapping[str, str], timeout_s: float) -> Answer:
        """Ask for a file and follow the redirects. Any status comes back as it is.

        Args:
            url: on this hub.
            headers: sent to every server on the way; the token is added where it may be seen.
            timeout_s: seconds for each step: see `ask`.

        Raises:
            TrunkError: a redirect leads nowhere, in circles, or away from https; or the server is
                none that can be asked.
            PassingError: no connection, or it broke.
        """
        from ninebrains.trunks.connecting import ask

        stated: dict[str, str] = {}
        for _ in range(_MOST_REDIRECTS + 1):
            is_ours = _origin(url) == _origin(self.endpoint)
            shown = dict(headers)
            if self.token is not None and is_ours and urlsplit(url).scheme == "https":
                shown["Authorization"] = f"Bearer {self.token}"
            response = ask(url, shown, timeout_s)
            if is_ours:
                stated |= {
                    name.lower(): value
                    for name, value in response.headers.items()
                    if name.lower().startswith("x-linked-")
                }
            if response.status not in _REDIRECTS:
                return Answer(response, _stated_sha256(stated), stated.get("x-linked-size"))
            location = response.headers.get("Location")
            response.close()
            url = self._next(url, location)
        raise TrunkError(f"{self.endpoint} redirects more than {_MOST_REDIRECTS} times; gave up.")

    def _next(self, url: str, location: str | None) -> str:
        """The address that a redirect names."""
        allowed = ("https",) if urlsplit(self.endpoint).scheme == "https" else ("https", "http")
        try:
            # A header's bytes come as Latin-1, whatever they are; an address takes ASCII alone.
            target = urljoin(url, quote((location or "").encode("latin-1"), string.punctuation))
            scheme, host, _ = _origin(target)
        except ValueError:
            scheme, host = "", None
        if not location or _CONTROL.search(location) or scheme not in allowed or not host:
            raise TrunkError(
                f"{self.endpoint} redirects to {location and location[:_SHOWN]!r}; expected an "
                f"address with {' or '.join(allowed)}. Nothing was fetched from there."
            )
        return target


def hub_from_environment(endpoint: str | None = None) -> Hub:
    """The hub that is asked for, else that of `HF_ENDPOINT`, else the public one; with `HF_TOKEN`.

    Raises:
        TrunkError: the endpoint is no web address, or the token no header's value.
    """
    given = endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT
    token = os.environ.get("HF_TOKEN", "").strip() or None
    try:
        parts = urlsplit(given)
        scheme, host, _ = _origin(given)
        is_address = scheme in ("https", "http") and bool(host) and parts.port != 0
        is_plain = not (parts.query or parts.fragment) and given.isascii()
    except ValueError:
        is_address = is_plain = False
    if "@" in given:  # not repeated: what stands before it may be a password
        raise TrunkError(
            "the hub's endpoint holds a user name or password; expected an address such as "
            f"{DEFAULT_ENDPOINT}. Put a token into HF_TOKEN instead."
        )
    if not (is_address and is_plain and given.isprintable() and " " not in given):
        raise TrunkError(
            f"the hub's endpoint is {given!r}; expected an address such as {DEFAULT_ENDPOINT}. "
            "Correct --endpoint or HF_ENDPOINT."
        )
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise TrunkError("HF_TOKEN holds spaces or other characters that no token has.")
    return Hub(given.rstrip("/"), token)


def check_online() -> None:
    """Respect the variables that forbid the network.

    Raises:
        TrunkError: one of them does.
    """
    for name in _OFFLINE_VARIABLES:
        value = os.environ.get(name, "").strip()
        if value.upper() in ("1", "ON", "YES", "TRUE"):
            raise TrunkError(f"{name}={value} forbids the network, so the hub was not asked.")


def _origin(url: str) -> tuple[str, str | None, int]:
    """Scheme, host and port. ValueError: it has a port or a host that cannot be."""
    parts = urlsplit(url)
    (parts.hostname or "").encode("idna")  # as the connection would: no empty or overlong label
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, parts.hostname, parts.port or default


def _stated_sha256(stated: Mapping[str, str]) -> str | None:
    value = stated.get("x-linked-etag", "").removeprefix("W/").strip('"').lower()
    return value if _SHA256.fullmatch(value) else None
