import sys

import pytest

from ninebrains.mind.yielding import yielding


@pytest.fixture(autouse=True)
def interval():
    before = sys.getswitchinterval()
    yield before
    sys.setswitchinterval(before)


def test_the_interval_is_shorter_within_and_as_before_afterwards(interval):
    with yielding(), yielding():
        assert sys.getswitchinterval() < interval
    assert sys.getswitchinterval() == pytest.approx(interval, rel=0.1)


def test_what_others_set_meanwhile_stays():
    with yielding():
        sys.setswitchinterval(0.02)
    assert sys.getswitchinterval() == pytest.approx(0.02, rel=0.1)


def test_a_shorter_one_is_not_made_longer():
    sys.setswitchinterval(0.0001)
    with yielding():
        assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.1)
    assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.1)
