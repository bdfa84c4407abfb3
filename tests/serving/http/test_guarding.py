"""What the guard makes of exceptions, of overload, and of clients that leave."""

import asyncio
import logging

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ninebrains.errors import (
    AccessError,
    BrainError,
    ClosedError,
    DataError,
    DeadlineError,
    ExtraError,
    MissingError,
    OutputError,
    OverloadError,
    PhotoError,
    RequestError,
    SettingsError,
)
from ninebrains.serving.host import Host
from ninebrains.serving.http.app import make_app
from ninebrains.serving.http.callers import caller_of
from ninebrains.serving.http.faults import fault_of
from ninebrains.serving.settings import Settings
from tests.serving.http.conftest import Client

FAULTS = [
    (PhotoError("x"), 400, "photo"),
    (RequestError("x"), 400, "request"),
    (RequestError("x", 415), 415, "request"),
    (DataError("x"), 400, "request"),
    (SettingsError("x"), 400, "request"),
    (AccessError("x"), 401, "access"),
    (AccessError("x", is_known=True), 403, "access"),
    (MissingError("x"), 404, "missing"),
    (OverloadError("x"), 429, "overload"),
    (ClosedError("x"), 503, "closed"),
    (DeadlineError("x"), 504, "deadline"),
    (OutputError("x"), 507, "storage"),
    (BrainError("x"), 500, "brain"),
    (ExtraError("x"), 500, "internal"),
]


@pytest.fixture
def host(tmp_path):
    return Host(Settings(state=tmp_path, mind={"max_pending": 2}))


@pytest.fixture
def ask(host):
    """Sends a request to a host whose routes `/brains/x`, `/v1/x` ... run a given function."""
    clients = []

    def ask(handler, path="/brains/x", method="GET", to=None, **options):
        app = make_app(host)
        app.router.routes.insert(0, Route(path, handler, methods=[method]))
        client = Client(app, "127.0.0.1")
        clients.append(client)
        return client.request(method, to or path, **options)

    yield ask
    host.close()
    for client in clients:
        client._loop.call_soon_threadsafe(client._loop.stop)
        client._thread.join()
        client._loop.close()


def failing(error):
    async def fail(_request):
        raise error

    return fail


@pytest.mark.parametrize(("error", "status", "code"), FAULTS, ids=lambda x: type(x).__name__)
def test_every_error_has_its_status_and_word(ask, error, status, code):
    reply = ask(failing(error))
    told = reply.json()["error"]
    assert (reply.status_code, told["code"], told["message"]) == (status, code, "x")
    assert told["request_id"] == reply.headers["x-request-id"]
    assert ("retry-after" in reply.headers) is (status in {429, 503})


def test_a_brain_that_is_put_up_and_cannot_be_read_is_its_sender_s_fault():
    error = BrainError("x")
    assert fault_of(error, "/admin/brains/pets").status == 422
    assert fault_of(error, "/v2/repository/models/pets/load").status == 422
    assert fault_of(error, "/infer").status == 500


def test_when_to_come_again_is_told_in_whole_seconds():
    assert fault_of(OverloadError("x", retry_seconds=2.1)).headers == {"retry-after": "3"}
    assert fault_of(OverloadError("x", retry_seconds=0.01)).headers == {"retry-after": "1"}


@pytest.mark.parametrize("path", ["/brains/x", "/v1/x", "/v2/x"])
def test_what_nobody_expected_is_told_to_the_log_alone(ask, caplog, path):
    secret = "nb_" + "s" * 43
    with caplog.at_level(logging.ERROR):
        reply = ask(failing(ZeroDivisionError(f"a secret: {secret}")), path)
    assert reply.status_code == 500
    error = reply.json()["error"]
    message = error if path[1] == "v" else error["message"]
    assert "secret" not in reply.text
    assert "ZeroDivision" not in reply.text
    assert "this request's id" in message
    (record,) = [record for record in caplog.records if record.name.startswith("ninebrains")]
    assert record.request_id == reply.headers["x-request-id"]
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("path", ["/brains/a/b", "/v1/nothing", "/v2/nothing"])
def test_a_path_that_is_not_there_is_told_in_each_form(ask, path):
    reply = ask(failing(KeyError()), "/brains/x", params={"token": "TOKEN"}, to=path)
    assert reply.status_code == 404
    error = reply.json()["error"]
    message = error["message"] if path.startswith("/brains") else error
    assert path in message
    assert "TOKEN" not in reply.text


def test_a_method_that_a_path_does_not_take_is_told_with_those_that_it_does(ask):
    reply = ask(failing(KeyError()), "/infer", to="/livez", method="DELETE")
    assert reply.status_code == 405
    assert reply.headers["allow"] in reply.json()["error"]["message"]


def test_a_caller_is_known_to_routes_and_its_key_is_not(ask, host):
    found = []

    async def look(request: Request):
        found.append(caller_of(request))
        return PlainTextResponse("")

    secret = host.keys.add("web", ["infer"])
    headers = {"X-Api-Key": secret, "X-User-Key": "anna", "X-Consent": "yes", "X-Region": "eu"}
    ask(look, headers=headers)
    ask(look, params={"user": "Ängström & co", "consent": "0"}, headers=headers)
    ask(look, headers={"X-User-Key": "Ängström".encode()})
    first, second, third = found
    assert (first.key, first.scopes) == ("web", {"infer"})
    assert (first.asker.user, first.asker.consent) == ("anna", True)
    assert first.asker.headers["x-region"] == "eu"
    assert secret not in repr(first.asker)
    assert (second.asker.user, second.asker.consent) == ("Ängström & co", False)
    assert (third.key, third.asker.user) == ("", "Ängström")
    assert first.asker_with(user="ben").user == "ben"
    assert first.asker_with(consent=False).user == "anna"


