"""Feedback over HTTP and on the command line, on answers of a host."""

import json
import logging

import pytest

from ninebrains.errors import OutputError
from ninebrains.serving.host import Host
from ninebrains.serving.seldom import Seldom
from ninebrains.serving.settings import Settings
from tests.serving.feedback.making import Desk
from tests.serving.http.conftest import jpeg, sending
from tests.serving.making import repository

KEEP_ALL = {"low_confidence": 1.0}
LOG = logging.getLogger("ninebrains.serving")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    models = repository(tmp_path_factory.mktemp("models"), {"pets": [1]})
    return Host(Settings(sources=(models,), feedback=KEEP_ALL))


@pytest.fixture(scope="module")
def admin(host):
    return {"X-Api-Key": host.keys.add("boss", ["admin"])}


@pytest.fixture(scope="module")
def client(host):
    with sending(host) as client:
        yield client


def ask(client, seed=0, **options):
    told = client.post("/infer", content=jpeg(seed), **options).json()
    return told["photos"][0]["brains"]["pets"]


def test_an_answer_is_confirmed_or_corrected(client, host):
    answer = ask(client, params={"consent": "true"})
    said = {"prediction_id": answer["prediction_id"]}
    first = client.post("/feedback", json=said | {"rank": 2})
    assert first.status_code == 200
    assert first.json() == {"stored": True, "confirmed": False, "kept_photo": True}
    label = answer["answer"]
    again = client.post("/feedback", json=said | ({"label": label} if label else {"none": True}))
    assert again.json() == {"stored": True, "confirmed": True, "kept_photo": True}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON"),
        (b"[]", "no object"),
        (b'{"rank": 1}', "prediction_id is missing"),
        (b'{"prediction_id": "made up", "rank": 1}', "no prediction id"),
        (b'{"prediction_id": 7, "rank": 1}', "expected a text"),
        (b'{"prediction_id": "x", "rank": true}', "rank is"),
        (b'{"prediction_id": "x", "none": 1}', "none is"),
        (b'{"prediction_id": "x", "label": ["cat"]}', "label is"),
        (b'{"prediction_id": "x", "rang": 1}', "unknown field"),
    ],
)
def test_what_makes_no_sense_is_refused_in_our_form(client, body, says):
    reply = client.post("/feedback", content=body)
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["code"] == "request"
    assert says in reply.json()["error"]["message"]


def test_a_body_that_is_too_large_is_refused(client):
    reply = client.post("/feedback", json={"prediction_id": "x" * 20_000, "rank": 1})
    assert reply.status_code == 413


def test_administrators_see_figures_and_forget_users(client, host, admin):
    for path in ("stats", "forget"):
        method = "GET" if path == "stats" else "POST"
        assert client.request(method, f"/feedback/{path}").status_code == 401
    ask(client, 7, params={"consent": "true", "user": "alice"})
    host.feedback.flush()
    stats = client.get("/feedback/stats", headers=admin).json()
    assert stats["photos_low_confidence"] + stats["photos_unfamiliar"] >= 1
    gone = client.post("/feedback/forget", json={"user": "alice"}, headers=admin)
    assert gone.json() == {"photos": 1, "feedback": 0}


def test_the_command_line_exports_shows_and_forgets_beside_the_host(
    client, host, ninebrains, tmp_path
):
    for seed in range(3):
        answer = ask(client, 20 + seed, params={"consent": "true", "user": "bob"})
        said = {"prediction_id": answer["prediction_id"], "label": "dog", "user": "bob"}
        assert client.post("/feedback", json=said).status_code == 200
    host.feedback.flush()
    where = ("--repository", host.settings.sources[0])
    done = ninebrains(
        "feedback", "export", tmp_path / "out", *where, "--brain", "pets", "--unlabelled"
    )
    assert "dog" in done.out
    assert len(list((tmp_path / "out/photos/dog").iterdir())) == 3
    shown = json.loads(ninebrains("feedback", "show", *where, "--json").out)
    assert shown["versions"][0]["name"] == "pets"
    assert "pets@1" in ninebrains("feedback", "show", *where).out
    assert "3 photos and 3" in ninebrains("feedback", "forget", "bob", *where).out


@pytest.mark.parametrize("verb", [("show",), ("forget", "bob"), ("export", "out")])
def test_the_command_line_acts_on_no_other_host_than_the_one_that_was_named(
    ninebrains, tmp_path, home, verb
):
    Desk(home / "data" / "serving").ledger.close()  # of a host that served a lone brain
    (tmp_path / "empty").mkdir()
    for flag, folder, says in (
        ("--repository", tmp_path / "nowhere", "is no folder"),
        ("--repository", tmp_path / "empty", "no host has stored"),
        ("--state", tmp_path / "nowhere", "is no folder"),
        ("--state", tmp_path / "empty", "no host has stored"),
    ):
        done = ninebrains("feedback", *verb, flag, folder, check=2, cwd=tmp_path)
        assert says in done.err
        assert str(folder) in done.err
        assert not done.out
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_disk_that_is_full_is_one_line_in_the_log_for_many_requests(
    client, host, monkeypatch, caplog
):
    def full(*_arguments, **_options):
        raise OutputError("could not use host.db: disk is full")

    answer = ask(client, 40)
    monkeypatch.setattr(host.feedback, "give", full)
    monkeypatch.setattr("ninebrains.serving.http.faults._no_room", Seldom(LOG, logging.ERROR))
    for _ in range(5):
        said = {"prediction_id": answer["prediction_id"], "rank": 1}
        assert client.post("/feedback", json=said).status_code == 507
    (record,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert record.message == "storage: could not use host.db: disk is full"
    assert record.path == "/feedback"
    assert not record.exc_info
