"""Processes that share weights give the same answers, and go on alone where they cannot share."""

import subprocess
import sys

import numpy as np
import pytest

from ninebrains.mind import Mind, import_model
from ninebrains.mind.backends.sharing import share_weights
from tests.brains.making import photo
from tests.making import write_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is shared on Windows")


@pytest.fixture
def models(tmp_path):
    return [write_model(tmp_path / f"{seed}.onnx", seed=seed) for seed in (0, 1)]


@pytest.fixture(autouse=True)
def alone():
    yield
    share_weights(None)


def answers(models):
    """What each network says about some photos."""
    with Mind(threads=1) as mind:
        names = [mind.add(import_model(path), path.stem) for path in models]
        told = [mind.run(photo(seed), names) for seed in range(4)]
    return np.concatenate([one[name].answers for one in told for name in names]).tobytes()


def test_shared_weights_change_no_bit(models, tmp_path):
    alone = answers(models)
    share_weights(tmp_path / "weights")
    assert answers(models) == alone  # writes
    assert len(list((tmp_path / "weights").glob("*/weights.bin"))) == 2
    assert answers(models) == alone  # maps


def test_shared_weights_of_a_real_network_change_no_bit(shared, tmp_path):
    models = [shared / "models" / "mobilenet_v2_100_imagenet.onnx"]
    alone = answers(models)
    share_weights(tmp_path / "weights")
    assert answers(models) == answers(models) == alone


def test_processes_have_one_file_in_common(models, tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ninebrains.mind import Mind, import_model\n"
        "from ninebrains.mind.backends.sharing import share_weights\n"
        "share_weights(Path(sys.argv[1]))\n"
        "mind = Mind(threads=1)\n"
        "mind.add(import_model(sys.argv[2]), 'a')\n"
        "print('weights.bin' in Path('/proc/self/maps').read_text(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "weights"), str(models[0])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    told = [one.communicate("", timeout=60)[0] for one in both]
    if sys.platform == "linux":
        assert told == ["True\n", "True\n"]
    assert [one.returncode for one in both] == [0, 0]
    assert len(list((tmp_path / "weights").glob("*/weights.bin"))) == 1


@pytest.mark.parametrize("damage", ["no folder", "truncated", "no graph"])
def test_what_cannot_be_shared_is_compiled_alone(models, tmp_path, damage):
    alone = answers(models)
    place = tmp_path / "weights"
    if damage == "no folder":
        place.write_text("in the way")
    share_weights(place)
    assert answers(models) == alone
    for file in place.glob("*/weights.bin" if damage == "truncated" else "*/graph.onnx"):
        file.write_bytes(file.read_bytes()[:100])
    assert answers(models) == alone
