"""One process of a host, as the server starts it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ninebrains.errors import NinebrainsError
from ninebrains.serving.reloading import Origin, origin_from_json
from ninebrains.serving.state import weights_folder

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from starlette.types import ASGIApp, Receive, Scope, Send

    from ninebrains.serving.host import Host

SETTINGS = "NINEBRAINS_SERVE_SETTINGS"
"""The environment variable in which a worker finds its settings, as JSON."""

_log = logging.getLogger("ninebrains.serving")

_LOOK_SECONDS = 0.5
_LAST_SECONDS = 0.6  # before a worker is killed that does not end
_MOST_LETTERS = 3000  # a pipe takes 4 KiB in one piece, whoever else writes to it


def make() -> ASGIApp:
    """The application of this process."""
    return _make_host_and_app()[1]


def make_supervised(
    settings: str, origin: str, parent: int, telling: Connection, *, waits: bool
) -> ASGIApp:
    """The application of a process that a supervisor started.

    Args:
        settings: as JSON.
        origin: where they came from, as JSON.
        parent: process id of the supervisor; the worker ends when that is gone.
        telling: where to say that this worker is ready, or why it cannot be.
        waits: take no connection before this worker is ready.
    """
    # Until the server's own handlers are in place there is nothing to finish.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.environ[SETTINGS] = settings
    _end_with(parent)
    try:
        _share(settings, origin_from_json(origin).run)
        host, app = _make_host_and_app(origin_from_json(origin), waits=waits)
    except NinebrainsError as error:
        say(telling, {"failed": str(error)})
        sys.exit(1)
    except Exception as error:
        logging.getLogger("ninebrains.serving").exception("internal")
        say(telling, {"failed": f"internal error: {type(error).__name__}: {error}"})
        sys.exit(1)
    return Supervised(host, app, telling)


def _make_host_and_app(origin: Origin | None = None, *, waits: bool = True) -> tuple[Host, ASGIApp]:
    from ninebrains.mind.backends import give_back_large_blocks
    from ninebrains.serving.host import Host
    from ninebrains.serving.http.app import make_app
    from ninebrains.serving.logs import start
    from ninebrains.serving.settings import Settings

    settings = Settings.model_validate_json(os.environ[SETTINGS])
    start(settings.log_level)
    give_back_large_blocks()
    host = Host(settings, origin)
    return host, make_app(host, waits=waits)


class Supervised:
    """An application under a supervisor: tells it when it is ready, and ends when told to.

    SIGUSR1: the end is near; from now on not ready, and every answer closes its connection.
    SIGTERM: answer what has begun and end; the server itself does that.
    """

    def __init__(self, host: Host, app: ASGIApp, telling: Connection) -> None:
        self._host = host
        self._app = app
        self._telling = telling
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] == "lifespan":
            loop = asyncio.get_running_loop()
            # Ctrl-C in a terminal reaches all processes; the supervisor is who decides.
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            loop.add_signal_handler(signal.SIGUSR1, self._begin_drain, loop)
            self._task = loop.create_task(self._tell())
        await self._app(scope, receive, send)

    def _begin_drain(self, loop: asyncio.AbstractEventLoop) -> None:
        self._host.begin_drain()
        seconds = self._host.settings.drain_seconds
        loop.call_later(max(seconds / 2, seconds - _LAST_SECONDS), self._tell_of_cut_off)

    def _tell_of_cut_off(self) -> None:
        """Log how many requests will have no answer: the supervisor does not wait any longer."""
        num = int(self._host.measures.gauges.get(("requests_in_flight",), 0))
        if num:
            _log.warning(
                "requests take longer than drain_seconds and are cut off", extra={"requests": num}
            )

    async def _tell(self) -> None:
        while not (self._host.is_ready or self._host.failure):
            await asyncio.sleep(0.02)
        if self._host.failure:
            say(self._telling, {"failed": self._host.failure})
            os.kill(os.getpid(), signal.SIGTERM)
            return
        versions = self._host.catalog.versions
        told: dict[str, object] = {
            "ready": os.getpid(),
            "brains": len(self._host.catalog.names),
            "versions": sum(len(self._host.catalog.ready(name)) for name in versions),
            "refused": sum(
                v.state == "failed" for some in versions.values() for v in some.values()
            ),
        }
        say(self._telling, told)


def _share(text: str, run: str) -> None:
    """Share weights with the other workers, if there are any."""
    from ninebrains.mind.backends.sharing import share_weights
    from ninebrains.serving.settings import Settings

    settings = Settings.model_validate_json(text)
    if settings.workers > 1:
        share_weights(weights_folder(settings) / run)


def say(telling: Connection, message: dict[str, object]) -> None:
    """Tell the supervisor something; if it is gone, nobody needs to know."""
    with suppress(OSError):
        short = {
            name: value.encode(errors="replace").decode()[:_MOST_LETTERS]
            if isinstance(value, str)
            else value
            for name, value in message.items()
        }
        telling.send_bytes(json.dumps(short).encode())


def _end_with(parent: int) -> None:
    """End in good order when the supervisor is gone, however that happened."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, name="host-parent", daemon=True).start()
