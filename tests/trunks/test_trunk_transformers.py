"""Vision transformers: the patches' tokens are the feature map, whatever form the export has."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import ninebrains as nb
from ninebrains.brains.graph import unpack
from ninebrains.errors import TrunkError
from ninebrains.trunks import InputOverrides, import_trunk
from tests.making import write_photos
from tests.trunks import networks
from tests.trunks.attention import PATCH, WIDTH, ViT, vit

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
GIVEN = InputOverrides(**IMAGENET)

FORMS = {
    "a free batch": {},
    "a fixed batch": {"free": False},
    "registers": {"registers": 3},
    "registers in a fixed batch": {"registers": 3, "free": False},
    "an older operator set": {"plain_norm": True, "opset": 13},
    "normalisation in single steps": {"plain_norm": True},
    "heads in the batch axis": {"merged_heads": True},
    "heads in a fixed batch axis": {"merged_heads": True, "free": False},
    "a wide grid": {"size": (12, 20)},
    "all axes open": {"open_size": True, "plain_norm": True},
    "all axes open, a tall grid": {"open_size": True, "size": (24, 16)},
}


def _photos(size, num=4):
    return np.random.default_rng(3).integers(0, 256, (num, *size, 3), dtype=np.uint8)


@pytest.mark.parametrize("form", FORMS)
def test_the_feature_map_holds_the_patches_where_they_lie(tmp_path, form):
    options = FORMS[form]
    size = options.get("size", (16, 16))
    path = networks.save(vit(**options), tmp_path)
    overrides = InputOverrides(**IMAGENET, size=size if options.get("open_size") else None)
    trunk = import_trunk(path, "small", overrides)
    pixels = _photos(size)
    (tokens,) = networks.original_values(path, networks.imagenet(pixels), ["tokens"])

    features, maps = trunk.run_maps(pixels)

    grid = (size[0] // PATCH, size[1] // PATCH)
    special = 1 + options.get("registers", 0)
    expected = tokens[:, special:].reshape(len(pixels), *grid, WIDTH).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(features, expected.mean((2, 3)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(maps.mean((2, 3)), features, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(trunk.run(pixels[1:2]), features[1:2], rtol=1e-3, atol=1e-5)
    assert (trunk.num_features, trunk.map_size) == (WIDTH, grid)


def test_a_classifier_on_the_class_token_gives_the_same_trunk_as_its_tokens(tmp_path):
    plain = import_trunk(networks.save(vit(), tmp_path), "plain", GIVEN)
    path = networks.save(vit().classified(), tmp_path, "classifier.onnx")
    assert import_trunk(path, "classifier", GIVEN).hash == plain.hash


@pytest.mark.parametrize("form", ["all axes open", "a free batch", "a fixed batch"])
def test_what_follows_from_the_size_is_not_computed_again(tmp_path, form):
    path = networks.save(vit(**FORMS[form]), tmp_path)
    overrides = InputOverrides(**IMAGENET, size=(16, 16))
    model = unpack(import_trunk(path, "small", overrides).graph)
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("Shape") == operators.count("Expand") == 1  # for the class token
    assert not {"Resize", "Where", "Equal", "ConstantOfShape", "Div"} & set(operators) or (
        FORMS[form].get("plain_norm") and "Resize" not in operators
    )
    assert {node.domain for node in model.graph.node} == {""}


def test_a_brain_learns_on_a_transformer_and_its_heat_maps_are_exact(tmp_path):
    photos = write_photos(tmp_path / "pets", {"cat": 20, "dog": 20})
    path = networks.save(vit(registers=2), tmp_path)
    trunk = import_trunk(path, "small", GIVEN)
    brain = nb.train(photos, trunk=trunk)
    data = next(photos.glob("cat/*")).read_bytes()
    inference = brain.run(data)
    assert inference.heatmap("cat").shape == (4, 4)

    pixels = nb.prepare(data, trunk.contract)[None]
    session = brain.graph.session()
    scores, features, maps = session.run(["scores", "features", "heatmap"], {"photos": pixels})
    np.testing.assert_allclose(features, trunk.run(pixels), rtol=1e-4, atol=1e-6)
    tensors = {t.name: t for t in unpack(brain.graph).graph.initializer}
    bias = np.frombuffer(tensors["head/bias"].raw_data, np.float32)
    raw = maps.mean((2, 3)) + bias
    exact = np.exp(raw) / np.exp(raw).sum()
    np.testing.assert_allclose(scores, exact, rtol=1e-3, atol=1e-5)


def _scrambled():
    """Patches column by column: tokens of the right number in another order."""
    net = ViT()
    order = np.arange(16).reshape(4, 4).T.reshape(-1) + 1
    places = net.constant("order", np.concatenate([[0], order]))
    return net.encoded(net.new("Gather", [net.embedded(), places], axis=1))


def _merged():
    """As Swin and its kin: the last tokens are fewer than the patches."""
    net = vit()
    kept = net.constant("kept", np.arange(1, 17, 4))
    net.new("Gather", ["tokens", kept], axis=1)
    net.new("ReduceMean", [net.nodes[-1].output[0]], axes=[1], keepdims=0)
    net.new("MatMul", [net.nodes[-1].output[0], net.weights("head", WIDTH, 5)])
    return net


def _overlapping():
    net = vit()
    conv = next(node for node in net.nodes if node.op_type == "Conv")
    del conv.attribute[:]
    conv.attribute.extend(
        helper.make_attribute(name, value)
        for name, value in (("kernel_shape", [4, 4]), ("strides", [4, 4]), ("pads", [0, 0, 1, 1]))
    )
    return net


def _text():
    net = vit()
    net.shape, net.kind = ["N", 7], TensorProto.INT64
    del net.nodes[:]
    net.node("Gather", [net.weights("words", 100, WIDTH), "x"], "embedded", axis=0)
    turned = net.new("Transpose", ["embedded"], perm=[0, 2, 1])
    net.new("Softmax", [net.new("MatMul", ["embedded", turned])])
    net.new("MatMul", [net.nodes[-1].output[0], "embedded"])
    return net


REFUSED = {
    "tokens in another order": (_scrambled, r"4x4 patches.*not one a patch, row by row"),
    "fewer tokens than patches": (_merged, r"4x4 patches.*are 4, not one a patch"),
    "patches that overlap": (_overlapping, "does not begin by cutting photos into patches"),
    "a network for text": (_text, "INT64.*networks for text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_transformers_without_a_grid_of_patches_are_refused_with_the_reason(tmp_path, case):
    build, message = REFUSED[case]
    with pytest.raises(TrunkError, match=message):
        import_trunk(networks.save(build(), tmp_path), "small", GIVEN)


def test_a_damaged_transformer_is_refused_or_read_but_never_crashes(tmp_path):
    whole = networks.save(vit(open_size=True), tmp_path).read_bytes()
    overrides = InputOverrides(**IMAGENET, size=(16, 16))
    random = np.random.default_rng(1)
    refused = 0
    for turn in range(30):
        data = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            data[random.integers(len(data))] = turn * 3 % 256
        (tmp_path / "damaged.onnx").write_bytes(bytes(data))
        try:
            import_trunk(tmp_path / "damaged.onnx", "small", overrides)
        except TrunkError:
            refused += 1
    assert refused > 5
