"""Keras networks as trunks: files, applications, what they expect, and the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ninebrains.bridging.from_keras.applications import APPLICATIONS
from ninebrains.errors import TrunkError
from ninebrains.images import prepare
from ninebrains.trunks import InputOverrides, import_trunk
from tests.bridging.keras_networks import settle_at_random

keras = pytest.importorskip("keras")
layers, applications = keras.layers, keras.applications

MEAN_STD = InputOverrides(mean=(0.5,) * 3, std=(0.5,) * 3)


def with_head(*first, size=32):
    """A classifier as people build one on an application."""
    base = settle_at_random(
        applications.MobileNet(
            weights=None, input_shape=(size, size, 3), alpha=0.25, include_top=False
        )
    )
    source = value = keras.Input((size, size, 3))
    for step in first:
        value = step(value)
    value = layers.GlobalAveragePooling2D()(base(value))
    return keras.Model(source, layers.Dense(2, activation="softmax")(layers.Dropout(0.2)(value)))


def saved(model, folder, name="net.keras"):
    model.save(folder / name)
    return folder / name


def features_of(model, photos):
    """What a network's pooling gives of photos as it takes them."""
    pooled = next(layer.output for layer in model.layers if "GlobalAverage" in type(layer).__name__)
    return np.asarray(keras.Model(model.inputs[0], pooled)(photos, training=False))


def some_pixels(size=32):
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (3, size, size, 3), np.uint8)


def check_features(trunk, expected, pixels):
    found = trunk.run(pixels)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_classifier_on_an_application_takes_its_preprocessing(tmp_path):
    model = with_head()
    trunk = import_trunk(saved(model, tmp_path), "net")
    pixels = some_pixels()
    assert trunk.family == "keras-tf"
    assert trunk.source.startswith("net.keras sha256:")
    check_features(trunk, features_of(model, pixels / np.float32(127.5) - 1), pixels)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_what_a_network_does_first_itself_is_not_done_twice(tmp_path, name):
    model = with_head(layers.RandomFlip(), applications.mobilenet.preprocess_input)
    trunk = import_trunk(saved(model, tmp_path, name), "net")
    pixels = some_pixels()
    assert trunk.family == "inside"
    check_features(trunk, features_of(model, pixels.astype(np.float32)), pixels)


@pytest.mark.parametrize(
    ("application", "options", "family"),
    [("VGG16", {}, "keras-caffe"), ("MobileNetV3Small", {"minimalistic": True}, "inside")],
)
def test_families_get_what_their_own_preprocessing_does(tmp_path, application, options, family):
    # Which family every application has is asked in tests/bridging/test_to_onnx_families.py.
    model = getattr(applications, application)(
        weights=None, input_shape=(32, 32, 3), include_top=False, pooling="avg", **options
    )
    settle_at_random(model, low=0.0, high=255.0)
    trunk = import_trunk(saved(model, tmp_path), "net")
    assert trunk.family == family
    pixels = some_pixels()
    taken = pixels.astype(np.float32)
    if family == "keras-caffe":
        taken = applications.vgg16.preprocess_input(taken)
    check_features(trunk, features_of(model, taken), pixels)


def test_networks_of_no_known_family_are_asked_about(tmp_path):
    own = keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            layers.Conv2D(8, 3, 2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    path = saved(own, tmp_path)
    with pytest.raises(TrunkError, match="wants its input normalised cannot be told"):
        import_trunk(path, "own")
    assert import_trunk(path, "own", MEAN_STD).family == "given"
    # An application behind somebody's own layer does not look at the photos itself.
    behind = with_head(layers.Conv2D(3, 1))
    with pytest.raises(TrunkError, match="wants its input normalised cannot be told"):
        import_trunk(saved(behind, tmp_path, "behind.keras"), "behind")


def test_networks_without_pooled_features_are_refused(tmp_path):
    flat = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    )
    with pytest.raises(TrunkError, match="no global average pooling"):
        import_trunk(saved(flat, tmp_path), "flat", MEAN_STD)
    headless = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3)])
    with pytest.raises(TrunkError, match="does not end in a linear layer"):
        import_trunk(saved(headless, tmp_path, "headless.keras"), "headless", MEAN_STD)


