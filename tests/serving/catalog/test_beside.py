"""Networks from elsewhere in a repository, with what lies beside them."""

import base64

import pytest

from ninebrains.serving.host import Host
from ninebrains.serving.repository import scan
from ninebrains.serving.settings import Settings
from tests.making import write_model
from tests.mind.test_guests import anonymous
from tests.serving.catalog.making import look, states
from tests.serving.http.conftest import sending
from tests.trunks import networks

UNIT = "mean = [0, 0, 0]\nstd = [1, 1, 1]\n"
BGR = """
fit = "pad"
pad_color = [114, 114, 114]
color = "bgr"
mean = [0, 0, 0]
std = [0.00392157, 0.00392157, 0.00392157]
"""
IMAGENET = "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\nactivation = 'softmax'\n"


def names_of(catalog):
    return [label.name for label in catalog.find("pets", 1).facts.labels]


def test_a_refused_network_is_loaded_once_it_is_said_what_it_takes(models, begun):
    (models / "pets" / "1").mkdir(parents=True)
    networks.save(anonymous(), models / "pets" / "1", "model.onnx")
    catalog = begun()
    look(catalog)
    reason = catalog.find("pets", 1).reason
    assert f"Write it into {models}/pets/1/model.toml" in reason
    assert "\n  mean = [" in reason
    (models / "pets" / "1" / "model.toml").write_text(UNIT)
    look(catalog)
    assert states(catalog) == {1: "ready"}


@pytest.mark.parametrize(
    ("place", "settings", "names"),
    [
        ("pets/1/model.onnx", "pets/1/model.toml", "pets/1/labels.txt"),
        ("pets/1.onnx", "pets/1.toml", "pets/1.labels.txt"),
        ("pets.onnx", "pets.toml", "pets.labels.txt"),
        (
            "pets/1/model.onnx/model.onnx",
            "pets/1/model.onnx/model.toml",
            "pets/1/model.onnx/labels.txt",
        ),
    ],
)
def test_what_changes_beside_a_network_is_taken_over(models, begun, place, settings, names):
    (models / place).parent.mkdir(parents=True, exist_ok=True)
    write_model(models / place)
    (models / settings).write_text("activation = 'softmax'")
    (models / names).write_text("\n".join("abcdefghij"))
    catalog = begun()
    look(catalog)
    assert catalog.problems == ()
    assert names_of(catalog) == list("abcdefghij")
    before = catalog.find("pets", 1)
    (models / names).write_text("\n".join("klmnopqrst"))
    look(catalog)
    assert names_of(catalog) == list("klmnopqrst")
    assert catalog.find("pets", 1).digest != before.digest
    (models / names).write_text("too few")
    look(catalog)
    assert names_of(catalog) == list("klmnopqrst")
    assert "1 labels were given" in catalog.find("pets", 1).reason


def test_files_beside_that_lead_out_of_the_source_are_refused(models, tmp_path):
    (models / "pets" / "1").mkdir(parents=True)
    write_model(models / "pets" / "1" / "model.onnx")
    (tmp_path / "secret.txt").write_text("secret")
    (models / "pets" / "1" / "labels.txt").symlink_to(tmp_path / "secret.txt")
    found = scan([models])
    assert not found.shelf.get("pets")
    assert "is a link to" in found.problems[0].reason


def test_a_deleted_network_takes_with_it_what_was_said_about_it(models, begun):
    (models / "pets").mkdir()
    for number in (1, 2):
        write_model(models / "pets" / f"{number}.onnx")
        (models / "pets" / f"{number}.toml").write_text("fit = 'pad'")
    catalog = begun()
    look(catalog)
    catalog.delete("pets", 1)
    assert sorted(path.name for path in (models / "pets").iterdir()) == ["2.onnx", "2.toml"]


@pytest.fixture(scope="module")
def zoo(shared, tmp_path_factory):
    """A host of real networks from elsewhere, with and without labels."""
    folder = tmp_path_factory.mktemp("zoo")
    names = (shared / "models" / "imagenet_labels.txt").read_text().splitlines()[1:]
    for name, file, settings in (
        ("things", "mobilenet_v2_int8_dynamic.onnx", IMAGENET),
        ("boxes", "yolox_nano.onnx", BGR),
    ):
        version = folder / "models" / name / "1"
        version.mkdir(parents=True)
        (version / "model.onnx").write_bytes((shared / "models" / file).read_bytes())
        (version / "model.toml").write_text(settings)
        if name == "things":
            (version / "labels.txt").write_text("\n".join(names))
    settings = Settings(sources=(folder / "models",), state=folder / "state", grpc_port=None)
    with sending(Host(settings)) as client:
        yield client


def test_real_networks_answer_with_the_right_labels_in_every_protocol(zoo, shared):
    photo = next((shared / "data/classification/imagenet_one_a_class").glob("0340_*")).read_bytes()
    text = base64.b64encode(photo).decode()
    told = zoo.post("/infer?brains=things,boxes", content=photo).json()["photos"][0]["brains"]
    assert told["things"]["answer"] == told["things"]["instances"][0]["label"] == "zebra"
    assert told["boxes"]["outputs"]["output"]["shape"] == [3549, 85]
    examples = {"examples": [{"image": {"b64": text}}]}
    result = zoo.post("/v1/models/things:classify", json=examples).json()["result"]
    assert result[0][0][0] == "zebra"
    request = {
        "inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}],
        "outputs": [{"name": "scores", "parameters": {"classification": 1}}],
    }
    told = zoo.post("/v2/models/things/infer", json=request).json()["outputs"]
    assert told[0]["data"][0].endswith(":340:zebra")
