import threading

import pytest

from ninebrains.errors import OutputError
from ninebrains.serving.chores import Chores


@pytest.mark.parametrize("error", [OutputError("disk full"), KeyError("a mistake"), MemoryError()])
def test_a_chore_that_fails_is_told_once_and_goes_on(error, caplog):
    times, done = [], threading.Event()

    def chore():
        times.append(1)
        if len(times) < 5:
            raise error
        done.set()

    chores = Chores()
    chores.start("folders", 0.001, chore)
    assert done.wait(10)
    chores.close()
    (record,) = caplog.records
    assert record.message.startswith("folders: ")
    assert bool(record.exc_info) != isinstance(error, OutputError)


def test_a_chore_that_fails_in_many_ways_is_told_once_in_a_while(caplog):
    times, done = [], threading.Event()

    def chore():
        times.append(1)
        if len(times) >= 20:
            done.set()
        elif len(times) % 2:  # what it did in between is no reason to tell everything
            raise OutputError(f"could not write photo {len(times)}")

    chores = Chores()
    chores.start("photos", 0.001, chore)
    assert done.wait(10)
    chores.close()
    (record,) = caplog.records
    assert record.message == "photos: could not write photo 1"
