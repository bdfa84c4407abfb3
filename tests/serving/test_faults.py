"""What a host does when things go wrong, with real processes."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.making import jpeg
from tests.serving.making import ask, put, repository, running, started

PHOTO = jpeg("cat", 1)


@pytest.fixture
def models(tmp_path):
    return repository(tmp_path / "models", {"pets": [1], "cars": [1]})


class Load:
    """Threads that ask again and again until they are told to end, each on a connection of its own.

    `codes`: of answers; `refused`: connections that were not taken; `broken`: requests that were
    sent and not answered.
    """

    def __init__(self, host, threads=4):
        self.codes, self.refused, self.broken = [], 0, []
        self._end, self._host = threading.Event(), host
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait(self, num):
        """Until so many more answers have come."""
        end, wanted = time.monotonic() + 90, len(self.codes) + num
        while len(self.codes) < wanted:
            assert time.monotonic() < end, (self.codes[-3:], self.refused, self.broken)
            time.sleep(0.005)

    def _ask(self):
        with httpx.Client(timeout=30) as client:
            while not self._end.is_set():
                try:
                    reply = client.post(f"{self._host}/infer?brains=pets", content=PHOTO)
                    self.codes.append(reply.status_code)
                except httpx.ConnectError:
                    self.refused += 1
                    time.sleep(0.02)
                except httpx.TransportError as error:
                    self.broken.append(repr(error))
                    time.sleep(0.02)


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_host_that_is_told_to_end_under_load_fails_no_request(models, tmp_path):
    with running({"sources": [models], "state": tmp_path / "state", "workers": 2}) as host:
        with Load(host) as load:
            load.wait(50)
            host.process.send_signal(signal.SIGTERM)
            assert host.process.wait(20) == 0
        assert set(load.codes) == {200}
        assert not load.broken


def test_a_host_that_ends_says_at_once_that_it_is_not_ready(models, tmp_path):
    with running({"sources": [models], "state": tmp_path / "state"}) as host:
        host.process.send_signal(signal.SIGTERM)
        seen = []
        while not seen or seen[-1][0] == 200:
            reply = ask(host, "/readyz")
            seen.append((reply.status_code, reply.headers.get("connection")))
        assert seen[-1] == (503, "close")
        assert host.process.wait(20) == 0


def test_a_second_signal_ends_a_host_at_once(models, tmp_path):
    settings = {"sources": [models], "state": tmp_path / "state", "drain_seconds": 60}
    with running(settings) as host, slow_request(host):  # would be waited for
        host.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(host))
        assert host.process.poll() is None
        host.process.send_signal(signal.SIGINT)
        assert host.process.wait(10) == 1


def test_draining_ends_in_time_whatever_a_client_holds_open(models, tmp_path):
    settings = {"sources": [models], "state": tmp_path / "state", "drain_seconds": 2}
    with running(settings) as host, slow_request(host):
        assert host.stop(15) == 0
    (told,) = (line for line in host.log.read_text().splitlines() if "drain_seconds" in line)
    assert json.loads(told)["requests"] == "1"


def test_a_killed_worker_is_back_and_the_port_is_never_lost(models, tmp_path):
    with running({"sources": [models], "state": tmp_path / "state", "workers": 2}) as host:
        with Load(host) as load:
            load.wait(20)
            before = host.workers()
            os.kill(before[0], signal.SIGKILL)
            wait_until(lambda: len(set(host.workers()) - set(before)) == 1)
            load.wait(200)
        lines = host.log.read_text().splitlines()
        told = [json.loads(line) for line in lines if line[:1] == "{"]
        (ended,) = [one for one in told if "ended unexpectedly" in one["event"]]
        assert ended["pid"] == str(before[0])
        assert len(told) == len(lines) - 1  # but for "ready: ..."
        assert set(load.codes) == {200}
        assert load.refused == 0
        assert len(load.broken) <= 4  # those it was answering
        assert ask(host, "/readyz").status_code == 200


def test_requests_wait_for_the_only_worker_to_come_back(models, tmp_path):
    with running({"sources": [models], "state": tmp_path / "state"}) as host:
        for _ in range(2):  # and again soon after
            before = host.workers()
            os.kill(before[0], signal.SIGKILL)
            wait_until(lambda gone=before[0]: not is_alive(gone))
            assert ask(host, "/livez").status_code == 200
            wait_until(lambda: ask(host, "/readyz").status_code == 200)
        reply = ask(host, "/infer?brains=pets", method="POST", content=PHOTO)
        assert reply.status_code == 200


def test_workers_end_by_themselves_when_their_supervisor_is_killed(models, tmp_path):
    settings = {"sources": [models], "state": tmp_path / "state", "workers": 2}
    with running(settings) as host:
        workers = host.workers()
        host.process.kill()
        host.process.wait()
        wait_until(lambda: not any(map(is_alive, workers)))
        with running(host.settings) as again:
            assert ask(again, "/readyz").status_code == 200


def test_a_corrupt_new_version_is_refused_and_the_old_one_goes_on(models, tmp_path):
    settings = {"sources": [models], "state": tmp_path / "state", "watch_seconds": 0.1}
    with running(settings) as host:
        with Load(host, 2) as load:
            load.wait(10)
            (models / "pets" / "2.brain").write_bytes(b"PK\x03\x04" + os.urandom(5000))
            wait_until(lambda: ask(host, "/readyz").json()["versions"]["failed"] == 1)
            load.wait(10)
            put(models, "pets", 3)
            wait_until(lambda: 3 in versions(host))
            load.wait(10)
        assert set(load.codes) == {200}
        assert not load.broken
        assert host.stop() == 0


def test_headers_that_never_end_and_headers_without_measure_are_cut_off(models, tmp_path):
    limits = {"header_seconds": 1, "header_bytes": 8192}
    settings = {"sources": [models], "state": tmp_path / "state", "limits": limits}
    with running(settings) as host:
        with connection(host) as slow:
            slow.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n")
            assert ended(slow)
        with connection(host) as large:
            large.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000)
            assert ended(large)[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"closed")
        assert ask(host, "/livez").status_code == 200


def test_nothing_depends_on_the_clock(models, tmp_path):
    """A clock that jumps by years back and forth, in every process of the host."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import itertools, time\n"
        "real, count = time.time, itertools.count()\n"
        "time.time = lambda: real() + (next(count) % 3 - 1) * 3e8\n"
    )
    settings = {"sources": [models], "state": tmp_path / "state", "watch_seconds": 0.1}
    with running(settings, environment={"PYTHONPATH": str(site)}) as host:
        with Load(host, 2) as load:
            load.wait(20)
            put(models, "pets", 2)
            wait_until(lambda: 2 in versions(host))
            load.wait(20)
        assert set(load.codes) == {200}
        assert not load.broken
        assert host.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_state_that_cannot_be_written_is_one_line_at_the_start(models, tmp_path, workers):
    (tmp_path / "file").write_text("in the way")
    settings = {"sources": [models], "state": tmp_path / "file" / "state", "workers": workers}
    with started(settings) as host:
        assert host.process.wait(30) == 2
    told = host.log.read_text()
    assert told.startswith("error: ")
    assert str(tmp_path / "file") in told
    assert "Traceback" not in told


