"""Fixtures of the tests of photos."""

import pytest

from tests.photos.making import classes


@pytest.fixture
def pets(tmp_path):
    """Six cats and five dogs, all different."""
    return classes(tmp_path / "pets", cat=6, dog=5)
