"""The servers that are compared: how each is started, and how a request to it looks.

Each runs in the environment that its variable names: FASTAPI_PYTHON, LITSERVE_PYTHON,
BENTOML_PYTHON, MLSERVER_PYTHON, RAY_PYTHON, PYTRITON_PYTHON made from
benchmarks/serving/peers/requirements-*.txt.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.mind.brains import write_onnx
from benchmarks.running import COMMAND, ROOT
from benchmarks.serving.load import Prepared
from ninebrains.brains import load

_START_SECONDS = 120.0
_BOUNDARY = "photo-boundary-7f3a"


@dataclass(frozen=True)
class Given:
    """What a server is to serve.

    Attributes:
        brains: folders of brains; peers get the same networks as plain ONNX files.
        folder: for what is made on the way.
    """

    brains: Sequence[Path]
    folder: Path

    @property
    def names(self) -> list[str]:
        """What the brains are called."""
        return [path.name for path in self.brains]

    def for_peer(self, workers: int, threads: int, port: int, decoding: str) -> dict[str, str]:
        """The environment variables that peers read."""
        files = write_onnx(self.brains, self.folder / "onnx")
        first = load(self.brains[0])
        return {
            "PEER_MODELS": json.dumps([[path.stem, str(path)] for path in files]),
            "PEER_CONTRACT": json.dumps(asdict(first.contract)),
            "PEER_LABELS": json.dumps([label.name for label in first.labels]),
            "PEER_WORKERS": str(workers),
            "PEER_THREADS": str(threads),
            "PEER_PORT": str(port),
            "PEER_DECODING": decoding,
            "ORT_DISABLE_TELEMETRY": "1",  # as ours; it would count against them
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
        }


@dataclass(frozen=True)
class Server:
    """One server.

    Attributes:
        name: of the product.
        setting: (processes, threads of one network's run).
        command: from the given, (processes, threads) and the port.
        prepare: a request from a photo and the names of brains, "" for all.
        ready: the path that answers 200 when it can be asked.
        decoding: of photos: `pillow` as in the product's own examples, or `ours`.
        package: whose version is told; with its environment's variable.
    """

    name: str
    setting: tuple[int, int]
    command: Callable[[Given, tuple[int, int], int], list[str]]
    prepare: Callable[[bytes, str], Prepared]
    ready: str
    package: str = ""
    decoding: str = "pillow"

    @property
    def title(self) -> str:
        """What it is called in the results."""
        return f"{self.name}, our decoding" if self.decoding == "ours" else self.name

    @property
    def python(self) -> Path | None:
        """The interpreter of its environment, or None where nobody named one."""
        if not self.package:
            return Path(sys.executable)
        named = os.environ.get(f"{self.name.upper()}_PYTHON")
        return Path(named) if named else None

    def version(self) -> str:
        """Of the package."""
        asked = f"import importlib.metadata as m; print(m.version({self.package!r}))"
        done = subprocess.run(
            [str(self.python), "-c", asked], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


def _raw(photo: bytes, names: str) -> Prepared:
    return Prepared(f"/infer?brains={names}" if names else "/infer", "image/jpeg", photo)


def _form(photo: bytes, names: str) -> Prepared:
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="brains"\r\n\r\n{names}\r\n'
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + photo + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return Prepared("/predict", f"multipart/form-data; boundary={_BOUNDARY}", body)


def _form_infer(photo: bytes, names: str) -> Prepared:
    made = _form(photo, names)
    return Prepared("/infer", made.kind, made.body)


def _v2_json(photo: bytes, names: str) -> Prepared:
    text = base64.b64encode(photo).decode()
    inputs = [
        {"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}
        for name, value in (("image", text), ("brains", names))
    ]
    body = json.dumps({"inputs": inputs}).encode()
    return Prepared("/v2/models/peer/infer", "application/json", body)


def _v2_binary(photo: bytes, names: str) -> Prepared:
    parts = [struct.pack("<I", len(value)) + value for value in (photo, names.encode())]
    inputs = [
        {
            "name": name,
            "shape": [1, 1],
            "datatype": "BYTES",
            "parameters": {"binary_data_size": len(part)},
        }
        for name, part in zip(("image", "brains"), parts, strict=True)
    ]
    head = json.dumps({"inputs": inputs}).encode()
    body = head + b"".join(parts)
    return Prepared("/v2/models/peer/infer", "application/octet-stream", body, len(head))


def _ours(given: Given, setting: tuple[int, int], port: int) -> list[str]:
    folder = given.folder / "models"
    shutil.rmtree(folder, ignore_errors=True)
    for path in given.brains:
        (folder / path.name).mkdir(parents=True)
        shutil.copytree(path, folder / path.name / "1", copy_function=os.link)
    command = [str(COMMAND), "serve", str(folder), "--port", str(port), "--no-grpc"]
    return [*command, "--workers", str(setting[0]), "--log-level", "warning"]


def _peer(module: str, *, of: str = "") -> Callable[[Given, tuple[int, int], int], list[str]]:
    def command(given: Given, setting: tuple[int, int], port: int) -> list[str]:
        del given, setting, port
        return [str(_python_of(of or module)), "-m", f"benchmarks.serving.peers.{module}_peer"]

    return command


def _python_of(name: str) -> Path:
    return Path(os.environ[f"{name.upper()}_PYTHON"])


def _fastapi(given: Given, setting: tuple[int, int], port: int) -> list[str]:
    del given
    command = [str(_python_of("fastapi")), "-m", "uvicorn"]
    command += ["benchmarks.serving.peers.fastapi_peer:app", "--port", str(port)]
    return [*command, "--workers", str(setting[0]), "--log-level", "error"]


def _bentoml(given: Given, setting: tuple[int, int], port: int) -> list[str]:
    del given, setting
    command = [str(_python_of("bentoml")), "-m", "bentoml", "serve"]
    return [*command, "benchmarks.serving.peers.bentoml_peer:Peer", "--port", str(port)]


def _mlserver(given: Given, setting: tuple[int, int], port: int) -> list[str]:
    folder = given.folder / "mlserver"
    folder.mkdir(parents=True, exist_ok=True)
    workers = setting[0] if setting[0] > 1 else 0
    told = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "debug": False}
    (folder / "settings.json").write_text(json.dumps({**told, "parallel_workers": workers}))
    model = {"name": "peer", "implementation": "benchmarks.serving.peers.mlserver_peer.Peer"}
    (folder / "model-settings.json").write_text(json.dumps(model))
    return [str(_python_of("mlserver").with_name("mlserver")), "start", str(folder)]


_PROCESSES = (os.cpu_count() or 1, 1)
SERVERS = (
    Server("ninebrains", (1, 0), _ours, _raw, "/readyz"),
    Server("fastapi", _PROCESSES, _fastapi, _raw, "/ready", "fastapi"),
    Server("fastapi", _PROCESSES, _fastapi, _raw, "/ready", "fastapi", "ours"),
    Server("litserve", _PROCESSES, _peer("litserve"), _form, "/health", "litserve"),
    Server("bentoml", _PROCESSES, _bentoml, _form_infer, "/readyz", "bentoml"),
    Server("mlserver", _PROCESSES, _mlserver, _v2_json, "/v2/models/peer/ready", "mlserver"),
    Server("ray", _PROCESSES, _peer("ray"), _raw, "/ready", "ray"),
    Server(
        "pytriton",
        _PROCESSES,
        _peer("pytriton"),
        _v2_binary,
        "/v2/models/peer/ready",
        "nvidia-pytriton",
    ),
)


def present() -> list[Server]:
    """Those whose environment is there; who is missing is told."""
    for server in SERVERS:
        if server.python is None:
            print(f"{server.name}: left out, {server.name.upper()}_PYTHON is not set")
    return [server for server in SERVERS if server.python is not None]


@contextmanager
def serving(
    server: Server, given: Given, environment: Mapping[str, str] = {}
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A running server's port and process; it is there until the block ends."""
    port = free_port()
    log = given.folder / f"{server.name}.log"
    command = server.command(given, server.setting, port)
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                **(
                    given.for_peer(*server.setting, port, server.decoding) if server.package else {}
                ),
                **environment,
            },
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}{server.ready}", log)
            yield port, process
        finally:
            _stop(process)


def free_port() -> int:
    """A port that nobody listens on, nor on the next two."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    _stop(process)
    raise SystemExit(f"{url} did not answer:\n{log.read_text(errors='replace')[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for sent, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind
    process.wait(15)
