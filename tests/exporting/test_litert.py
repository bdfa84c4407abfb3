"""LiteRT artefacts: the brain's answers in every precision, lean graphs, readable metadata."""

import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version

import numpy as np
import pytest
from flatbuffers import encode, number_types
from flatbuffers.table import Table

import ninebrains as nb
from ninebrains.errors import BrainError, OutputError
from ninebrains.exporting.describing import write_runner
from ninebrains.exporting.litert import converting
from ninebrains.exporting.litert.converting import convert
from ninebrains.exporting.litert.finishing import METADATA, check_integers, operators, read
from ninebrains.exporting.targets.litert import LitertTarget
from ninebrains.photos import find_photos
from tests.bridging.networks import net
from tests.exporting.artefacts import Artefact, runtime
from tests.making import jpeg

# The largest difference of a score, by precision.
TOLERANCE = {"fp32": 1e-5, "fp16": 0.01, "int8-weights": 0.05, "int8": 0.1}
ONCE = {"CAST", "DIV", "MEAN", "MUL", "REDUCE_MIN", "RESHAPE", "SOFTMAX", "SQUARE", "SUB", "SUM"}
ONCE |= {"TRANSPOSE"}  # of the heat map, to ONNX's order
REPEATED = {"ADD", "CONV_2D", "FULLY_CONNECTED", "MAXIMUM", "SQRT"}


@pytest.fixture(scope="session")
def calibration(small_brain):
    """Twenty photos as the network sees them."""
    photos = [jpeg(label, number) for label in ("cat", "dog") for number in range(10)]
    return np.stack([nb.prepare(photo, small_brain.contract) for photo in photos])


@pytest.fixture(scope="session")
def artefacts(small_brain, calibration, tmp_path_factory):
    """The small brain in every precision."""
    folder = tmp_path_factory.mktemp("litert")
    return {
        precision: Artefact(
            "litert",
            small_brain,
            precision,
            folder / precision,
            calibration=calibration if precision == "int8" else None,
        )
        for precision in TOLERANCE
    }


def file_of(artefact):
    return (artefact.folder / "model.tflite").read_bytes()


@pytest.mark.parametrize("precision", TOLERANCE)
def test_gives_the_brains_answers(artefacts, small_brain, small_pixels, precision):
    artefact = artefacts[precision]
    expected = small_brain.compute(small_pixels, small_brain.outputs)
    for row, given in enumerate(artefact.ask(small_pixels)):
        assert set(given) == set(artefact.built.outputs)
        for name, values in given.items():
            assert values.dtype == np.float32
            assert values.shape == expected[name][row : row + 1].shape
        assert np.abs(given["scores"] - expected["scores"][row]).max() < TOLERANCE[precision]
        heat = np.corrcoef(given["heatmap"].ravel(), expected["heatmap"][row].ravel())
        assert heat[0, 1] > 0.98


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_tensorflow_runs_it_where_there_is_no_litert(artefacts, small_pixels, monkeypatch):
    found = importlib.util.find_spec
    hidden = "ai_edge_litert"
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == hidden else found(name, *rest),
    )
    artefact, other = artefacts["int8"], runtime("litert")
    assert version(other.PACKAGES[0])  # tensorflow, or tensorflow-cpu
    assert "tensorflow" in other.PACKAGES[0]
    run = other.open_model(artefact.folder, artefact.facts)
    given, expected = run(small_pixels[:1]), artefact.ask(small_pixels[:1])[0]
    for name, values in expected.items():
        np.testing.assert_array_equal(given[name], values)


def test_small_weights_make_a_small_file(artefacts):
    sizes = {precision: len(file_of(artefact)) for precision, artefact in artefacts.items()}
    assert sizes["fp16"] < 0.65 * sizes["fp32"]
    assert sizes["int8-weights"] < 0.5 * sizes["fp32"]
    assert sizes["int8"] < 0.5 * sizes["fp32"]


def test_the_graph_holds_no_operator_that_only_moves_numbers_about(artefacts):
    found = operators(read(file_of(artefacts["fp32"])))
    assert found[:4] == ["CAST", "SUB", "CONV_2D", "CONV_2D"]
    assert sorted(set(found)) == sorted(ONCE | REPEATED)
    assert all(found.count(name) == 1 for name in ONCE)


