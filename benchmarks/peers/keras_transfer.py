"""The peer: transfer learning in Keras as most tutorials teach it, and prediction with the result.

    keras_transfer.py convert TRUNK.onnx OUT.keras          once: the same ImageNet weights
    keras_transfer.py train BACKBONE.keras PHOTOS OUT.keras SEED
    keras_transfer.py evaluate MODEL.keras PHOTOS
    keras_transfer.py predict MODEL.keras PHOTO

Backbone frozen, random rotation, shift and zoom, Dense 64 with dropout, Adam at 1e-3, 10 epochs
with a validation each. Photos are decoded once and cached in memory, which favours the peer.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

SIZE = (224, 224)


def convert(source: str, target: str) -> None:
    """MobileNetV2 in Keras layers with the weights of an ONNX file, up to its feature map."""
    import keras
    import numpy as np
    import onnx
    from keras import layers
    from onnx import numpy_helper

    model = onnx.load(source)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    pixels = keras.Input((*SIZE, 3))
    values = {
        model.graph.input[0].name: layers.Normalization(
            mean=[123.675, 116.28, 103.53], variance=[58.395**2, 57.12**2, 57.375**2]
        )(pixels)
    }
    pending = []
    for node in model.graph.node:
        if node.op_type == "GlobalAveragePool":
            break
        if node.op_type not in ("Conv", "Clip", "Add"):
            continue
        value = values[node.input[0]]
        if node.op_type == "Clip":
            value = layers.ReLU(6.0)(value)
        elif node.op_type == "Add":
            value = layers.Add()([value, values[node.input[1]]])
        else:
            facts = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
            kernel, bias = weights[node.input[1]], weights[node.input[2]]
            if facts["pads"][0]:
                value = layers.ZeroPadding2D(facts["pads"][0])(value)
            if facts["group"] > 1:
                layer = layers.DepthwiseConv2D(kernel.shape[2], strides=facts["strides"][0])
                kernel = kernel.transpose(2, 3, 0, 1)
            else:
                layer = layers.Conv2D(kernel.shape[0], kernel.shape[2], facts["strides"][0])
                kernel = kernel.transpose(2, 3, 1, 0)
            value = layer(value)
            pending.append((layer, [np.ascontiguousarray(kernel), bias]))
        values[node.output[0]] = value
    last = value
    for layer, arrays in pending:
        layer.set_weights(arrays)
    keras.Model(pixels, last, name="mobilenet_v2_100").save(target)


def read(folder: Path) -> object:
    """The photos of a folder per label, decoded once and kept in memory."""
    import keras

    return keras.utils.image_dataset_from_directory(
        folder,
        image_size=SIZE,
        batch_size=32,
        shuffle=False,
        crop_to_aspect_ratio=True,
        verbose=False,
    ).cache()


def evaluate(model: str, photos: str) -> None:
    """Accuracy of a saved model on a folder per label."""
    import keras

    _, accuracy = keras.models.load_model(model).evaluate(read(Path(photos)), verbose=0)
    print(json.dumps({"accuracy": float(accuracy)}))


def train(backbone: str, photos: str, target: str, seed: str) -> None:
    """From a folder with train/ and test/ to a saved and tested model; prints the test accuracy."""
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(int(seed))

    learnt, tested = read(Path(photos) / "train"), read(Path(photos) / "test")
    learnt = learnt.unbatch().shuffle(1000, seed=int(seed)).batch(32).prefetch(tf.data.AUTOTUNE)
    trunk = keras.models.load_model(backbone)
    trunk.trainable = False
    model = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            layers.RandomRotation(0.1),
            layers.RandomTranslation(0.1, 0.1),
            layers.RandomZoom(0.1),
            trunk,
            layers.GlobalAveragePooling2D(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(2, activation="softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    model.fit(learnt, epochs=10, validation_data=tested, verbose=0)
    model.save(target)
    _, accuracy = model.evaluate(tested, verbose=0)
    print(
        json.dumps(
            {"accuracy": float(accuracy), "keras": keras.__version__, "tensorflow": tf.__version__}
        )
    )


def predict(model: str, photo: str) -> None:
    """One photo through a saved model."""
    import keras
    import numpy as np

    image = keras.utils.load_img(photo, target_size=SIZE)
    scores = keras.models.load_model(model).predict(np.asarray(image)[None], verbose=0)
    print(scores[0].tolist())


if __name__ == "__main__":
    verbs = {"convert": convert, "train": train, "evaluate": evaluate, "predict": predict}
    verbs[sys.argv[1]](*sys.argv[2:])
