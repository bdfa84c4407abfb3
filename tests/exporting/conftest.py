"""A small brain with held-out photos, trained once and known in the home of every test."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ninebrains.brains import load
from ninebrains.images import prepare
from ninebrains.training.training import fit
from tests.making import jpeg, write_levels, write_pairs


def trained(folder, monkeypatch, photos, trunk, **options):
    """Train into a home of its own; the brain's file, and the home."""
    monkeypatch.setenv("NINEBRAINS_HOME", str(folder / "home"))
    brain = fit(photos, trunk=trunk, **options).brain
    return brain.save(folder / "pets.brain"), folder / "home"


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory, pets, small_trunk):
    with pytest.MonkeyPatch.context() as patch:
        return trained(tmp_path_factory.mktemp("trained"), patch, pets, small_trunk)


def at_home(made, home, tmp_path, name):
    file, old_home = made
    shutil.copytree(old_home, home, dirs_exist_ok=True)
    return Path(shutil.copy(file, tmp_path / name))


@pytest.fixture
def brain_file(trained_once, home, tmp_path):
    """The file of a brain that tells cats from dogs; its training is known here."""
    return at_home(trained_once, home, tmp_path, "pets.brain")


@pytest.fixture
def brain(brain_file):
    return load(brain_file)


@pytest.fixture(scope="session")
def pairs_once(tmp_path_factory, small_trunk):
    photos = write_pairs(tmp_path_factory.mktemp("pairs"))
    with pytest.MonkeyPatch.context() as patch:
        return trained(tmp_path_factory.mktemp("multilabel"), patch, photos, small_trunk)


@pytest.fixture(scope="session")
def levels_once(tmp_path_factory, small_trunk):
    photos = write_levels(tmp_path_factory.mktemp("levels"))
    with pytest.MonkeyPatch.context() as patch:
        return trained(tmp_path_factory.mktemp("regress"), patch, photos, small_trunk)


@pytest.fixture
def pairs_file(pairs_once, home, tmp_path):
    """The file of a multi-label brain."""
    return at_home(pairs_once, home, tmp_path, "pairs.brain")


@pytest.fixture
def levels_file(levels_once, home, tmp_path):
    """The file of a brain that measures a level."""
    return at_home(levels_once, home, tmp_path, "levels.brain")


@pytest.fixture(scope="session")
def small_brain(trained_once):
    """Cats and dogs on the small trunk."""
    return load(trained_once[0])


@pytest.fixture(scope="session")
def small_regress_brain(levels_once):
    """The level in a tank, on the small trunk."""
    return load(levels_once[0])


@pytest.fixture(scope="session")
def small_pixels(small_brain):
    """Eight photos that no brain was trained on, as the network sees them."""
    seen = [
        prepare(jpeg(label, number), small_brain.contract)
        for label in ("cat", "dog")
        for number in range(100, 104)
    ]
    return np.stack(seen)
