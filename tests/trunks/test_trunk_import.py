import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ninebrains.brains.graph import unpack
from ninebrains.errors import TrunkError
from ninebrains.trunks import InputOverrides, import_trunk
from tests.trunks import networks

IMAGENET = InputOverrides(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

KNOWN = {
    "torchvision": (networks.torchvision, networks.imagenet, "torchvision"),
    "an old operator set": (lambda: networks.torchvision(9), networks.imagenet, "torchvision"),
    "ReduceMean 13": (lambda: networks.reduce_mean(13), networks.imagenet, "torchvision"),
    "ReduceMean 18": (lambda: networks.reduce_mean(18), networks.imagenet, "torchvision"),
    "AveragePool": (networks.full_average_pool, networks.imagenet, "torchvision"),
    "Conv classifier": (networks.conv_classifier, networks.imagenet, "torchvision"),
    "MatMul classifier": (networks.matmul_classifier, networks.imagenet, "torchvision"),
    "hidden layer": (networks.hidden_layer, networks.imagenet, "torchvision"),
    "normalised after pooling": (
        lambda: networks.normalised_after_pooling(17),
        networks.imagenet,
        "torchvision",
    ),
    "normalised after pooling, in steps": (
        lambda: networks.normalised_after_pooling(13),
        networks.imagenet,
        "torchvision",
    ),
    "oversized AveragePool": (networks.oversized_average_pool, networks.imagenet, "torchvision"),
    "fixed batch": (networks.fixed_batch, networks.imagenet, "torchvision"),
    "halves outside the photos": (networks.shuffled_channels, networks.imagenet, "torchvision"),
    "Keras tf": (networks.keras, networks.tf_style, "keras-tf"),
    "Keras caffe": (
        lambda: networks.keras("resnet50/conv2_block1_add"),
        networks.caffe,
        "keras-caffe",
    ),
    "ResNet": (lambda: _anonymous("layer1.0", "fc"), networks.imagenet, "torchvision"),
    "Keras ResNet50V2": (
        lambda: networks.keras("resnet50v2/conv2_block1_preact_bn/concat"),
        networks.tf_style,
        "keras-tf",
    ),
    "Keras VGG": (
        lambda: networks.keras("vgg16/block5_conv3/Conv2D"),
        networks.caffe,
        "keras-caffe",
    ),
    "Keras Xception": (
        lambda: networks.keras("block2_sepconv1/depthwise"),
        networks.tf_style,
        "keras-tf",
    ),
    "normalises 0 to 255": (
        lambda: networks.normalising([("Sub", [123.675, 116.28, 103.53]), ("Div", [58.0])]),
        networks.nchw,
        "inside",
    ),
    "normalises 0 to 1": (
        lambda: networks.normalising([("Sub", networks.MEAN), ("Div", networks.STD)]),
        lambda pixels: networks.nchw(pixels / 255),
        "inside",
    ),
    "subtracts means in BGR": (
        lambda: networks.normalising([("Sub", [103.939, 116.779, 123.68])]),
        lambda pixels: networks.nchw(pixels[..., ::-1]),
        "inside",
    ),
    "takes uint8": (
        lambda: networks.normalising([("Mul", [1 / 255])], kind=TensorProto.UINT8),
        lambda pixels: np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)),
        "inside",
    ),
}