def test_a_refused_request_takes_no_place_of_its_key(ask, host):
    async def fine(_request):
        return PlainTextResponse("ok")

    header = {"X-Api-Key": host.keys.add("web", ["infer"], at_once=1)}
    for _ in range(3):
        refused = ask(fine, headers={**header, "Content-Length": "99999999999"})
        assert refused.status_code == 413
        assert ask(failing(PhotoError("x")), headers=header).status_code == 400
        assert ask(failing(KeyError()), headers=header).status_code == 500
    assert ask(fine, headers=header).status_code == 200


def request(path="/infer", method="POST", **headers):
    """An ASGI scope."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": named,
    }


class Wire:
    """A client's end of a request, piece by piece."""

    def __init__(self):
        self.said, self.heard = [], asyncio.Queue()

    async def send(self, message):
        self.said.append(message)

    async def receive(self):
        return await self.heard.get()

    def body(self, data=b"", more=False):
        self.heard.put_nowait({"type": "http.request", "body": data, "more_body": more})

    def leave(self):
        self.heard.put_nowait({"type": "http.disconnect"})

    @property
    def status(self):
        return self.said[0]["status"] if self.said else None


def guarded(host, handler, path="/infer"):
    app = make_app(host)
    app.router.routes.insert(0, Route(path, handler, methods=["POST", "GET"]))
    return app


def test_the_work_for_a_client_that_leaves_is_cancelled(host, caplog):
    async def check():
        ended = asyncio.Event()

        async def work(request):
            await request.body()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        wire = Wire()
        wire.body(b"photo")
        task = asyncio.create_task(
            guarded(host, work)(request(content_length="5"), wire.receive, wire.send)
        )
        await asyncio.sleep(0.01)
        wire.leave()
        await asyncio.wait_for(task, 10)
        assert ended.is_set()
        assert wire.said == []

    asyncio.run(check())
    host.close()
    assert not caplog.records


def test_a_request_that_is_cancelled_by_the_server_stays_cancelled(host):
    async def check():
        async def work(_request):
            await asyncio.sleep(60)

        wire = Wire()
        task = asyncio.create_task(
            guarded(host, work)(request(method="GET"), wire.receive, wire.send)
        )
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(check())
    host.close()


def test_requests_beyond_what_may_wait_are_refused_before_their_body_is_read(host):
    async def check():
        go = asyncio.Event()

        async def work(request):
            await request.body()
            await go.wait()
            return PlainTextResponse("ok")

        app = guarded(host, work)
        wires = [Wire() for _ in range(3)]
        tasks = []
        for wire in wires[:2]:
            wire.body(b"photo")
            tasks.append(
                asyncio.create_task(app(request(content_length="5"), wire.receive, wire.send))
            )
        await asyncio.sleep(0.05)
        third = asyncio.create_task(
            app(request(content_length="5"), wires[2].receive, wires[2].send)
        )
        await asyncio.sleep(0.05)
        assert wires[2].status == 429  # though nothing of its body has come
        assert (b"retry-after", b"1") in wires[2].said[0]["headers"]
        other = Wire()
        await app(request("/livez", "GET"), other.receive, other.send)
        assert other.status == 200
        wires[2].body(b"photo")
        await asyncio.wait_for(third, 10)
        go.set()
        await asyncio.gather(*tasks)
        assert [wire.status for wire in wires] == [200, 200, 429]
        again = Wire()
        again.body(b"photo")
        await app(request(content_length="5"), again.receive, again.send)
        assert again.status == 200

    asyncio.run(check())
    host.close()


def test_bodies_of_all_requests_together_have_a_limit(tmp_path):
    host = Host(Settings(state=tmp_path, limits={"bodies_bytes": 1000}))

    async def check():
        async def work(request):
            return PlainTextResponse(str(len(await request.body())))

        app = guarded(host, work)
        held, other, after = Wire(), Wire(), Wire()
        held.body(bytes(600), more=True)
        first = asyncio.create_task(app(request(content_length="700"), held.receive, held.send))
        await asyncio.sleep(0.02)
        other.body(bytes(600))
        await app(request(content_length="600"), other.receive, other.send)
        held.body(bytes(100))
        await first
        after.body(bytes(1000))
        await app(request(content_length="1000"), after.receive, after.send)
        assert [wire.status for wire in (held, other, after)] == [200, 429, 200]

    asyncio.run(check())
    host.close()


def test_a_reply_that_breaks_off_does_not_look_whole(host):
    async def check():
        async def app_of(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ha", "more_body": True})
            raise ZeroDivisionError

        from ninebrains.serving.http.guard import Guard

        wire = Wire()
        with pytest.raises(ZeroDivisionError):
            await Guard(app_of, host)(request(method="GET"), wire.receive, wire.send)

    asyncio.run(check())
    host.close()
