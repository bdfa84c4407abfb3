import hashlib

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import ninebrains as nb
from ninebrains.images import prepare
from ninebrains.mind.forms.canonical import read_form
from ninebrains.trunks import InputOverrides, import_trunk
from tests.making import jpeg
from tests.trunks import networks

UNIT = {"mean": (0, 0, 0), "std": (1, 1, 1)}
RAW = {"mean": (0, 0, 0), "std": (1 / 255,) * 3}


def run(guest, pixels):
    """What a guest gives, by output."""
    names = [output.name for output in guest.outputs]
    return dict(zip(names, guest.graph.session(1).run(names, {"photos": pixels}), strict=True))


def original(path, values):
    """What the file as it is gives, one photo at a time, by output."""
    session = onnxruntime.InferenceSession(path)
    entry = session.get_inputs()[0].name
    names = [output.name for output in session.get_outputs()]
    rows = [session.run(names, {entry: value[None]}) for value in values]
    return {
        name: np.concatenate(parts)
        for name, parts in zip(names, zip(*rows, strict=True), strict=True)
    }


def two_heads():
    """A detector of a kind: boxes at every place, and what they show."""
    net = networks.Net()
    feature_map = net.body("x")
    net.node("Conv", [feature_map, net.weights("boxes.weight", 4, 12, 1, 1)], "boxes")
    net.node("Conv", [feature_map, net.weights("kinds.weight", 3, 12, 1, 1)], "kinds")
    return with_outputs(net.model("boxes"), "kinds")


def with_outputs(model, *names, kind=TensorProto.FLOAT):
    model.graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name in names)
    return model


def across_the_batch():
    net = networks.torchvision()
    net.nodes[-3].input[0] = "map2"
    net.nodes.insert(-3, helper.make_node("ReduceMean", ["map"], ["all"], axes=[0], keepdims=1))
    net.nodes.insert(-3, helper.make_node("Add", ["map", "all"], ["map2"]))
    return net


def quantised_by_the_batch():
    net = networks.torchvision()
    net.nodes[-3].input[0] = "rounded"
    scaled = ["steps", "scale", "zero"]
    net.nodes.insert(-3, helper.make_node("DynamicQuantizeLinear", ["map"], scaled))
    net.nodes.insert(-3, helper.make_node("DequantizeLinear", scaled, ["rounded"]))
    return net


def made_for_one():
    """Nothing says that this size is a number of photos, so it cannot be freed."""
    net = networks.Net(shape=(1, 3, networks.SIDE, networks.SIDE))
    net.node("GlobalAveragePool", [net.body("x")], "pooled")
    flat = net.node("Reshape", ["pooled", net.constant("all", np.array([-1]))], "flat")
    net.node("MatMul", [flat, net.weights("classifier.1.weight", 12, 5)], "product")
    net.node("Reshape", ["product", net.constant("one", np.array([1, 5]))], "out")
    return net


def labelled_places():
    """Its answer is a whole number for every place."""
    net = networks.Net()
    net.node("Conv", [net.body("x"), net.weights("kinds.weight", 3, 12, 1, 1)], "kinds")
    net.node("ArgMax", ["kinds"], "out", axis=1, keepdims=0)
    model = net.model()
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return model


SAME = {
    "a classifier": (networks.torchvision, {}, networks.imagenet, None),
    "channels last": (networks.keras, {}, networks.tf_style, None),
    "two heads": (two_heads, UNIT, lambda pixels: networks.nchw(pixels / 255), None),
    "BGR of 0 to 255": (
        two_heads,
        {**RAW, "color": "bgr"},
        lambda pixels: networks.nchw(pixels[..., ::-1]),
        None,
    ),
    "whole numbers": (
        labelled_places,
        UNIT,
        lambda pixels: networks.nchw(pixels / 255),
        None,
    ),
    "made for one photo": (networks.fixed_batch, {}, networks.imagenet, None),
    "shuffled as ShuffleNetV2": (networks.shuffled_channels, {}, networks.imagenet, None),
    "made for one photo for good": (made_for_one, {}, networks.imagenet, 1),
    "looks across the batch": (across_the_batch, {}, networks.imagenet, 1),
    "quantised by the batch": (quantised_by_the_batch, {}, networks.imagenet, 1),
}


