"""Files that are damaged or made to do harm: each is a BrainError that names the fault."""

import hashlib
import json
import os
import random
import struct
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from ninebrains.brains import load
from ninebrains.brains.graph import Graph, pack, unpack
from ninebrains.errors import BrainError

from .making import make_brain, make_model, repacked, with_graph


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A brain, its file's bytes, and a place for bad copies."""
    folder = tmp_path_factory.mktemp("good")
    brain = make_brain()
    return brain, brain.save(folder / "good.brain").read_bytes(), folder / "bad.brain"


def refused(path, match=None):
    with pytest.raises(BrainError, match=match) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_file_cut_short_anywhere_is_refused(good):
    _, data, path = good
    places = {0, 1, 4, 21, 22, 30, len(data) - 1, len(data) - 22, *range(7, len(data), 97)}
    for place in sorted(places):
        path.write_bytes(data[:place])
        refused(path)


def test_a_changed_byte_anywhere_is_refused(good):
    _, data, path = good
    draw = random.Random(5)
    places = [*range(60), *range(60, len(data) - 500, 13), *range(len(data) - 500, len(data))]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        refused(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_harmless(good, data):
    brain, whole, path = good
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path.write_bytes(damaged)
    with suppress(BrainError):
        assert load(path) == brain


@pytest.mark.parametrize("extra", [b"x", b"\0" * 22, b"PK\x05\x06" + b"\0" * 18])
def test_anything_before_or_after_the_zip_is_refused(good, extra):
    _, data, path = good
    for bad in (data + extra, extra + data, data + data):
        path.write_bytes(bad)
        refused(path)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80\x04.", b"\x89PNG" + bytes(100)])
def test_another_kind_of_file_is_refused(tmp_path, data):
    path = tmp_path / "not.brain"
    path.write_bytes(data)
    refused(path)


def entries_of(data, tmp_path):
    (tmp_path / "whole.brain").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "whole.brain") as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def write_zip(path, entries, **changes):
    """A zip as our writer makes it, but for `changes` of each entry's `ZipInfo`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            for field, value in changes.items():
                setattr(info, field, value)
            archive.writestr(info, data)


def test_a_zip_written_by_another_tool_in_our_way_is_read(good, tmp_path):
    brain, data, _ = good
    write_zip(tmp_path / "again.brain", entries_of(data, tmp_path))
    assert load(tmp_path / "again.brain") == brain


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "weights/../../evil",
        "/tmp/evil",
        "C:\\evil",
        "weights/" + "0" * 63,
        "weights/" + "A" * 64,
        "brain.json\n",
        "extra.py",
        "GRAPH.ONNX",
        "weights/",
        "./card.md",
        "a\0b",
        "ünï",
    ],
)
def test_names_that_do_not_belong_in_a_brain_are_refused(good, tmp_path, name):
    _, data, path = good
    write_zip(path, [*entries_of(data, tmp_path), (name, b"evil")])
    refused(path, "does not belong|checksum|index|header")
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"compress_type": zipfile.ZIP_DEFLATED}, "compressed"),
        ({"compress_type": zipfile.ZIP_LZMA}, "compressed"),
        ({"external_attr": 0o120777 << 16}, "symbolic link"),
        ({"extra": struct.pack("<HH4s", 0x7075, 4, b"evil")}, "begins at byte|header|index"),
        ({"comment": b"hi"}, "index"),
        ({"date_time": (2026, 1, 1, 0, 0, 0)}, "index"),
    ],
)
def test_entries_of_another_kind_are_refused(good, tmp_path, changes, fault):
    _, data, path = good
    write_zip(path, entries_of(data, tmp_path), **changes)
    refused(path, fault)


def test_a_zip_bomb_is_refused_without_being_unpacked(tmp_path):
    path = tmp_path / "bomb.brain"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("brain.json", b" " * 50_000_000)
    refused(path, "compressed")


def test_an_encrypted_entry_is_refused(good):
    _, data, path = good
    place = data.rindex(b"PK\x01\x02")
    path.write_bytes(data[: place + 8] + b"\x01" + data[place + 9 :])
    refused(path, "encrypted")


def test_an_entry_that_is_there_twice_is_refused(good, tmp_path):
    _, data, path = good
    entries = entries_of(data, tmp_path)
    with pytest.warns(UserWarning, match="Duplicate"):
        write_zip(path, [*entries, entries[0]])
    refused(path, "'brain.json' is there twice")


def test_sizes_that_lie_are_refused(good):
    _, data, path = good
    central = data.index(b"PK\x01\x02")
    for field in (20, 24, 42):
        for lie in (1, 7, 0xFFFFFFFE, 0xFFFFFFFF):
            place = central + field
            path.write_bytes(data[:place] + struct.pack("<I", lie) + data[place + 4 :])
            refused(path)
    for field in (8, 10, 12, 16):
        place = len(data) - 22 + field
        path.write_bytes(data[:place] + b"\xff\xff" + data[place + 2 :])
        refused(path)


@pytest.mark.parametrize("missing", ["brain.json", "graph.onnx", "card.md", "weights/"])
def test_a_missing_file_is_named(good, tmp_path, missing):
    _, data, path = good
    kept = [entry for entry in entries_of(data, tmp_path) if not entry[0].startswith(missing)]
    write_zip(path, kept)
    refused(path, f"{missing}.*missing|missing.*{missing}")


# Folders


@pytest.fixture
def folder(tmp_path):
    return make_brain().save(tmp_path / "pets")


@pytest.mark.parametrize("name", ["graph.onnx", "card.md", "weights"])
def test_a_changed_file_in_a_folder_is_named(folder, name):
    path = folder / name
    path = next(path.iterdir()) if path.is_dir() else path
    path.write_bytes(path.read_bytes() + b"x")
    refused(folder, path.name)


def test_links_out_of_the_folder_are_not_followed(folder, tmp_path):
    secret = tmp_path / "card.md"
    (folder / "card.md").rename(secret)
    (folder / "card.md").symlink_to(secret)
    refused(folder, "card.md is a symbolic link")
    (folder / "card.md").unlink()
    secret.rename(folder / "card.md")
    (folder / "weights").rename(tmp_path / "weights")
    (folder / "weights").symlink_to(tmp_path / "weights")
    refused(folder, "weights is a symbolic link")


def test_strange_files_pipes_and_folders_are_refused(folder):
    (folder / "setup.py").write_text("raise SystemExit")
    refused(folder, r"setup\.py does not belong")
    (folder / "setup.py").unlink()
    (folder / "card.md").unlink()
    os.mkfifo(folder / "card.md")
    refused(folder, r"card\.md is not a plain file")
    (folder / "card.md").unlink()
    (folder / "card.md").mkdir()
    refused(folder)


def test_files_over_their_limit_are_refused_unread(folder):
    for name, size in (("brain.json", 17 << 20), ("card.md", 2 << 20), ("graph.onnx", 65 << 20)):
        before = (folder / name).read_bytes()
        os.truncate(folder / name, size)
        refused(folder, f"{name} has {size:,} bytes; the limit is")
        (folder / name).write_bytes(before)
    weight = next((folder / "weights").iterdir())
    os.truncate(weight, 5 << 30)
    refused(folder, "the limit is")


def test_a_pipe_in_place_of_a_brain_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pets.brain")
    refused(tmp_path / "pets.brain", "not a plain file")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text.replace('"schema_version":1', '"schema_version":2'), "newer Ninebrains"),
        (
            lambda text: text.replace('"schema_version":1', '"schema_version":true'),
            "schema_version",
        ),
        (lambda text: text.replace('"schema_version":1,', ""), "schema_version None"),
        (lambda text: text.replace('"schema_version":1', '"schema_version":NaN'), "NaN"),
        (lambda text: text.replace('"name":"pets"', '"name":"pets","name":"x"'), "given twice"),
        (lambda text: text.replace('"name":"pets"', '"name":"../pets"'), "wrong at name"),
        (lambda text: text.replace('"name":"pets"', '"name":"pets","evil":1'), "wrong at evil"),
        (lambda text: text.replace('"fit":"crop"', '"fit":"crop","evil":1'), "no field 'evil'"),
        (lambda text: text.replace('"fit":"crop"', '"fit":"tile"'), r"contract\.fit"),
        (lambda text: text.replace('"height":32', '"height":0'), "wrong at contract"),
        (lambda text: text.replace('"height":32', '"height":"32"'), r"contract\.height"),
        (lambda text: text.replace('"height":32', '"height":' + "9" * 5000), "JSON|contract"),
        (lambda text: text.replace('"index":1', '"index":7'), "label indices"),
        (lambda text: text.replace('"id":"id-dog"', '"id":"id-cat"'), "used twice"),
        (lambda text: text.replace('"name":"dog"', '"name":"\\ud800"'), "brain.json is wrong"),
        (lambda text: text.replace('"task":"classify"', '"task":"regress"'), "values"),
        (lambda _: "[" * 100_000, "nested too deeply|not valid JSON"),
        (lambda _: '{"a":' * 100_000, "nested too deeply|not valid JSON"),
        (lambda _: "[]", "holds a list"),
        (lambda _: "", "not valid JSON"),
        (lambda _: "\ufeff{}", "not valid JSON"),
    ],
)
def test_a_strange_brain_json_is_refused(folder, change, fault):
    text = (folder / "brain.json").read_text()
    (folder / "brain.json").write_text(change(text))
    refused(folder, fault)


ESCAPE = "\x1b]0;pwn\x07"
FULL = {
    "metrics": {
        "num_test": 2,
        "verdict": "Measured on 2 photos.",
        "accuracy": {"value": 0.5, "low": 0.1, "high": 0.9},
        "balanced_accuracy": 0.5,
        "labels": [{"label_id": "id-cat", "support": 2, "recall": 0.5}],
        "confusion": [[1, 1, 0], [0, 0, 0], [0, 0, 0]],
        "calibration": {"temperature": 1.0, "ece_before": 0.1, "ece_after": 0.1, "bins": []},
        "familiarity": {"rejected_train": 0.01, "num_train": 6},
        "learning_curve": {
            "measure": "accuracy",
            "points": [{"photos": 4, "value": 0.5, "spread": 0.1}],
            "verdict": "Add photos.",
        },
    },
    "training": {
        "data_fingerprint": "0" * 64,
        "num_train": 6,
        "num_test": 2,
        "num_skipped": 0,
        "num_per_label": {"cat": 2},
        "split": "random",
        "seed": 0,
        "balanced": False,
        "head": {"head": "ridge", "loss": 0.1},
        "packages": {"numpy": "2"},
    },
    "receipts": [{"runner": "cpu"}],
}


def write_facts(folder, *changes):
    """Fill in every part of brain.json; then set the value at each path of keys."""
    plain = json.loads((folder / "brain.json").read_text()) | json.loads(json.dumps(FULL))
    for path, value in changes:
        part = plain
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
    (folder / "brain.json").write_text(json.dumps(plain))


def test_a_full_brain_json_is_accepted(folder):
    joiners = "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627"  # Persian is not written without them
    write_facts(folder, (("labels", 0, "name"), joiners))
    assert load(folder).labels[0].name == joiners
    assert load(folder).metrics.num_test == 2


@pytest.mark.parametrize(
    "text", [ESCAPE, "a\nb", "a\u202eb", "\u2066", "\x9b1m", "\u2028", "\ufeff"]
)
@pytest.mark.parametrize(
    "path",
    [
        ("labels", 0, "name"),
        ("labels", 0, "id"),
        ("trunk", "name"),
        ("metrics", "verdict"),
        ("metrics", "learning_curve", "verdict"),
        ("metrics", "learning_curve", "measure"),
        ("training", "packages", "numpy"),
        ("receipts", 0, "runner"),
    ],
)
def test_text_that_could_garble_a_terminal_is_refused(folder, path, text):
    write_facts(folder, (path, text))
    refused(folder, "control or format character")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("training", "num_per_label", ESCAPE), 1),
        (("training", "packages", ESCAPE), "1"),
        (("receipts", 0, ESCAPE), "1"),
        (("name",), ESCAPE),
        ((ESCAPE,), "1"),
        (("labels", 0, ESCAPE), "1"),
    ],
)
def test_keys_that_could_garble_a_terminal_are_refused_and_not_repeated(folder, path, value):
    write_facts(folder, (path, value))
    with pytest.raises(BrainError) as caught:
        load(folder)
    assert str(caught.value).isprintable()


def test_a_card_that_could_garble_a_terminal_is_refused(folder):
    card = b"# Pets\n" + ESCAPE.encode()
    (folder / "card.md").write_bytes(card)
    digest = hashlib.sha256(card).hexdigest()
    write_facts(folder, (("files", "card.md"), digest))
    refused(folder, r"card\.md holds the control")


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("metrics", "accuracy", "value"), 1.5, "outside its interval"),
        (("metrics", "accuracy", "low"), -3.0, "no share"),
        (("metrics", "accuracy", "high"), 1.5, "no share"),
        (("metrics", "mae"), {"value": 0.0, "low": -1.0, "high": 1.0}, "0 or more"),
        (("metrics", "num_test"), -5, "greater than or equal to 0"),
        (("metrics", "num_test"), 1 << 60, "less than or equal"),
        (("metrics", "balanced_accuracy"), 1.5, "less than or equal to 1"),
        (("metrics", "log_loss"), -1.0, "greater than or equal"),
        (("metrics", "labels", 0, "recall"), -0.5, "greater than or equal"),
        (("metrics", "labels", 0, "support"), -1, "greater than or equal"),
        (("metrics", "labels", 0, "label_id"), "cow", "'cow', which is no label"),
        (("metrics", "labels"), 2 * FULL["metrics"]["labels"], "two entries for one label"),
        (("metrics", "confusion"), [[1]], "no table of 3 rows of 3"),
        (("metrics", "confusion"), [[1, 0, 0], [1, 0], [0, 0, 0]], "no table of 3 rows of 3"),
        (("metrics", "confusion", 0, 0), -1, "greater than or equal"),
        (("metrics", "calibration", "temperature"), 0.0, "greater than 0"),
        (("metrics", "calibration", "ece_after"), 2.0, "less than or equal"),
        (("metrics", "familiarity", "rejected_train"), 7.0, "less than or equal"),
        (("metrics", "learning_curve", "points", 0, "photos"), -4, "greater than or equal"),
        (("metrics", "learning_curve", "points", 0, "value"), 99.0, "less than or equal"),
        (("training", "num_train"), -1, "greater than or equal"),
        (("training", "num_per_label", "cat"), -1, "greater than or equal"),
    ],
)
def test_numbers_that_cannot_be_are_refused(folder, path, value, fault):
    write_facts(folder, (path, value))
    refused(folder, fault)


def test_a_brain_json_that_is_no_utf8_is_refused(folder):
    (folder / "brain.json").write_bytes(b'{"name": "\xff"}')
    refused(folder, "not valid JSON")


def test_optional_fields_may_be_absent(folder):
    plain = json.loads((folder / "brain.json").read_text())
    del plain["receipts"], plain["version"]
    (folder / "brain.json").write_text(json.dumps(plain))
    assert load(folder) == make_brain()


# Graphs


def node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs, outputs, **attributes)


def custom_operator(model):
    model.graph.node.append(node("Evil", ["scores"], ["x"], domain="com.microsoft"))


def nested_graph(model):
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(node("If", ["c"], ["x"], then_branch=inner, else_branch=inner))


def own_function(model):
    opset = helper.make_opsetid("", 17)
    body = [node("Relu", ["a"], ["b"])]
    model.functions.append(helper.make_function("", "F", ["a"], ["b"], body, [opset]))


def sparse(model):
    model.graph.sparse_initializer.add().dims.append(10)


def constant_that_reads_a_file(model):
    tensor = TensorProto(data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(node("Constant", [], ["x"], value=tensor))


def constant_of_ten_gigabytes(model):
    tensor = TensorProto(data_type=1, dims=[2_500_000_000])
    model.graph.node.append(node("Constant", [], ["x"], value=tensor))


def weight_of_ten_gigabytes(model):
    model.graph.initializer.add(name="big", data_type=1, dims=[2_500_000_000])


def sizes_joined_again_and_again(model):
    model.graph.node.append(node("Shape", ["photos"], ["size0"]))
    for turn in range(30):
        same = f"size{turn}"
        model.graph.node.append(node("Concat", [same, same], [f"size{turn + 1}"], axis=0))


def weight_of_negative_size(model):
    model.graph.initializer.add(name="big", data_type=1, dims=[-1])


def weight_without_bytes(model):
    model.graph.initializer.add(name="big", data_type=1, dims=[1000, 1000])


def weight_of_text(model):
    model.graph.initializer.add(name="words", data_type=TensorProto.STRING, dims=[1])


def filled_with_ten_gigabytes(model):
    shape = numpy_helper.from_array(np.array([2_500_000_000], np.int64), "shape")
    model.graph.initializer.append(shape)
    model.graph.node.append(node("ConstantOfShape", ["shape"], ["x"]))


def many_gigabytes_in_small_pieces(model):
    shape = numpy_helper.from_array(np.array([1 << 26], np.int64), "shape")
    model.graph.initializer.append(shape)
    for number in range(64):
        model.graph.node.append(node("ConstantOfShape", ["shape"], [f"x{number}"]))


def size_that_depends_on_the_photo(model):
    model.graph.node.append(node("NonZero", ["scores"], ["x"]))


def size_that_lies(model):
    model.graph.node.append(node("NonZero", ["scores"], ["x"]))
    lie = helper.make_tensor_value_info("x", TensorProto.INT64, [2, 1])
    model.graph.value_info.append(lie)


def shapes_that_do_not_fit(model):
    model.graph.node.append(node("MatMul", ["features", "weights"], ["x"]))


def second_input(model):
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["N"]))


def input_of_floats(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def input_of_another_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 64


def no_scores(model):
    del model.graph.output[0]


def strange_output(model):
    model.graph.output.append(helper.make_tensor_value_info("raw", TensorProto.FLOAT, ["N", 3]))


def output_from_nowhere(model):
    del model.graph.node[-1]


def too_many_operators(model):
    for number in range(50_001):
        model.graph.node.append(node("Relu", ["scores"], [f"x{number}"]))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (custom_operator, "operator 'Evil' is of the domain 'com.microsoft'"),
        (nested_graph, "'If' holds a nested graph"),
        (own_function, "function 'F'"),
        (sparse, "sparse"),
        (constant_that_reads_a_file, "'Constant' reads a file"),
        (constant_of_ten_gigabytes, "claims a constant"),
        (weight_of_ten_gigabytes, "2,500,000,000 values; the limit"),
        (weight_of_negative_size, "'big' has the shape"),
        (weight_without_bytes, "'big' has 0 bytes; its shape .* needs 4,000,000"),
        (weight_of_text, "'words' has the type 8"),
        (filled_with_ten_gigabytes, "'ConstantOfShape' would hold 2,500,000,000 values"),
        (many_gigabytes_in_small_pieces, "would hold"),
        (size_that_depends_on_the_photo, "cannot be told beforehand"),
        (size_that_lies, "cannot be told beforehand"),
        (shapes_that_do_not_fit, "shapes do not fit"),
        (second_input, "takes photos, more"),
        (input_of_floats, "takes float"),
        (input_of_another_size, "the contract says"),
        (no_scores, "a classify brain gives scores"),
        (strange_output, "a classify brain gives scores"),
        (output_from_nowhere, "'unfamiliar'|shapes do not fit"),
        (sizes_joined_again_and_again, "'Concat' would join"),
        (too_many_operators, "50,0.. operators"),
    ],
)
def test_a_harmful_or_senseless_graph_is_refused(tmp_path, change, fault):
    brain = make_brain()
    model = unpack(brain.graph)
    for tensor in model.graph.initializer:
        tensor.ClearField("external_data")
    plain = pack(model)
    model.ParseFromString(plain.data)
    change(model)
    data = model.SerializeToString(deterministic=True)
    path = with_graph(brain, Graph(data, plain.weights)).save(tmp_path / "evil.brain")
    refused(path, fault)


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../secret", "weights/../secret", "weights/x", "", "weights/" + "0" * 64],
)
def test_a_weight_that_points_elsewhere_is_refused(tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(864))
    brain = make_brain()
    model = unpack(brain.graph)
    model.ParseFromString(brain.graph.data)
    outside = next(item for item in model.graph.initializer if item.external_data)
    for extra in (False, True):
        if extra:  # the good place first, the bad one after it
            outside.external_data.add(key="location", value=location)
        else:
            before, outside.external_data[0].value = outside.external_data[0].value, location
        graph = Graph(model.SerializeToString(), brain.graph.weights)
        path = with_graph(brain, graph).save(tmp_path / "evil.brain", overwrite=True)
        refused(path, "points to|is missing")
        outside.external_data[0].value = before


@pytest.mark.parametrize("length", ["99999999999", "1", "-1", "0864", "x", ""])
def test_a_weight_that_claims_another_length_is_refused(tmp_path, length):
    brain = make_brain()
    model = unpack(brain.graph)
    model.ParseFromString(brain.graph.data)
    outside = next(item for item in model.graph.initializer if item.external_data)
    next(item for item in outside.external_data if item.key == "length").value = length
    graph = Graph(model.SerializeToString(), brain.graph.weights)
    refused(with_graph(brain, graph).save(tmp_path / "evil.brain"), "claims '.*' bytes")


def test_labels_that_do_not_match_the_network_are_refused(tmp_path):
    path = repacked(make_brain(), make_model(num_labels=4)).save(tmp_path / "evil.brain")
    refused(path, r"'scores' has the shape \['N', 4\]; the manifest, with 3 labels")


def test_a_weight_that_nothing_uses_is_refused(tmp_path):
    brain = make_brain()
    data = b"x" * 300
    weights = {**brain.graph.weights, hashlib.sha256(data).hexdigest(): data}
    path = with_graph(brain, Graph(brain.graph.data, weights)).save(tmp_path / "evil.brain")
    refused(path, "used by nothing")


def test_no_bytes_of_a_graph_crash_the_check(tmp_path):
    brain, draw = make_brain(), random.Random(1)
    path = tmp_path / "evil.brain"
    for _ in range(250):
        data = bytearray(brain.graph.data)
        for _ in range(draw.randrange(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with_graph(brain, Graph(bytes(data), brain.graph.weights)).save(path, overwrite=True)
        with suppress(BrainError):
            load(path)


@pytest.mark.parametrize(
    ("operator", "name", "value"),
    [
        ("Softmax", "axis", [1]),
        ("Softmax", "axis", "1"),
        ("Conv", "strides", 4),
        ("Gemm", "alpha", 1),
    ],
)
def test_an_attribute_of_another_type_is_refused(good, tmp_path, operator, name, value):
    brain, _, _ = good
    path = tmp_path / "bad.brain"
    model = unpack(brain.graph)
    node = next(node for node in model.graph.node if node.op_type == operator)
    kept = [item for item in node.attribute if item.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
    repacked(brain, model).save(path)
    refused(path, f"attribute '{name}' of operator '{operator}'")
