"""Load: callers that wait for each answer, and requests that come whether or not we keep up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass

_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class Call:
    """One request: when it was due, on time.perf_counter(), and how long its answer took."""

    began: float
    ms: float


def closed_loop(
    ask: Callable[[random.Random], object],
    callers: int,
    seconds: float,
    stop: threading.Event | None = None,
) -> list[Call]:
    """Let each of `callers` threads call `ask` again and again.

    Only calls that end in time are counted, so that their number over `seconds` is the throughput.

    Args:
        ask: makes a request and waits for its answer; draws from its caller's own numbers.
        callers: how many.
        seconds: after which they end.
        stop: ends them sooner.

    Raises:
        Exception: the first that a caller met.
    """
    end = time.perf_counter() + seconds
    calls: list[list[Call]] = [[] for _ in range(callers)]
    faults: list[Exception] = []

    def call(number: int) -> None:
        draw = random.Random(number)
        try:
            while not faults and not (stop and stop.is_set()):
                before = time.perf_counter()
                ask(draw)
                after = time.perf_counter()
                if after > end:
                    return
                calls[number].append(Call(before, 1000 * (after - before)))
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
            faults.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return [each for own in calls for each in own]


def open_loop(
    submit: Callable[[random.Random], Future[Hashable]],
    per_second: float,
    seconds: float,
    stop: threading.Event | None = None,
    seed: int = 0,
) -> list[Call]:
    """Submit requests at random moments, `per_second` on average, whatever the answers do.

    A request's time counts from when it was due, so that a stall is paid for by every request that
    would have come meanwhile.

    Raises:
        Exception: that a request ended with.
    """
    draw = random.Random(seed)
    calls: list[Call] = []
    futures: list[Future[Hashable]] = []

    def note(due: float) -> Callable[[Future[Hashable]], None]:
        return lambda _: calls.append(Call(due, 1000 * (time.perf_counter() - due)))

    start = due = time.perf_counter()
    while due < start + seconds and not (stop and stop.is_set()):
        delay = due - time.perf_counter()
        if delay > 0:
            time.sleep(delay)
        future = submit(draw)
        future.add_done_callback(note(due))
        futures.append(future)
        due += draw.expovariate(per_second)
    _, open_ = wait(futures, timeout=_LONGEST_WAIT_S)
    if open_:
        raise TimeoutError(
            f"{len(open_)} requests were not answered within {_LONGEST_WAIT_S:.0f} s"
        )
    for future in futures:
        future.result()
    return calls
