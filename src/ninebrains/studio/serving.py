"""Running a studio: one process that has the project open, until it is stopped."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.errors import DataError, SettingsError

if TYPE_CHECKING:
    from granian.server.embed import Server
    from starlette.types import ASGIApp

    from ninebrains.studio.http.sessions import Sessions

USUAL_PORT = 8765
_BUFFER_BYTES = 2**19
_HEADER_MILLISECONDS = 10_000
_CONNECTIONS = 512
_STOPPED = 130


@dataclass(frozen=True)
class Access:
    """Where a studio listens, and who may come.

    Attributes:
        host: address; anything but loopback needs a password and TLS.
        port: 0 for any that is free; None for the usual one, or any where that is taken.
        password: that people sign in with.
        certificate: PEM file.
        key: PEM file.
        names: by which this machine is reached, beside its own.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    password: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would let strangers in.

        Raises:
            SettingsError: others could come, and nothing keeps strangers out.
        """
        if (self.certificate is None) != (self.key is None):
            raise SettingsError("--tls-cert and --tls-key go together; give both, or none")
        for file in (self.certificate, self.key):
            if file is not None and not file.is_file():
                raise SettingsError(f"there is no file {file}; expected one in PEM form")
        if self.password is not None and len(self.password) < 8:
            raise SettingsError("a password has 8 characters or more; choose a longer one")
        if not self.is_local and self.password is None:
            raise SettingsError(
                f"on {self.host} others can reach the studio; that needs --password (and "
                "--tls-cert, --tls-key). Leave --host out to use it on this machine alone."
            )
        if not self.is_local and self.certificate is None:
            raise SettingsError(
                f"on {self.host} the password would go through the network in the clear; give "
                "--tls-cert and --tls-key too"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        with suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return False


def run_studio(
    project: Path,
    access: Access,
    ready: Callable[[str, str], None],
    photos: Sequence[Path] = (),
) -> None:
    """Open a project and answer until Ctrl-C or SIGTERM.

    Args:
        project: its folder; made where there is none.
        access: where and for whom.
        ready: called with the address, and with the one that lets a browser in once.
        photos: folders or tables whose photos are added first; they stay where they are.

    Raises:
        DataError: it is no project, or open elsewhere; or there are no such folders.
        SettingsError: the address cannot be listened on.
    """
    from ninebrains.studio.http.app import make_app
    from ninebrains.studio.http.gate import names_here
    from ninebrains.studio.http.sessions import Sessions
    from ninebrains.studio.studio import Studio

    for path in photos:
        if not path.exists():
            raise DataError(f"there is no {path}; --add takes a folder of photos, or a table")
    studio = Studio(project)
    try:
        studio.is_shared = not access.is_local or access.password is not None
        sessions = Sessions(studio.database, access.password)
        listening = listen(access.host, access.port)
    except BaseException:
        studio.close()
        raise
    port = listening.getsockname()[1]
    scheme = "https" if access.certificate else "http"
    url = f"{scheme}://{_in_url(access.host)}:{port}/"
    studio.claim.note(url)
    for path in photos:
        studio.add_folder(path.expanduser().absolute())
    app = make_app(
        studio,
        sessions,
        cookie=f"ninebrains-studio-{port}",
        names=names_here(list(access.names)) if not access.is_local else frozenset(access.names),
        has_tls=access.certificate is not None,
    )
    server = make_server(app, access, listening)
    told = partial(_tell_ready, ready, url, sessions)
    asyncio.run(_serve(server, told, studio.events.close))


def listen(host: str, port: int | None) -> socket.socket:
    """A socket at an address.

    Raises:
        SettingsError: the address is none of this machine's, or the port is taken.
    """
    for number in (USUAL_PORT, 0) if port is None else (port,):
        try:
            family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
            listening = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise SettingsError(f"cannot listen on {host}: {error.strerror or error}") from error
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, number))
            listening.listen(128)
        except OSError as error:
            listening.close()
            if port is None and number:
                continue
            raise SettingsError(
                f"cannot listen on {host}, port {number}: {error.strerror or error}. Choose "
                "another --port (0 for any that is free), or stop who has it."
            ) from error
        listening.setblocking(False)
        return listening
    raise AssertionError("the last port is any")


def make_server(app: ASGIApp, access: Access, listening: socket.socket) -> Server:
    """A server in this process: whatever works on the project shares its memory."""
    from granian._granian import SocketHolder
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.server.embed import Server as Embedded

    class _Here(Embedded):
        """Takes the socket that is there already, and so no port that somebody else got."""

        def _init_shared_socket(self) -> None:
            self._ssp = None
            self._sso = listening
            self._shd = SocketHolder(listening.fileno(), False, 128)  # type: ignore[assignment, call-arg]

    return _Here(
        app,
        address=access.host,
        port=listening.getsockname()[1],
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=_CONNECTIONS,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEADER_MILLISECONDS, max_buffer_size=_BUFFER_BYTES
        ),
        log_enabled=False,
        ssl_cert=access.certificate,
        ssl_key=access.key,
        ssl_protocol_min=SSLProtocols.tls12,
    )


def _tell_ready(ready: Callable[[str, str], None], url: str, sessions: Sessions) -> None:
    ready(url, f"{url}?token={sessions.new_token()}")


async def _serve(server: Server, ready: Callable[[], None], let_go: Callable[[], None]) -> None:
    """Answer until told to end; told again, end at once: what was answered for is on the disk."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if server.interrupt_signal:
            os._exit(_STOPPED)
        let_go()  # a server ends when its last connection has, and pages keep one for events
        server.stop()  # type: ignore[no-untyped-call]

    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C comes as KeyboardInterrupt
            loop.add_signal_handler(name, stop)
    server.on_startup(lambda: loop.call_soon(ready))
    await server.serve()


def _in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - what is listened on is the user's choice
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
