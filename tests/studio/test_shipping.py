"""Putting brains live on hosts that run elsewhere: a trial stays one, and numbers stay the same."""

import hashlib
import re
from collections import Counter

import pytest

from ninebrains.errors import BrainError, RequestError
from ninebrains.studio.shipping.client import HostClient
from ninebrains.studio.shipping.publishing import put_live, split
from tests.brains.making import make_brain
from tests.making import jpeg
from tests.serving.making import ask, repository, running

KEY = "nb_" + "a" * 43
PHOTO = jpeg("cat", 5, size=(64, 64))


@pytest.fixture
def host(tmp_path):
    """A host that follows the newest version, as `ninebrains serve` does by itself."""
    models = repository(tmp_path / "models", {"pets": [1]})
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    keys = {"all": {"sha256": digest, "scopes": ["infer", "admin"]}}
    with running({"sources": [models], "state": tmp_path / "state", "keys": keys}) as host:
        yield host


@pytest.fixture
def client(host):
    client = HostClient(host.url, KEY)
    yield client
    client.close()


@pytest.fixture
def brain(tmp_path):
    """The file of a project's third brain."""
    path = tmp_path / "pets@3.brain"
    make_brain(name="pets", version="3", head_seed=3).save(path)
    return path


def answering(host, num=24):
    """How many of so many requests each version answers."""
    headers = {"authorization": f"Bearer {KEY}"}
    asked = {"method": "POST", "content": PHOTO, "headers": headers}
    replies = [ask(host, "/infer?brains=pets", **asked) for _ in range(num)]
    return Counter(reply.json()["photos"][0]["brains"]["pets"]["version"] for reply in replies)


def route(client):
    return client.get("/admin/brains/pets/route")


@pytest.mark.parametrize("role", ["canary", "shadow"])
def test_a_trial_does_not_go_live_for_everybody_where_the_newest_is_stable(
    host, client, brain, role
):
    assert put_live(client, "pets", brain, 3, role, 0.0) == 3
    told = route(client)
    assert (told["stable"], told[role]) == (1, 3)
    assert answering(host) == {1: 24}
    with pytest.raises(RequestError, match="answers everybody now"):
        split(client, "pets", 1, "canary", 10.0)
    assert route(client) == told
    split(client, "pets", 3, "canary", 100.0)
    assert (route(client)["canary"], route(client)["shadow"]) == (3, None)
    assert answering(host, 4) == {3: 4}
    split(client, "pets", 3, "stable", 0.0)
    assert (route(client)["stable"], route(client)["canary"]) == (3, None)


def test_a_trial_that_a_host_begins_by_itself_is_not_what_was_asked_for(host, client, brain):
    client.send("PATCH", "/admin/brains/pets/route", {"arrival": "canary", "arrival_percent": 100})
    put_live(client, "pets", brain, 3, "shadow", 0.0)
    told = route(client)
    assert (told["stable"], told["canary"], told["shadow"]) == (1, None, 3)
    assert told["arrival"] == "canary"
    assert answering(host, 4) == {1: 4}


def test_a_brain_that_a_host_refuses_leaves_it_as_it_was(client, tmp_path):
    before = route(client)
    (tmp_path / "bad.brain").write_bytes(b"no brain at all")
    with pytest.raises((BrainError, RequestError)):
        put_live(client, "pets", tmp_path / "bad.brain", 3, "canary", 10.0)
    assert {**route(client), "previous": None} == before
    with pytest.raises(RequestError, match="stable, canary or shadow"):
        put_live(client, "pets", tmp_path / "bad.brain", 3, "nothing", 10.0)


def test_a_host_says_how_many_answers_it_takes_before_drift_can_be_told(host, client):
    answering(host, 3)
    told = client.get("/drift/data?brain=pets")["versions"][0]
    assert told["verdict"] == "too few"
    assert re.search("500 answers|100 answers|it learnt from", told["missing"])


def test_a_version_has_the_number_of_its_brain_unless_that_is_taken(client, brain):
    assert put_live(client, "other", brain, 3, "canary", 10.0) == 3  # the first answers everybody
    assert client.get("/admin/brains/other/route")["stable"] == 3
    assert put_live(client, "pets", brain, 1, "stable", 0.0) == 2
    assert route(client)["stable"] == 2