@pytest.mark.parametrize("case", SAME)
def test_a_guest_answers_from_raw_pixels_what_the_file_answers(tmp_path, case):
    build, options, normalise, at_once = SAME[case]
    path = networks.save(build(), tmp_path)
    guest = nb.import_model(path, **options)
    pixels = networks.photos(3)
    expected = original(path, normalise(pixels))
    batches = [pixels] if guest.at_once is None else [photo[None] for photo in pixels]
    answers = [run(guest, batch) for batch in batches]
    assert guest.at_once == at_once
    assert [output.name for output in guest.outputs] == list(expected)
    for output in guest.outputs:
        found = np.concatenate([answer[output.name] for answer in answers])
        np.testing.assert_allclose(found, expected[output.name], rtol=1e-3, atol=1e-4)
        assert (output.dtype, output.shape) == (found.dtype.name, found.shape[1:])
    assert (guest.labels, guest.scores) == ((), None)


def test_a_guest_is_known_by_its_file(tmp_path):
    path = networks.save(networks.torchvision(), tmp_path, "my model (1).onnx")
    guest = nb.import_model(path)
    assert guest.name == "my-model-1"
    assert guest.version == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert nb.import_model(path, "other").name == "other"
    assert nb.import_model(path).graph.hash == guest.graph.hash
    with pytest.raises(nb.BrainError, match=r"'\.\./up' cannot be a model's name"):
        nb.import_model(path, "../up")


def test_some_outputs_can_be_left_out_with_all_that_only_they_need(tmp_path):
    path = networks.save(two_heads(), tmp_path)
    whole, part = (nb.import_model(path, outputs=o, **UNIT) for o in (None, ["kinds"]))
    assert [output.name for output in part.outputs] == ["kinds"]
    operators = [len(onnx.load_model_from_string(g.graph.data).graph.node) for g in (whole, part)]
    assert operators[1] == operators[0] - 1
    pixels = networks.photos()
    np.testing.assert_array_equal(run(part, pixels)["kinds"], run(whole, pixels)["kinds"])


