"""Whole networks as Keras models: the same answers, plain layers, saved without code."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ninebrains as nb
from ninebrains.brains.graph import unpack
from ninebrains.bridging import read_keras, to_keras, to_onnx
from ninebrains.bridging.to_keras import KNOWN_OPERATORS
from ninebrains.errors import BrainError, TrunkError
from ninebrains.photos import find_photos
from ninebrains.trunks import InputOverrides, import_trunk, load_trunk
from tests.bridging.networks import net, numbers, photos_for, reference
from tests.making import jpeg
from tests.trunks import networks
from tests.trunks.attention import vit

TRUNKS = {
    "torchvision": networks.torchvision,
    "hidden layer, squeeze and excitation": networks.hidden_layer,
    "normalised after pooling": lambda: networks.normalised_after_pooling(17),
    "full average pool": networks.full_average_pool,
    "classifier of 1x1": networks.conv_classifier,
    "sizes asked for": networks.matmul_classifier,
    "fixed batch": networks.fixed_batch,
    "as tf2onnx writes": networks.keras,
    "vision transformer": vit,
    "transformer of a fixed batch": lambda: vit(free=False, registers=2),
    "transformer with heads as photos": lambda: vit(merged_heads=True, plain_norm=True),
}


IMAGENET = InputOverrides(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), color="rgb")


def compare(model, photos, tolerance=1e-4):
    """Hold Keras against ONNX Runtime, each output in units of its largest number."""
    expected, found = reference(model, photos), to_keras(model)(photos)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape
        error = np.abs(np.asarray(found[name]) - value).max() / max(np.abs(value).max(), 1.0)
        assert error < tolerance, f"{name}: {error}"


@pytest.mark.parametrize("name", TRUNKS)
def test_a_trunk_gives_in_keras_the_features_that_it_gives_in_onnx(name, tmp_path):
    path = networks.save(TRUNKS[name](), tmp_path)
    trunk = import_trunk(path, "trunk", IMAGENET)
    compare(unpack(trunk.graph), networks.photos(5))


def test_a_brain_on_the_default_trunk_answers_the_same_on_real_photos(shared):
    brain = nb.train(shared / "data/classification/clothing343")
    photos = [photo.path for photo in find_photos([shared / "data/classification/dogcat"]).photos]
    pixels = np.stack([nb.prepare(path, brain.contract) for path in photos[::20]])
    expected = brain.compute(pixels, brain.outputs)
    found = brain.to_keras()(pixels)
    for name, value in expected.items():
        np.testing.assert_allclose(np.asarray(found[name]), value, atol=1e-4)


def test_a_brain_becomes_layers_and_operations_and_no_transpose_but_the_last(small_brain):
    model = small_brain.to_keras()
    kinds = [type(operation).__name__ for operation in model.operations]
    assert kinds.count("Conv2D") == 3
    assert kinds.count("Transpose") == 1
    assert "GlobalAveragePooling2D" in kinds
    assert "Lambda" not in kinds
    assert model.input.dtype == "uint8"
    assert model.input.shape == (None, *small_brain.contract.shape)


def test_what_is_saved_is_loaded_in_safe_mode_and_answers_the_same(
    small_brain, small_pixels, tmp_path
):
    import keras

    model = small_brain.to_keras()
    model.save(tmp_path / "pets.keras")
    again = keras.saving.load_model(tmp_path / "pets.keras", safe_mode=True)
    before, after = model(small_pixels), again(small_pixels)
    assert set(after) == set(small_brain.outputs)
    for name in before:
        assert np.array_equal(before[name], after[name])


def test_what_is_cut_after_its_trunk_and_saved_goes_back_to_onnx(small_brain, tmp_path):
    import keras
    from onnxruntime import InferenceSession

    model = small_brain.to_keras()
    keras.Model(model.inputs, model.get_layer("features").output).save(tmp_path / "cut.keras")
    back = to_onnx(read_keras(tmp_path / "cut.keras"))
    photos = keras.Input((9, 9, 3), dtype="uint8")
    with pytest.raises(TrunkError, match="casts to int32; expected float32"):
        to_onnx(keras.Model(photos, keras.ops.cast(photos, "int32")))
    photos = np.stack([nb.prepare(jpeg("cat", number), small_brain.contract) for number in (1, 2)])
    session = InferenceSession(back.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: photos.astype(np.float32)})
    expected = small_brain.compute(photos, ["features"])["features"]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_each_task_gives_its_own_outputs(small_regress_brain):
    pixels = networks.photos(2, small_regress_brain.contract.height)
    found = small_regress_brain.to_keras()(pixels)
    expected = small_regress_brain.compute(pixels, ["values"])["values"]
    np.testing.assert_allclose(np.asarray(found["values"]), expected, atol=1e-4)


def test_layers_are_named_after_onnx_even_where_names_are_odd(tmp_path):
    made = net()
    made.node("Relu", ["x"], "model/stem//relu:0")
    made.node("Neg", ["model/stem//relu:0"], "model/stem//relu_0")
    made.node("Exp", ["model/stem//relu_0"], "é")
    names = [operation.name for operation in to_keras(made.model("é")).operations]
    assert names[1:] == ["model_stem__relu_0", "model_stem__relu_0_1", "value"]


def bare(*nodes, opset=17, inputs=None, output="out"):
    inputs = inputs or [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])]
    graph = helper.make_graph(
        list(nodes),
        "net",
        inputs,
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def node(operator, inputs, output="out", **attributes):
    return helper.make_node(operator, inputs, [output], **attributes)


def with_constants(model, **arrays):
    for name, array in arrays.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(array), name))
    return model


REFUSED = {
    "unknown operators by name": (
        bare(node("Hardmax", ["x"], "a"), node("NonZero", ["a"])),
        "Hardmax, NonZero",
    ),
    "control flow": (
        bare(node("If", ["x"], then_branch=bare().graph, else_branch=bare().graph)),
        "operators If",
    ),
    "other domains": (
        bare(helper.make_node("Gelu", ["x"], ["out"], domain="com.microsoft")),
        r"com\.microsoft\.Gelu",
    ),
    "an old operator set": (bare(node("Relu", ["x"]), opset=6), "operator set 6"),
    "two inputs": (
        bare(node("Add", ["x", "y"]), inputs=[floats("x", "N", 3), floats("y", "N", 3)]),
        "2 inputs",
    ),
    "a fixed batch": (
        bare(node("Relu", ["x"]), inputs=[floats("x", 1, 3, 8, 8)]),
        "free number of photos",
    ),
    "photos of any size": (
        bare(node("Relu", ["x"]), inputs=[floats("x", "N", 3, "H", "W")]),
        "fixed sizes",
    ),
    "an output of constants": (
        with_constants(bare(node("Relu", ["c"])), c=np.ones(3, np.float32)),
        "does not depend on the photos",
    ),
    "a value that nothing gives": (bare(node("Relu", ["y"])), "reads 'y'"),
    "mixing photos": (
        bare(node("ReduceMean", ["x"], axes=[0])),
        "'ReduceMean'.*mixes photos",
    ),
    "leaving photos out": (
        with_constants(bare(node("Slice", ["x", "a", "b"])), a=[0], b=[1]),
        "leaves out photos",
    ),
    "weights computed from photos": (
        bare(node("Conv", ["x", "x"])),
        "computes its input 1 from the photos",
    ),
    "weights of doubles": (
        with_constants(bare(node("Cast", ["x"], to=TensorProto.DOUBLE))),
        "computes in float64",
    ),
    "weights for other channels": (
        with_constants(bare(node("Conv", ["x", "w"])), w=numbers(4, 5, 3, 3)),
        r"weights \(4, 5, 3, 3\) for 3 channels",
    ),
    "a reshape that does not fit": (
        with_constants(bare(node("Reshape", ["x", "s"])), s=[-1, 7]),
        "does not fit",
    ),
    "a constant of many billions": (
        with_constants(
            bare(node("ConstantOfShape", ["s"], "big"), node("Add", ["x", "big"])),
            s=[1 << 20, 1 << 20],
        ),
        "many millions",
    ),
    "a constant for each photo": (
        bare(
            node("Shape", ["x"], "s"), node("ConstantOfShape", ["s"], "c"), node("Add", ["x", "c"])
        ),
        "number of photos",
    ),
    "a softmax along no axis": (bare(node("Softmax", ["x"], axis=7)), "no axis 7"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(what):
    model, words = REFUSED[what]
    with pytest.raises(BrainError, match=words):
        to_keras(model)


def test_the_list_of_operators_holds_those_of_trunks_and_heads(small_brain):
    used = {node.op_type for node in unpack(small_brain.graph).graph.node}
    used |= {node.op_type for node in unpack(load_trunk("octo").graph).graph.node}
    assert used <= set(KNOWN_OPERATORS)


def test_float_photos_channels_first_stay_so():
    made = net()
    made.node("Relu", ["x"], "out")
    model = made.model()
    compare(model, photos_for(model))


def test_mobilenet_answers_the_same_on_real_photos(shared):
    trunk = import_trunk(shared / "models/mobilenet_v2_100_imagenet.onnx", "mobilenet")
    photos = [photo.path for photo in find_photos([shared / "data/classification/dogcat"]).photos]
    pixels = np.stack([nb.prepare(path, trunk.contract) for path in photos[::100]])
    compare(unpack(trunk.graph), pixels)


def test_a_keras_network_comes_back_from_onnx_with_the_same_answers(shared):
    import keras

    original = keras.applications.MobileNet(alpha=0.25, weights=None)
    original.load_weights(shared / "models/keras_mobilenet_v1_0.25_224_imagenet.h5")
    paths = [photo.path for photo in find_photos([shared / "data/classification/dogcat"]).photos]
    contract = nb.Contract(224, 224)
    pixels = np.stack([nb.prepare(path, contract) for path in paths[::200]])
    photos = (pixels / 127.5 - 1).astype(np.float32)
    expected = np.asarray(original(photos))
    (found,) = to_keras(to_onnx(original))(photos).values()
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-4)
