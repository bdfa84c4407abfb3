"""Exports to OpenVINO: what they answer, and that nobody is told of them."""

import logging
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from ninebrains.brains import load
from ninebrains.errors import BrainError, ExtraError
from ninebrains.exporting.requiring import require_package
from ninebrains.exporting.runners import openvino as runner
from ninebrains.exporting.target import Job
from ninebrains.exporting.targets import target
from ninebrains.images import prepare
from tests.brains.making import make_brain, repacked
from tests.exporting.networks import mobile_network, pictures

pytest.importorskip("openvino")
pytest.importorskip("nncf")

AGREEMENT = {"fp32": 1.0, "fp16": 1.0, "int8-weights": 0.95, "int8": 0.9, "int8, mended": 0.9}


@pytest.fixture(scope="module")
def brain(trained_once):
    return load(trained_once[0])


@pytest.fixture(scope="module")
def pixels(brain, pets):
    return np.stack([prepare(path, brain.contract) for path in sorted(pets.rglob("*.jpg"))])


@pytest.fixture(scope="module")
def exports(brain, pixels, tmp_path_factory):
    """The folder, and what was told of it, by precision."""
    made = {}
    for how in AGREEMENT:
        precision, _, mended = how.partition(", ")
        folder = tmp_path_factory.mktemp("openvino")
        job = Job((brain,), precision, pixels, effort=2 if mended else 0)
        made[how] = folder, target("openvino").build(job, folder)
    return made


@pytest.mark.parametrize("how", AGREEMENT)
def test_the_network_answers_like_the_brain(brain, pixels, exports, how):
    folder, built = exports[how]
    run = runner.open_model(folder, {"outputs": list(built.outputs)}, 1)
    wanted, given = brain.compute(pixels, list(built.outputs)), run(pixels)
    assert set(built.outputs) == set(brain.outputs) == set(given)
    assert {name: values.shape for name, values in given.items()} == {
        name: values.shape for name, values in wanted.items()
    }
    same = given["scores"].argmax(1) == wanted["scores"].argmax(1)
    assert same.mean() >= AGREEMENT[how]
    if how == "fp32":
        np.testing.assert_allclose(given["heatmap"], wanted["heatmap"], atol=1e-3)


def test_logging_stays_as_it_was(brain, pixels, tmp_path):
    """The quantiser's own way to be quiet would silence everybody's handlers."""
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    try:
        target("openvino").build(Job((brain,), "int8-weights", pixels), tmp_path)
        assert handler.level == logging.NOTSET
    finally:
        logging.getLogger().removeHandler(handler)


def test_smaller_numbers_make_smaller_files(exports):
    sizes = {how: (folder / "model.bin").stat().st_size for how, (folder, _) in exports.items()}
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
    for how in ("int8", "int8, mended", "int8-weights"):
        assert sizes[how] < 0.5 * sizes["fp32"]


def test_nothing_is_printed(brain, pixels, tmp_path, capfd):
    target("openvino").build(Job((brain,), "int8", pixels), tmp_path)
    assert capfd.readouterr() == ("", "")


def test_no_place_of_this_machine_is_written_into_the_file(exports):
    for folder, _ in exports.values():
        text = (folder / "model.xml").read_text("utf-8")
        assert "Convolution" in text
        assert str(folder) not in text
        assert "site-packages" not in text


def test_filters_for_each_channel_compute_in_8_bits_too(tmp_path):
    import openvino

    brain = repacked(make_brain(), mobile_network())
    target("openvino").build(Job((brain,), "int8", pictures(32)), tmp_path)
    network = openvino.Core().read_model(tmp_path / "model.xml")
    grouped = [one for one in network.get_ops() if one.get_type_name() == "GroupConvolution"]
    assert len(grouped) == 2
    for one in grouped:
        # In 8 bits they are a constant, its conversion and its steps; else still to be rounded.
        assert one.input_value(0).get_node().get_type_name() == "FakeQuantize"
        assert one.input_value(1).get_node().get_type_name() == "Multiply"


def test_int8_without_photos_is_refused(brain, tmp_path):
    with pytest.raises(BrainError, match="without photos to calibrate on"):
        target("openvino").build(Job((brain,), "int8"), tmp_path)


def test_a_missing_package_gives_the_command_that_installs_it():
    with pytest.raises(ExtraError, match=r"pip install 'ninebrains\[openvino-int8\]'"):
        require_package("there_is_no_such_module", "openvino-int8", "an export to OpenVINO in int8")


def test_an_export_tells_nobody(brain, brain_file, pixels, tmp_path):
    """OpenVINO and NNCF would report their use; a process of its own has neither CI nor pytest."""
    np.save(tmp_path / "pixels.npy", pixels)
    (tmp_path / "out").mkdir()
    script = """
        import socket, sys
        from pathlib import Path

        class Refused(socket.socket):
            def __init__(self, *arguments, **options):
                print("a socket was opened")
                raise OSError("no network")

        socket.socket = Refused
        import numpy as np
        from ninebrains.brains import load
        from ninebrains.exporting.runners import openvino as runner
        from ninebrains.exporting.target import Job
        from ninebrains.exporting.targets import target

        brain, pixels = load(sys.argv[1]), np.load("pixels.npy")
        target("openvino").build(Job((brain,), "int8", pixels), Path("out"))
        runner.open_model(Path("out"), {"outputs": ["scores"]}, 1)(pixels[:1])
        assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
    """
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(brain_file)],
        capture_output=True,
        cwd=tmp_path,
        env={**kept, "HOME": str(home)},
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_the_backend_of_a_mind_tells_nobody_either():
    script = """
        import sys
        from ninebrains.mind.backends.openvino import OpenVino
        OpenVino().precisions()
        assert "openvino" in sys.modules
        assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)
