"""`ninebrains serve`: starting, settings, stopping."""

import re
import socket
import time

import httpx
import pytest

from tests.making import jpeg
from tests.serving.making import ask, repository, running, started


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return repository(tmp_path_factory.mktemp("models"), {"pets": [1], "cars": [1, 2]})


def test_a_host_answers_once_it_is_ready_and_ends_with_code_0(models, tmp_path):
    with running({"sources": [models], "state": tmp_path, "workers": 2}) as host:
        assert ask(host, "/livez").json() == {"live": True}
        told = ask(host, "/readyz")
        assert told.status_code == 200
        assert told.json()["ready"]
        reply = ask(host, "/infer?brains=pets", method="POST", content=jpeg("cat", 1))
        assert reply.status_code == 200, reply.text
        assert len(host.workers()) == 2
        assert host.stop() == 0
        with pytest.raises(httpx.ConnectError):
            ask(host, "/livez")
    assert "ready: 2 brains" in host.log.read_text()


def test_only_brains_that_can_be_asked_are_counted(tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    (models / "broken").mkdir()
    (models / "broken" / "1.brain").write_bytes(b"no brain")
    with running({"sources": [models], "state": tmp_path}) as host:
        pass
    assert "ready: 1 brains, 1 versions (1 refused, see the log) on http" in host.log.read_text()


def test_a_port_that_is_taken_is_one_clear_line_and_code_2(models, tmp_path):
    with running({"sources": [models], "state": tmp_path / "a"}) as host:
        again = {**host.settings, "state": tmp_path / "b"}
        with started(again) as other:
            assert other.process.wait(30) == 2
        told = other.log.read_text()
        assert str(host.settings["port"]) in told
        assert "--port" in told
        assert "Traceback" not in told
        assert ask(host, "/readyz").status_code == 200


def test_a_port_for_grpc_that_is_taken_is_one_clear_line_and_code_2(models, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {"sources": [models], "state": tmp_path, "grpc_port": taken.getsockname()[1]}
        with started(settings) as host:
            assert host.process.wait(30) == 2
    assert "--grpc-port" in host.log.read_text()
    assert "Traceback" not in host.log.read_text()


def test_any_free_port_will_do_and_is_told(models, tmp_path):
    settings = {"sources": [models], "state": tmp_path, "port": 0, "grpc_port": 0, "workers": 2}
    with running(settings) as host:
        told = re.search(r"on http://127\.0\.0\.1:(\d+), gRPC on port (\d+)", host.log.read_text())
        assert httpx.get(f"http://127.0.0.1:{told[1]}/readyz").status_code == 200
        socket.create_connection(("127.0.0.1", int(told[2])), timeout=10).close()


def test_a_host_that_is_told_to_end_while_it_loads_ends_at_once(tmp_path):
    models = repository(tmp_path / "models", {f"pets{i}": [1] for i in range(30)})
    with started({"sources": [models], "state": tmp_path / "state"}) as host:
        end = time.monotonic() + 20
        while not answers(host):
            assert time.monotonic() < end
        assert host.stop(20) == 0


def test_a_host_that_loads_lives_and_is_not_ready(tmp_path):
    models = repository(tmp_path / "models", {f"pets{i}": [1] for i in range(30)})
    with started({"sources": [models], "state": tmp_path / "state"}) as host:
        end = time.monotonic() + 20
        while not answers(host):
            assert time.monotonic() < end
        early = ask(host, "/infer?brains=pets9", method="POST", content=jpeg("cat", 1))
        ready = ask(host, "/readyz")
        assert (early.status_code, ready.status_code) == (503, 503)
        assert ready.json()["reasons"] == ["brains are being loaded and tried"]
        assert "being loaded" in early.json()["error"]["message"]
        host.wait_ready()
        told = ask(host, "/readyz").json()
        assert (told["ready"], told["versions"]["ready"]) == (True, 30)


def answers(host):
    try:
        return ask(host, "/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_processes_may_also_be_started_afresh(models, tmp_path):
    """As on systems where a process cannot be forked."""
    (tmp_path / "sitecustomize.py").write_text(
        "import multiprocessing\nmultiprocessing.set_start_method('spawn')\n"
    )
    settings = {"sources": [models], "state": tmp_path / "state", "workers": 2}
    with running(settings, environment={"PYTHONPATH": str(tmp_path)}) as host:
        reply = ask(host, "/infer?brains=pets", method="POST", content=jpeg("cat", 1))
        assert reply.status_code == 200
        assert host.stop() == 0
