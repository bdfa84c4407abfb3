"""`supervise`: starts the processes of a host, looks after them, and ends them."""

from __future__ import annotations

import ctypes
import logging
import os
import secrets
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.mp import MPServer, WorkerProcess

from ninebrains.errors import NinebrainsError, SettingsError
from ninebrains.serving.checking import check
from ninebrains.serving.grpc.ports import reserve
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.logs import start
from ninebrains.serving.reloading import Origin, Reloading, origin_to_json
from ninebrains.serving.settings import Settings
from ninebrains.serving.state import state_file, weights_folder
from ninebrains.serving.worker import make_supervised

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from starlette.types import ASGIApp

_LINGER_SECONDS = 0.5
"""How long a host that ends still takes requests, each answer closing its connection: who keeps
connections alive learns so that they are about to end, and nothing is sent into a closed one."""
_LAST_WORDS_SECONDS = 0.15
"""How long connections that were just taken have to say what they want, while none is added."""
_SO_ATTACH_FILTER = 26  # of Linux; Python has no name for it
_BPF_RETURN = 0x06
_MOST_FAILED_STARTS = 3
_LONGEST_PAUSE_SECONDS = 30.0
_LONGEST_PAUSE_ALONE_SECONDS = 4.0
"""Where no other worker is left: clients wait for whoever comes."""
_BACKLOG = 2048
_BUFFER_BYTES = 2**19
"""How much is read at once, and the most that headers may have before the guard sees them: small
buffers would hand photos over in many pieces, each of which costs as much as a small request."""


_log = logging.getLogger("ninebrains.serving")


@dataclass
class _Fate:
    """How one of the workers has fared."""

    failures: int = 0
    due: float | None = None


def supervise(settings: Settings, given: Mapping[str, Any], file: Path | None) -> int:
    """Run a host until it is stopped.

    Returns:
        The exit code: 0 after it was stopped, 1 when its processes could not be kept alive.

    Raises:
        SettingsError: a setting cannot be kept to here.
    """
    check(settings)
    listening = listen(settings)
    if settings.grpc_port is not None:
        reserved = reserve(settings.address, settings.grpc_port)  # held while workers come and go
        settings = settings.model_copy(update={"grpc_port": reserved.getsockname()[1]})
        given = {**given, "grpc_port": settings.grpc_port}
    start(settings.log_level, with_requests=False)
    origin = Origin(given, file, secrets.token_hex(8))
    receiving, telling = Pipe(duplex=False)
    supervisor = Supervisor(settings, listening, partial(_reload, settings, origin))
    threading.Thread(target=supervisor.listen_to, args=(receiving,), daemon=True).start()
    told = settings.model_dump_json(), origin_to_json(origin)
    loader = partial(make_supervised, *told, os.getpid(), telling)
    weights = weights_folder(settings)
    shutil.rmtree(weights, ignore_errors=True)  # of a host that was killed
    try:
        supervisor.serve(target_loader=loader, wrap_loader=False)
    except BaseException:
        supervisor.kill_all()  # or they would hold the port, with nobody to look after them
        raise
    shutil.rmtree(weights, ignore_errors=True)
    return supervisor.exit_code


def _reload(settings: Settings, origin: Origin) -> None:
    """Tell the workers to go by what the settings are now, or say why not."""
    try:
        ledger = Ledger(state_file(settings))
        try:
            reloading = Reloading(ledger, settings, origin)
            reloading.refresh()
            told = reloading.reload()
        finally:
            ledger.close()
    except NinebrainsError as error:
        _log.error("settings are as before", extra={"why": str(error)})
        return
    changed, needs_restart = (", ".join(some) for some in (told.changed, told.needs_restart))
    _log.info("settings taken over", extra={"changed": changed, "needs_restart": needs_restart})


def listen(settings: Settings) -> socket.socket:
    """A socket at the host's address, which all workers share: none is lost with one of them.

    Raises:
        SettingsError: the address is none of this machine's, or the port is taken.
    """
    address, port = settings.address, settings.port
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {address}, port {port}: {error.strerror or error}. Choose another "
            "--port (0 for any that is free) or --address, or stop who has it."
        ) from error
    listening.setblocking(False)
    listening.set_inheritable(True)
    return listening


