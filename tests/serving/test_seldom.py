"""Telling of what happens often."""

import logging
import time

from ninebrains.serving.seldom import Seldom

LOG = logging.getLogger("ninebrains.serving")


def test_what_happens_often_is_told_at_once_and_then_counted(caplog):
    seldom = Seldom(LOG, logging.ERROR, seconds=0.2)
    for number in range(50):
        seldom.tell(f"disk full at {number}", {"path": "/feedback"})
    (first,) = caplog.records
    assert (first.message, first.path) == ("disk full at 0", "/feedback")
    end = time.monotonic() + 10
    while len(caplog.records) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert caplog.records[1].message == "disk full at 49 (49 times in 0.2 s)"


def test_two_kinds_do_not_hide_each_other(caplog):
    for name in ("photos", "requests"):
        Seldom(LOG, logging.WARNING).tell(name)
    assert [record.message for record in caplog.records] == ["photos", "requests"]
