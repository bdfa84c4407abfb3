"""`connect`: from an address to a host that can be asked."""

from __future__ import annotations

import os
import ssl
from urllib.parse import urlsplit

from ninebrains.connecting.doing import Line
from ninebrains.connecting.host import RemoteHost
from ninebrains.errors import AccessError, HostError


def connect(  # noqa: PLR0913 - all but the first two are rarely needed
    url: str,
    key: str | None = None,
    *,
    user: str = "",
    consent: bool = False,
    shrink: bool = True,
    timeout: float = 60.0,
    retries: int = 5,
    at_once: int = 8,
    authority: str | os.PathLike[str] | None = None,
) -> RemoteHost:
    """A running host (`ninebrains serve`), to be used like a mind that is here.

    Nothing is sent yet. Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`), but
    never for this machine.

    Args:
        url: such as `http://localhost:8000`.
        key: an API key of the host.
        user: the key of the user for whom is asked: they always get the same version of a brain,
            and their photos are deleted together.
        consent: whether the host may keep photos, to learn from them.
        shrink: make photos that are much larger than the brains need smaller before they are sent.
        timeout: seconds that a call without a deadline may take, retries included.
        retries: how often a call is tried again, with growing pauses, where the host cannot be
            reached or is too busy.
        at_once: photos of `submit` and `run_many` that are on their way together.
        authority: a PEM file with the certificates to trust in place of the system's.

    Raises:
        HostError: `url` is no address of a host, or `authority` cannot be read.
        AccessError: `key` has signs that no key has.
        RequestError: another argument makes no sense.
        ExtraError: httpx is missing; `pip install 'ninebrains[client]'`.

    Example:
        >>> import ninebrains as nb
        >>> with nb.connect("http://localhost:8000") as host:  # doctest: +SKIP
        ...     host.run("cat.jpg")["pets"].answer
        'cat'
    """
    headers = {} if key is None else {"Authorization": f"Bearer {_checked(key)}"}
    return RemoteHost(
        Line(_address(url), headers, None if authority is None else _tls(authority)),
        user=user,
        consent=consent,
        shrink=shrink,
        timeout=timeout,
        retries=retries,
        at_once=at_once,
    )


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except (ValueError, TypeError, AttributeError):
        parts, port = urlsplit(""), None
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain or port == 0:
        # Not the whole address: it may hold a password.
        shown = parts.hostname or (url if isinstance(url, str) and "@" not in url else "that")
        is_other = parts.hostname is not None and parts.scheme not in ("http", "https")
        scheme = f" with the scheme {parts.scheme!r}" if is_other else ""
        raise HostError(
            f"{shown!r}{scheme} is no address of a host; expected such as http://localhost:8000 "
            "(a key goes into key=)"
        )
    return url.rstrip("/")


def _checked(key: str) -> str:
    if not isinstance(key, str) or not key.isascii() or not key.isprintable() or " " in key:
        raise AccessError("the key has signs that no key has; copy it again, without line breaks")
    if not key:
        raise AccessError("the key is empty; expected one of `ninebrains keys add`, or None")
    return key


def _tls(authority: str | os.PathLike[str]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=os.fspath(authority))
    except (OSError, TypeError) as error:
        raise HostError(
            f"{authority} holds no certificates that can be read ({error}); expected a PEM file"
        ) from error
