"""What a client makes of hosts that misbehave: tries again where that is safe, and ends in time."""

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import ninebrains as nb
from ninebrains.connecting.retrying import Patience, asked
from ninebrains.connecting.steps import Broken, Call, Pause, Reply, Send
from tests.connecting.misbehaving import (
    ONE,
    RESET,
    SILENCE,
    answers,
    dripping,
    fault,
    half,
    http,
    misbehaving,
)
from tests.serving.making import free_port

PHOTO = b"no photo, but the host does not look"


def wait(url, deadline_ms=None, **options):
    with nb.connect(url, **options) as host:
        return host.run(PHOTO, "pets", deadline_ms=deadline_ms)


def wait_async(url, deadline_ms=None, **options):
    async def ask():
        async with nb.connect(url, **options) as host:
            return await host.answer(PHOTO, "pets", deadline_ms=deadline_ms)

    return asyncio.run(ask())


def run(host):
    return host.run(PHOTO, "pets")


WAYS = pytest.mark.parametrize("ask", [wait, wait_async])


@WAYS
@pytest.mark.parametrize(
    "script",
    [
        [],
        [RESET],
        [RESET, RESET],
        [fault(503, "closed", Retry_After="0.01")],
        [fault(429, "overload", Retry_After="0.01"), RESET, http(502, b"<html>")],
        [http(503, b"no host of ours", Retry_After="Thu, 01 Jan 2099 00:00:00 GMT")],
        [half(answers())],
        [b"nonsense that is no HTTP at all\r\n\r\n"],
    ],
    ids=lambda script: f"{len(script)} faults",
)
def test_what_passes_by_itself_is_tried_again(ask, script):
    with misbehaving(*script) as server:
        found = ask(server.url)
    assert found["pets"].answer == "dog"
    assert found["pets"].answers.tolist() == [0.25, 0.75]
    assert len(server.requests) == len(script) + 1


@WAYS
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (fault(400, "photo"), nb.PhotoError),
        (fault(413, "request"), nb.RequestError),
        (fault(404, "missing"), nb.MissingError),
        (fault(401, "access"), nb.AccessError),
        (fault(403, "access"), nb.AccessError),
        (fault(504, "deadline"), nb.DeadlineError),
        (fault(507, "storage"), nb.OutputError),
        (fault(500, "brain"), nb.BrainError),
        (fault(500, "internal"), nb.HostError),
        (http(500, b"<html>"), nb.HostError),
        (http(302, b"", Location="http://example.invalid/"), nb.HostError),
        (http(200, b""), nb.HostError),
        (http(200, b"<html>"), nb.HostError),
        (http(200, b"[" * 100_000), nb.HostError),
        (http(200, {"photos": []}), nb.HostError),
        (http(200, {"error": 3}), nb.HostError),
        (answers({**ONE, "answers": {"shape": [2], "float32": "!"}}), nb.HostError),
        (answers({**ONE, "answers": {"shape": [3], "float32": "AAAA"}}), nb.HostError),
        (answers({**ONE, "answers": {"shape": [1], "float32": "AAAAAA=="}}), nb.HostError),
        (answers({**ONE, "version": "x"}), nb.HostError),
        (answers({**ONE, "error": {"code": "brain", "message": "m"}}), nb.BrainError),
        (answers({**ONE, "error": "?"}), nb.HostError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "reply",
)
def test_what_would_come_again_is_told_at_once(ask, reply, kind):
    with misbehaving(reply) as server, pytest.raises(kind) as told:
        ask(server.url)
    assert len(server.requests) == 1
    assert type(told.value) is kind
    if b"as it is" in reply:
        assert "as it is" in str(told.value)
    elif kind is nb.HostError:
        assert server.url in str(told.value)


def test_errors_say_as_much_as_those_that_happen_here():
    replies = fault(403, "access"), fault(401, "access"), fault(413, "request")
    with misbehaving(*replies, fault(429, "overload", Retry_After="7")) as server:
        host = nb.connect(server.url, retries=0)
        with pytest.raises(nb.AccessError) as told:
            run(host)
        assert told.value.is_known
        with pytest.raises(nb.AccessError) as told:
            run(host)
        assert not told.value.is_known
        with pytest.raises(nb.RequestError) as told:
            run(host)
        assert told.value.status == 413
        with pytest.raises(nb.OverloadError) as told:
            run(host)
        assert told.value.retry_seconds == 7
        host.close()


@WAYS
def test_tries_end(ask):
    with (
        misbehaving(*[RESET] * 10) as server,
        pytest.raises(nb.HostError, match="ninebrains serve"),
    ):
        ask(server.url, retries=2)
    assert len(server.requests) == 3


@WAYS
def test_a_host_that_is_not_there(ask):
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(nb.HostError, match=url):
        ask(url, retries=1)


@WAYS
@pytest.mark.parametrize(
    "behaviour", [SILENCE, dripping(answers()), [*half(answers())[:1], SILENCE]]
)
def test_a_deadline_ends_what_is_too_slow(ask, behaviour):
    with misbehaving(behaviour, SILENCE) as server:
        with pytest.raises(nb.DeadlineError, match="150 ms"):
            ask(server.url, deadline_ms=150)
        assert len(server.requests) == 1


