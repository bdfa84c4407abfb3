"""Who may use a studio: real requests over a socket, with a stranger's headers too."""

import json
import socket
import ssl
import subprocess
import sys
from contextlib import suppress

import httpx
import pytest

from ninebrains.errors import AccessError, OverloadError, SettingsError
from ninebrains.studio.http.sessions import Sessions
from ninebrains.studio.serving import Access
from ninebrains.studio.store.database import Database
from tests.studio.making import Page


@pytest.fixture(scope="module")
def page(tmp_path_factory, studio_home):
    opened = Page(tmp_path_factory.mktemp("gate") / "project", studio_home)
    yield opened.sign_in()
    opened.close()


@pytest.fixture
def stranger(page):
    with httpx.Client(base_url=page.url) as client:
        yield client


def test_the_address_lets_in_once_and_hides_its_token(page, stranger):
    reply = stranger.get(page.link)
    assert reply.status_code == 401
    assert "used before" in reply.text
    assert not stranger.cookies
    token = page.post("/api/link")["path"]
    first = stranger.get(token)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/api/project").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/api/project", "/api/photos", "/thumb/1", "/photo/1", "/api/events", "/heat/1", "/api/serve"],
)
def test_without_a_session_nothing_is_told(stranger, path):
    reply = stranger.get(path)
    assert reply.status_code == 401
    assert "terminal" in reply.json()["error"]


def test_a_wrong_token_shows_no_page(stranger):
    reply = stranger.get("/?token=guess")
    assert reply.status_code == 401
    assert "<script" not in reply.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_names_that_lead_here_from_elsewhere_are_refused(page, host):
    reply = page.http.get("/api/project", headers={"host": host})
    assert reply.status_code in (400, 421)
    assert "counts" not in reply.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_from_elsewhere_change_nothing(page, headers):
    reply = page.http.post("/api/labels", json={"name": "evil"}, headers=headers)
    assert reply.status_code == 403
    assert "evil" not in json.dumps(page.get("/api/project")["labels"])


def test_our_own_page_may_change_things(page):
    headers = {"origin": page.url.rstrip("/"), "sec-fetch-site": "same-origin"}
    reply = page.http.post("/api/undo", headers=headers)
    assert reply.status_code == 200


def test_every_reply_forbids_scripts_of_others(page):
    for path in ("/", "/api/project", "/static/closed.css", "/nothing", "/api/photos/99"):
        headers = page.http.get(path).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    ["../studio.py", "..%2f..%2fstudio.py", "%2e%2e/http/gate.py", "/etc/passwd", "closed.css/.."],
)
def test_static_files_are_those_of_the_page_alone(page, path):
    reply = page.http.get(f"/static/{path}")
    assert reply.status_code == 404
    assert "import" not in reply.text


def test_bodies_are_limited_before_and_while_they_come(page):
    cookie = "; ".join(f"{name}={value}" for name, value in page.http.cookies.items())
    host = page.url.removeprefix("http://").rstrip("/")
    head = f"POST /api/label HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\n"
    name, port = host.split(":")
    for body in (
        f"content-length: {10**9}\r\n\r\n".encode(),
        b"transfer-encoding: chunked\r\n\r\n" + (b"100000\r\n" + bytes(2**20) + b"\r\n") * 17,
    ):
        with socket.create_connection((name, int(port)), timeout=60) as connection:
            with suppress(ConnectionError):  # what is too much need not be taken
                connection.sendall(head.encode() + body)
            assert connection.recv(1000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"ids": "all", "label": 1}', "ids is list"),
        (b'{"ids": [1], "label": true}', "label is int or null"),
        (b'{"ids": [1.5], "label": 1}', "numbers of photos"),
        (b'{"ids": [-1], "label": 1}', "numbers of photos"),
        (b'{"ids": [1], "label": 1, "more": 1}', "no field 'more'"),
        (b'{"ids": [99999999999999999999], "label": 1}', "numbers of photos"),
    ],
)
def test_bodies_that_make_no_sense_are_told(page, body, words):
    reply = page.http.post("/api/label", content=body)
    assert reply.status_code == 400
    assert words in reply.json()["error"]


def test_passwords_are_slowed_down_and_cookies_kept_as_hashes(tmp_path):
    database = Database(tmp_path / "studio.db")
    sessions = Sessions(database, "correct horse")
    session = sessions.sign_in("correct horse")
    assert sessions.knows(session)
    for _ in range(5):
        with pytest.raises(AccessError):
            sessions.sign_in("wrong")
    with pytest.raises(OverloadError, match="wait a minute"):
        sessions.sign_in("correct horse")
    with database.reading() as connection:
        kept = connection.execute("SELECT value FROM settings WHERE key = 'sessions'").fetchone()[0]
    assert session not in kept
    assert "horse" not in kept
    assert not Sessions(database).knows("")
    assert not Sessions(database, "another one").knows(session)
    database.close()


