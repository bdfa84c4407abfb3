"""Layers that people put into classifiers of their own, one small network each."""

import numpy as np
import pytest

from ninebrains.bridging import to_onnx
from ninebrains.bridging.from_keras import ACTIVATIONS, LAYERS, PASSING
from ninebrains.errors import TrunkError
from tests.bridging.keras_networks import check_same, operators, pixels, run, settle_at_random

keras = pytest.importorskip("keras")
layers = keras.layers


def classifier(*middle, shape=(12, 10, 3)):
    model = keras.Sequential([keras.Input(shape), *middle])
    return settle_at_random(model)


SMALL = {
    "average pooling at the border": [layers.Conv2D(4, 3), layers.AveragePooling2D(3, 2, "same")],
    "border and average": [layers.ZeroPadding2D(((0, 1), (1, 0))), layers.AveragePooling2D(2)],
    "cropping": [layers.Conv2D(4, 3), layers.Cropping2D(((1, 2), (0, 3))), layers.Flatten()],
    "dense on a map": [layers.Dense(5, activation="relu"), layers.GlobalMaxPooling2D()],
    "depth multiplier": [layers.DepthwiseConv2D(3, depth_multiplier=3, padding="same")],
    "dilated": [layers.Conv2D(4, 3, dilation_rate=2, padding="same"), layers.Flatten()],
    "flattened": [layers.Conv2D(4, 3, 2, "same"), layers.Flatten(), layers.Dense(3)],
    "flattened and normalised": [
        layers.Conv2D(4, 3),
        layers.Flatten(),
        layers.BatchNormalization(),
        layers.Dense(3),
    ],
    "flattened through dropout": [
        layers.Conv2D(4, 3),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.ReLU(),
        layers.Dense(3, activation="softmax"),
    ],
    "groups": [layers.Conv2D(6, 3, groups=3), layers.BatchNormalization(), layers.Conv2D(2, 1)],
    "layer normalisation of a list": [
        layers.GlobalAveragePooling2D(),
        layers.Dense(8),
        layers.LayerNormalization(),
        layers.Dense(3),
    ],
    "normalised before a border": [
        layers.BatchNormalization(),
        layers.Conv2D(4, 3, padding="same", strides=2),
    ],
    "normalised before groups": [
        layers.BatchNormalization(),
        layers.Conv2D(6, 3, groups=3, padding="valid"),
    ],
    "normalised twice": [
        layers.Conv2D(4, 3),
        layers.BatchNormalization(),
        layers.BatchNormalization(scale=False),
        layers.ReLU(6.0),
    ],
    "photos of other proportions": [
        layers.Conv2D(4, (5, 2), strides=(3, 2), padding="same"),
        layers.MaxPooling2D((2, 3), (1, 2), "same"),
    ],
    "prelu of channels": [layers.Conv2D(4, 3), layers.PReLU(shared_axes=[1, 2])],
    "prelu of places": [layers.Conv2D(4, 3), layers.PReLU(), layers.Flatten()],
    "reshaped and back": [
        layers.Conv2D(4, 3),
        layers.Reshape((320,)),
        layers.Reshape((4, 4, 20)),
        layers.Conv2D(2, 3),
    ],
    "separable": [layers.SeparableConv2D(6, 3, depth_multiplier=2, padding="same")],
    "softmax of maps": [layers.Conv2D(4, 3), layers.Softmax()],
    "what only trains": [
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.GaussianNoise(0.1),
        layers.Conv2D(4, 3, activation=layers.LeakyReLU(0.3)),
        layers.SpatialDropout2D(0.2),
    ],
}


@pytest.mark.parametrize("what", SMALL)
def test_small_networks_answer_as_in_keras(what):
    model = classifier(*SMALL[what])
    check_same(model, to_onnx(model), pixels(model, low=-2.0, high=2.0))


@pytest.mark.parametrize("opset", [13, 17, 20])
def test_every_activation_answers_as_in_keras_in_old_and_new_operator_sets(opset):
    source = keras.Input((6, 6, 3))
    ends = [layers.Activation(name)(source) for name in sorted(ACTIVATIONS - {"linear"})]
    ends += [layers.ELU(0.7)(source), layers.ReLU(negative_slope=0.2)(source)]
    ends += [layers.LayerNormalization()(source)]
    model = keras.Model(source, layers.Concatenate()(ends))
    made = to_onnx(model, opset=opset)
    assert made.opset_import[0].version == opset
    check_same(model, made, pixels(model, low=-4.0, high=4.0))