def softmax(values):
    powers = np.exp(values - values.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize(
    ("activation", "function"),
    [("softmax", softmax), ("sigmoid", lambda values: 1 / (1 + np.exp(-values)))],
)
def test_labels_make_scores_of_a_networks_values(tmp_path, activation, function):
    path = networks.save(networks.torchvision(), tmp_path)
    names = ["ant", "bee", "cat", "dog", "cat"]
    guest = nb.import_model(path, labels=names, activation=activation)
    assert guest.scores == "scores"
    assert [label.name for label in guest.labels] == ["ant", "bee", "cat", "dog", "cat 2"]
    assert [label.index for label in guest.labels] == list(range(5))
    answers = run(guest, networks.photos())
    np.testing.assert_allclose(answers["scores"], function(answers["out"]), atol=1e-6)


def test_a_network_that_ends_in_scores_is_left_as_it_is(tmp_path):
    path = networks.save(networks.full_average_pool(), tmp_path)
    (tmp_path / "names.txt").write_text("ant\nbee\r\ncat\ndog\nélan\n", encoding="utf-8")
    guest = nb.import_model(path, labels=tmp_path / "names.txt")
    assert guest.scores == "scores"
    assert [output.name for output in guest.outputs] == ["scores"]
    assert [label.name for label in guest.labels] == ["ant", "bee", "cat", "dog", "élan"]


def test_scores_may_lie_in_a_map_of_one_place(tmp_path):
    net = networks.conv_classifier()
    net.nodes.pop()
    path = networks.save(net.model("logits"), tmp_path)
    guest = nb.import_model(path, labels=list("abcde"), activation="softmax")
    answers = run(guest, networks.photos())
    assert answers["logits"].shape == (4, 5, 1, 1)
    np.testing.assert_allclose(answers["scores"], softmax(answers["logits"][..., 0, 0]), atol=1e-6)


FIVE = list("abcde")
WRONG_LABELS = {
    "too few": ({"labels": FIVE[:4]}, r"4 labels.*'out' \['N', 5\].*exactly as many labels"),
    "no scores": ({"labels": FIVE}, "no scores of 0 to 1. Say activation='softmax'"),
    "unknown activation": ({"labels": FIVE, "activation": "relu"}, "'softmax' or 'sigmoid'"),
    "unknown output": ({"labels": FIVE, "scores": "boxes"}, "no output 'boxes'; it gives 'out'"),
    "no labels": ({"activation": "softmax"}, "give labels as well"),
    "no file": ({"labels": "none.txt"}, r"cannot read the labels in none\.txt"),
    "numbers": ({"labels": [1, 2, 3, 4, 5]}, "labels are names"),
    "no names": ({"labels": []}, "labels are names"),
    "unknown outputs": ({"outputs": ["boxes"]}, "no output 'boxes'; it gives 'out'"),
    "no outputs": ({"outputs": []}, "one output at least"),
}


@pytest.mark.parametrize("case", WRONG_LABELS)
def test_what_does_not_fit_the_outputs_is_refused(tmp_path, case):
    options, message = WRONG_LABELS[case]
    path = networks.save(networks.torchvision(), tmp_path)
    with pytest.raises(nb.BrainError, match=message):
        nb.import_model(path, **options)


def test_scores_are_not_made_twice(tmp_path):
    path = networks.save(networks.full_average_pool(), tmp_path)
    with pytest.raises(nb.BrainError, match="add up to 1 already; leave activation='softmax' out"):
        nb.import_model(path, labels=FIVE, activation="softmax")


def test_of_several_outputs_the_one_with_scores_has_to_be_said(tmp_path):
    net = networks.torchvision()
    net.node("Sigmoid", ["out"], "out2")
    path = networks.save(with_outputs(net.model(), "out2"), tmp_path)
    with pytest.raises(nb.BrainError, match="5 values a photo in out and out2; say which one"):
        nb.import_model(path, labels=FIVE)
    assert nb.import_model(path, labels=FIVE, scores="out2").scores == "out2"


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"", b"\n\n"])
def test_a_file_of_labels_that_holds_none_is_refused(tmp_path, content):
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(nb.BrainError, match=r"names\.txt is (empty|not UTF-8 text)"):
        nb.import_model(
            networks.save(networks.torchvision(), tmp_path), labels=tmp_path / "names.txt"
        )


def anonymous():
    return networks.normalising([("Mul", [2.0])])


def custom_operator():
    net = networks.torchvision()
    net.nodes[3].domain, net.nodes[3].op_type = "com.example", "MyConv"
    model = net.model()
    model.opset_import.add(domain="com.example", version=1)
    return model


def branching():
    net = networks.torchvision()
    model = net.model("chosen")
    branch = helper.make_graph(
        [helper.make_node("Identity", ["out"], ["y"])],
        "branch",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    condition = helper.make_tensor("always", TensorProto.BOOL, [], [True])
    model.graph.initializer.append(condition)
    model.graph.node.append(
        helper.make_node("If", ["always"], ["chosen"], then_branch=branch, else_branch=branch)
    )
    return model


def called_photos():
    net = networks.torchvision()
    net.nodes[-1].output[0] = "photos"
    return net


def with_anchors():
    net = networks.torchvision()
    net.node("Identity", [net.constant("anchors", np.ones((1, 4), np.float32))], "places")
    return with_outputs(net.model("out"), "places")


def that_gives_its_input():
    return with_outputs(networks.torchvision().model(), "x")


def all_about_nothing():
    """What should be 0 and is what float32 leaves of it."""
    net = networks.torchvision()
    net.node("Mul", ["out", net.constant("nearly", np.array(1e-9, np.float32))], "nothing")
    return net


def nothing_for_dim_photos():
    net = networks.torchvision()
    most = net.node("ReduceMax", ["x"], "most", axes=[1, 2, 3], keepdims=0)
    bright = net.node("Greater", [most, net.constant("half", np.array(0.5, np.float32))], "bright")
    column = net.node("Reshape", [bright, net.constant("c", np.array([-1, 1]))], "column")
    zero = net.constant("zero", np.array(0, np.float32))
    net.node("Where", [column, "out", zero], "seen")
    return net


def with_a_number_for_all():
    net = networks.torchvision()
    net.node("ReduceMax", ["out"], "largest", keepdims=0)
    return with_outputs(net.model("out"), "largest")


def with_suppression():
    net = networks.Net()
    value = net.body("x")
    net.node("Reshape", [value, net.constant("s", np.array([1, -1, 4]))], "boxes")
    net.node("Reshape", [value, net.constant("t", np.array([1, 12, -1]))], "kinds")
    limit = net.constant("limit", np.array([9]))
    net.node("NonMaxSuppression", ["boxes", "kinds", limit], "out")
    model = net.model()
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return model


def for_texts():
    return networks.torchvision(shape=("N", "length"), kind=TensorProto.INT64)


def with_two_inputs():
    model = networks.torchvision().model()
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3]))
    return model


