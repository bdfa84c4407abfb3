"""Keras files that are whole, old, damaged or hostile."""

import io
import json
import zipfile

import numpy as np
import pytest

from ninebrains.bridging import read_keras
from ninebrains.errors import TrunkError
from tests.bridging.keras_networks import pixels

keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")
layers = keras.layers


@pytest.fixture(scope="module")
def network():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="seen")])
    source = keras.Input((8, 8, 3))
    prepared = keras.applications.resnet50.preprocess_input(layers.RandomFlip()(source))
    found = layers.BatchNormalization()(inner(prepared))
    found = layers.Add()([found, layers.Conv2D(4, 1, activation="relu")(found)])
    found = layers.GlobalAveragePooling2D()(layers.LeakyReLU(0.1)(found))
    model = keras.Model(source, layers.Dense(3, "softmax", kernel_regularizer="l2")(found))
    model.compile("adam", "categorical_crossentropy")
    return model


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras")
    network.save(folder / "net.keras")
    network.save(folder / "net.h5")
    return folder


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_whole_networks_are_read_with_their_weights(files, network, name):
    photos = pixels(network)
    found = np.asarray(read_keras(files / name)(photos, training=False))
    assert np.abs(found - np.asarray(network(photos, training=False))).max() < 1e-6


def repacked(files, tmp_path, change):
    """The `.keras` file with another configuration."""
    with zipfile.ZipFile(files / "net.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    path = tmp_path / "hostile.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def layer_of(config, kind):
    return next(entry for entry in config["config"]["layers"] if entry["class_name"] == kind)


def as_lambda(config):
    dense = layer_of(config, "Dense")
    dense["class_name"] = "Lambda"
    dense["config"] = {"name": "dense", "function": {"class_name": "__lambda__", "config": {}}}


def lambda_as_activation(config):
    layer_of(config, "Dense")["config"]["activation"] = {
        "class_name": "__lambda__",
        "config": {"value": "4wAAAA=="},
        "module": "builtins",
    }


def other_module(config):
    layer_of(config, "Dense")["module"] = "os"


def registered(config):
    layer_of(config, "Dense")["registered_name"] = "builtins>eval"


def fetching(config):
    layer_of(config, "Dense")["config"]["kernel_initializer"] = {
        "module": "keras.utils",
        "class_name": "get_file",
        "config": {"origin": "http://127.0.0.1:1/x"},
    }


def function_of_another_module(config):
    layer_of(config, "Dense")["config"]["activation"] = {
        "module": "keras.utils",
        "class_name": "function",
        "config": "get_file",
        "registered_name": "get_file",
    }


def object_in_a_setting(config):
    layer_of(config, "LeakyReLU")["config"]["negative_slope"] = {
        "class_name": "__typespec__",
        "module": "tensorflow",
        "config": [],
    }


def object_in_the_wiring(config):
    layer_of(config, "Dense")["inbound_nodes"][0]["args"].append(
        {"class_name": "TorchModuleWrapper", "config": {"module": "AAAA"}}
    )


def torch_module(config):
    layer_of(config, "Dense").update(class_name="TorchModuleWrapper", module="keras.layers")


def saved_model_layer(config):
    layer_of(config, "Dense").update(class_name="TFSMLayer", module="keras.layers")


def huge_layer(config):
    layer_of(config, "Dense")["config"]["units"] = 2_000_000_000


def no_layers(config):
    config["config"]["layers"] = []


def wiring_in_a_circle(config):
    node = layer_of(config, "Dense")["inbound_nodes"][0]["args"][0]
    node["config"]["keras_history"][0] = layer_of(config, "Dense")["name"]


HOSTILE = {
    as_lambda: "is a 'Lambda'; expected one of those that are known",
    lambda_as_activation: "has the activation",
    other_module: r"\(Dense\) comes from 'os'",
    registered: "registered as 'builtins>eval'",
    function_of_another_module: "has the activation",
    object_in_a_setting: "negative_slope is .*__typespec__.*expected a plain value",
    object_in_the_wiring: "the wiring holds .*TorchModuleWrapper",
    torch_module: "is a 'TorchModuleWrapper'",
    saved_model_layer: "is a 'TFSMLayer'",
    huge_layer: "claim more weights than",
    no_layers: "has no layers",
    wiring_in_a_circle: "Keras cannot make the network",
}


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
def test_configurations_that_name_other_things_are_refused(files, tmp_path, change):
    with pytest.raises(TrunkError, match=HOSTILE[change]):
        read_keras(repacked(files, tmp_path, change))


def test_what_draws_the_first_weights_is_never_made(files, tmp_path, network):
    # The initialiser that fetches a page is left out with all the others.
    found = read_keras(repacked(files, tmp_path, fetching))
    photos = pixels(network)
    difference = np.asarray(found(photos, training=False)) - np.asarray(
        network(photos, training=False)
    )
    assert np.abs(difference).max() < 1e-6


def test_lambdas_in_older_files_are_refused(files, tmp_path):
    path = tmp_path / "old.h5"
    path.write_bytes((files / "net.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layer_of(config, "Dense")["class_name"] = "Lambda"
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(TrunkError, match="is a 'Lambda'"):
        read_keras(path)


def test_configurations_of_keras_2_are_read(files, network, tmp_path):
    path = tmp_path / "old.h5"
    path.write_bytes((files / "net.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["class_name"] = "Model"
        entry = layer_of(config, "InputLayer")["config"]
        entry["batch_input_shape"] = entry.pop("batch_shape")
        layer_of(config, "BatchNormalization")["config"]["axis"] = [3]
        file.attrs["model_config"] = json.dumps(config)
    photos = pixels(network)
    found = np.asarray(read_keras(path)(photos, training=False))
    assert np.abs(found - np.asarray(network(photos, training=False))).max() < 1e-6


def changed_h5(files, tmp_path, change):
    path = tmp_path / "hostile.h5"
    path.write_bytes((files / "net.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        change(file["model_weights"], tmp_path)
    return path


def external_link(group, folder):
    group["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(group, folder):
    group["elsewhere"] = h5py.SoftLink("/model_weights")


def external_storage(group, folder):
    (folder / "secret").write_bytes(bytes(4000))
    group.create_dataset("w", (1000,), "f4", external=[(str(folder / "secret"), 0, 4000)])


def virtual(group, folder):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    group.create_virtual_dataset("w", layout)


def bomb(group, folder):
    group.create_dataset("w", (1 << 28,), "f4", chunks=(1 << 20,), compression="gzip")


def circle(group, folder):
    group["again"] = group


def objects(group, folder):
    group.create_dataset("w", data=["text", "text"])


H5 = {
    external_link: "'elsewhere' is a link to another place",
    soft_link: "'elsewhere' is a link to another place",
    external_storage: "lies in another file",
    virtual: "lies in another file",
    bomb: "claims 1,073,741,824 bytes and stores",
    circle: "holds itself",
    objects: "holds object values",
}


@pytest.mark.parametrize("change", H5, ids=lambda change: change.__name__)
def test_hdf5_files_that_lead_elsewhere_or_claim_too_much_are_refused(files, tmp_path, change):
    with pytest.raises(TrunkError, match=H5[change]):
        read_keras(changed_h5(files, tmp_path, change))
    # The same inside a .keras file.
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        change(file.create_group("layers"), tmp_path)
    path = tmp_path / "hostile.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", data.getvalue())
    with pytest.raises(TrunkError, match=H5[change]):
        read_keras(path)


def test_weights_alone_say_what_to_do(files, tmp_path, network):
    network.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(TrunkError, match=r"weights alone.*keras:MobileNet\?alpha=0.25 --weights"):
        read_keras(tmp_path / "net.weights.h5")


def test_archives_with_other_parts_or_that_unpack_to_too_much_are_refused(files, tmp_path):
    with zipfile.ZipFile(files / "net.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "more.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**parts, "assets/vocabulary.txt": b"x"}.items():
            archive.writestr(name, data)
    with pytest.raises(TrunkError, match=r"holds 'assets/vocabulary.txt'"):
        read_keras(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(65 * 1024**2))
        archive.writestr("model.weights.h5", parts["model.weights.h5"])
    with pytest.raises(TrunkError, match=r"'config.json' unpacks to"):
        read_keras(path)


def test_damaged_absent_and_huge_files_are_told(files, tmp_path):
    whole = (files / "net.keras").read_bytes()
    for name, data, told in (
        ("cut.keras", whole[: len(whole) // 2], "damaged Keras file"),
        ("text.keras", b"hello", "not an HDF5 file"),
        ("cut.h5", (files / "net.h5").read_bytes()[:3000], "damaged HDF5 file"),
        ("empty.h5", b"", "not an HDF5 file"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(TrunkError, match=told):
            read_keras(tmp_path / name)
    with pytest.raises(TrunkError, match="does not exist"):
        read_keras(tmp_path / "none.keras")
    with pytest.raises(TrunkError, match="is a folder"):
        read_keras(tmp_path)
    with (tmp_path / "huge.h5").open("wb") as file:
        file.truncate(1024**3 + 1)  # takes no room on the disk
    with pytest.raises(TrunkError, match="the limit is 1,073,741,824"):
        read_keras(tmp_path / "huge.h5")
