"""Versions that come and go under load: no request fails, each is answered by one version."""

import asyncio
import shutil
import threading
import time

import numpy as np

from ninebrains.serving.host import Host
from ninebrains.serving.settings import Settings
from tests.brains.making import make_brain, photo
from tests.serving.making import put

SWAPS = 20
ASKERS = 6


def swap(host, models, expected):
    """Drop in one version after another, by file and by folder, and delete the oldest."""
    for number in range(2, SWAPS + 2):
        brain = make_brain(name="pets", version=str(number), head_seed=number)
        expected[number] = brain.run(photo()).answers
        if number % 2:
            put(models, "pets", number)
        else:
            brain.save(models / "pets" / f"{number}")
        end = time.monotonic() + 30
        while number not in host.catalog.ready("pets"):
            assert time.monotonic() < end, host.catalog.versions["pets"]
            time.sleep(0.002)
        if number > 3:
            gone = models / "pets" / str(number - 2)
            gone.with_suffix(".brain").unlink() if number % 2 else shutil.rmtree(gone)


async def ask(host, end, answers):
    seen, is_last = 0, False
    while not is_last:
        is_last = end.is_set()  # one more, so that the last version answers too
        (answered,) = (await host.answer(photo(), ["pets"])).answered
        assert answered.error is None
        assert answered.chosen.number >= seen
        seen = answered.chosen.number
        answers.append((seen, answered.inference.answers))


def test_twenty_swaps_under_load_fail_no_request(models, tmp_path):
    put(models, "pets", 1)
    expected = {1: make_brain(name="pets", version="1", head_seed=1).run(photo()).answers}
    host = Host(
        Settings(sources=(models,), state=tmp_path / "state", watch_seconds=0.01, workers=1)
    )
    host.open()
    end, answers = threading.Event(), []

    async def load():
        def swaps():
            try:
                swap(host, models, expected)
            finally:
                end.set()

        askers = [ask(host, end, answers) for _ in range(ASKERS)]
        await asyncio.gather(asyncio.to_thread(swaps), *askers)

    try:
        asyncio.run(load())
        assert {number for number, _ in answers} >= {1, SWAPS + 1}
        for number, scores in answers:
            assert np.allclose(scores, expected[number], atol=1e-5)
        until = time.monotonic() + 30
        while host.mind.names != (f"pets@{SWAPS + 1}",) and time.monotonic() < until:
            time.sleep(0.01)
        assert host.mind.names == (f"pets@{SWAPS + 1}",)
    finally:
        host.close()
