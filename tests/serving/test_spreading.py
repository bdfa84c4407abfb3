"""Hosts with ledgers of their own keep the same routes through a folder."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from ninebrains.errors import ClosedError, OutputError, SettingsError
from ninebrains.serving.cluster import ClusterSettings, Replica, app
from ninebrains.serving.host import Host
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.settings import Settings
from ninebrains.serving.spreading import Spreading, common_secret, plant
from tests.serving.http.conftest import Client, jpeg
from tests.serving.making import put, repository

NAMES = ("pets",)


@contextmanager
def node(folder, name):
    """A host and what keeps its routes as those of the others."""
    settings = Settings(
        sources=(folder / "models",), state=folder / name, policy={"load": "all"}, grpc_port=None
    )
    ledger = Ledger(folder / name / "host.db")
    plant(ledger, common_secret(folder / "shared"))
    ledger.close()
    host = Host(settings)
    host.catalog.refresh()
    host.traffic.refresh()
    try:
        yield host, Spreading(folder / "shared", host.traffic)
    finally:
        host.close()


@contextmanager
def replica(settings, shared, name):
    client = Client(Replica(settings, shared, name), "10.0.0.1")
    client.begin()
    try:
        yield client
    finally:
        client.end()


@pytest.fixture
def folder(tmp_path):
    repository(tmp_path / "models", {"pets": [1, 2]})
    return tmp_path


@pytest.fixture
def two(folder):
    with node(folder, "a") as one, node(folder, "b") as other:
        for _host, spreading in (one, other):
            spreading.refresh(NAMES)
        yield one, other


def spread(*nodes):
    for _ in range(2):
        for _host, spreading in nodes:
            spreading.refresh(NAMES)


def stable(one):
    return one[0].traffic.route("pets").stable


def test_a_change_on_one_host_holds_on_the_other(two):
    a, b = two
    a[0].traffic.change("pets", "ann", stable=1, canary=2, canary_percent=25)
    spread(*two)
    route = b[0].traffic.route("pets")
    assert (route.stable, route.canary, route.canary_percent) == (1, 2, 25)
    assert b[0].traffic.history("pets")[0].by == "cluster"
    b[0].traffic.promote("pets", "bob")
    spread(*two)
    assert (stable(a), a[0].traffic.route("pets").canary) == (2, None)
    a[0].traffic.roll_back("pets", "ann")
    spread(*two)
    assert stable(b) == 1


def test_of_two_changes_at_once_one_holds_on_both(two):
    a, b = two
    a[0].traffic.change("pets", "ann", stable=1)
    b[0].traffic.change("pets", "bob", stable=2)
    spread(*two)
    assert stable(a) == stable(b)
    assert stable(a) in (1, 2)


def test_nothing_is_written_while_nothing_changes(two, folder):
    spread(*two)
    assert not (folder / "shared" / "routes").exists()
    two[0][0].traffic.change("pets", "ann", stable=1)
    spread(*two)
    before = (folder / "shared" / "routes" / "pets.json").stat()
    spread(*two)
    after = (folder / "shared" / "routes" / "pets.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_host_that_comes_later_begins_as_the_others_are(two, folder):
    two[0][0].traffic.change("pets", "ann", stable=1)
    spread(*two)
    with node(folder, "c") as late:
        late[1].refresh(NAMES)
        assert stable(late) == 1


def test_a_version_that_is_not_here_yet_is_waited_for(two, folder):
    a, b = two
    put(folder / "models", "pets", 3)
    for _ in range(3):
        a[0].catalog.refresh()
    a[0].traffic.change("pets", "ann", stable=3)
    spread(*two)
    assert stable(b) is None
    for _ in range(3):
        b[0].catalog.refresh()
    spread(*two)
    assert stable(a) == stable(b) == 3


@pytest.mark.parametrize("data", [b"", b"{", b'{"stable": -1}', b"\xff", b'{"other": 1}'])
def test_a_damaged_file_changes_nothing_and_is_written_anew(two, folder, data, caplog):
    a, b = two
    a[0].traffic.change("pets", "ann", stable=1)
    spread(*two)
    (folder / "shared" / "routes" / "pets.json").write_bytes(data)
    spread(*two)
    assert stable(a) == stable(b) == 1
    assert "cannot be followed" in caplog.text


def test_all_hosts_have_one_secret_also_when_they_start_at_once(folder):
    found = []
    begin = threading.Barrier(4)

    def find():
        begin.wait()
        found.append(common_secret(folder / "shared"))

    threads = [threading.Thread(target=find) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert [path.name for path in (folder / "shared").iterdir()] == ["secret"]
    assert (folder / "shared" / "secret").stat().st_mode & 0o077 == 0


def test_a_secret_that_is_none_is_told(folder):
    (folder / "shared").mkdir()
    (folder / "shared" / "secret").write_bytes(b"short")
    with pytest.raises(OutputError, match="holds 5 bytes; expected 32"):
        common_secret(folder / "shared")


def test_a_shared_folder_that_cannot_be_made_is_told(folder):
    (folder / "shared").write_text("a file")
    with pytest.raises(OutputError, match="cannot be made"):
        common_secret(folder / "shared")


def test_a_replica_says_who_it_is_and_takes_feedback_on_what_another_one_said(folder):
    settings = Settings(
        sources=(folder / "models",),
        state=folder / "state",
        public=("infer", "feedback"),
        grpc_port=None,
    )
    with (
        replica(settings, folder / "shared", "first") as first,
        replica(settings, folder / "shared", "second") as second,
    ):
        reply = first.post("/infer", content=jpeg(1))
        assert (reply.status_code, reply.headers["x-node"]) == (200, "first")
        prediction = reply.json()["photos"][0]["brains"]["pets"]["prediction_id"]
        reply = second.post("/feedback", json={"prediction_id": prediction, "rank": 1})
        assert (reply.status_code, reply.headers["x-node"]) == (200, "second")
    assert {path.name for path in (folder / "state").iterdir()} == {"first", "second"}


def test_a_replica_that_cannot_be_opened_does_not_start(folder):
    settings = Settings(sources=(folder / "nowhere",), state=folder / "state", grpc_port=None)
    app = Replica(settings, folder / "shared", "first")
    told = []

    async def start():
        async def receive():
            return {"type": "lifespan.startup"}

        async def send(message):
            told.append(message)

        await app({"type": "lifespan", "asgi": {}}, receive, send)

    with pytest.raises(ClosedError, match="nowhere"):
        asyncio.run(start())
    assert [message["type"] for message in told] == ["lifespan.startup.failed"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"state": "state", "public": ["infer"]}, "sources and state must be given"),
        ({"sources": ["models"], "public": ["infer"]}, "sources and state must be given"),
        ({"sources": ["models"], "state": "state"}, "there is no key"),
    ],
)
def test_settings_that_no_cluster_can_have_are_refused(told, expected):
    with pytest.raises(SettingsError, match=expected):
        app(Settings.model_validate(told), shared="shared")


def test_settings_of_a_cluster_are_checked():
    told = {"settings": {"sources": ["models"]}, "shared": "shared", "replicas": [1, 4]}
    assert ClusterSettings.model_validate(told).replicas == (1, 4)
    with pytest.raises(ValueError, match="replica"):
        ClusterSettings.model_validate(told | {"replicas": 0})
