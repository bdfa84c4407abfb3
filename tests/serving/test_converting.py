"""Large requests in JSON: what is refused before it is read, and that the rest holds up nobody."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ninebrains.errors import DeadlineError, RequestError
from ninebrains.serving.converting import LARGE_BYTES, converted
from ninebrains.serving.http.bodies import MOST_TEXTS, read_json
from ninebrains.serving.http.tensor_bodies import MOST_VALUES, read_object
from ninebrains.serving.settings import Limits
from tests.making import jpeg
from tests.serving.making import ask, repository, running

LARGE = LARGE_BYTES + 1
PREDICT = "/v1/models/pets:predict"
TINY_PHOTOS = b'{"instances":[%b]}' % b",".join([b"[[[1,2,3]]]"] * 690_000)
PHOTOS = b'{"instances":[%b]}' % b",".join([b"[%b]" % b",".join([b"[[9,8,7]]"] * 40_000)] * 2)


def test_little_is_converted_at_once_and_much_beside_the_loop():
    async def where(size):
        return await converted(size, threading.get_ident, Limits())

    assert asyncio.run(where(LARGE_BYTES)) == threading.get_ident()
    assert asyncio.run(where(LARGE)) != threading.get_ident()


def test_one_large_request_is_converted_at_a_time():
    running_now, most = [], []

    def convert():
        running_now.append(1)
        most.append(len(running_now))
        time.sleep(0.01)
        running_now.pop()

    async def many():
        await asyncio.gather(*(converted(LARGE, convert, Limits()) for _ in range(10)))

    asyncio.run(many())
    assert most == [1] * 10


def test_whose_turn_does_not_come_in_time_is_told_so_and_leaves_the_queue():
    end, done = threading.Event(), []

    async def ask_three():
        first = asyncio.create_task(converted(LARGE, end.wait, Limits()))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineError, match="many large ones wait"):
            await converted(LARGE, lambda: done.append("late"), Limits(deadline_ms=20))
        end.set()
        await first
        await converted(LARGE, lambda: done.append("next"), Limits())

    asyncio.run(ask_three())
    assert done == ["next"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"x":[%b]}' % b",".join([b"1"] * MOST_VALUES), "send photo files"),
        (b'{"x":[%b]}' % b",".join([b"[]"] * (MOST_VALUES // 2 + 1)), "binary tensors"),
        (b"{%b}" % b",".join([b'"a":1'] * (MOST_TEXTS + 1)), "names and texts"),
        (TINY_PHOTOS, "1,048,576 values"),
    ],
)
def test_too_many_values_are_refused_before_they_are_read(body, said):
    with pytest.raises(RequestError, match=said) as caught:
        read_object(body)
    assert caught.value.status == 413


def test_as_many_values_as_may_are_read():
    numbers = [1] * (MOST_VALUES - 2)
    assert read_object(b'{"x":%b}' % str(numbers).encode()) == {"x": numbers}
    texts = ["a,[{"] * 1000
    assert read_json(str(texts).replace("'", '"').encode()) == texts


@pytest.mark.parametrize(("body", "status"), [(TINY_PHOTOS, 413), (PHOTOS, 200)])
def test_photos_are_answered_while_ten_clients_send_as_much_json_as_they_can(
    tmp_path, body, status
):
    models = repository(tmp_path / "models", {"pets": [1]})
    end, codes = threading.Event(), []

    def send(host):
        with httpx.Client(timeout=60) as client:
            while not end.is_set():
                codes.append(client.post(f"{host}{PREDICT}", content=body).status_code)

    with running({"sources": [models]}) as host, ThreadPoolExecutor(10) as pool:
        sending = [pool.submit(send, host) for _ in range(10)]
        try:
            while not codes:
                time.sleep(0.01)
            for _ in range(5):
                assert ask(host, "/livez").status_code == 200
                reply = ask(host, "/infer", method="POST", content=jpeg("cat", 1))
                assert reply.status_code == 200, reply.text
        finally:
            end.set()
        for one in sending:
            one.result(60)
    assert set(codes) == {status}