def test_int8_is_whole_numbers_from_pixels_to_answers(artefacts):
    network = read(file_of(artefacts["int8"]))
    check_integers(network)
    graph = network.subgraphs[0]
    uint8 = 3  # TensorType.UINT8 of LiteRT's schema
    assert {graph.tensors[place].type for place in (*graph.inputs, *graph.outputs)} == {uint8}
    assert artefacts["int8"].built.outputs == ("scores", "heatmap")
    assert any("features and unfamiliar are left out" in n for n in artefacts["int8"].built.notes)


def test_floats_are_found_where_whole_numbers_are_asked_for(artefacts):
    with pytest.raises(BrainError, match=r"CONV_2D.* would still compute in floats"):
        check_integers(read(file_of(artefacts["fp32"])))


def test_the_same_brain_gives_the_same_file(artefacts, small_brain, calibration, tmp_path):
    again = Artefact("litert", small_brain, "int8", tmp_path / "again", calibration=calibration)
    assert file_of(again) == file_of(artefacts["int8"])


def test_weights_lie_where_runtimes_may_map_them(artefacts):
    data = file_of(artefacts["fp32"])
    large = [item.data for item in read(data).buffers if item.data is not None]
    large = [bytes(item) for item in large if len(item) > 256]
    assert large
    assert all(data.index(item) % 16 == 0 for item in large)


def test_metadata_tell_labels_input_and_outputs(small_brain, calibration, tmp_path):
    brain = small_brain.rename_label("cat", "🐈, the cat").rename_label("dog", "犬")
    artefact = Artefact("litert", brain, "int8", tmp_path / "int8", calibration=calibration)
    data = file_of(artefact)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("labels.txt").decode() == "🐈, the cat\n犬\n"
    network = read(data)
    (entry,) = [item for item in network.metadata if item.name == METADATA.encode()]
    root = Metadata.of(bytes(network.buffers[entry.buffer].data))
    assert (root.text(0), root.text(2)) == (brain.name, brain.version)
    assert root.text(7) == "1.0.0"
    (graph,) = root.tables(3)
    (photos,) = graph.tables(2)
    assert photos.text(0) == "photos"
    assert "EXIF" in photos.text(1)
    assert photos.table(3).number(0, number_types.Uint8Flags) == 2  # ImageProperties
    (unit,) = photos.tables(4)
    assert unit.number(0, number_types.Uint8Flags) == 1  # NormalizationOptions
    assert unit.table(1).floats(0) == [0.0]
    assert unit.table(1).floats(1) == [1.0]
    outputs = graph.tables(3)
    assert [output.text(0) for output in outputs] == ["scores", "heatmap"]
    (file,) = outputs[0].tables(6)
    assert file.text(0) == "labels.txt"
    assert file.number(2, number_types.Int8Flags) == 2  # TENSOR_AXIS_LABELS
    assert outputs[0].table(5).floats(0) == [1.0]
    names = [network.subgraphs[0].tensors[place].name for place in network.subgraphs[0].outputs]
    assert names == [b"scores", b"heatmap"]


class Metadata:
    """Reads a table of a flatbuffer by the numbers of its fields."""

    def __init__(self, data, place):
        self.inside = Table(data, place)

    @classmethod
    def of(cls, data):
        assert data[4:8] == b"M001"
        return cls(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))

    def offset(self, field):
        found = self.inside.Offset(4 + 2 * field)
        assert found, f"there is no field {field}"
        return found + self.inside.Pos

    def text(self, field):
        return self.inside.String(self.offset(field)).decode()

    def number(self, field, flags):
        return self.inside.Get(flags, self.offset(field))

    def table(self, field):
        return Metadata(self.inside.Bytes, self.inside.Indirect(self.offset(field)))

    def places(self, field):
        offset = self.offset(field) - self.inside.Pos
        start = self.inside.Vector(offset)
        return [start + 4 * number for number in range(self.inside.VectorLen(offset))]

    def tables(self, field):
        return [
            Metadata(self.inside.Bytes, self.inside.Indirect(place)) for place in self.places(field)
        ]

    def floats(self, field):
        flags = number_types.Float32Flags
        return [self.inside.Get(flags, place) for place in self.places(field)]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_python_code_of_its_readme_gives_scores(artefacts, small_brain, tmp_path, precision):
    """In 8 bits the interpreter gives whole numbers; the code makes scores of them."""
    artefact = artefacts[precision]
    folder = shutil.copytree(artefact.folder, tmp_path / "out")
    write_runner("litert", folder)
    (folder / "export.json").write_text(json.dumps(artefact.facts))
    (folder / "photo.jpg").write_bytes(jpeg("dog", 500))
    usage = LitertTarget().usage(artefact.built.outputs, precision)
    code = usage.split("```python\n")[1].split("```")[0]
    command = [sys.executable, "-c", f"{code}\nprint(json.dumps(scores.tolist()))"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=folder)
    pixels = nb.prepare(folder / "photo.jpg", small_brain.contract)[None]
    expected = small_brain.compute(pixels, ["scores"])["scores"]
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=TOLERANCE[precision])
    for word in ("quantizationParams()", "quantizationParameters"):  # Kotlin, Swift
        assert (word in usage) == (precision == "int8")


