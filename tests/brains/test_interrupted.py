"""Savers that are killed or run out of space: what was there is still there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ninebrains.brains import load

from .making import make_brain

ROOT = Path(__file__).parents[2]

SAVER = """
import sys
from tests.brains.making import make_brain
old, new = make_brain(large=200_000), make_brain(large=200_000, trunk_seed=1)
print("ready", flush=True)
while True:
    for brain in (new, old):
        brain.save(sys.argv[1], overwrite=True)
"""

FULL = """
import resource, signal, sys
from tests.brains.making import make_brain
from ninebrains.errors import OutputError
brain = make_brain(large=200_000, trunk_seed=1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    brain.save(sys.argv[1], overwrite=True)
except OutputError as error:
    print(error)
    sys.exit(3)
"""


def test_a_folder_is_replaced_where_the_system_cannot_exchange(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "other")
    old, new = make_brain(), make_brain(head_seed=1)
    path = old.save(tmp_path / "pets")
    new.save(path, overwrite=True)
    assert load(path) == new
    assert [entry.name for entry in tmp_path.iterdir()] == ["pets"]


def start(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals and exchanging renames")
@pytest.mark.parametrize("name", ["pets.brain", "pets"])
def test_a_killed_saver_leaves_the_old_brain_or_the_new_one(tmp_path, name):
    old, new = (make_brain(large=200_000, trunk_seed=seed) for seed in (0, 1))
    path = old.save(tmp_path / name)
    for number in range(5):
        process = start(SAVER, path)
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.002 + 0.007 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert load(path) in (old, new)


@pytest.mark.skipif(os.name != "posix", reason="needs resource limits")
@pytest.mark.parametrize("name", ["pets.brain", "pets"])
def test_a_full_disk_leaves_the_old_brain_and_no_rubbish(tmp_path, name):
    old = make_brain()
    path = old.save(tmp_path / name)
    process = start(FULL, path)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    assert "could not write" in output
    assert load(path) == old
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