def test_the_list_of_applications_is_that_of_keras():
    there = {name for name in dir(applications) if name[0].isupper()}
    assert set(APPLICATIONS) <= there


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("keras:MobileNetV9", "not one of Keras's applications"),
        ("keras:../x", "not one of Keras's applications"),
        ("keras:MobileNet?weights=x", "has the option 'weights'"),
        ("keras:MobileNet?alpha=much", "has 'much' as its alpha"),
        ("keras:MobileNet?input_shape=0x9x9", "as its input_shape"),
        ("keras:EfficientNetB0", "weights of EfficientNetB0 alone do not tell"),
    ],
)
def test_applications_that_are_none_are_refused(tmp_path, asked, told):
    with pytest.raises(TrunkError, match=told):
        import_trunk(asked, "net", weights=tmp_path / "w.h5")


def test_weights_of_another_network_are_refused(tmp_path):
    model = settle_at_random(
        applications.MobileNet(weights=None, alpha=0.25, input_shape=(32, 32, 3), classes=3)
    )
    path = tmp_path / "net.weights.h5"
    model.save_weights(path)
    with pytest.raises(TrunkError, match="are not those of the network"):
        import_trunk("keras:MobileNet?alpha=0.5&input_shape=32&classes=3", "net", weights=path)
    trunk = import_trunk("keras:MobileNet?alpha=0.25&input_shape=32&classes=3", "net", weights=path)
    assert trunk.contract.shape == (32, 32, 3)
    with pytest.raises(TrunkError, match="has its own weights"):
        import_trunk(saved(model, tmp_path), "net", weights=path)


@pytest.fixture(scope="module")
def mobilenet(shared):
    """Real weights: the file, and the network as Keras makes it."""
    path = shared / "models/keras_mobilenet_v1_0.25_224_imagenet.h5"
    model = applications.MobileNet(alpha=0.25, weights=None)
    model.load_weights(path)
    return path, model


def test_real_weights_give_keras_own_features_of_real_photos(shared, mobilenet):
    path, model = mobilenet
    trunk = import_trunk("keras:MobileNet?alpha=0.25", "net", weights=path)
    assert trunk.family == "keras-tf"
    files = sorted((shared / "data/classification/dogcat").glob("*/*"))[::50]
    pixels = np.stack([prepare(file.read_bytes(), trunk.contract) for file in files])
    taken = applications.mobilenet.preprocess_input(pixels.astype(np.float32))
    check_features(trunk, features_of(model, taken).reshape(len(files), -1), pixels)
    # The file is a whole model too, written by Keras 2.
    assert import_trunk(path, "net").hash == trunk.hash


def test_real_weights_still_know_what_is_in_photos(shared, mobilenet):
    from ninebrains.bridging import read_keras, to_onnx
    from ninebrains.images import Contract
    from tests.bridging.keras_networks import run

    path, model = mobilenet
    folder = shared / "data/classification/imagenet_one_a_class"
    files = sorted(folder.glob("*.JPEG"))
    contract = Contract(224, 224)
    pixels = np.stack([prepare(file.read_bytes(), contract) for file in files])
    taken = applications.mobilenet.preprocess_input(pixels.astype(np.float32))
    scores = run(to_onnx(read_keras(path)), taken)[0]
    expected = np.asarray(model(taken, training=False))
    assert np.abs(scores - expected).max() < 1e-4
    assert (scores.argmax(1) == expected.argmax(1)).all()
    # Names begin with the number of the class; .592 of 1,000 such photos are right.
    assert np.mean(scores.argmax(1) == [int(file.name[:4]) for file in files]) > 0.45


def test_the_command_line_adds_an_application_with_weights_at_hand(shared, mobilenet, ninebrains):
    asked, (path, _) = "keras:MobileNet?alpha=0.25", mobilenet
    done = ninebrains("trunk", "add", asked, "--weights", path, "--name", "kept", "--json")
    told = json.loads(done.out)
    assert told["family"] == "keras-tf"
    assert told["source"].startswith(f"{asked} {path.name} sha256:")


def test_the_command_line_refuses_hostile_files_in_one_line(tmp_path, ninebrains):
    (tmp_path / "bad.keras").write_bytes(b"PK\x05\x06" + bytes(18))
    done = ninebrains("trunk", "add", tmp_path / "bad.keras", "--name", "bad", check=2)
    assert done.err.startswith("error: bad.keras is not a whole Keras model")


def test_without_keras_the_error_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['keras'] = None\n"
        "from ninebrains.errors import ExtraError\n"
        "from ninebrains.trunks import import_trunk\n"
        "try: import_trunk('keras:MobileNet', 'net')\n"
        "except ExtraError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'ninebrains[keras]'" in done.stdout
