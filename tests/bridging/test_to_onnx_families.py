"""Every family of keras.applications as ONNX: the same answers, and as clean as can be."""

import pytest

from ninebrains.bridging import to_onnx
from ninebrains.bridging.from_keras import convert
from ninebrains.trunks.keras_families import keras_normalisation
from tests.bridging.keras_networks import check_same, operators, pixels, settle_at_random

pytest.importorskip("keras")

# Family: side, how photos are prepared, operators that are left with how many at most.
FAMILIES = {
    "ConvNeXtTiny": (32, "inside", {"BatchNormalization": 1}),
    "DenseNet121": (32, "keras-torch", {"BatchNormalization": 62}),
    "EfficientNetB0": (32, "inside", {}),
    "EfficientNetV2B0": (32, "inside", {}),
    "InceptionResNetV2": (75, "keras-tf", {}),
    "InceptionV3": (75, "keras-tf", {}),
    "MobileNet": (32, "keras-tf", {}),
    "MobileNetV2": (32, "keras-tf", {}),
    "MobileNetV3Small": (32, "inside", {}),
    "NASNetMobile": (32, "keras-tf", {"BatchNormalization": 4, "Pad": 4, "Slice": 4}),
    "ResNet50": (33, "keras-caffe", {}),
    "ResNet50V2": (64, "keras-tf", {"BatchNormalization": 17}),
    "VGG16": (32, "keras-caffe", {}),
    "Xception": (71, "keras-tf", {}),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_answers_as_in_keras_and_keeps_its_channels_first(name):
    import keras
    import onnx

    side, family, left = FAMILIES[name]
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(side, side, 3), classes=7, classifier_activation=None
    )
    low, high = (0.0, 255.0) if family == "inside" else (-1.0, 1.0)
    settle_at_random(model, low=low, high=high)
    converted = convert(model)
    made = converted.model
    onnx.checker.check_model(made, full_check=True)
    check_same(model, made, pixels(model, low=low, high=high))
    found = operators(made)
    assert found["Transpose"] == 1
    assert made.graph.node[0].op_type == "Transpose"
    assert found.keys().isdisjoint({"Reshape", "Identity", "Dropout", "Cast"})
    assert keras_normalisation(converted).family == family
    for kind in ("BatchNormalization", "Pad", "Slice"):
        assert found.get(kind, 0) <= left.get(kind, 0), f"{kind} is left over"


def test_squeeze_and_hard_activations_are_single_operators():
    import keras

    model = keras.applications.MobileNetV3Small(weights=None, input_shape=(32, 32, 3))
    found = operators(to_onnx(model))
    assert found["HardSigmoid"] == 9
    assert found["HardSwish"] == 19
    assert found["Mul"] == 9, "one for each squeeze-and-excitation block"


def test_a_maximum_over_zeros_stays_one_where_maps_go_below_zero():
    # ONNX Runtime turns Pad and MaxPool into a MaxPool whose border never wins.
    import keras

    model = keras.Sequential(
        [
            keras.Input((9, 9, 3)),
            keras.layers.Rescaling(1.0, offset=-300.0),
            keras.layers.ZeroPadding2D(1),
            keras.layers.MaxPooling2D(3, 2),
        ]
    )
    check_same(model, to_onnx(model), pixels(model))
