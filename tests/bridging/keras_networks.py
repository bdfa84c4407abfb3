"""Keras networks for tests: with statistics that show whether they were folded, and answers."""

import numpy as np


def settle_at_random(model, seed=0, low=-1.0, high=1.0):
    """Give normalisations scales at random, and the statistics of what they see of photos.

    With those a deep network neither loses its photos nor magnifies rounding.
    """
    normalising = _scale_at_random(model, np.random.default_rng(seed))
    if normalising:
        for layer in normalising:
            layer.momentum = 0.0
        model(pixels(model, 6, seed + 1, low, high), training=True)
        for layer in normalising:
            # Channels that hardly vary would be blown up, and their rounding with them.
            variance = np.array(layer.get_weights()[-1])
            least = np.maximum(variance, variance.mean())
            layer.set_weights([*layer.get_weights()[:-1], least])
    return model


def _scale_at_random(model, rng):
    """Scales and shifts; the layers that keep statistics."""
    found = []
    for layer in model.layers:
        kind = type(layer).__name__
        if hasattr(layer, "layers"):
            found += _scale_at_random(layer, rng)
        elif kind == "BatchNormalization":
            found.append(layer)
            trained = {w.name for w in layer.trainable_weights}
            ranges = {"gamma": (0.7, 1.3), "beta": (-0.2, 0.2), "moving_mean": (-0.2, 0.2)}
            layer.set_weights(
                [rng.uniform(*ranges.get(w.name, (0.8, 1.2)), w.shape) for w in layer.weights]
            )
            assert trained <= ranges.keys()
        elif kind in ("LayerScale", "LayerNormalization", "PReLU"):
            layer.set_weights([rng.uniform(0.2, 0.6, w.shape) for w in layer.weights])
    return found


def pixels(model, batch=2, seed=1, low=0.0, high=255.0):
    """Photos of the size that the network takes, unlike each other."""
    height, width, channels = model.input_shape[1:]
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width] / max(height, width)
    found = np.empty((batch, height, width, channels), np.float32)
    for photo in range(batch):
        for channel in range(channels):
            waves = np.sin(9 * (photo + 1) * across + channel) * np.cos(5 * down - 2 * photo)
            found[photo, :, :, channel] = 0.5 + 0.4 * waves + 0.1 * rng.uniform(-1, 1, down.shape)
    return (low + (high - low) * found).astype(np.float32)


def run(onnx_model, photos):
    """What ONNX Runtime answers, with all its optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        onnx_model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: photos})


def check_same(model, onnx_model, photos, tolerance=1e-4):
    """Keras and ONNX Runtime answer the same, photos in a batch and alone."""
    expected = np.asarray(model(photos, training=False))
    found = run(onnx_model, photos)[0]
    assert found.shape == expected.shape
    scale, spread = np.abs(expected).max(), np.ptp(expected, axis=0).max()
    assert 1e-3 * scale < spread < np.inf, "the photos should differ"
    assert np.abs(found - expected).max() <= tolerance * scale
    alone = run(onnx_model, photos[:1])[0]
    assert np.abs(alone - expected[:1]).max() <= tolerance * scale


def operators(onnx_model):
    """How often each operator stands in the model."""
    found = {}
    for node in onnx_model.graph.node:
        found[node.op_type] = found.get(node.op_type, 0) + 1
    return found
