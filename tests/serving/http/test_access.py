"""Which key opens which route, and the form in which one is refused."""

import pytest

from ninebrains.serving.host import Host
from ninebrains.serving.http.access import rule_of
from ninebrains.serving.settings import Settings
from tests.serving.http.conftest import sending

ANY = {"infer", "feedback", "admin"}
ROUTES = [
    ("GET", "/livez", None),
    ("GET", "/readyz", None),
    ("GET", "/v2/health/live", None),
    ("GET", "/v2/health/ready", None),
    ("POST", "/infer", {"infer"}),
    ("PUT", "/infer", {"infer"}),
    ("GET", "/brains", {"infer"}),
    ("GET", "/brains/pets", {"infer"}),
    ("POST", "/brains", {"admin"}),
    ("DELETE", "/brains/pets", {"admin"}),
    ("POST", "/feedback", {"feedback"}),
    ("DELETE", "/feedback/users", {"admin"}),
    ("GET", "/feedback/photos", {"admin"}),
    ("GET", "/metrics", {"infer", "admin"}),
    ("GET", "/openapi.json", ANY),
    ("GET", "/docs", ANY),
    ("GET", "/drift", {"infer", "admin"}),
    ("POST", "/drift", {"admin"}),
    ("GET", "/admin", {"admin"}),
    ("GET", "/admin/keys", {"admin"}),
    ("POST", "/admin/keys", {"admin"}),
    ("OPTIONS", "/admin/keys", {"admin"}),
    ("DELETE", "/admin/keys/web", {"admin"}),
    ("GET", "/v1/models/pets", {"infer"}),
    ("POST", "/v1/models/pets:predict", {"infer"}),
    ("GET", "/v2", {"infer"}),
    ("GET", "/v2/models/pets", {"infer"}),
    ("POST", "/v2/models/pets/infer", {"infer"}),
    ("POST", "/v2/models/pets/versions/1/infer", {"infer"}),
    ("POST", "/v2/models/pets/trace/setting", {"admin"}),
    ("POST", "/v2/repository/index", {"infer"}),
    ("POST", "/v2/repository/models/pets/load", {"admin"}),
    ("POST", "/v2/repository/models/pets/unload", {"admin"}),
    ("POST", "/v2/repository/models/infer", {"admin"}),
    ("GET", "/", {"infer"}),
    ("GET", "/nothing", {"infer"}),
    ("POST", "/nothing", {"admin"}),
    ("PATCH", "/nothing", {"admin"}),
    ("BREW", "/nothing", {"admin"}),
    ("POST", "//admin/keys", {"admin"}),
    ("POST", "/infer2", {"admin"}),
    ("POST", "/INFER", {"admin"}),
]


@pytest.fixture(scope="module")
def secrets():
    return {}


@pytest.fixture(scope="module")
def open_to_nobody(tmp_path_factory, secrets):
    """A host that listens to the world, with a key for each scope."""
    state = tmp_path_factory.mktemp("guarded")
    host = Host(Settings(state=state, address="0.0.0.0"))
    with sending(host, "10.1.2.3") as client:
        for scope in ("infer", "feedback", "admin"):
            secrets[scope] = host.keys.add(scope, [scope])
        secrets["limited"] = host.keys.add("limited", ["infer"], requests_per_second=0.001)
        yield client


@pytest.mark.parametrize(("method", "path", "scopes"), ROUTES)
def test_a_route_opens_for_its_scopes_alone(open_to_nobody, secrets, method, path, scopes):
    status = open_to_nobody.request(method, path).status_code
    assert (status == 401) is (scopes is not None)
    for scope in ANY:
        header = {"Authorization": f"Bearer {secrets[scope]}"}
        status = open_to_nobody.request(method, path, headers=header).status_code
        assert status != 401
        assert (status == 403) is (scopes is not None and scope not in scopes)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer KEY"},
        {"Authorization": "bearer  KEY"},
        {"X-Api-Key": "KEY"},
        {"x-api-key": "KEY"},
    ],
)
def test_a_key_may_come_in_either_header(open_to_nobody, secrets, headers):
    sent = {name: value.replace("KEY", secrets["infer"]) for name, value in headers.items()}
    assert open_to_nobody.get("/brains", headers=sent).status_code not in {401, 403}


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "KEY extra"},
        {"Authorization": "Basic KEY"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer KEY KEY"},
        {"Authorization": "Bearer KEYx"},
        {"Authorization": ""},
        {"X-Api-Key": ""},
        {"X-Api-Key": "Bearer KEY"},
        {"Cookie": "key=KEY"},
    ],
)
def test_a_wrong_form_of_key_opens_nothing_and_is_not_shown(open_to_nobody, secrets, headers):
    sent = {name: value.replace("KEY", secrets["infer"]) for name, value in headers.items()}
    reply = open_to_nobody.get("/brains", headers=sent)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert secrets["infer"] not in reply.text


def test_a_key_in_the_query_is_none(open_to_nobody, secrets):
    assert open_to_nobody.get(f"/brains?key={secrets['infer']}").status_code == 401


@pytest.mark.parametrize("path", ["/infer", "/feedback", "/admin/keys", "/nothing"])
def test_our_routes_refuse_in_our_form(open_to_nobody, path):
    reply = open_to_nobody.post(path)
    error = reply.json()["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == "access"
    assert error["request_id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize(
    "path", ["/v1/models/pets:predict", "/v2/models/pets/infer", "/v2/x", "/v1"]
)
def test_protocols_refuse_in_their_form(open_to_nobody, path):
    reply = open_to_nobody.post(path)
    assert reply.status_code == 401
    assert list(reply.json()) == ["error"]
    assert "API key" in reply.json()["error"]


def test_a_key_with_a_limit_is_told_when_to_come_again(open_to_nobody, secrets):
    header = {"X-Api-Key": secrets["limited"]}
    assert open_to_nobody.get("/brains", headers=header).status_code != 429
    reply = open_to_nobody.get("/brains", headers=header)
    assert reply.status_code == 429
    assert 1 < int(reply.headers["retry-after"]) <= 1000
    assert reply.json()["error"]["code"] == "overload"


@pytest.mark.parametrize(("method", "path"), [("GET", "/metrics"), ("GET", "/docs")])
def test_pages_about_the_host_are_open_on_loopback_even_where_answers_are_not(
    tmp_path, method, path
):
    with sending(Host(Settings(state=tmp_path, public=()))) as client:
        assert client.request(method, path).status_code not in {401, 403}
        assert client.post("/infer").status_code == 401


@pytest.mark.parametrize("path", ["/admin/x", "/v2/repository/models/x/load", "/other"])
def test_only_what_an_administrator_sends_may_be_as_large_as_a_brain(path):
    assert rule_of("POST", path).uploads
    assert not rule_of("POST", "/infer").uploads
    assert not rule_of("POST", "/v1/models/x:predict").uploads