def that_gives_no_numbers():
    net = networks.torchvision()
    net.node("Log", [net.node("Neg", [net.node("Abs", ["out"], "a")], "b")], "undefined")
    return net


def too_wide():
    net = networks.torchvision()
    size = net.constant("wide", np.array([1, 1, 60000, 60000]))
    net.node(
        "Expand",
        [net.node("Reshape", ["out", net.constant("r", np.array([0, 5, 1, 1]))], "small"), size],
        "wide_out",
    )
    return net


REFUSED = {
    "an unknown normalisation": (anonymous, r"(?s)--mean and --std.*in Python mean=\(0\.485"),
    "a custom operator": (custom_operator, "MyConv.*com.example"),
    "control flow": (branching, "'If' holds a nested graph"),
    "an output called photos": (called_photos, "calls an output 'photos'.*rename it"),
    "an output of constants": (with_anchors, r"'places'.*does not depend.*outputs=\['out'\]"),
    "its own input": (that_gives_its_input, r"'x'.*is its input itself.*outputs=\['out'\]"),
    "one value for all": (with_a_number_for_all, r"'largest'.*one row a photo.*outputs=\['out'\]"),
    "any number of boxes": (with_suppression, "NonMaxSuppression"),
    "a network for texts": (for_texts, "takes INT64 values; expected photos.*text"),
    "two inputs": (with_two_inputs, "inputs 'x', 'y'; expected one"),
    "no numbers": (that_gives_no_numbers, "'undefined'.*no finite numbers"),
    "huge values": (too_wide, "18,000,000,000 values"),
    "an open size": (
        lambda: networks.torchvision(shape=("N", 3, "h", "w")),
        r"--size 224.*in Python size=\(240, 320\)",
    ),
    "an open layout": (
        lambda: networks.torchvision(shape=("N", 3, 16, 3)),
        'in Python layout="nchw"',
    ),
    "a batch of thousands": (
        lambda: networks.torchvision(shape=(4096, 3, 16, 16)),
        "batches of 4,096 photos",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_unsafe_unsuitable_or_uncertain_is_refused_with_the_reason(tmp_path, case):
    build, message = REFUSED[case]
    path = networks.save(build(), tmp_path)
    with pytest.raises(nb.BrainError, match=message):
        nb.import_model(path)


@pytest.mark.parametrize("build", [all_about_nothing, nothing_for_dim_photos])
def test_an_answer_of_nothing_is_an_answer(tmp_path, build):
    guest = nb.import_model(networks.save(build(), tmp_path), **UNIT)
    assert guest.outputs[0].shape == (5,)


def test_answers_that_are_kept_do_not_hold_those_of_their_company(tmp_path):
    path = networks.save(labelled_places(), tmp_path)
    photos = [jpeg("cat", number) for number in range(40)]
    with nb.Mind([nb.import_model(path, "places", **UNIT)]) as mind:
        for answer in mind.run_many(photos):
            for value in answer["places"].outputs.values():
                whole = value if value.base is None else value.base
                assert whole.nbytes <= 2 * value.nbytes


def test_files_that_are_no_models_are_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"not a model")
    with pytest.raises(nb.BrainError, match=r"x\.onnx is not an ONNX model"):
        nb.import_model(tmp_path / "x.onnx")
    with pytest.raises(nb.BrainError, match="does not exist"):
        nb.import_model(tmp_path / "none.onnx")


def test_weights_beside_the_model_are_read_and_missed(tmp_path):
    inside = nb.import_model(networks.save(networks.torchvision(), tmp_path))
    folder = tmp_path / "apart"
    folder.mkdir()
    onnx.save(
        networks.torchvision().model(),
        folder / "net.onnx",
        save_as_external_data=True,
        location="net.data",
        size_threshold=0,
    )
    apart = nb.import_model(folder / "net.onnx")
    assert apart.graph.hash == inside.graph.hash
    assert apart.version != inside.version
    (folder / "net.data").unlink()
    with pytest.raises(nb.BrainError, match="belongs beside the model"):
        nb.import_model(folder / "net.onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": (0.5, 0.5, 0.5)}, "both or neither"),
        ({"mean": (0.5, 0.5), "std": (0.5, 0.5)}, "mean is three numbers"),
        ({"fit": "pad", "pad_color": (114,)}, "pad_color is three numbers"),
        ({"fit": "zoom"}, "crop, pad or stretch"),
        ({"size": 32}, "made for photos of 16x16"),
        ({"color": "grb"}, "rgb or bgr"),
    ],
)
def test_what_is_said_of_the_input_must_mean_something(tmp_path, options, message):
    path = networks.save(networks.torchvision(), tmp_path)
    with pytest.raises(nb.BrainError, match=message):
        nb.import_model(path, **options)


