"""A host in processes of its own, shared by the tests of a file, and the same brains here."""

import pytest

import ninebrains as nb
from tests.making import jpeg
from tests.serving.making import put, repository, running


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Brains of every task, and one with many labels."""
    folder = repository(tmp_path_factory.mktemp("models"), {"pets": [1, 2]})
    put(folder, "many", 1, names=tuple(f"label {number}" for number in range(300)))
    put(folder, "weight", 1, task="regress")
    return folder


@pytest.fixture(scope="module")
def serving(models, tmp_path_factory):
    """The host itself."""
    home = pytest.MonkeyPatch()
    home.setenv("NINEBRAINS_HOME", str(tmp_path_factory.mktemp("home")))
    state = tmp_path_factory.mktemp("state")
    try:
        settings = {"sources": [models], "state": state, "policy": {"load": "all"}}
        with running(settings) as host:
            yield host
    finally:
        home.undo()


@pytest.fixture
def host(serving):
    """A connection to the host that sends photos as they are."""
    with nb.connect(str(serving), shrink=False) as host:
        yield host


@pytest.fixture(scope="module")
def mind(models):
    """The same brains in this process, under the names of their versions."""
    with nb.Mind() as mind:
        for path in sorted(models.glob("*/*.brain")):
            mind.add(path, f"{path.parent.name}@{path.stem}")
        yield mind


@pytest.fixture(scope="module")
def photo():
    return jpeg("cat", 1)
