"""`/admin`: what a running host can be told, by whom, and what comes of it."""

import os
import time

import pytest

from tests.brains.making import make_brain
from tests.serving.http.conftest import make_host, sending

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A host, a client of it, and its administrator's key."""
    host = make_host(tmp_path_factory.mktemp("admin"))
    secret = host.keys.add("boss", ["admin", "infer"])
    with sending(host) as client:
        yield host, client, {"X-Api-Key": secret}


@pytest.fixture
def admin(opened):
    """Sends a request with the key; gives what the reply holds."""
    _host, client, headers = opened

    def send(method, path, status=200, **options):
        options["headers"] = {**headers, **options.get("headers", {})}
        reply = client.request(method, f"/admin{path}", **options)
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    return send


@pytest.fixture
def brain_file(tmp_path):
    def make(**options):
        path = tmp_path / "one.brain"
        make_brain(**options).save(path, overwrite=True)
        return path.read_bytes()

    return make


def told(admin, name, number):
    return admin("GET", f"/brains/{name}/versions/{number}")


def wait(until):
    """Until the host has come that far by itself."""
    for _ in range(1000):
        if until():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come that far")


def test_nothing_happens_without_an_admin_key(opened):
    host, client, _headers = opened
    weak = {"X-Api-Key": host.keys.add("weak", ["infer", "feedback"])}
    for method, path in [("GET", "/brains"), ("POST", "/reload"), ("GET", "/keys")]:
        assert client.request(method, f"/admin{path}").status_code == 401
        assert client.request(method, f"/admin{path}", headers=weak).status_code == 403


def test_all_names_are_listed_with_their_versions_and_routes(admin):
    names = {name["name"]: name for name in admin("GET", "/brains")["names"]}
    assert {"guest", "many", "pets", "weight"} <= set(names)
    first, second = names["pets"]["versions"][:2]
    assert (first["number"], first["state"], first["aliases"]) == (1, "ready", [])
    assert (second["number"], second["state"]) == (2, "ready")
    assert (second["own_name"], second["own_version"]) == ("pets", "2")
    assert second["digest"] != first["digest"]
    assert admin("GET", "/brains/pets")["route"]["arrival"] == "stable"


def test_an_uploaded_brain_is_the_next_version_and_can_be_asked(opened, admin, brain_file, photo):
    _host, client, _headers = opened
    sent = admin("POST", "/brains/new/versions", 201, content=brain_file(head_seed=7))
    assert (sent["number"], sent["state"]) == (1, "ready")
    sent = admin("POST", "/brains/new/versions", 201, content=brain_file(head_seed=8))
    assert sent["number"] == 2
    sent = admin("PUT", "/brains/new/versions/7", 201, content=brain_file(head_seed=9))
    assert sent["number"] == 7
    reply = client.post("/infer?brains=new@7", content=photo)
    assert reply.json()["photos"][0]["brains"]["new@7"]["version"] == 7
    admin("PUT", "/brains/new/versions/7", 409, content=brain_file(head_seed=9))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no brain", b"x" * 200_000])
def test_an_upload_that_is_no_brain_is_refused_and_leaves_nothing(opened, admin, content):
    host, _client, _headers = opened
    status = 422 if content else 400
    error = admin("POST", "/brains/refused/versions", status, content=content)["error"]
    assert error["message"]
    assert "refused" not in host.catalog.versions
    assert not list((host.ledger.path.parent / "uploads").iterdir())


def test_an_upload_over_the_limit_is_cut_off(tmp_path, brain_file):
    host = make_host(tmp_path, limits={"upload_bytes": 1000})
    headers = {"X-Api-Key": host.keys.add("boss", ["admin"])}
    with sending(host) as client:
        for content in (brain_file(), pieces([brain_file()[:900]] * 3)):
            reply = client.post("/admin/brains/a/versions", content=content, headers=headers)
            assert reply.status_code == 413
    assert not list((host.ledger.path.parent / "uploads").glob("*"))


def test_an_upload_that_finds_no_room_is_told_so_and_the_host_goes_on(tmp_path, brain_file, photo):
    host = make_host(tmp_path)
    headers = {"X-Api-Key": host.keys.add("boss", ["admin"])}
    (host.ledger.path.parent / "uploads").write_bytes(b"in the way")
    with sending(host) as client:
        reply = client.post("/admin/brains/a/versions", content=brain_file(), headers=headers)
        assert reply.status_code == 507
        assert reply.json()["error"]["code"] == "storage"
        assert client.post("/infer?brains=pets", content=photo).status_code == 200


def test_what_a_killed_worker_left_of_an_upload_goes_with_the_next_one(opened, admin, brain_file):
    host, _client, _headers = opened
    left = host.ledger.path.parent / "uploads" / "upload-left.brain"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half a brain")
    os.utime(left, (0, 0))
    admin("POST", "/brains/next/versions", 201, content=brain_file(head_seed=5))
    assert not list(left.parent.iterdir())