def test_a_damaged_file_is_refused_or_read_but_never_crashes(tmp_path):
    whole = networks.save(two_heads(), tmp_path).read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for turn in range(60):
        data = bytearray(whole[: random.integers(len(whole))] if turn % 5 == 0 else whole)
        for _ in range(random.integers(1, 4)):
            data[random.integers(min(900, len(data)) if turn % 2 else len(data))] = turn * 3 % 256
        (tmp_path / "damaged.onnx").write_bytes(bytes(data))
        try:
            nb.import_model(tmp_path / "damaged.onnx", **UNIT)
        except nb.BrainError:
            refused += 1
    assert refused > 15


def test_a_guest_holds_the_very_weights_of_a_trunk_from_the_same_file(tmp_path):
    path = networks.save(networks.torchvision(), tmp_path)
    trunk, guest = import_trunk(path, "small"), nb.import_model(path)
    assert set(trunk.graph.weights) <= set(guest.graph.weights)
    assert guest.contract == trunk.contract
    given = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4), "color": "bgr"}
    trunk = import_trunk(path, "small", InputOverrides(**given))
    assert set(trunk.graph.weights) <= set(nb.import_model(path, **given).graph.weights)


def values_of(trunk):
    return set(read_form(trunk.graph, trunk.contract).outputs.values())


def made_by(guest):
    operations = read_form(guest.graph, guest.contract).operations
    return {value for operation in operations for value in operation.outputs}


@pytest.mark.parametrize(
    "build",
    [networks.torchvision, networks.matmul_classifier, networks.fixed_batch, networks.keras],
)
def test_a_guest_computes_the_very_values_of_a_trunk_from_the_same_file(tmp_path, build):
    path = networks.save(build(), tmp_path)
    assert values_of(import_trunk(path, "small")) <= made_by(nb.import_model(path))


def test_a_real_classifier_shares_its_trunk_and_knows_its_labels(shared):
    path = shared / "models" / "mobilenet_v2_100_imagenet.onnx"
    names = (shared / "models" / "imagenet_labels.txt").read_text().splitlines()[1:]
    guest = nb.import_model(path, labels=names, activation="softmax")
    trunk = import_trunk(path, "mobilenet")
    assert set(trunk.graph.weights) <= set(guest.graph.weights)
    assert (guest.at_once, guest.contract) == (None, trunk.contract)
    assert values_of(trunk) <= made_by(guest)
    photos = sorted((shared / "data/classification/imagenet_one_a_class").glob("*.JPEG"))[:12]
    pixels = np.stack([prepare(photo, guest.contract) for photo in photos])
    tops = run(guest, pixels)["scores"].argmax(1)
    found = [guest.labels[top] for top in tops]
    right = [
        label.index == int(photo.stem[:4]) and named_in(photo, label)
        for photo, label in zip(photos, found, strict=True)
    ]
    assert sum(right) >= 8


