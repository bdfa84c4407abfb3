"""Brains to export: small ones, trained once on the drawn photos."""

import numpy as np
import pytest

from ninebrains.images import prepare
from tests.making import jpeg, write_levels


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory, small_trunk):
    """A home with the small trunk, for brains that are trained once for all tests."""
    from ninebrains.trunks import add_trunk

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(folder))
        add_trunk(small_trunk)
    return folder


@pytest.fixture(scope="session")
def train(trained_home):
    """Train a brain in the home for all tests."""
    import ninebrains as nb

    def train(photos, name, **options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NINEBRAINS_HOME", str(trained_home))
            return nb.train(photos, name=name, **{"trunk": "small", **options})

    return train


@pytest.fixture(scope="session")
def small_brain(train, pets):
    """Cats and dogs on the small trunk."""
    return train(pets, "pets")


@pytest.fixture(scope="session")
def small_regress_brain(train, tmp_path_factory):
    """The level in a tank, on the small trunk."""
    return train(write_levels(tmp_path_factory.mktemp("levels")), "level")


@pytest.fixture(scope="session")
def small_pixels(small_brain):
    """Eight photos that no brain was trained on, as the network sees them."""
    seen = [
        prepare(jpeg(label, number), small_brain.contract)
        for label in ("cat", "dog")
        for number in range(100, 104)
    ]
    return np.stack(seen)
