"""Fixtures for every test: a home of its own, and the shared photos where they are."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Trunks, stored brains, records and caches of this test alone."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("NINEBRAINS_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared():
    """The folder of shared photos and models; tests that need it skip where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the folder ../shared with real photos and models is not here")
    return SHARED