def test_a_worker_that_never_gets_ready_is_not_started_for_ever(models, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import ninebrains.serving.worker as worker\n"
        "def broken(*_, **__):\n"
        "    raise SystemExit(3)\n"
        "worker.make_supervised = broken\n"
    )
    settings = {"sources": [models], "state": tmp_path / "state", "workers": 2}
    with started(settings, environment={"PYTHONPATH": str(tmp_path)}) as host:
        assert host.process.wait(30) == 1
    assert "ended 3 times before it was ready" in host.log.read_text()


def test_workers_that_cannot_start_again_are_tried_until_they_can(models, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "import ninebrains.serving.worker as worker\n"
        "make = worker._make_host_and_app\n"
        "def broken(*given, **named):\n"
        f"    if os.path.exists({str(tmp_path / 'broken')!r}):\n"
        "        raise ImportError('half of an update' + '\\udc80ä' * 5000)\n"
        "    return make(*given, **named)\n"
        "worker._make_host_and_app = broken\n"
    )
    settings = {"sources": [models], "state": tmp_path / "state", "workers": 2}
    with running(settings, environment={"PYTHONPATH": str(tmp_path)}) as host:
        (tmp_path / "broken").touch()
        for pid in host.workers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: host.log.read_text().count("a worker cannot start") >= 4)
        (tmp_path / "broken").unlink()
        assert ask(host, "/livez").status_code == 200
        wait_until(lambda: ask(host, "/readyz").status_code == 200)
        lines = host.log.read_text().splitlines()
        assert host.stop() == 0
    told = [json.loads(line) for line in lines if not line.startswith("ready: ")]
    assert any("half of an update" in one.get("why", "") for one in told)
    assert any(one["event"] == "no worker answers" for one in told)