def test_values_that_meet_answer_as_in_keras():
    source = keras.Input((8, 8, 3))
    one, other = layers.Conv2D(4, 3)(source), layers.Conv2D(4, 3, activation="relu")(source)
    met = [
        kind()([one, other])
        for kind in (
            layers.Add,
            layers.Average,
            layers.Maximum,
            layers.Minimum,
            layers.Multiply,
            layers.Subtract,
        )
    ]
    gate = layers.GlobalAveragePooling2D()(one)
    gate = layers.Dense(4, activation="sigmoid")(gate)
    met += [layers.Multiply()([one, layers.Reshape((1, 1, 4))(gate)])]
    flat = layers.Flatten()(layers.Concatenate()([*met, (one * 2.0 - 1.0) / 3.0, 1.0 - other]))
    model = keras.Model(source, layers.Concatenate()([layers.Dense(3)(flat), gate]))
    check_same(model, to_onnx(model), pixels(model, low=-2.0, high=2.0))


def test_layers_that_are_used_twice_and_networks_in_networks_are_taken_apart():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 3, padding="same")])
    shared, source = layers.Conv2D(3, 1), keras.Input((8, 8, 3))
    once = shared(inner(source))
    model = keras.Model(source, layers.Flatten()(inner(shared(once))))
    made = to_onnx(model)
    check_same(model, made, pixels(model))
    names = [node.name for node in made.graph.node]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("application", ["resnet50", "mobilenet_v2", "densenet"])
def test_what_applications_do_to_photos_becomes_a_part_of_the_network(application):
    source = keras.Input((9, 9, 3))
    prepared = getattr(keras.applications, application).preprocess_input(source)
    model = keras.Model(source, layers.Conv2D(4, 3, padding="same")(prepared))
    made = to_onnx(model)
    check_same(model, made, pixels(model))
    assert operators(made) == {"Transpose": 2, "Sub": 1, "Conv": 1}


def test_the_size_of_an_open_network_can_be_given():
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3, 2, "same")])
    photos = np.random.default_rng(0).uniform(0, 1, (2, 7, 10, 3)).astype(np.float32)
    found = run(to_onnx(model, size=(7, 10)), photos)[0]
    assert np.abs(found - np.asarray(model(photos))).max() < 1e-5
    with pytest.raises(TrunkError, match=r"leaves the photos' size open.*--size 224"):
        to_onnx(model)
    fixed = classifier(layers.Conv2D(4, 3))
    with pytest.raises(TrunkError, match="made for photos of 12x10"):
        to_onnx(fixed, size=(20, 20))


class Doubling(layers.Layer):
    def call(self, inputs):
        return inputs * 2


class Dense(layers.Dense):
    """Somebody's own, under a known name."""


REFUSED = {
    r"'doubling' is a Doubling of tests": lambda: classifier(Doubling()),
    r"is a Dense of tests": lambda: classifier(Dense(3)),
    r"is a Lambda of keras": lambda: classifier(layers.Lambda(lambda x: x)),
    r"is a UpSampling2D of keras": lambda: classifier(layers.UpSampling2D()),
    r"has the activation 'tanh_shrink'": lambda: classifier(
        layers.Conv2D(2, 1, activation="tanh_shrink")
    ),
    r"threshold of 0.5": lambda: classifier(layers.ReLU(threshold=0.5)),
    r"\(Reshape\) gives the shape \[4, 90\]": lambda: classifier(layers.Reshape((4, 90))),
    r"works on the axis 1": lambda: classifier(layers.BatchNormalization(axis=1)),
    r"data format 'channels_first'": lambda: classifier(
        layers.MaxPooling2D(2, data_format="channels_first")
    ),
    r"has the shape \[None, 5\]": lambda: classifier(layers.Dense(2), shape=(5,)),
    r"does not know its input's shape yet": lambda: keras.Sequential([layers.Dense(2)]),
    r"2 inputs": lambda: keras.Model(
        (two := [keras.Input((4, 4, 3)), keras.Input((4, 4, 3))]), layers.Add()(two)
    ),
    r"takes the part": lambda: keras.Model(
        (source := keras.Input((4, 4, 3))), layers.Conv2D(2, 1)(source[:, 1:])
    ),
    r"is a Sin of keras": lambda: keras.Model(
        (source := keras.Input((4, 4, 3))), keras.ops.sin(source)
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_is_not_of_the_list_is_refused_by_name(told):
    with pytest.raises(TrunkError, match=told):
        to_onnx(REFUSED[told]())


def test_unknown_operator_sets_are_refused():
    with pytest.raises(TrunkError, match=r"operator set 9.*13 to 21"):
        to_onnx(classifier(layers.Conv2D(2, 1)), opset=9)


def test_every_layer_of_the_list_is_one_of_keras():
    private = {"CustomScaleLayer", "LayerScale", "StochasticDepth"}
    assert all(hasattr(layers, name) for name in (LAYERS | PASSING) - private)
