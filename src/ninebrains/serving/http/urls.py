"""Photos by their address: only from hosts that the settings name, and never from private networks.

The name is resolved once, each address is checked, and the connection goes to a checked one; so a
name that changes its address between check and use gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, cast

from ninebrains.errors import PhotoError, RequestError

if TYPE_CHECKING:
    import ssl

    import httpx

    from ninebrains.serving.settings import Urls

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_REDIRECTS = 3
_MOST_CHARACTERS = 2_000
_REDIRECTS = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, so that no inner service has it."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class Fetcher:
    """Fetches photos by their address.

    Args:
        settings: from which hosts, and the limits.
        may_reach: whether a resolved address may be connected to.
    """

    def __init__(self, settings: Urls, may_reach: Callable[[Address], bool] = is_public) -> None:
        self._may_reach = may_reach
        self.adopt(settings)

    def adopt(self, settings: Urls) -> None:
        """Go by these settings from now on."""
        self._settings = settings
        self._hosts = tuple(host.lower().rstrip(".") for host in settings.hosts)

    async def fetch(self, url: str) -> bytes:
        """The photo's bytes.

        Raises:
            RequestError: fetching is off, or the address is not allowed.
            PhotoError: it cannot be fetched, is too large or takes too long.
        """
        if not self._hosts:
            raise RequestError(
                "photos by URL are off on this host; send the photo itself, or have urls.hosts set"
            )
        import httpx

        try:
            async with asyncio.timeout(self._settings.seconds):
                return await self._follow(url)
        except TimeoutError as error:
            raise PhotoError(
                f"{_shown(url)} took longer than {self._settings.seconds:g} s, the limit here"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            reason = str(error) or type(error).__name__
            raise PhotoError(f"{_shown(url)} cannot be fetched: {reason}") from error

    async def _follow(self, url: str) -> bytes:
        import httpx

        # Without a trace of this machine: neither its proxies nor its .netrc.
        async with httpx.AsyncClient(
            verify=_tls(), trust_env=False, timeout=self._settings.seconds
        ) as client:
            for _ in range(_MOST_REDIRECTS + 1):
                found = await self._get(client, self._checked(url))
                if isinstance(found, bytes):
                    return found
                url = str(found)
        raise PhotoError(f"{_shown(url)} came after more than {_MOST_REDIRECTS} redirects")

    def _checked(self, url: str) -> httpx.URL:
        """An address in a form and of a host that is allowed.

        Raises:
            RequestError: it is not.
        """
        import httpx

        if len(url) > _MOST_CHARACTERS:
            raise RequestError(f"the URL has more than {_MOST_CHARACTERS} characters")
        try:
            found = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise RequestError(f"{_shown(url)} is no URL: {error}") from error
        if found.scheme not in ("http", "https") or not found.host or found.userinfo:
            raise RequestError(
                f"{_shown(url)} is not understood; expected https://HOST/… without a password"
            )
        host = found.host.lower().rstrip(".")
        if not any(_fits(host, allowed) for allowed in self._hosts):
            raise RequestError(f"photos from {host[:200]!r} are not allowed here (urls.hosts)")
        return found

    async def _get(self, client: httpx.AsyncClient, url: httpx.URL) -> bytes | httpx.URL:
        """What is there, or where else to look."""
        address = await self._resolve(url)
        client.cookies.clear()  # hosts that share an address must not get each other's
        # The connection goes to the checked address; name and certificate stay those of the URL.
        request = client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers={"Host": url.netloc.decode("ascii"), "Accept": "image/*"},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        response = await client.send(request, stream=True)
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return url.join(response.headers["location"])
            if response.status_code != 200:
                raise PhotoError(
                    f"{_shown(str(url))} answered {response.status_code}; expected 200 and a photo"
                )
            return await self._read(url, response)
        finally:
            await response.aclose()

    async def _resolve(self, url: httpx.URL) -> Address:
        """An address of the URL's host that may be reached.

        Raises:
            RequestError: one of its addresses may not.
        """
        port = url.port or (443 if url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(cast("str", entry[4][0])) for entry in found]
        if not addresses or not all(self._may_reach(address) for address in addresses):
            raise RequestError(
                f"{url.host[:200]!r} has an address that is not public; photos are fetched from "
                "public ones alone"
            )
        return addresses[0]

    async def _read(self, url: httpx.URL, response: httpx.Response) -> bytes:
        """The body, within the limit; as it was sent, so that nothing small unpacks to much."""
        if "content-encoding" in response.headers:
            raise PhotoError(f"{_shown(str(url))} is packed; expected a photo as it is")
        limit, content = self._settings.bytes, bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > limit:
                raise PhotoError(
                    f"{_shown(str(url))} has more than {limit:,} bytes, the limit here"
                )
        return bytes(content)


@cache
def _tls() -> ssl.SSLContext:
    """Whom to trust; reading that takes a while."""
    import httpx

    return httpx.create_ssl_context()


def _fits(host: str, allowed: str) -> bool:
    if allowed.startswith("*."):
        return host.endswith(allowed[1:]) and len(host) > len(allowed) - 1
    return host == allowed


def _shown(url: str) -> str:
    """The part of an address that may be told: what follows a ? may hold a secret."""
    return url.partition("?")[0][:200]