@WAYS
def test_without_a_deadline_there_is_a_limit_all_the_same(ask):
    with misbehaving(SILENCE) as server, pytest.raises(nb.HostError, match="timeout="):
        ask(server.url, timeout=0.15)


@WAYS
def test_nobody_waits_for_what_comes_after_the_deadline(ask):
    busy = fault(429, "overload", Retry_After="60")
    with misbehaving(busy) as server:
        with pytest.raises(nb.OverloadError):
            ask(server.url, deadline_ms=5_000)
        assert len(server.requests) == 1


def test_the_host_is_told_what_is_left_of_the_deadline():
    with misbehaving(RESET, RESET) as server:
        wait(server.url, deadline_ms=20_000)
        left = [
            float(line.split(": ")[1])
            for head in server.requests
            for line in head.split("\r\n")
            if line.lower().startswith("x-deadline-ms")
        ]
    assert len(left) == 3
    assert 20_000 >= left[0] > left[1] > left[2] > 0


@pytest.mark.parametrize("deadline", [0, -1, math.nan, math.inf])
def test_deadlines_that_make_no_sense(deadline):
    with pytest.raises(nb.DeadlineError, match="above 0"):
        wait("http://127.0.0.1:1", deadline_ms=deadline)


def test_a_connection_is_used_again():
    with misbehaving() as server, nb.connect(server.url) as host:
        for _ in range(10):
            run(host)
    assert server.num_connections == 1


@WAYS
def test_hosts_that_close_each_connection_are_no_trouble(ask):
    with misbehaving(closes=True) as server:
        with nb.connect(server.url) as host:
            for _ in range(5):
                assert run(host)["pets"].answer == "dog"
        assert ask(server.url)["pets"].answer == "dog"


def test_a_brain_that_fails_among_others():
    failed = {**ONE, "error": {"code": "brain", "message": "weights are NaN"}}
    with misbehaving(answers(rooms=failed), answers(rooms=failed)) as server:
        host = nb.connect(server.url)
        found = host.run(PHOTO, ["pets", "rooms"], on_error="keep")
        assert found.answers == {"pets": "dog"}
        assert set(found) == {"pets", "rooms"}
        assert "rooms" in found
        assert isinstance(found.errors["rooms"], nb.BrainError)
        with pytest.raises(nb.BrainError, match="NaN"):
            found["rooms"]
        with pytest.raises(nb.BrainError, match="NaN"):
            host.run(PHOTO, ["pets", "rooms"])
        host.close()


def test_a_stream_waits_for_room():
    busy = [fault(429, "overload", Retry_After="0.001")] * 12
    with misbehaving(*busy) as server, nb.connect(server.url, retries=2, at_once=2) as host:
        found = list(host.run_many([PHOTO] * 4, "pets"))
    assert [one["pets"].answer for one in found] == ["dog"] * 4


def pauses(outcomes, **options):
    """The pauses of a call whose tries end so; and what it ends in."""
    patience = Patience.of("http://host", None, 1000.0, 50, **options)
    talk, found = asked(Call("POST", "/infer"), patience), []
    try:
        step = next(talk)
        for outcome in outcomes:
            while isinstance(step, Pause):
                found.append(step.seconds)
                step = next(talk)
            assert isinstance(step, Send)
            step = talk.throw(outcome) if isinstance(outcome, Broken) else talk.send(outcome)
    except (StopIteration, nb.NinebrainsError) as end:
        return found, end
    raise AssertionError("it has not ended")


def test_pauses_grow_to_a_limit_and_differ():
    good = Reply(200, {}, b"")
    several = [pauses([Broken("reset")] * 12 + [good])[0] for _ in range(5)]
    for found in several:
        assert len(found) == 12
        for tries, pause in enumerate(found):
            longest = min(0.1 * 2**tries, 5.0)
            assert longest / 2 <= pause <= longest
    assert len({tuple(found) for found in several}) == 5


def test_pauses_are_never_shorter_than_the_host_asks_for():
    busy = Reply(429, {"retry-after": "9"}, b'{"error": {"code": "overload", "message": ""}}')
    found, _ = pauses([busy] * 3 + [Reply(200, {}, b"")])
    assert found == [9.0] * 3


def test_cancelling_ends_the_request():
    async def ask(url):
        async with nb.connect(url) as host:
            task = asyncio.create_task(host.answer(PHOTO, "pets"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    began = time.monotonic()
    with misbehaving(SILENCE) as server:
        asyncio.run(ask(server.url))
    assert time.monotonic() - began < 25  # the silence lasts 30


def test_closing_ends_those_who_ask_meanwhile():
    with misbehaving() as server:
        host = nb.connect(server.url)

        def ask():
            while True:
                run(host)

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask) for _ in range(4)]
            while len(server.requests) < 20:
                time.sleep(0.01)
            host.close()
            for one in asking:
                assert isinstance(one.exception(), nb.ClosedError)
