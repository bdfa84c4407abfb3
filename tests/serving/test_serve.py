"""`ninebrains serve`: starting, settings, stopping."""

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
