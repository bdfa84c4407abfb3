"""The entrance of a LiteRT network: a row of numbers instead of three, and the same answers."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from ninebrains.exporting.litert.entering import with_rows
from tests.exporting.networks import SIDE, mobile_network, pictures, run


def shapes_read_by(model, kinds):
    """Shapes of the constants that operators of some kinds read."""
    constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return [
        constants[name]
        for node in model.graph.node
        if node.op_type in kinds
        for name in node.input
        if name in constants
    ]


def test_what_is_taken_off_pixels_is_as_long_as_a_row_and_answers_stay():
    model = mobile_network()
    before = model.SerializeToString()
    changed = with_rows(model)
    assert shapes_read_by(changed, ("Sub",)) == [(3, 1, SIDE)]
    assert model.SerializeToString() == before
    for one, other in zip(run(model, pictures(4)), run(changed, pictures(4)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 1, 1), (3, 1, 8)), ((1, 3, 1, 1), (1, 3, 1, 8)), ((), ()), ((1, 1, 1), (1, 1, 1))],
)
def test_numbers_for_all_channels_stay_as_they_are(shape, expected):
    assert shapes_read_by(with_rows(scaled(shape)), ("Div",)) == [expected]


def test_a_constant_that_others_read_too_is_left_to_them():
    changed = with_rows(scaled((3, 1, 1), later=True))
    assert shapes_read_by(changed, ("Div", "Mul")) == [(3, 1, 8), (3, 1, 1)]


def scaled(shape, *, later=False):
    """Pixels divided by a constant, and perhaps multiplied by it behind a pool."""
    nodes = [
        helper.make_node("Cast", ["photos"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["planes", "scale"], ["unit"]),
        helper.make_node("GlobalAveragePool", ["unit"], ["pooled"]),
        helper.make_node("Mul" if later else "Identity", ["pooled", "scale"][: 1 + later], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "entrance",
        [helper.make_tensor_value_info("photos", TensorProto.UINT8, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 3, 1, 1])],
        [numpy_helper.from_array(np.full(shape, 2.0, np.float32), "scale")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
