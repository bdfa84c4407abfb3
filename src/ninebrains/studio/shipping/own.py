"""The studio's own host: `ninebrains serve` on the project's models, looked after while it runs."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from ninebrains.errors import HostError, NinebrainsError
from ninebrains.places import write_bytes
from ninebrains.studio.folder import Folder
from ninebrains.studio.shipping.client import HostClient

USUAL_PORT = 8000
_KEPT_VERSIONS = 5
_START_SECONDS = 60.0
_STOP_SECONDS = 40.0
_READY = re.compile(r"^ready: .* on (https?://\S+?)[;,]")


@dataclass(frozen=True)
class OwnHost:
    """A host that runs on the project's models.

    Attributes:
        url: where.
        pid: of its process.
        key: with all scopes; nobody else knows it.
    """

    url: str
    pid: int
    key: str


def command_of(folder: Folder, port: int) -> list[str]:
    """The arguments of `ninebrains` that start the host."""
    return [
        *("serve", str(folder.models), "--state", str(folder.state), "--port", str(port)),
        *("--no-grpc", "--latest", str(_KEPT_VERSIONS), "--log-level", "warning"),
    ]


def start_host(folder: Folder, port: int | None) -> OwnHost:
    """Start a host on this machine alone, with a key made for the studio.

    It goes on if the studio is killed; the next studio of this project finds it again.

    Raises:
        HostError: it does not start; says why.
    """
    running = find_host(folder)
    if running is not None:
        return running
    folder.models.mkdir(parents=True, exist_ok=True)
    folder.state.mkdir(mode=0o700, parents=True, exist_ok=True)  # a key is kept there
    folder.state.chmod(0o700)
    key = _make_key(folder)
    chosen = _free_port() if port is None else port
    log = folder.state / "host.log"
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "ninebrains.cli", *command_of(folder, chosen)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for the studio, which ends it
        )
    url = _wait_until_ready(process, log)
    host = OwnHost(url, process.pid, key)
    _keep(folder, host)
    return host


def find_host(folder: Folder) -> OwnHost | None:
    """The host of this project that is running, or None."""
    try:
        plain = orjson.loads(_file(folder).read_bytes())
        host = OwnHost(str(plain["url"]), int(plain["pid"]), str(plain["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return host if _is_running(host) else None


def stop_host(folder: Folder) -> None:
    """End the host in good order: requests that had begun are still answered."""
    host = find_host(folder)
    _file(folder).unlink(missing_ok=True)
    if host is None:
        return
    with suppress(ProcessLookupError):
        os.kill(host.pid, signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        while _is_alive(host.pid):
            if time.monotonic() > end:
                os.kill(host.pid, signal.SIGKILL)
                break
            time.sleep(0.05)


def _file(folder: Folder) -> Path:
    return folder.state / "studio.json"


def _keep(folder: Folder, host: OwnHost) -> None:
    path = _file(folder)
    write_bytes(path, orjson.dumps({"url": host.url, "pid": host.pid, "key": host.key}))
    path.chmod(0o600)  # it holds a key


def _make_key(folder: Folder) -> str:
    """A new key for the studio; those of earlier starts open nothing any more."""
    from ninebrains.serving.keys import Keys
    from ninebrains.serving.ledger import Ledger
    from ninebrains.serving.settings import Settings
    from ninebrains.serving.state import state_file

    settings = Settings(sources=(folder.models,), state=folder.state)
    with closing(Ledger(state_file(settings))) as ledger:
        keys = Keys(ledger, settings)
        for old in keys.all():
            if old.name.startswith("studio-"):
                keys.remove(old.name)
        name = f"studio-{secrets.token_hex(4)}"
        return keys.add(name, ("infer", "feedback", "admin"))


def _free_port() -> int:
    """The usual port, or 0 for any where somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            return 0
    return USUAL_PORT


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        code = process.poll()
        text = log.read_text("utf-8", "replace")
        for line in text.splitlines():
            found = _READY.match(line)
            if found:
                return found.group(1)
        if code is not None:
            raise HostError(f"the host did not start: {text.strip()[-500:] or f'code {code}'}")
        time.sleep(0.05)
    process.kill()
    raise HostError(f"the host was not ready within {_START_SECONDS:g} seconds; see {log}")


def _is_running(host: OwnHost) -> bool:
    """Whether that process is still this host: its address answers with our key."""
    if not _is_alive(host.pid):
        return False
    client = HostClient(host.url, host.key)
    try:
        client.get("/admin/brains")
    except NinebrainsError:
        return False
    finally:
        client.close()
    return True


def _is_alive(pid: int) -> bool:
    with suppress(ChildProcessError, OSError):
        os.waitpid(pid, os.WNOHANG)  # a child of ours that has ended would count as alive
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False
    return True