def refuse_more(listening: socket.socket) -> None:
    """Let no connection come in any more, and keep those that are there; Linux only.

    Closing the socket would also lose those that wait in its queue. A filter that drops all packets
    (https://www.kernel.org/doc/html/latest/networking/filter.html) holds for new ones alone.
    """
    if sys.platform != "linux":
        return
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(drop_all))
    with suppress(OSError):  # a kernel without filters; then it is as on other systems
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


class Supervisor(MPServer):
    """The server's own process manager, with ours to say on sockets, signals and failures."""

    def __init__(
        self, settings: Settings, listening: socket.socket, reload: Callable[[], None]
    ) -> None:
        limits, tls = settings.limits, settings.tls
        super().__init__(
            "ninebrains.serving.worker:make_supervised",
            address=settings.address,
            port=listening.getsockname()[1],
            interface=Interfaces.ASGI,
            # Where HTTP/2 may come as well, a connection that says nothing is never closed.
            http=HTTPModes.http1,
            workers=settings.workers,
            backlog=_BACKLOG,
            backpressure=max(1, limits.connections // settings.workers),
            websockets=False,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(limits.header_seconds * 1000),
                max_buffer_size=_BUFFER_BYTES,
            ),
            log_enabled=False,
            ssl_cert=tls.certificate if tls else None,
            ssl_key=tls.key if tls else None,
            ssl_protocol_min=SSLProtocols.tls12,
            workers_kill_timeout=max(1, round(settings.drain_seconds - _LINGER_SECONDS)),
        )
        self.exit_code = 0
        self._settings = settings
        self._listening = listening
        self._reload_settings = reload
        self._fates = [_Fate() for _ in range(settings.workers)]
        self._ready: set[int] = set()
        self._was_ready = False

    def listen_to(self, receiving: Connection) -> None:
        """Hear what workers say; in a thread of its own."""
        while True:
            try:
                message = orjson.loads(receiving.recv_bytes())
            except (EOFError, OSError):
                return
            if "failed" in message and self._was_ready:
                _log.error("a worker cannot start", extra={"why": message["failed"]})
            elif "failed" in message:
                _tell_at_start(message["failed"])
                self._give_up(2)
            else:
                self._ready.add(message["ready"])
                if not self._was_ready and len(self._ready) >= self.workers:
                    self._was_ready = True
                    self._announce(message)

    def _announce(self, message: Mapping[str, int]) -> None:
        scheme = "https" if self._settings.tls else "http"
        host = f"[{self.bind_addr}]" if ":" in self.bind_addr else self.bind_addr
        url = f"{scheme}://{host}:{self.bind_port}"
        grpc = self._settings.grpc_port
        also = "" if grpc is None else f", gRPC on port {grpc}"
        refused = f" ({message['refused']} refused, see the log)" if message["refused"] else ""
        with suppress(OSError):  # nobody reads it
            print(  # noqa: T201 - the one line that says where it is
                f"ready: {message['brains']} brains, {message['versions']} versions{refused} on "
                f"{url}{also}; pages at {url}/docs",
                flush=True,
            )

    def _init_shared_socket(self) -> None:
        # One socket for all, as the server has it where an address cannot be bound twice: of the
        # connections that nobody has accepted yet none is lost with a process.
        self._ssp = None
        self._sso = self._listening
        self._shd = SocketHolder(  # type: ignore[assignment, call-arg]
            self._listening.fileno(), False, _BACKLOG
        )

    def signal_handler_interrupt(self, *_: object) -> None:
        """End in good order; when told again, at once."""
        if self.interrupt_signal:
            self.exit_code = 1
            self.kill_all()
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def kill_all(self) -> None:
        """End all workers at once."""
        for worker in list(self.wrks):
            worker.kill()  # type: ignore[no-untyped-call]

    def _give_up(self, code: int) -> None:
        self.exit_code = code
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def _spawn_workers(
        self, spawn_target: Callable[..., None], target_loader: Callable[..., ASGIApp]
    ) -> None:
        # The first answers at once that it lives and is not ready; the others take connections
        # once they are, as do those that come later while others serve.
        for index in range(self.workers):
            self.wrks.append(self._start(index, spawn_target, target_loader, index > 0))

    def _start(
        self,
        index: int,
        spawn_target: Callable[..., None],
        target_loader: Callable[..., ASGIApp],
        waits: bool,
    ) -> WorkerProcess:
        worker = self._spawn_worker(index, spawn_target, partial(target_loader, waits=waits))
        worker.start()  # type: ignore[no-untyped-call]
        return worker

    def _serve_loop(
        self, spawn_target: Callable[..., None], target_loader: Callable[..., ASGIApp]
    ) -> None:
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(self._seconds_to_next())
            self.main_loop_interrupt.clear()
            if self.reload_signal:
                self.reload_signal = False
                try:
                    self._reload_settings()
                except Exception:  # noqa: BLE001 - workers must not lose who looks after them
                    _log.exception("internal")
            self._take_deaths()
            self._start_due(spawn_target, target_loader)
        self._linger()

    def _start_due(
        self, spawn_target: Callable[..., None], target_loader: Callable[..., ASGIApp]
    ) -> None:
        for index, fate in enumerate(self._fates):
            if fate.due is None or fate.due > time.monotonic():
                continue
            fate.due = None
            waits = bool(self._ready)
            try:
                self.wrks[index] = self._start(index, spawn_target, target_loader, waits)
            except OSError as error:  # no memory, or too many processes
                fate.failures += 1
                self._put_off(fate)
                _log.error("a worker cannot start", extra={"why": str(error)})

    def _seconds_to_next(self) -> float | None:
        due = [fate.due for fate in self._fates if fate.due is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _take_deaths(self) -> None:
        while self.interrupt_children:
            index = self.interrupt_children.pop()
            fate, pid = self._fates[index], self.wrks[index].inner.pid
            was_ready = pid in self._ready
            self._ready.discard(pid)
            fate.failures = 1 if was_ready else fate.failures + 1
            if self.interrupt_signal:
                return
            if not self._was_ready and fate.failures >= _MOST_FAILED_STARTS:
                told_times = f"ended {fate.failures} times before it was ready"
                _tell_at_start(f"worker {index + 1} {told_times}")
                self._give_up(1)
                return
            pause = self._put_off(fate, at_once=was_ready)
            told = {"worker": index + 1, "pid": pid, "pause_seconds": pause}
            _log.warning("worker ended unexpectedly; another one is started", extra=told)
            if not self._ready:
                _log.error("no worker answers", extra={"pause_seconds": pause})

    def _put_off(self, fate: _Fate, *, at_once: bool = False) -> float:
        """Have a worker started again, after a pause that doubles while it fails; its seconds."""
        longest = _LONGEST_PAUSE_SECONDS if self._ready else _LONGEST_PAUSE_ALONE_SECONDS
        doublings = min(fate.failures - 1, 10)  # in the end the power would be larger than a float
        pause = 0.0 if at_once else min(2.0**doublings, longest)
        fate.due = time.monotonic() + pause
        return pause

    def _linger(self) -> None:
        for worker in self.wrks:
            if worker.inner.pid in self._ready:
                with suppress(ProcessLookupError):
                    os.kill(worker.inner.pid, signal.SIGUSR1)
            else:  # it has not begun to answer, and loading brains may take long
                worker.kill()  # type: ignore[no-untyped-call]
        if self._ready and not self.exit_code:
            time.sleep(_LINGER_SECONDS)
            refuse_more(self._listening)
            time.sleep(_LAST_WORDS_SECONDS)
        self.interrupt_children.clear()


def _tell_at_start(text: str) -> None:
    """One line for people on why there is no host, as all verbs say it."""
    print(f"error: {text}", file=sys.stderr, flush=True)  # noqa: T201