def test_a_supervisor_that_fails_leaves_no_workers_behind(models, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "from ninebrains.serving.supervising import Supervisor\n"
        "Supervisor._take_deaths = lambda self: self.interrupt_children and 1 / 0\n"
    )
    settings = {"sources": [models], "state": tmp_path / "state", "workers": 2}
    with running(settings, environment={"PYTHONPATH": str(tmp_path)}) as host:
        workers = host.workers()
        os.kill(workers[0], signal.SIGKILL)
        assert host.process.wait(20) != 0
        assert not any(map(is_alive, workers))
        assert refuses(host)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own of 16 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", place]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk):
    """Leave no room at all; the file that takes it."""
    with (disk / "rest").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return disk / "rest"


def test_on_a_full_disk_serving_goes_on_and_feedback_says_that_it_cannot_be_stored(
    models, small_disk
):
    settings = {"sources": [models], "state": small_disk / "state", "workers": 2}
    with running(settings) as host:
        reply = ask(host, "/infer?brains=pets", method="POST", content=PHOTO)
        told = {"prediction_id": prediction(reply), "rank": 1}
        rest = fill(small_disk)
        with Load(host, 2) as load:
            load.wait(50)
            refused = ask(host, "/feedback", method="POST", json=told)
            assert refused.status_code == 507, refused.text
            assert "space" in refused.json()["error"]["message"]
            os.kill(host.workers()[0], signal.SIGKILL)  # one that starts now has no room either
            load.wait(50)
        assert set(load.codes) == {200}
        rest.unlink()
        wait_until(lambda: ask(host, "/feedback", method="POST", json=told).status_code < 300)
        wait_until(lambda: len(host.workers()) == 2)
        assert ask(host, "/metrics").status_code == 200
        assert host.stop() == 0


def test_a_host_that_starts_on_a_full_disk_says_so_in_one_line(models, small_disk):
    fill(small_disk)
    with started({"sources": [models], "state": small_disk / "state"}) as host:
        assert host.process.wait(30) == 2
    told = host.log.read_text()
    assert told.startswith("error: ")
    assert "space" in told
    assert "Traceback" not in told


def prediction(reply):
    (found,) = reply.json()["photos"][0]["brains"].values()
    return found["prediction_id"]


def versions(host):
    """Numbers of the versions of pets that answer, of one worker."""
    reply = ask(host, "/infer?brains=pets", method="POST", content=PHOTO)
    return {found["version"] for found in reply.json()["photos"][0]["brains"].values()}


def connection(host):
    return socket.create_connection(("127.0.0.1", host.settings["port"]), timeout=20)


def slow_request(host):
    """A request whose body never comes; its connection."""
    one = connection(host)
    one.sendall(b"POST /infer HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
    time.sleep(0.2)
    return one


def refuses(host):
    try:
        connection(host).close()
    except ConnectionRefusedError:
        return True
    return False


def ended(one):
    """What comes until the other side closes; `closed` if that is nothing."""
    data = b""
    try:
        while more := one.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data or b"closed"
