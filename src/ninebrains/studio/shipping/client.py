"""What the studio asks a host: its versions, how they do, and to change how requests are shared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ninebrains.errors import AccessError, HostError, MissingError, RequestError

if TYPE_CHECKING:
    import httpx

_SECONDS = 10.0
_UPLOAD_SECONDS = 600.0
_MOST_REPLY_BYTES = 64 * 2**20


class HostClient:
    """Talks with one host; safe in threads.

    Args:
        url: of the host.
        key: one with the scope `admin`.
    """

    def __init__(self, url: str, key: str | None) -> None:
        import httpx

        if not url.startswith(("http://", "https://")) or len(url) > 500:
            raise HostError(f"{url[:100]!r} is no address of a host; expected http://NAME:PORT")
        self.url = url.rstrip("/")
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        try:
            self._http = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=_SECONDS,
                follow_redirects=False,
                trust_env=False,
            )
        except (httpx.InvalidURL, ValueError, UnicodeError) as error:
            raise HostError(f"{url[:100]!r} is no address of a host: {error}") from error

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def get(self, path: str) -> Any:  # noqa: ANN401 - what JSON holds
        """What the host says at a path, as plain values.

        Raises:
            AccessError: the key does not allow it.
            HostError: it cannot be reached, or answers nonsense.
            MissingError: there is nothing.
            RequestError: it refuses, and says why.
        """
        return self._asked("GET", path)

    def send(self, method: str, path: str, fields: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Have the host change something; what it says then. Raises as `get`."""
        return self._asked(method, path, json=fields)

    def upload(self, name: str, brain: Path, number: int | None = None) -> dict[str, Any]:
        """Give the host a brain; what became of it. Raises as `get`.

        Args:
            name: that it is to have there.
            brain: its file.
            number: of the version; None for the next one.
        """
        path = f"/admin/brains/{quote(name)}/versions"
        method, path = ("POST", path) if number is None else ("PUT", f"{path}/{number}")
        with brain.open("rb") as file:
            told = self._asked(method, path, content=file, timeout=_UPLOAD_SECONDS)
        assert isinstance(told, dict)
        return told

    def _asked(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - those of httpx
        import httpx

        try:
            reply = self._http.request(method, path, **options)
        except (httpx.HTTPError, OSError) as error:
            raise HostError(
                f"the host at {self.url} cannot be reached ({error or type(error).__name__}). Is "
                "it running, and is the address right?"
            ) from error
        return self._read(reply)

    def _read(self, reply: httpx.Response) -> Any:  # noqa: ANN401 - what JSON holds
        if len(reply.content) > _MOST_REPLY_BYTES:
            raise HostError(f"the host at {self.url} said more than any host of ours would")
        try:
            plain = reply.json() if reply.content else {}
        except ValueError as error:
            raise HostError(
                f"what is at {self.url} answers as no host of ours does; check the address"
            ) from error
        if reply.is_success:
            return plain
        error_told = plain.get("error") if isinstance(plain, dict) else None
        said = error_told.get("message") if isinstance(error_told, dict) else error_told
        told = f"the host says: {str(said)[:500]}"
        if reply.status_code in (401, 403):
            raise AccessError(f"{told}. A key with the scope admin is needed.", is_known=True)
        if reply.status_code == 404:
            raise MissingError(told)
        if reply.status_code >= 500:
            raise HostError(told)
        raise RequestError(told, reply.status_code)
