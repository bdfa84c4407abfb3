"""The same network for photos of another size, or a refusal that names what fixes the size."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from ninebrains.brains.graph import pack
from ninebrains.errors import TrunkError
from ninebrains.images import Contract
from ninebrains.trunks import Trunk, import_trunk, load_trunk
from ninebrains.trunks.resizing import resized
from tests.making import write_model


def photos(height, width, count=3):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [32, 48, 96])
def test_a_resized_trunk_gives_the_features_of_the_same_network_at_that_size(
    small_trunk, tmp_path, size
):
    same = import_trunk(write_model(tmp_path / "same.onnx", size=size), "same")
    other = resized(small_trunk, size, size)
    assert other.map_size == same.map_size
    assert other.contract == same.contract
    assert other.name == f"small-{size}"
    np.testing.assert_array_equal(other.run(photos(size, size)), same.run(photos(size, size)))


def test_features_are_the_mean_of_the_map_in_sizes_that_are_no_square():
    other = resized(load_trunk("octo"), 64, 128)
    features, maps = other.run_maps(photos(64, 128))
    assert maps.shape == (3, 768, *other.map_size) == (3, 768, 4, 8)
    np.testing.assert_allclose(features, maps.mean(axis=(2, 3)), rtol=1e-4, atol=1e-6)


def test_weights_are_shared_and_the_own_size_is_the_trunk_itself(small_trunk):
    assert resized(small_trunk, 64, 64) is small_trunk
    other = resized(small_trunk, 48, 48)
    assert other.graph.weights is small_trunk.graph.weights
    assert other.hash != small_trunk.hash
    assert other.contract.fit == small_trunk.contract.fit


def network(*nodes, constants=(), size=8):
    """A trunk with these nodes between the values `seen` [N, 4, h, w] and `feature_map`."""
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    tensors = [numpy_helper.from_array(weights, "weights")]
    tensors += [numpy_helper.from_array(np.asarray(value), name) for name, value in constants]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["photos"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["first", "weights"], ["seen"], pads=[1, 1, 1, 1]),
            *nodes,
            helper.make_node("GlobalAveragePool", ["feature_map"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["features"]),
        ],
        "network",
        [helper.make_tensor_value_info("photos", TensorProto.UINT8, ["N", size, size, 3])],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 4]),
            helper.make_tensor_value_info("feature_map", TensorProto.FLOAT, None),
        ],
        tensors,
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return Trunk("made", pack(model), Contract(size, size), 4, (size, size), "inside", "a test")


def test_a_network_of_convolutions_alone_is_resized():
    trunk = network(helper.make_node("Relu", ["seen"], ["feature_map"]))
    assert resized(trunk, 16, 12).map_size == (16, 12)


places = np.zeros((1, 4, 8, 8), np.float32)
REFUSED = {
    "a place for each value": (
        [helper.make_node("Add", ["seen", "places"], ["feature_map"])],
        [("places", places)],
        "does not fit together",
    ),
    "a fixed Reshape": (
        [helper.make_node("Reshape", ["seen", "shape"], ["feature_map"])],
        [("shape", np.array([-1, 4, 8, 8]))],
        "Reshape",
    ),
    "a window over the whole map": (
        [helper.make_node("AveragePool", ["seen"], ["feature_map"], kernel_shape=[8, 8])],
        [],
        "'AveragePool'",
    ),
    "a cut at fixed places": (
        [helper.make_node("Slice", ["seen", "from", "to", "axes"], ["feature_map"])],
        [("from", np.array([0])), ("to", np.array([7])), ("axes", np.array([2]))],
        "'Slice'",
    ),
    "an operator that nobody thought of": (
        [helper.make_node("CumSum", ["seen", "axis"], ["feature_map"])],
        [("axis", np.array(2))],
        "'CumSum'",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("size", [4, 16])
def test_what_was_made_for_one_size_is_refused_by_name(kind, size):
    nodes, constants, said = REFUSED[kind]
    with pytest.raises(TrunkError, match=said) as refusal:
        resized(network(*nodes, constants=constants), size, size)
    assert f"made at {size}x{size} pixels" in str(refusal.value)


def test_a_cut_through_the_channels_is_no_matter_of_size():
    nodes = [
        helper.make_node("Concat", ["seen", "seen"], ["both"], axis=1),
        helper.make_node("Split", ["both"], ["feature_map", "rest"], axis=1),
    ]
    assert resized(network(*nodes), 12, 12).map_size == (12, 12)


@pytest.mark.parametrize("size", [(0, 64), (64, 5000), (9, 9)])
def test_sizes_that_make_no_sense_are_refused(small_trunk, size):
    with pytest.raises(TrunkError, match="expected"):
        resized(small_trunk, *size)