def test_it_says_that_it_takes_one_photo_at_a_time(artefacts):
    facts = artefacts["fp32"].facts
    network = read(file_of(artefacts["fp32"])).subgraphs[0]
    assert network.tensors[network.inputs[0]].shape.tolist() == facts["input"]["shape"]
    assert facts["input"]["shape"][0] == 1


def test_a_measured_value_comes_out_too(small_regress_brain, small_pixels, calibration, tmp_path):
    expected = small_regress_brain.compute(small_pixels, ["values"])["values"]
    for precision, tolerance in (("fp32", 1e-3), ("int8", 8.0)):
        artefact = Artefact(
            "litert", small_regress_brain, precision, tmp_path / precision, calibration=calibration
        )
        found = np.concatenate([given["values"] for given in artefact.ask(small_pixels)])
        assert np.abs(found - expected).max() < tolerance


@pytest.mark.parametrize("effort", [1, 2])
def test_more_effort_gives_another_file_that_answers_as_well(
    artefacts, small_brain, small_pixels, calibration, tmp_path, effort
):
    made = Artefact(
        "litert", small_brain, "int8", tmp_path / "more", calibration=calibration, effort=effort
    )
    expected = small_brain.compute(small_pixels, ["scores"])["scores"]
    found = np.concatenate([given["scores"] for given in made.ask(small_pixels)])
    assert np.abs(found - expected).max() < TOLERANCE["int8"]
    assert (file_of(made) == file_of(artefacts["int8"])) == (
        effort == 1
    )  # all photos are taken by both


def test_int8_without_photos_is_refused(small_brain, tmp_path):
    with pytest.raises(BrainError, match="without photos to calibrate on"):
        Artefact("litert", small_brain, "int8", tmp_path / "int8")


@pytest.fixture
def small_disk(tmp_path):
    """A folder with room for 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if (
        not (mount and umount)
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def test_a_full_temporary_folder_is_said(small_brain, small_disk, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(OutputError, match=rf"no space is left in .* {small_disk}"):
        Artefact("litert", small_brain, "fp32", tmp_path / "fp32")
    monkeypatch.setattr(converting, "check_scratch", lambda _: None)  # it filled up meanwhile
    with pytest.raises(OutputError, match=rf"folder\s+{small_disk} is full"):
        Artefact("litert", small_brain, "fp32", tmp_path / "again")


def test_a_network_that_does_not_begin_with_bytes_cannot_be_quantised():
    made = net()
    made.node("Relu", ["x"], "out")
    with pytest.raises(BrainError, match="begins with 'Relu'"):
        convert(made.model(), "int8", np.zeros((1, 9, 9, 6), np.uint8))


def test_on_real_photos_int8_names_what_the_brain_names(shared, tmp_path):
    folder = shared / "data/classification/clothing343"
    brain = nb.train(folder)
    paths = [photo.path for photo in find_photos([folder]).photos]
    pixels = np.stack([nb.prepare(path, brain.contract) for path in paths[::2]])
    artefact = Artefact("litert", brain, "int8", tmp_path / "int8", calibration=pixels[:50])
    expected = brain.compute(pixels[50:], ["scores"])["scores"]
    found = np.concatenate([given["scores"] for given in artefact.ask(pixels[50:])])
    assert len(found) >= 50
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.97