def test_wrong_passwords_lock_out_whoever_sent_them_and_nobody_else(tmp_path):
    database = Database(tmp_path / "studio.db")
    sessions = Sessions(database, "correct horse")
    for client in ("10.0.0.7", "2001:db8::1"):
        for _ in range(5):
            with pytest.raises(AccessError):
                sessions.sign_in("wrong", client)
    for client in ("10.0.0.7", "::ffff:10.0.0.7", "2001:db8::2"):
        with pytest.raises(OverloadError):
            sessions.sign_in("correct horse", client)
    for client in ("10.0.0.8", "2001:db8:0:1::1"):
        assert sessions.knows(sessions.sign_in("correct horse", client))
    database.close()


def test_guessing_from_ever_more_addresses_is_slowed_down_too(tmp_path, monkeypatch):
    monkeypatch.setattr("ninebrains.studio.http.sessions._SCRYPT_COST", 2)
    database = Database(tmp_path / "studio.db")
    sessions = Sessions(database, "correct horse")
    for number in range(200):
        with pytest.raises(AccessError):
            sessions.sign_in("wrong", f"10.0.0.{number}")
    with pytest.raises(OverloadError):
        sessions.sign_in("correct horse", "10.0.1.1")
    database.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "0.0.0.0"}, "needs --password"),
        ({"host": "192.168.1.7", "password": "long enough"}, "in the clear"),
        ({"password": "short"}, "8 characters"),
        ({"key": "x"}, "go together"),
    ],
)
def test_sharing_needs_a_password_and_tls(options, words):
    with pytest.raises(SettingsError, match=words):
        Access(**options)


def test_a_shared_studio_takes_a_password_over_tls(tmp_path, studio_home):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-keyout",
                key,
                "-out",
                certificate,
            ),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    page = Page(
        tmp_path / "project",
        studio_home,
        *("--host", "0.0.0.0", "--tls-cert", str(certificate), "--tls-key", str(key)),
        NINEBRAINS_STUDIO_PASSWORD="correct horse",
    )
    port = page.url.rstrip("/").rsplit(":", 1)[1]
    trust = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trust) as client:
        assert "password" in client.get("/").text
        wrong = client.post("/login", data={"password": "guess"})
        assert (wrong.status_code, "not the password" in wrong.text) == (401, True)
        assert client.post("/login", content=b"x" * 10_000).status_code == 413
        elsewhere = httpx.HTTPTransport(verify=trust, local_address="127.0.0.9")
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", transport=elsewhere) as neighbour:
            told = [neighbour.post("/login", data={"password": "guess"}).text for _ in range(6)]
        assert "wait a minute" in told[5]
        right = client.post("/login", data={"password": "correct horse"})
        assert right.status_code == 303
        assert "secure" in right.headers["set-cookie"].lower()
        assert client.get("/api/project").json()["shared"] is True
        folder = client.post("/api/import/folder", json={"path": "/etc"})
        assert (folder.status_code, "shared" in folder.json()["error"]) == (403, True)
        other = client.post("/api/serve", json={"action": "connect", "url": "http://10.0.0.1"})
        assert other.status_code == 403
        named = client.get("/api/project", headers={"host": f"evil.example:{port}"})
        assert named.status_code == 421
    page.close()


def test_the_command_line_says_what_is_wrong(ninebrains, tmp_path, page):
    shared = ninebrains("studio", tmp_path / "x", "--host", "0.0.0.0", "--no-open", check=2)
    assert "needs --password" in shared.err
    again = ninebrains("studio", page.project, "--no-open", check=2)
    assert "open in another studio" in again.err
    port = page.url.rstrip("/").rsplit(":", 1)[1]
    taken = ninebrains("studio", tmp_path / "y", "--port", port, "--no-open", check=2)
    assert f"port {port}" in taken.err


def test_help_does_not_load_what_serves():
    program = "import sys, ninebrains.cli.verbs; print([m for m in sys.modules if 'granian' in m])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize(
    "host",
    [
        "{here}/static/?",
        "{here}/static/#",
        "{here}?",
        "x@{here}",
        "{here}/login",
        "[::1",
        "{here}:",
    ],
)
def test_a_host_header_cannot_choose_another_path(page, stranger, host):
    here = page.url.removeprefix("http://").rstrip("/")
    reply = stranger.get("/api/project", headers={"host": host.format(here=here)})
    assert reply.status_code in (400, 421)
    assert "counts" not in reply.text
