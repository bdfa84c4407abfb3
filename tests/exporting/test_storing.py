"""Weights stored small."""

import numpy as np
import pytest

from ninebrains.brains.graph import pack, unpack
from ninebrains.exporting.storing import store_fp16, store_int8_weights, store_once


def scores(model, pixels):
    return pack(model).session(1).run(["scores", "unfamiliar", "heatmap"], {"photos": pixels})


def size(model):
    return len(model.SerializeToString())


@pytest.mark.parametrize(("store", "tolerance"), [(store_fp16, 2e-3), (store_int8_weights, 5e-2)])
def test_a_network_of_small_weights_answers_nearly_the_same(
    small_brain, small_pixels, store, tolerance
):
    model = unpack(small_brain.graph)
    small = store(model)
    assert size(small) < 0.7 * size(model)
    for got, wanted in zip(scores(small, small_pixels), scores(model, small_pixels), strict=True):
        assert got.dtype == wanted.dtype == np.float32
        assert np.abs(got - wanted).max() < tolerance * max(1.0, np.abs(wanted).max())


def test_weights_on_an_8_bit_grid_come_back_as_they_were():
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    steps = random.uniform(1e-3, 1e-1, (160, 1)).astype(np.float32)
    numbers = random.integers(-127, 128, (160, 160))
    numbers[:, 0] = 127
    weights = (numbers * steps).astype(np.float32)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
            "grid",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 160])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 160])],
            [numpy_helper.from_array(weights, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    identity = np.eye(160, dtype=np.float32)
    (out,) = pack(store_int8_weights(model)).session(1).run(["y"], {"x": identity})
    np.testing.assert_allclose(out.T, weights, rtol=1e-6)
    assert size(store_int8_weights(model)) < 0.3 * size(model)


def test_equal_weights_of_two_shapes_are_stored_once(small_brain, small_pixels):
    model = unpack(small_brain.graph)
    once = store_once(model)
    names = [tensor.name for tensor in once.graph.initializer]
    assert "head/weights" in names
    assert "head/weights_1x1" not in names
    for got, wanted in zip(scores(once, small_pixels), scores(model, small_pixels), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_weight_beyond_16_bits_stays_in_32():
    from onnx import TensorProto, helper, numpy_helper

    weights = np.full((16, 32), 1e6, np.float32)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "large",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 32])],
            [numpy_helper.from_array(weights, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    assert store_fp16(model).graph.initializer[0].data_type == TensorProto.FLOAT


def test_the_model_that_is_stored_small_stays_as_it_was(small_brain):
    model = unpack(small_brain.graph)
    before = model.SerializeToString(deterministic=True)
    for store in (store_fp16, store_int8_weights, store_once):
        store(model)
    assert model.SerializeToString(deterministic=True) == before
