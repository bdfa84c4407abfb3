"""Files of one network that different exporters wrote independently meet."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from ninebrains.brains.graph import pack
from ninebrains.images import Contract
from ninebrains.mind.forms.canonical import read_form
from tests.mind.networks import (
    assert_agree,
    form_of,
    operators,
    parse,
    pixels_for,
    run_form,
    run_model,
)

FOLDER = Path(__file__).parent / "exports"
CONTRACT = Contract(32, 32)
# PyTorch's older exporter folds with MKL's square root, which is not always rounded correctly. So
# the weights that it folded differ in their last bits from those that anything else folds.
MEETING = (
    (
        "dynamo-18", "dynamo-18-unfolded", "dynamo-20", "dynamo-20-unfolded",
        "torchscript-13-unfolded", "torchscript-17-unfolded", "torchscript-20-unfolded",
    ),
    ("torchscript-13", "torchscript-17", "torchscript-20"),
)  # fmt: skip
NAMES = [name for group in MEETING for name in group]


def load(name):
    return onnx.load(FOLDER / f"{name}.onnx")


@pytest.mark.parametrize("names", MEETING, ids=lambda names: names[0])
def test_exports_of_one_network_meet(names):
    forms = [form_of(load(name), CONTRACT) for name in names]
    assert {form.hash for form in forms} == {forms[0].hash}
    assert all(form == forms[0] for form in forms)


def test_exports_that_were_folded_differently_differ_in_last_bits_only():
    one, two = (form_of(load(names[0]), CONTRACT) for names in MEETING)
    assert operators(one) == operators(two)
    pixels = pixels_for(one)
    assert_agree(run_form(two, pixels), run_form(one, pixels))


@pytest.mark.parametrize("name", NAMES)
def test_the_form_of_an_export_answers_as_the_export_and_is_no_longer(name):
    model = load(name)
    form = form_of(model, CONTRACT)
    pixels = pixels_for(form)
    assert_agree(run_form(form, pixels), run_model(model, pixels))
    assert len(form.operations) <= len(model.graph.node)
    assert not {"BatchNormalization", "Identity", "Shape", "Erf"} & set(operators(form))
    # Each value can be cut at: nothing in this network mixes photos or moves their axis.
    assert form.by_photo == form.shapes.keys()


@pytest.mark.parametrize(
    ("name", "side"), [("FastestDet", 352), ("yolox_nano", 416), ("mobilenet_v2_100_imagenet", 224)]
)
def test_forms_of_known_models_answer_as_the_models(shared, name, side):
    path = next((shared / "models").glob(f"{name}*.onnx"), None)
    if path is None:
        pytest.skip(f"{name} is not in ../shared/models")
    model = onnx.load(path)
    form = read_form(pack(model), Contract(side, side))
    pixels = pixels_for(form, photos=1)
    assert pixels.shape == (1, 3, side, side)
    assert_agree(run_form(form, pixels), run_model(model, pixels))


def test_a_value_whose_first_axis_is_not_the_photos_alone_is_no_place_to_cut():
    model = parse(
        """
        turned = Transpose <perm = [1, 0, 2, 3]> (x)
        merged = Reshape (x, merge)
        doubled = Concat <axis = 0> (x, x)
        y = Relu (x)
        """,
        outputs="float turned, float merged, float doubled, float y",
        constants="int64[2] merge = {-1, 8}",
    )
    form = form_of(model)
    assert form.by_photo == {form.source, form.outputs["y"]}
    assert form.shapes[form.outputs["turned"]] == (4, 1, 8, 8)
    assert form.shapes[form.outputs["merged"]] == (32, 8)
    assert form.shapes[form.outputs["doubled"]] == (2, 4, 8, 8)
    pixels = pixels_for(form)
    for name, value in run_form(form, pixels).items():
        np.testing.assert_array_equal(value, run_model(model, pixels)[name])