async def pieces(several):
    for piece in several:
        yield piece


def test_a_version_is_unloaded_loaded_and_deleted(opened, admin, brain_file):
    host, _client, _headers = opened
    for seed in (3, 4):
        admin("POST", "/brains/gone/versions", 201, content=brain_file(head_seed=seed))
    error = admin("DELETE", "/brains/gone/versions/2", 409)["error"]
    assert "serving" in error["message"]
    admin("POST", "/brains/gone/versions/1/unload", 204)
    wait(lambda: told(admin, "gone", 1)["state"] == "known")
    assert host.catalog.ready("gone") == (2,)
    assert admin("POST", "/brains/gone/versions/1/load")["state"] == "ready"
    admin("DELETE", "/brains/gone/versions/1", 204)
    wait(lambda: list(host.catalog.versions["gone"]) == [2])
    admin("POST", "/brains/gone/unload", 204)
    wait(lambda: not host.catalog.ready("gone"))
    assert admin("POST", "/brains/gone/load")["number"] == 2


def test_what_an_upload_becomes_stands_in_its_reply_also_where_a_number_is_used_again(
    opened, admin, brain_file
):
    host, _client, _headers = opened
    admin("POST", "/brains/coming/versions", 201, content=brain_file(head_seed=5))
    admin("PATCH", "/brains/coming/route", json={"arrival": "canary"})
    for seed in (6, 7):
        sent = admin("POST", "/brains/coming/versions", 201, content=brain_file(head_seed=seed))
        assert (sent["number"], sent["aliases"]) == (2, ["canary"])
        admin("PATCH", "/brains/coming/route", json={"canary": None})
        admin("DELETE", "/brains/coming/versions/2", 204)
        wait(lambda: list(host.catalog.versions["coming"]) == [1])


def test_a_version_that_the_route_names_is_not_deleted(opened, admin, brain_file):
    host, _client, _headers = opened
    for seed in (5, 6):
        admin("POST", "/brains/named/versions", 201, content=brain_file(head_seed=seed))
    admin("POST", "/brains/named/promote", json={"number": 1})
    admin("POST", "/brains/named/unload", 204)
    wait(lambda: not host.catalog.ready("named"))
    error = admin("DELETE", "/brains/named/versions/1", 409)["error"]
    assert "named@1 is stable in the route of named" in error["message"]
    admin("DELETE", "/brains/named/versions/2", 204)
    assert admin("GET", "/brains/named/route")["previous"] is None
    admin("PATCH", "/brains/named/route", json={"stable": None})
    admin("DELETE", "/brains/named/versions/1", 204)


