"""What a Keras network may be made of to become ONNX, or to be read from a file at all."""

from __future__ import annotations

# Layers that compute something when a network answers.
LAYERS = frozenset(
    {
        "Activation",
        "Add",
        "Average",
        "AveragePooling2D",
        "BatchNormalization",
        "Concatenate",
        "Conv2D",
        "Cropping2D",
        "CustomScaleLayer",
        "Dense",
        "DepthwiseConv2D",
        "ELU",
        "Flatten",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "LayerNormalization",
        "LayerScale",
        "LeakyReLU",
        "MaxPooling2D",
        "Maximum",
        "Minimum",
        "Multiply",
        "Normalization",
        "PReLU",
        "ReLU",
        "Rescaling",
        "Reshape",
        "SeparableConv2D",
        "Softmax",
        "Subtract",
        "ZeroPadding2D",
    }
)

# Layers that only do something while a network learns.
PASSING = frozenset(
    {
        "ActivityRegularization",
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "RandomBrightness",
        "RandomContrast",
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomZoom",
        "SpatialDropout2D",
        "StochasticDepth",
    }
)

# Networks inside networks.
MODELS = frozenset({"Functional", "Model", "Sequential"})

# Steps between layers, as `x / 127.5 - 1` writes them, and where Keras keeps them.
OPERATIONS = {
    **dict.fromkeys(
        ("Add", "Divide", "GetItem", "Multiply", "Stack", "Subtract", "TrueDivide"),
        "keras.src.ops.numpy",
    ),
    "Cast": "keras.src.ops.core",
}

# Activation functions by Keras's own names, older names beside them.
ACTIVATIONS = frozenset(
    {
        "elu",
        "exponential",
        "gelu",
        "hard_sigmoid",
        "hard_silu",
        "hard_swish",
        "hard_tanh",
        "leaky_relu",
        "linear",
        "log_softmax",
        "mish",
        "relu",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "softmax",
        "softplus",
        "softsign",
        "swish",
        "tanh",
    }
)

# Where Keras keeps the layers of its applications that are no public ones.
PRIVATE_MODULES = {
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
    "LayerScale": "keras.src.applications.convnext",
    "StochasticDepth": "keras.src.applications.convnext",
}


def listed() -> str:
    """The layers in words, for messages."""
    return ", ".join(sorted(LAYERS | PASSING | {"Functional", "InputLayer", "Sequential"}))