@pytest.mark.parametrize("case", KNOWN)
def test_a_known_family_gives_the_original_features_from_raw_pixels(tmp_path, case):
    build, normalise, family = KNOWN[case]
    path = networks.save(build(), tmp_path)
    trunk = import_trunk(path, "small")
    pixels = networks.photos()
    pooled, feature_map = networks.original_values(path, normalise(pixels))
    if feature_map.shape[1] != networks.FEATURES:
        feature_map = feature_map.transpose(0, 3, 1, 2)

    features, maps = trunk.run_maps(pixels)

    np.testing.assert_allclose(features, pooled.reshape(len(pixels), -1), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(maps, feature_map, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(maps.mean((2, 3)), features, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(trunk.run(pixels[:1]).shape, (1, networks.FEATURES))
    assert trunk.family == family
    assert trunk.num_features == networks.FEATURES
    assert trunk.map_size == (8, 8)
    assert trunk.contract.shape == (networks.SIDE, networks.SIDE, 3)


GIVEN = {
    "mean and std": (networks.torchvision, IMAGENET, networks.imagenet),
    "BGR": (
        networks.torchvision,
        InputOverrides(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), color="bgr"),
        lambda pixels: networks.nchw(
            ((pixels / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.3, 0.4]))[..., ::-1]
        ),
    ),
    "BGR before steps of its own": (
        lambda: networks.normalising([("Mul", [2.0])]),
        InputOverrides(mean=(0, 0, 0), std=(1, 1, 1), color="bgr"),
        lambda pixels: networks.nchw(pixels[..., ::-1] / 255),
    ),
    "an open size": (
        lambda: networks.torchvision(shape=("N", 3, "h", "w")),
        InputOverrides(size=(16, 16)),
        networks.imagenet,
    ),
    "an open layout": (
        lambda: networks.keras(shape=("N", "a", "b", "c")),
        InputOverrides(size=(16, 16), layout="nhwc"),
        networks.tf_style,
    ),
    "an open size pooled by AveragePool": (
        lambda: _with_shape(networks.full_average_pool(), ["N", 3, "h", "w"]),
        InputOverrides(size=(16, 16)),
        networks.imagenet,
    ),
}


def _with_shape(net, shape):
    net.shape = shape
    return net


@pytest.mark.parametrize("case", GIVEN)
def test_what_the_network_leaves_open_can_be_said(tmp_path, case):
    build, overrides, normalise = GIVEN[case]
    path = networks.save(build(), tmp_path)
    pixels = networks.photos()
    pooled, _ = networks.original_values(path, normalise(pixels))
    features = import_trunk(path, "small", overrides).run(pixels)
    np.testing.assert_allclose(features, pooled.reshape(len(pixels), -1), rtol=1e-3, atol=1e-4)


def _custom_operator():
    net = networks.torchvision()
    net.nodes[3].domain, net.nodes[3].op_type = "com.example", "MyConv"
    model = net.model()
    model.opset_import.add(domain="com.example", version=1)
    return model


def _anonymous(prefix="backbone", last="head.fc"):
    net = networks.Net()
    net.node("GlobalAveragePool", [net.body("x", prefix)], "pooled")
    net.node("Flatten", ["pooled"], "flat")
    net.linear("flat", last)
    return net


def _without_pooling():
    net = networks.Net()
    net.node("Flatten", [net.body("x")], "flat")
    net.node("Gemm", ["flat", net.weights("classifier.1.weight", 12 * 64, 5)], "out")
    return net


def _random():
    net = networks.torchvision()
    net.nodes.insert(0, helper.make_node("RandomNormal", [], ["noise"], shape=[1]))
    return net


def _looks_across_the_batch():
    net = networks.torchvision()
    net.nodes[-3].input[0] = "map2"
    net.nodes.insert(-3, helper.make_node("ReduceMean", ["map"], ["all"], axes=[0], keepdims=1))
    net.nodes.insert(-3, helper.make_node("Add", ["map", "all"], ["map2"]))
    return net


REFUSED = {
    "a custom operator": (_custom_operator, None, "MyConv.*com.example"),
    "random numbers": (_random, None, "RandomNormal"),
    "no pooling": (_without_pooling, None, "no global average pooling"),
    "answers that depend on the batch": (_looks_across_the_batch, None, "alone and among"),
    "an unknown normalisation": (_anonymous, None, r"(?s)--mean 0\.485.*--mean 0\.5.*--color bgr"),
    "an ambiguous step of its own": (
        lambda: networks.normalising([("Mul", [2.0])]),
        None,
        "cannot be told for certain",
    ),
    "an open size": (
        lambda: networks.torchvision(shape=("N", 3, "h", "w")),
        None,
        "--size 224",
    ),
    "an open layout": (
        lambda: networks.torchvision(shape=("N", "a", "b", "c")),
        InputOverrides(size=(16, 16)),
        "--layout nchw",
    ),
    "another size": (networks.torchvision, InputOverrides(size=(32, 32)), "16x16.*Leave --size"),
    "the other layout": (networks.torchvision, InputOverrides(layout="nhwc"), "layout nhwc"),
    "half precision": (
        lambda: networks.normalising([("Mul", [1 / 255])], kind=TensorProto.FLOAT16),
        None,
        "FLOAT16.*float32",
    ),
    "one channel": (lambda: networks.torchvision(shape=("N", 1, 16, 16)), None, r"\[\?,1,16,16\]"),
    "a huge size": (
        lambda: networks.torchvision(shape=("N", 3, "h", "w")),
        InputOverrides(size=(5000, 5000)),
        "4096",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_unsafe_unsuitable_or_uncertain_is_refused_with_the_reason(tmp_path, case):
    build, overrides, message = REFUSED[case]
    path = networks.save(build(), tmp_path)
    with pytest.raises(TrunkError, match=message):
        import_trunk(path, "small", overrides)


def test_an_exporter_that_is_known_does_not_make_every_network_known(tmp_path):
    path = networks.save(networks.keras("densenet/conv2_block1_0_conv/concat"), tmp_path)
    with pytest.raises(TrunkError, match="--mean"):
        import_trunk(path, "small")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mean": (0.5, 0.5, 0.5)}, "both or neither"),
        ({"mean": (123.0, 117.0, 104.0), "std": (1, 1, 1)}, "divide it by 255"),
        ({"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.0, 0.5)}, "divide it by 255"),
        ({"mean": (float("nan"), 0, 0), "std": (1, 1, 1)}, "0 to 1"),
        ({"layout": "chw"}, "nchw or nhwc"),
        ({"color": "grb"}, "rgb or bgr"),
    ],
)
def test_overrides_that_mean_nothing_are_refused(values, message):
    with pytest.raises(TrunkError, match=message):
        InputOverrides(**values)


@pytest.mark.parametrize("name", ["", "../up", "a b", ".hidden", "x" * 101])
def test_a_name_that_could_be_no_folder_is_refused(tmp_path, name):
    with pytest.raises(TrunkError, match="cannot be a trunk's name"):
        import_trunk(networks.save(networks.torchvision(), tmp_path), name)


def test_files_that_are_no_models_are_refused(tmp_path):
    for content in (b"", b"not a model", b"\x08\x08" * 50):
        (tmp_path / "x.onnx").write_bytes(content)
        with pytest.raises(TrunkError, match=r"x\.onnx is not an ONNX model"):
            import_trunk(tmp_path / "x.onnx", "small")
    (tmp_path / "plot.txt").write_bytes(b"not a model")
    for name in ("plot.txt", "none.onnx", "none.txt"):
        with pytest.raises(TrunkError, match=r"xpected an ONNX file \(\.onnx\), a Keras file"):
            import_trunk(tmp_path / name, "small")
    with pytest.raises(TrunkError, match="does not exist"):
        import_trunk(tmp_path / "none.onnx", "small")
    with pytest.raises(TrunkError, match="is a folder"):
        import_trunk(tmp_path, "small")


def test_weights_beside_the_model_are_read_and_count_for_the_source(tmp_path):
    inside = import_trunk(networks.save(networks.torchvision(), tmp_path), "small")
    folder = tmp_path / "apart"
    folder.mkdir()
    onnx.save(
        networks.torchvision().model(),
        folder / "net.onnx",
        save_as_external_data=True,
        location="net.data",
        size_threshold=0,
    )
    apart = import_trunk(folder / "net.onnx", "small")
    assert apart.hash == inside.hash
    data = bytearray((folder / "net.data").read_bytes())
    (folder / "net.data").write_bytes(bytes(data[:-40]))
    with pytest.raises(TrunkError, match=r"should have .* bytes in 'net\.data'"):
        import_trunk(folder / "net.onnx", "small")
    (folder / "net.data").unlink()
    with pytest.raises(TrunkError, match="belongs beside the model"):
        import_trunk(folder / "net.onnx", "small")


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "link/secret", ""])
def test_weights_outside_the_models_folder_are_never_opened(tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(4096))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    model = networks.torchvision().model()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(TrunkError, match="outside the model's folder"):
        import_trunk(folder / "net.onnx", "small")


def test_a_weight_of_absurd_size_is_refused_before_it_is_made(tmp_path):
    model = networks.torchvision().model()
    model.graph.initializer[0].dims[0] = 1 << 40
    path = networks.save(model, tmp_path)
    with pytest.raises(TrunkError, match=r"features\.0\.0\.weight.*claims the shape"):
        import_trunk(path, "small")


def test_the_same_file_and_options_give_the_same_trunk_and_others_another(tmp_path):
    path = networks.save(networks.torchvision(), tmp_path)
    first, again = import_trunk(path, "small"), import_trunk(path, "other")
    assert first.hash == again.hash
    changed = InputOverrides(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert import_trunk(path, "small", changed).hash != first.hash


def test_the_graph_is_plain_and_costs_no_more_than_the_original(tmp_path):
    trunk = import_trunk(networks.save(networks.torchvision(), tmp_path), "small")
    model = unpack(trunk.graph)
    assert [node.op_type for node in model.graph.node] == [
        *("Cast", "Transpose", "Sub", "Conv", "Relu", "Conv", "Relu"),
        *("GlobalAveragePool", "Flatten"),
    ]
    assert [entry.domain for entry in model.opset_import] == [""]
    assert [value.name for value in model.graph.output] == ["features", "feature_map"]
    assert {node.domain for node in model.graph.node} == {""}


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 16, 16, 3), np.float32),
        np.zeros((16, 16, 3), np.uint8),
        np.zeros((1, 8, 16, 3), np.uint8),
    ],
)
def test_pixels_that_break_the_contract_are_refused(tmp_path, pixels):
    trunk = import_trunk(networks.save(networks.torchvision(), tmp_path), "small")
    with pytest.raises(TrunkError, match=r"expected uint8\[N, 16, 16, 3\]"):
        trunk.run(pixels)


