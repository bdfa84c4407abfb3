"""Everything at once, for a few seconds: the long form is `python -m benchmarks.mind.soak`."""

import pytest
from benchmarks.mind.brains import untrained
from benchmarks.mind.soak import soak

from ninebrains.trunks import load_trunk
from tests.making import jpeg
from tests.mind.making import deep_brain


@pytest.fixture(scope="module")
def soaked_brains(small_trunk):
    """On two trunks, partly shared, and with nothing in common."""
    return [
        *(untrained(small_trunk, f"small{number}", number, 2 + number) for number in range(3)),
        untrained(load_trunk("octo"), "octo", 5),
        *(deep_brain(f"deep{n}", head=n, upper=n, untouched=3) for n in range(2)),
    ]


@pytest.mark.parametrize(("seed", "max_memory"), [(1, None), (2, 8_000_000)])
def test_no_answer_is_lost_or_wrong_while_everything_happens(soaked_brains, seed, max_memory):
    photos = [jpeg("cat", number) for number in range(6)]
    found = soak(soaked_brains, photos, seconds=5, seed=seed, max_memory=max_memory)
    found.check()
    assert found.outcomes["answered"] > 10
