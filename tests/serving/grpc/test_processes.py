"""gRPC of a host in processes of its own: workers that share a port, their end, and TLS."""

import os
import re
import signal
import subprocess
import time

import grpc
import pytest

from tests.serving.grpc.conftest import Remote, request_of, tensor
from tests.serving.http.conftest import jpeg
from tests.serving.making import repository, running, started

PREDICT = "tensorflow.serving.PredictionService.Predict"
WATCH = "grpc.health.v1.Health.Watch"


class Port:
    """What a `Remote` needs to know of a host that runs elsewhere."""

    def __init__(self, host):
        (port,) = re.findall(r"gRPC on port (\d+)", host.log.read_text())
        self.port = int(port)


@pytest.fixture
def settings(tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    return {"sources": [models], "state": tmp_path / "state", "grpc_port": 0, "workers": 2}


def asked(**more):
    return {"model_spec": {"name": "pets"}, "inputs": {"x": tensor([jpeg()])}, **more}


def fresh(host):
    """A client with a connection of its own, which any of the workers may take."""
    remote = Remote(None, Port(host), None)
    own = [("grpc.use_local_subchannel_pool", 1)]
    remote.channel = grpc.insecure_channel(f"127.0.0.1:{remote.server.port}", own)
    return remote


def answered(client):
    """Ask until there is an answer; the codes of what failed before."""
    while True:
        try:
            client.call(PREDICT, timeout=20, **asked())
        except grpc.RpcError as error:
            yield error.code().name
            time.sleep(0.05)
        else:
            return


def test_workers_share_a_port_that_others_cannot_have_and_survive_one_another(settings):
    with running(settings) as host:
        taken = {"grpc_port": Port(host).port, "state": settings["state"] / "2"}
        with started(settings | taken) as other:
            assert other.process.wait(30) == 2
            assert f"port {taken['grpc_port']}" in other.log.read_text()
        first = host.workers()
        clients = [fresh(host) for _ in range(6)]
        for client in clients:
            client.call(PREDICT, **asked())
        os.kill(first[0], signal.SIGKILL)
        for client in clients:
            # What was open in the killed worker fails at once; asked again, all is well.
            codes = [code for code, _ in zip(answered(client), range(50), strict=False)]
            assert set(codes) <= {"UNAVAILABLE"}
            assert len(codes) < 50, "no worker answers any more"
            client.channel.close()
        for _ in range(200):
            if len(host.workers()) == 2 and host.workers() != first:
                break
            time.sleep(0.05)
        assert len(host.workers()) == 2


def test_a_host_that_is_told_to_end_lets_go_of_its_callers_first(settings):
    with running(settings | {"workers": 1, "drain_seconds": 20}) as host:
        remote = fresh(host)
        watching = remote.stream(WATCH)(iter([request_of(WATCH, {})]), timeout=60)
        assert next(watching).status == 1
        remote.call(PREDICT, **asked())
        assert host.stop() == 0
        assert [one.status for one in watching][-1] == 2
        remote.channel.close()


def test_calls_come_over_tls(settings, tmp_path):
    certificate, key = tmp_path / "host.pem", tmp_path / "host.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    tls = {"certificate": str(certificate), "key": str(key)}
    with running(settings | {"workers": 1, "tls": tls}) as host:
        remote = fresh(host)
        with pytest.raises(grpc.RpcError):
            remote.call(PREDICT, timeout=5, **asked())
        trusted = grpc.ssl_channel_credentials(certificate.read_bytes())
        remote.channel = grpc.secure_channel(f"localhost:{remote.server.port}", trusted)
        reply, _ = remote.call(PREDICT, **asked())
        assert reply.model_spec.version.value == 1
        remote.channel.close()
