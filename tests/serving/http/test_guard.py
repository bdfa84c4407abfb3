"""What a host bears at its door, in processes of its own."""

import hashlib
import io
import json
import random
import re
import socket
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image

from ninebrains.serving.keys import Keys
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.settings import Settings
from tests.serving.http.conftest import jpeg
from tests.serving.making import repository, running

KEY, UNKNOWN = "nb_" + "k" * 43, "nb_" + "u" * 43
LIMITS = {"body_bytes": 200_000, "body_seconds": 1.0, "header_bytes": 8_000}
SECRETS = (KEY, UNKNOWN, "TOKEN-IN-A-QUERY", "alice-the-user", "PASSWORD", "PHOTO-BYTES")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A host that needs keys for feedback, is open for answers, and takes small bodies only."""
    folder = tmp_path_factory.mktemp("guarded")
    sha256 = hashlib.sha256(KEY.encode()).hexdigest()
    settings = {
        "sources": [repository(folder / "models", {"pets": [1]})],
        "state": folder / "state",
        "public": ["infer"],
        "limits": LIMITS,
        "log_level": "info",
        "keys": {"all": {"sha256": sha256, "scopes": ["infer", "feedback", "admin"]}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(folder))
        with running(settings) as host:
            yield host


@pytest.fixture
def raw(host):
    """Opens connections; checks in the end that the host lives and answers."""
    with raw_sockets(host) as connect:
        yield connect
    reply = httpx.post(f"{host}/infer", content=jpeg(), timeout=30)
    assert reply.status_code == 200, reply.text
    assert len(host.workers()) == 1


@contextmanager
def raw_sockets(host):
    opened = []

    def connect(data=b""):
        one = socket.create_connection(("127.0.0.1", host.settings["port"]), timeout=20)
        opened.append(one)
        one.sendall(data)
        return one

    yield connect
    for one in opened:
        one.close()


def head(path="/infer", *lines, method="POST"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *lines, "", ""]).encode()


def read(one):
    """One whole reply: its status, its headers, its JSON; None where there was none."""
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            piece = one.recv(65536)
        except ConnectionResetError:
            return None
        if not piece:
            return None
        data += piece
    top, _, body = data.partition(b"\r\n\r\n")
    first, *lines = top.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    while len(body) < int(headers.get("content-length", 0)):
        body += one.recv(65536)
    return int(first.split()[1]), headers, json.loads(body) if body else None


def error_of(one):
    status, headers, told = read(one)
    assert told["error"]["request_id"] == headers["x-request-id"]
    return status, told["error"]["code"], told["error"]["message"]


def test_a_body_announced_as_too_large_is_refused_before_it_comes(raw):
    status, code, message = error_of(raw(head("/infer", "Content-Length: 99999999999")))
    assert (status, code) == (413, "request")
    assert "99,999,999,999 bytes; expected at most 200,000" in message


def test_a_body_that_turns_out_too_large_is_refused(raw):
    one = raw(head("/infer", "Transfer-Encoding: chunked"))
    for _ in range(4):
        one.sendall(b"ea60\r\n" + bytes(60_000) + b"\r\n")
    assert error_of(one)[:2] == (413, "request")


def test_a_client_that_sends_all_before_it_reads_sees_why_it_is_refused(raw):
    one = raw(head("/infer", "Content-Length: 5000000"))
    one.sendall(bytes(5_000_000))
    assert error_of(one)[0] == 413
    one.sendall(head("/livez", method="GET"))
    assert read(one)[0] == 200


def test_a_body_within_the_limit_may_come_in_pieces_of_unknown_number(raw):
    photo, one = jpeg(), raw(head("/infer", "Transfer-Encoding: chunked"))
    for start in range(0, len(photo), 500):
        piece = photo[start : start + 500]
        one.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    one.sendall(b"0\r\n\r\n")
    assert read(one)[0] == 200


def test_a_body_that_comes_too_slowly_is_given_up(raw):
    paths = ("/infer", "/v1/models/pets:predict", "/v2/models/pets/infer")
    waiting = [raw(head(path, "Content-Length: 1000") + b"some") for path in paths]
    for path, one in zip(paths, waiting, strict=True):
        status, _headers, told = read(one)
        assert status == 408
        message = told["error"]["message"] if path == "/infer" else told["error"]
        assert "did not arrive within 1 seconds" in message


def test_a_client_that_leaves_within_its_body_leaves_nothing(raw, host):
    for _ in range(20):
        raw(head("/infer", "Content-Length: 1000") + b"some").close()
        half = raw(head("/infer", "Content-Length: 1000") + b"some")
        half.shutdown(socket.SHUT_WR)
    one = raw(head("/infer", "Content-Length: 0"))
    assert read(one)[0] == 400
    wait_for_log(host, '"status":400', 41)
    assert "Traceback" not in host.log.read_text()


def test_a_client_that_leaves_before_its_answer_is_no_trouble(raw, host):
    file = io.BytesIO()
    Image.new("L", (7000, 7000)).save(file, "PNG")  # a small file that takes long to open
    photo = file.getvalue()
    for _ in range(3):
        raw(head("/infer", f"Content-Length: {len(photo)}") + photo).close()
    wait_for_log(host, '"status":499', 3)
    assert "Traceback" not in host.log.read_text()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([f"X-{n}: 1" for n in range(150)], "headers; expected at most 100"),
        ([f"X-Long: {'a' * 9000}"], "bytes; expected at most 8,000"),
        ([f"X-{n}: {'a' * 200}" for n in range(50)], "bytes; expected at most 8,000"),
    ],
)
def test_floods_of_headers_are_refused(raw, lines, expected):
    status, headers, told = read(raw(head("/livez", *lines, method="GET")))
    assert status == 431
    if told is not None and "x-request-id" in headers:
        assert expected in told["error"]["message"]


def test_an_endless_head_is_not_read_to_its_end(raw):
    one = raw(b"GET /livez HTTP/1.1\r\nHost: here\r\n")
    sent = 0
    with suppress(ConnectionError):
        for n in range(20_000):
            sent += one.send(f"X-{n}: {'a' * 1000}\r\n".encode())
    assert sent < 20_000_000


def test_a_url_without_end_is_refused(raw):
    reply = read(raw(head("/infer?brains=" + "a" * 9_000)))
    assert reply[0] in {414, 431}


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"POST /infer HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /infer HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"POST /infer HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"POST /infer HTTP/1.1\r\nX-User-Key: \x00\x01\r\n\r\n",
        b"GET /%00%ff%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64),
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://example.org/admin HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_request_of_ours_is_refused_or_dropped(raw, data):
    one = raw(data)
    said = b""
    with suppress(OSError):
        one.shutdown(socket.SHUT_WR)
        while piece := one.recv(65536):
            said += piece
    assert not said.startswith(b"HTTP/1.1 5"), said
    assert not said.startswith(b"HTTP/1.1 2"), said


def test_random_bytes_leave_the_host_alive(raw):
    chance = random.Random(5)
    for n in range(60):
        data = chance.randbytes(chance.randrange(1, 3000))
        one = raw((b"", b"POST /infer HTTP/1.1\r\n", head("/infer"))[n % 3] + data)
        with suppress(OSError):  # dropped already, or closed in good order
            one.shutdown(socket.SHUT_WR)
            while one.recv(65536):
                pass


@pytest.mark.parametrize("given", ["abc-123", "A" * 128, "0a:b.c_d"])
def test_an_id_that_comes_with_a_request_goes_back(host, given):
    reply = httpx.get(f"{host}/livez", headers={"X-Request-Id": given})
    assert reply.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "A" * 129, "two words", 'a"b', "é".encode(), "<script>"])
def test_an_id_that_could_garble_a_log_is_replaced(host, given):
    reply = httpx.get(f"{host}/livez", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{16}", reply.headers["x-request-id"])


def test_consent_is_yes_or_no(host):
    reply = httpx.post(f"{host}/infer", content=jpeg(), headers={"X-Consent": "perhaps"})
    assert reply.status_code == 400
    assert "expected 'true' or 'false'" in reply.json()["error"]["message"]


def status_of(host, key, wanted):
    """The status of a correction sent with a key, once it is the one that is wanted."""
    end = time.monotonic() + 10
    while True:
        reply = httpx.post(f"{host}/feedback", json={}, headers={"X-Api-Key": key})
        if (reply.status_code == 401) is (wanted == 401) or time.monotonic() > end:
            return reply.status_code
        time.sleep(0.02)


def test_a_running_host_learns_of_keys_that_are_added_and_removed(host):
    ledger = Ledger(Path(host.settings["state"]) / "host.db")
    keys = Keys(ledger, Settings())
    secret = keys.add("late", ["feedback"])
    assert status_of(host, secret, 400) == 400
    keys.remove("late")
    assert status_of(host, secret, 401) == 401
    ledger.close()


def wait_for_log(host, text, num=1):
    end = time.monotonic() + 10
    while host.log.read_text().count(text) < num:
        assert time.monotonic() < end, host.log.read_text()[-3000:]
        time.sleep(0.02)


def test_the_log_tells_of_requests_in_json_and_of_nothing_secret(host):
    with httpx.Client(base_url=str(host), timeout=30) as client:
        known, unknown = {"Authorization": f"Bearer {KEY}"}, {"X-Api-Key": UNKNOWN}
        user = {"X-User-Key": "alice-the-user", "X-Consent": "true"}
        photo = jpeg()
        client.post("/infer?brains=pets", content=photo, headers=known | user)
        client.post("/infer?user=alice-the-user&token=TOKEN-IN-A-QUERY", content=photo)
        client.post("/infer", content=b"PHOTO-BYTES", headers=user)
        client.post("/infer", json={"photos": [{"url": "https://u:PASSWORD@h/?TOKEN-IN-A-QUERY"}]})
        client.post("/infer", json={"photos": ["PHOTO-BYTES"], "user": "alice-the-user"})
        client.post("/feedback", json={"prediction_id": "x", "user": "alice-the-user"})
        client.post("/feedback", json={"none": True}, headers=unknown)
        client.get(f"/{KEY}/{UNKNOWN}", headers=unknown)
        client.get("/brains?key=TOKEN-IN-A-QUERY")
        client.post("/admin/nothing", content=b"PHOTO-BYTES", headers=known)
        client.post("/v1/models/pets:predict", content=b'{"instances": ["PHOTO-BYTES"]}')
        client.post("/v2/models/pets/infer", content=b'{"inputs": "PHOTO-BYTES"}')
        client.get("/brains/nothing", headers={"X-Request-Id": "the-last-one"} | known)
    wait_for_log(host, "the-last-one")
    text = host.log.read_text()
    for secret in SECRETS:
        assert secret not in text
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    last = next(line for line in requests if line["request_id"] == "the-last-one")
    assert last.pop("ms") > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", last.pop("time"))
    assert last == {
        "level": "info",
        "event": "request",
        "request_id": "the-last-one",
        "method": "GET",
        "path": "/brains/nothing",
        "status": 404,
        "key": "all",
    }


def test_nothing_here_was_the_host_s_fault(host):
    """After all of the above: no 5xx, no trace, no warning of a forgotten task."""
    time.sleep(0.3)
    text = host.log.read_text()
    assert not re.findall(r'"status":5\d\d', text)
    for word in ("Traceback", "never awaited", "never retrieved", "Exception ignored"):
        assert word not in text
    assert host.process.poll() is None
