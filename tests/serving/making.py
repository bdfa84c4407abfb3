"""What tests of serving share: folders of small brains, and hosts in processes of their own."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.brains.making import make_brain


def repository(folder, names):
    """A folder NAME/NUMBER.brain of small brains, such as `{"pets": [1, 2]}`."""
    folder = Path(folder)
    for name, numbers in names.items():
        for number in numbers:
            put(folder, name, number)
    return folder


def put(folder, name, number, **options):
    """One more version in a repository, in one step; `options` are those of `make_brain`."""
    options = {"head_seed": number} | options
    place = Path(folder) / name
    place.mkdir(parents=True, exist_ok=True)
    draft = place / f".{number}.draft.brain"
    make_brain(name=name, version=str(number), **options).save(draft)
    draft.rename(place / f"{number}.brain")
    return place / f"{number}.brain"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Running:
    """A host in processes of its own.

    `url`: where; `process`: its supervisor; `settings`: as given; `log`: file of what it printed.
    """

    def __init__(self, settings, process, log):
        self.settings, self.process, self.log = settings, process, log
        scheme = "https" if "tls" in settings else "http"
        self.url = f"{scheme}://127.0.0.1:{settings['port']}"

    def __str__(self):
        return self.url

    def wait_ready(self, seconds=30):
        """Until it says so; fails with its output if it ends before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            if b"ready: " in self.log.read_bytes():
                return self
            time.sleep(0.02)
        raise AssertionError(f"the host is not ready:\n{self.log.read_text()}")

    def workers(self):
        """Process ids of its workers."""
        told = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
            check=False,
            capture_output=True,
            text=True,
        )
        return sorted(int(pid) for pid in told.stdout.split())

    def stop(self, seconds=30):
        """Ask it to end; its exit code."""
        self.process.terminate()
        return self.process.wait(seconds)


@contextmanager
def started(settings, *, file=None, environment=None):
    """Start `ninebrains serve` with settings (a mapping, as in TOML); does not wait for it.

    A free port is chosen where `port` is missing, and no gRPC where `grpc_port` is. `state` must be
    given, or lie in the first source. Gives a `Running`; whatever is left is killed at the end.
    """
    settings = {"port": free_port(), "grpc_port": None, **settings}
    settings = json.loads(json.dumps(settings, default=str))
    told = {
        f"NINEBRAINS_SERVE_{name.upper()}": _text(value)
        for name, value in settings.items()
        if file is None or name in ("port", "grpc_port")
    }
    command = [sys.executable, "-m", "ninebrains.cli", "serve"]
    if file is not None:
        command += ["--config", str(file)]
    log = Path(os.environ["NINEBRAINS_HOME"]) / f"serve-{settings['port']}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", **told, **(environment or {})},
        )
    host = Running(settings, process, log)
    try:
        yield host
    finally:
        left = host.workers() if process.poll() is None else []
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in left:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, 9)


def _text(value):
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def running(settings, **options):
    """Like `started`, once it is ready.

    Example: `with running({"sources": [models], "state": state}) as host: ask(host, "/livez")`.
    """
    with started(settings, **options) as host:
        yield host.wait_ready()


def ask(host, path, **options):
    """One request to a host; the reply."""
    return httpx.request(options.pop("method", "GET"), f"{host}{path}", timeout=30, **options)