def test_a_real_classifier_needs_no_options(shared):
    trunk = import_trunk(shared / "models" / "mobilenet_v2_100_imagenet.onnx", "mobilenet")
    assert (trunk.num_features, trunk.map_size, trunk.family) == (1280, (7, 7), "torchvision")
    assert (trunk.contract.shape, trunk.contract.fit) == ((224, 224, 3), "crop")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("mobilenet_v2_int8_dynamic.onnx", "DynamicQuantizeLinear.*depend on the others"),
        ("yolox_nano.onnx", "does not end in a linear layer"),
        ("FastestDet.onnx", "does not end in a linear layer"),
    ],
)
def test_real_networks_that_cannot_be_trunks_are_refused_with_the_reason(shared, file, message):
    with pytest.raises(TrunkError, match=message):
        import_trunk(shared / "models" / file, "other")


@pytest.mark.parametrize(
    "build", [networks.torchvision, networks.keras, networks.fixed_batch], ids=lambda f: f.__name__
)
def test_a_damaged_file_is_refused_or_read_but_never_crashes(tmp_path, build):
    whole = networks.save(build(), tmp_path).read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for turn in range(80):
        data = bytearray(whole[: random.integers(len(whole))] if turn % 5 == 0 else whole)
        for _ in range(random.integers(1, 4)):
            data[random.integers(min(900, len(data)) if turn % 2 else len(data))] = turn * 3 % 256
        (tmp_path / "damaged.onnx").write_bytes(bytes(data))
        try:
            import_trunk(tmp_path / "damaged.onnx", "small")
        except TrunkError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "not finite"), (0.0, "the same features")],
)
def test_features_that_say_nothing_are_refused(tmp_path, value, message):
    net = networks.torchvision()
    net.tensors = [
        numpy_helper.from_array(np.full((12, 8, 3, 3), value, np.float32), tensor.name)
        if tensor.name == "features.1.0.weight"
        else tensor
        for tensor in net.tensors
    ]
    with pytest.raises(TrunkError, match=message):
        import_trunk(networks.save(net, tmp_path), "small")
