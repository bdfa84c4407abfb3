"""A catalog on real folders, with a real mind, that looks when it is told to."""

import pytest

from ninebrains.mind import Mind
from ninebrains.serving.catalog import Catalog
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.settings import Settings


@pytest.fixture
def models(tmp_path):
    """An empty folder of brains."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(models, tmp_path):
    """Makes a catalog of `models` that has not looked yet; all of them share one ledger."""
    minds, ledgers = [], []

    def make(**settings):
        # So short that every look counts as a later one.
        settings = Settings(**{"sources": (models,), "watch_seconds": 1e-9, **settings})
        minds.append(Mind(threads=1))
        ledgers.append(Ledger(tmp_path / "state" / "host.db"))
        return Catalog(minds[-1], settings, ledgers[-1])

    yield make
    for mind in minds:
        mind.close()
    for ledger in ledgers:
        ledger.close()


@pytest.fixture
def begun(opened):
    """Makes one that has looked once."""

    def make(**settings):
        catalog = opened(**settings)
        catalog.refresh()
        return catalog

    return make