def test_a_route_is_changed_promoted_and_rolled_back_and_remembers_who_did_it(admin):
    change = {"canary": 1, "canary_percent": 25, "stable": 2, "why": "trying the old one"}
    route = admin("PATCH", "/brains/pets/route", json=change)
    assert (route["stable"], route["canary"], route["canary_percent"]) == (2, 1, 25)
    assert admin("PATCH", "/brains/pets/route", json={"canary_percent": 50})["canary"] == 1
    assert told(admin, "pets", 1)["aliases"] == ["canary"]
    gate = {"p90_ms": 200, "least": 10}
    assert admin("PATCH", "/brains/pets/route", json={"gate": gate})["gate"]["p90_ms"] == 200
    standing = admin("GET", "/brains/pets/gate")
    assert standing["verdict"] is None
    assert standing["gate"]["standing"] == "undecided"
    assert admin("POST", "/brains/pets/promote", json={"why": "good"})["stable"] == 1
    assert admin("POST", "/brains/pets/roll-back")["stable"] == 2
    assert admin("GET", "/brains/pets/route")["stable"] == 2
    history = admin("GET", "/brains/pets/history")["history"]
    assert {one["by"] for one in history} >= {"boss"}
    assert "trying the old one" in {one["why"] for one in history}
    assert admin("GET", "/brains/many/gate") == {"verdict": None, "gate": None}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "says"),
    [
        ("PATCH", "/brains/pets/route", {"json": {"canary_percent": 101}}, 400, "canary_percent"),
        ("PATCH", "/brains/pets/route", {"json": {"canari": 1}}, 400, "canari"),
        ("PATCH", "/brains/pets/route", {"json": []}, 400, "expected a JSON object"),
        ("PATCH", "/brains/pets/route", {"content": b"x"}, 400, "Content-Type: application/json"),
        ("PATCH", "/brains/pets/route", {}, 400, "there is no body; expected a JSON object"),
        ("POST", "/brains/pets/versions?number=7", {"content": b"x"}, 400, "'number' behind the ?"),
        ("GET", "/brains?all", {}, 400, "'all' behind the ?"),
        ("PATCH", "/brains/pets/route", {"content": b"{", "headers": JSON}, 400, "is no JSON"),
        ("PATCH", "/brains/pets/route", {"content": b"[" * 5000, "headers": JSON}, 400, ""),
        ("PATCH", "/brains/pets/route", {"json": {"canary": 99}}, 404, "99"),
        ("PATCH", "/brains/pets/route", {"json": {"previous": 1}}, 400, "previous"),
        ("PATCH", "/brains/nothing/route", {"json": {}}, 404, "nothing"),
        ("POST", "/brains/many/promote", {}, 409, "canary"),
        ("POST", "/brains/pets/promote", {"json": {"number": 0}}, 400, "number"),
        ("GET", "/brains/nothing", {}, 404, "nothing"),
        ("GET", "/brains/nothing/history", {}, 404, "nothing"),
        ("GET", "/brains/pets/versions/x", {}, 400, "number"),
        ("GET", "/brains/pets/versions/99", {}, 404, "99"),
        ("POST", "/brains/pets/versions/99999999999999999999/load", {}, 400, "number"),
        ("POST", "/brains/a%20b/versions", {"content": b"x"}, 400, "name"),
        ("POST", "/keys", {"json": {"name": "x", "scopes": ["all"]}}, 400, "scopes"),
        ("POST", "/keys", {"json": {"name": "../x"}}, 400, "name"),
        ("POST", "/keys", {"json": {"name": "boss"}}, 409, "boss"),
        ("POST", "/keys", {"json": {"name": "x", "at_once": 10**30}}, 400, "at_once"),
        ("POST", "/keys", {"json": {"name": "x", "requests_per_second": 0}}, 400, "per_second"),
        ("DELETE", "/keys/nobody", {}, 404, "nobody"),
        ("GET", "/nothing", {}, 404, "nothing"),
        ("PUT", "/brains", {}, 405, "method"),
        ("POST", "/reload", {}, 400, "ninebrains serve"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(admin, method, path, options, status, says):
    error = admin(method, path, status, **options)["error"]
    assert says in error["message"]
    assert error["request_id"]


def test_what_nobody_expected_is_told_in_our_form_and_logged(opened, admin, monkeypatch, caplog):
    host, _client, _headers = opened

    def fail():
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(host.keys, "all", fail)
    error = admin("GET", "/keys", 500)["error"]
    assert error["code"] == "internal"
    assert "secret" not in error["message"]
    assert "ZeroDivisionError" in caplog.text


def test_keys_are_made_listed_without_secrets_and_removed(opened, admin, photo):
    _host, client, _headers = opened
    key = admin("POST", "/keys", 201, json={"name": "shop", "at_once": 2})
    listed = {one["name"]: one for one in admin("GET", "/keys")["keys"]}
    assert listed["shop"]["at_once"] == 2
    assert listed["shop"]["scopes"] == ["infer", "feedback"]
    assert key["secret"] not in str(listed)
    headers = {"Authorization": f"Bearer {key['secret']}"}
    assert client.post("/infer?brains=many", content=photo, headers=headers).status_code == 200
    admin("DELETE", "/keys/shop", 204)
    assert client.post("/infer?brains=many", content=photo, headers=headers).status_code == 401


@pytest.mark.parametrize("user", ["anna", "anna@example.org/1"])
def test_what_is_kept_of_a_user_is_deleted(opened, admin, photo, user):
    _host, client, _headers = opened
    reply = client.post("/infer?brains=pets", content=photo, headers={"X-User-Key": user})
    prediction = reply.json()["photos"][0]["brains"]["pets"]["prediction_id"]
    said = {"prediction_id": prediction, "none": True}
    assert client.post("/feedback", json=said).status_code == 200
    assert admin("GET", "/feedback")
    assert admin("DELETE", f"/users/{user}") == {"photos": 0, "feedback": 1}
    assert admin("DELETE", f"/users/{user}") == {"photos": 0, "feedback": 0}


def test_brains_tell_clients_what_a_local_brain_would(opened, admin):
    host, client, _headers = opened
    told = client.get("/brains/many").json()
    facts = host.catalog.find("many", 1).facts
    assert (told["name"], told["version"], told["variant"]) == ("many", 1, "stable")
    assert (told["task"], told["own_version"]) == ("classify", "1")
    assert told["labels"] == [label.model_dump() for label in facts.labels]
    assert told["contract"]["height"] == facts.contract.height
    assert told["digest"] == host.catalog.find("many", 1).digest
    assert client.get("/brains/weight").json()["task"] == "regress"
    assert client.get("/brains/guest").json()["kind"] == "model"
    assert client.get("/brains/pets@1").json()["version"] == 1
    assert client.get("/brains/pets@9").status_code == 404
    names = [one["name"] for one in client.get("/brains").json()["brains"]]
    assert {"guest", "many", "pets", "weight"} <= set(names)
