"""What tests of traffic share: hosts in this process, with small brains."""

import asyncio
import time
from contextlib import contextmanager

from ninebrains.serving.asking import Asker
from ninebrains.serving.host import Host
from ninebrains.serving.settings import Settings
from tests.brains.making import photo
from tests.serving.making import repository


@contextmanager
def hosts(folder, names, count=1, **settings):
    """Workers of one host in this process, each with all versions loaded; a list of them."""
    told = {
        "sources": [repository(folder / "models", names)],
        "state": folder / "state",
        "policy": {"load": "all"},
        "watch_seconds": 0.05,
    }
    opened = []
    try:
        for _ in range(count):
            host = Host(Settings.model_validate(told | settings))
            opened.append(host)
            host.open()
        for host in opened:
            host.traffic.refresh()
        yield opened
    finally:
        for host in opened:
            host.close()


def until(holds, seconds=20):
    """Wait until `holds()`; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = holds()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


def ask(host, count=1, wanted=("pets",), **options):
    """That many requests on different photos, each of another user; all answers."""

    async def all_of_them():
        return [
            await host.answer(dark(seed), wanted, Asker(user=f"user {seed}"), **options)
            for seed in range(count)
        ]

    return asyncio.run(all_of_them())


def dark(seed):
    """A photo on which the small brains know an answer: "sofa" with head 1, "cat" with head 2."""
    return photo(seed) // 32