def named_in(photo, label):
    """Whether a file like 0000_n01440764_tench.JPEG is called after a label."""
    return photo.stem.split("_", 2)[2].replace("_", " ").lower() in label.name.lower()


def test_a_real_network_quantised_by_the_batch_runs_one_photo_at_a_time(shared):
    path = shared / "models" / "mobilenet_v2_int8_dynamic.onnx"
    guest = nb.import_model(path, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    assert guest.at_once == 1
    assert guest.outputs[0].shape == (1000,)


def yolox_boxes(values):
    """Corners [B, 4] in pixels of the frame and scores [B, 80] of YOLOX's output [B, 85]."""
    sides = [(416 // stride, stride) for stride in (8, 16, 32)]
    grids = [np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2) for n, _ in sides]
    strides = np.concatenate([np.full((n * n, 1), stride) for n, stride in sides])
    centres = (values[:, :2] + np.concatenate(grids)) * strides
    half = np.exp(values[:, 2:4]) * strides / 2
    return np.hstack([centres - half, centres + half]), values[:, 4:5] * values[:, 5:]


def fastest_boxes(values):
    """The same of FastestDet's output [85, 22, 22]."""
    down, across = np.mgrid[0:22, 0:22]
    centres = np.stack([across + np.tanh(values[1]), down + np.tanh(values[2])], -1) * 16.0
    half = 352 / (1 + np.exp(-values[3:5].transpose(1, 2, 0))) / 2
    scores = values[:1] ** 0.6 * values[5:] ** 0.4
    corners = np.concatenate([centres - half, centres + half], -1)
    return corners.reshape(-1, 4), scores.reshape(80, -1).T


def overlap(one, other):
    """Intersection over union of two boxes of corners."""
    both = np.prod(
        np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None)
    )
    return both / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - both)


def labelled_boxes(path, photo_size, contract):
    """(class, corners in pixels of the frame) for each line of a YOLO label file."""
    size = np.array(photo_size, float)
    frame = np.array([contract.width, contract.height])
    shown = size * min(frame / size) if contract.fit == "pad" else frame
    for kind, *box in np.loadtxt(path, ndmin=2):
        centre, half = np.array(box[:2]) * shown, np.array(box[2:]) * shown / 2
        yield (
            int(kind),
            np.concatenate([centre - half, centre + half]) + np.tile((frame - shown) / 2, 2),
        )


DETECTORS = {
    "yolox_nano.onnx": (
        {"fit": "pad", "pad_color": (114, 114, 114), "color": "bgr", **RAW},
        yolox_boxes,
    ),
    "FastestDet.onnx": ({"fit": "stretch", "color": "bgr", **UNIT}, fastest_boxes),
}


@pytest.mark.parametrize("file", DETECTORS)
def test_a_real_detector_finds_what_is_in_the_photos(shared, file):
    from PIL import Image

    options, decode = DETECTORS[file]
    guest = nb.import_model(shared / "models" / file, **options)
    folder = shared / "data/detection/coco128_train"
    photos = sorted((folder / "images").rglob("*.jpg"))[:10]
    pixels = np.stack([prepare(photo, guest.contract) for photo in photos])
    output = guest.outputs[0].name
    found = 0
    for photo, values in zip(photos, run(guest, pixels)[output], strict=True):
        boxes, scores = decode(values)
        box, kind = np.unravel_index(scores.argmax(), scores.shape)
        with Image.open(photo) as image:
            size = image.size
        path = folder / "labels" / photo.parent.name / f"{photo.stem}.txt"
        found += any(
            label == kind and overlap(corners, boxes[box]) > 0.5
            for label, corners in labelled_boxes(path, size, guest.contract)
        )
    assert guest.at_once is None
    assert found >= 7
