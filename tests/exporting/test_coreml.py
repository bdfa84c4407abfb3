"""Exports to Core ML: what the saved program says, as far as this can be seen without a Mac."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from onnx import helper, numpy_helper

from ninebrains.brains import Brain, load
from ninebrains.brains.graph import pack, unpack
from ninebrains.errors import BrainError, ExportError
from ninebrains.exporting.coreml.checking import compute, read_back
from ninebrains.exporting.coreml.tools import coremltools
from ninebrains.exporting.coreml.writing import write_program
from ninebrains.exporting.target import Job
from ninebrains.exporting.targets import target
from ninebrains.exporting.targets.coreml import _check
from ninebrains.images import prepare
from tests.exporting.networks import SIDE, Sketch, mobile_network, pictures, residual_network, run

pytest.importorskip("coremltools")

FARTHEST = {"fp32": 1e-4, "fp16": 0.02, "int8-weights": 0.1}


@pytest.fixture(scope="module")
def brain(trained_once):
    return load(trained_once[0])


@pytest.fixture(scope="module")
def exports(brain, tmp_path_factory):
    """The folder, and what was told of it, by precision."""
    made = {}
    for precision in FARTHEST:
        folder = tmp_path_factory.mktemp(precision)
        made[precision] = folder, target("coreml").build(Job((brain,), precision), folder)
    return made


@pytest.mark.parametrize("precision", FARTHEST)
def test_the_saved_program_answers_like_the_brain(brain, exports, pets, precision):
    folder, built = exports[precision]
    pixels = np.stack([prepare(path, brain.contract) for path in sorted(pets.rglob("*.jpg"))[::8]])
    with coremltools():
        given = compute(read_back(folder / "model.mlpackage"), pixels)
    wanted = brain.compute(pixels, list(built.outputs))
    assert set(given) == set(built.outputs) == set(brain.outputs)
    for name, values in wanted.items():
        assert given[name].shape == values.shape
        off = np.linalg.norm(given[name] - values) / np.linalg.norm(values)
        assert off <= FARTHEST[precision], name
    if sys.platform != "darwin":
        assert "was not run" in built.not_run[0]


def test_the_package_takes_an_image_and_holds_labels(brain, exports):
    with coremltools() as ct:
        spec = ct.models.utils.load_spec(str(exports["fp16"][0] / "model.mlpackage"))
    (entry,) = spec.description.input
    image = entry.type.imageType
    assert (entry.name, image.height, image.width) == ("photos", *brain.contract.shape[:2])
    assert image.colorSpace == image.RGB
    outputs = spec.description.output
    assert [output.name for output in outputs] == list(brain.outputs)
    kinds = {output.type.multiArrayType.dataType for output in outputs}
    assert kinds == {outputs[0].type.multiArrayType.FLOAT32}
    told = spec.description.metadata
    assert json.loads(told.userDefined["labels"]) == [
        {"id": label.id, "name": label.name} for label in brain.labels
    ]
    assert told.versionString == brain.version
    assert spec.specificationVersion == 7  # iOS 16, macOS 13


def test_smaller_numbers_make_smaller_packages(exports):
    sizes = {
        precision: sum(path.stat().st_size for path in folder.rglob("weight.bin"))
        for precision, (folder, _) in exports.items()
    }
    assert sizes["int8-weights"] < sizes["fp16"] < sizes["fp32"]


def test_a_program_that_differs_is_refused(brain, exports):
    """The check compares with the brain that was given: here one with other weights."""
    other = Brain.assemble(brain.manifest, changed(brain.graph), brain.card)
    with (
        coremltools(),
        pytest.raises(ExportError, match=r"off the brain's; expected 0\.1% at most"),
    ):
        _check(other, exports["fp32"][0] / "model.mlpackage", ("scores", "heatmap"), "fp32")


def changed(graph):
    """The same graph with the weights of the head twice as large."""
    model = unpack(graph)
    for tensor in model.graph.initializer:
        if tensor.name == "head/weights_1x1":
            values = numpy_helper.to_array(tensor) * 2
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return pack(model)


@pytest.mark.parametrize("make", [mobile_network, residual_network])
def test_networks_of_many_operators_are_told_right(make, tmp_path):
    model, pixels = make(), pictures(8)
    with coremltools() as ct:
        program, _ = write_program(model, ct)
        made = ct.convert(
            program,
            source="milinternal",
            inputs=[ct.ImageType(name="photos", shape=(1, 3, SIDE, SIDE))],
            compute_precision=ct.precision.FLOAT32,
            minimum_deployment_target=ct.target.iOS16,
            skip_model_load=True,
        )
        made.save(str(tmp_path / "model.mlpackage"))
        del made
        given = compute(read_back(tmp_path / "model.mlpackage"), pixels)
    for name, values in zip(("scores", "features"), run(model, pixels), strict=True):
        np.testing.assert_allclose(given[name], values, rtol=1e-3, atol=1e-4)


def test_an_unknown_operator_is_refused_by_name():
    sketch = Sketch()
    value = sketch.conv("centred", "stem", 3, 8, stride=2)
    model = sketch.finish(sketch.node("Erf", [value], "strange"), 8, SIDE)
    with coremltools() as ct, pytest.raises(BrainError, match=r"operator 'Erf'.*'strange'"):
        write_program(model, ct)


def test_another_way_in_is_refused():
    sketch = Sketch()
    sketch.nodes[1] = helper.make_node("Transpose", ["floats"], ["turned"], perm=[0, 3, 2, 1])
    model = sketch.finish(sketch.conv("centred", "stem", 3, 8), 8, SIDE)
    with coremltools() as ct, pytest.raises(BrainError, match="begins with the operator 'Transp"):
        write_program(model, ct)


def test_padding_by_rule_is_refused():
    sketch = Sketch()
    sketch.conv("centred", "stem", 3, 8)
    sketch.nodes[-1] = helper.make_node(
        "Conv", list(sketch.nodes[-1].input), ["stem"], auto_pad="SAME_UPPER"
    )
    with coremltools() as ct, pytest.raises(BrainError, match="auto_pad"):
        write_program(sketch.finish("stem", 8, SIDE), ct)


def test_an_export_is_quiet_and_imports_no_framework(brain_file, tmp_path):
    script = """
        import sys
        from pathlib import Path
        from ninebrains.brains import load
        from ninebrains.exporting.target import Job
        from ninebrains.exporting.targets import target

        target("coreml").build(Job((load(sys.argv[1]),), "fp16"), Path(sys.argv[2]))
        assert "coremltools" in sys.modules
        assert not {"tensorflow", "torch", "sklearn"} & set(sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(brain_file), str(tmp_path)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
