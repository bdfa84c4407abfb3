"""Work in threads whose results come back in order, with only a little of it in flight."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(function: Callable[[Item], object], items: Sequence[Item]) -> None:
    """Call a function with every item, each in a thread of its own: the first in the caller's.

    For a few calls of half a millisecond or more that release the interpreter's lock. The threads
    are kept for the next time, one less than there are cores.

    Raises:
        Exception: what one of the calls raised.
    """
    if len(items) < 2:
        for item in items:
            function(item)
        return
    others = [_pool(os.getpid()).submit(function, item) for item in items[1:]]
    try:
        function(items[0])
    finally:
        wait(others)
    for other in others:
        other.result()


@cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """Threads to share work with; a child process, which has none of its parent's, gets its own."""
    return ThreadPoolExecutor(max(1, usable_cores() - 1), thread_name_prefix="ninebrains-side")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Generator[Result]:
    """`map` over `items` in as many threads as there are cores, at most `ahead` results waiting.

    Made for decoding photos, which releases the interpreter's lock. An exception of `function`
    comes out where its result would have; what has not begun by then is dropped.
    """
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="ninebrains") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
