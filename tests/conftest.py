"""Fixtures for every test: a home of its own, a small trunk, and the shared photos."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import write_model, write_photos

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Trunks, stored brains, records and caches of this test alone."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("NINEBRAINS_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def logging_of_its_own():
    """What a test makes this process log, and where to, ends with it."""
    loggers = [logging.getLogger(name) for name in ("", "ninebrains", "granian.access", "_granian")]
    before = [(one.level, one.handlers[:], one.propagate) for one in loggers]
    yield
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


@pytest.fixture(scope="session")
def shared():
    """The folder of shared photos and models; tests that need it skip where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the folder ../shared with real photos and models is not here")
    return SHARED


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """A small classifier in ONNX."""
    return write_model(tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.fixture(scope="session")
def small_trunk(model_file):
    """That classifier as a trunk."""
    from ninebrains.trunks import import_trunk

    return import_trunk(model_file, "small")


@pytest.fixture
def stored_trunk(home, small_trunk):
    """The small trunk in this test's home; its name."""
    from ninebrains.trunks import add_trunk

    add_trunk(small_trunk)
    return small_trunk.name


@pytest.fixture(scope="session")
def pets(tmp_path_factory):
    """40 photos of cats and 40 of dogs. Tests must not change them."""
    return write_photos(tmp_path_factory.mktemp("pets"), {"cat": 40, "dog": 40})


@pytest.fixture
def ninebrains():
    """Run the command line in a process of its own; give what it printed and its exit code."""

    def run(*arguments, check=0, **options):
        command = [sys.executable, "-m", "ninebrains.cli", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False, **options)
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        if check is not None:
            assert done.returncode == check, f"{done.out}\n{done.err}"
        assert "Traceback" not in done.err, done.err
        return done

    return run
