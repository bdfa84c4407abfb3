"""What is computed while reading is what ONNX Runtime computes, bit for bit."""

import numpy as np
import pytest
from onnx import shape_inference

from ninebrains.errors import BrainError
from ninebrains.mind.forms.emitting import emit
from tests.mind.networks import form_of, parse, pixels_for, run_form, run_model

NUMBERS = (
    "float[3] a = {-1.5, 0, 7.25}, float[3] b = {2, -0.3, 0.7}, float[2, 3] m = {1, 2, 3, 4, 5, 6},"
    "int64[4] i = {7, -7, 5, 0}, int64[4] j = {2, 2, -3, 4}, int64[2] s = {2, 3},"
    "int64 one = {1}, int64 nine = {9}, int64 two = {2}, float half = {0.5}, float square = {2},"
    "int64[1] v1 = {1}, int64[1] v9 = {9}, int64[1] back = {-1}, int64[1] far = {-99},"
    "bool[2] t = {1, 0}, bool[2] u = {1, 1}, int64[2] w = {3, 1}, float[3] p = {0.3, 4, 2.25}"
)
EXPRESSIONS = (
    "y = Abs (a)", "y = Add (a, b)", "y = Sub (a, b)", "y = Mul (a, m)", "y = Div (a, b)",
    "y = Div (i, j)", "y = Mod (i, j)", "y = Mod <fmod = 1> (a, b)", "y = Neg (i)",
    "y = Cast <to = 7> (a)", "y = Cast <to = 9> (a)", "y = Cast <to = 1> (i)", "y = Ceil (a)",
    "y = Floor (b)", "y = Sqrt (p)", "y = Pow (p, half)", "y = Pow (p, square)",
    "y = Concat <axis = 0> (a, b, a)", "y = Concat <axis = -1> (m, m)",
    "y = ConstantOfShape (s)", "y = ConstantOfShape <value = int64[1] {5}> (s)",
    "y = Expand (a, s)", "y = Gather (a, w1)", "y = Gather <axis = 1> (m, one)",
    "y = Equal (i, j)", "y = Greater (a, b)", "y = Less (a, b)", "y = GreaterOrEqual (i, j)",
    "y = LessOrEqual (i, j)", "y = And (t, u)", "y = Or (t, u)", "y = Not (t)",
    "y = Max (a, b, m)", "y = Min (a, b)", "y = Range (one, nine, two)",
    "y = ReduceMax <axes = [0], keepdims = 0> (m)", "y = ReduceMin <axes = [1]> (m)",
    "y = ReduceProd (i)", "y = ReduceSum (i)", "y = Reshape (m, w)", "y = Flatten <axis = 0> (m)",
    "y = Squeeze (z)", "y = Unsqueeze (a, v1)", "y = Transpose (m)",
    "y = Slice (i, back, far, zero, back)", "y = Slice (m, v1, v9, v1)",
    "y = Slice (i, zero, v9, zero, v2)", "y = Tile (m, w)", "y = Where (q, a, b)", "y = Shape (m)",
    "y = Size (m)", "c, y = Split <axis = 1> (m6)", "y = Erf (a)", "y = ReduceSum (a)",
)  # fmt: skip
MORE = (
    ", int64[2] w1 = {2, -3}, float[1, 1, 3] z = {1, 2, 3}, int64[1] zero = {0}, int64[1] v2 = {2},"
    "bool[3] q = {1, 0, 1}, float[1, 4] m6 = {1, 2, 3, 4}"
)
LEFT = ("Size", "Erf", "ReduceSum (a)")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_computed_beforehand_is_what_the_backend_computes(expression):
    expression = expression.replace("Reshape (m, w)", "Reshape (m, r)")
    constants = NUMBERS + MORE + ", int64[2] r = {3, -1}"
    model = parse(expression + " o = Relu (x)", 17, outputs="float y, float o", constants=constants)
    model.graph.output[0].type.tensor_type.elem_type = 0

    inferred = shape_inference.infer_shapes(model).graph
    kinds = {value.name: value.type for value in (*inferred.value_info, *inferred.output)}
    model.graph.output[0].type.CopyFrom(kinds["y"])
    form = form_of(model)
    is_left = any(word in expression for word in LEFT)
    assert (form.outputs["y"] in form.constants) != is_left
    pixels = pixels_for(form)
    found, expected = run_form(form, pixels), run_model(model, pixels)
    assert found["y"].dtype == expected["y"].dtype
    assert found["y"].tobytes() == expected["y"].tobytes()


def test_what_only_the_number_of_photos_decides_is_known():
    model = parse(
        """
        i = Shape (x) n = Slice (i, zero, one) c = Concat <axis = 0> (n, rest)
        k = Expand (token, c) y = Concat <axis = 1> (k, x)
        """,
        constants="int64[1] zero = {0}, int64[1] one = {1}, int64[3] rest = {1, 8, 8},"
        "float[1, 1, 1, 1] token = {3}",
    )
    form = form_of(model)
    assert form.shapes[form.outputs["y"]] == (1, 5, 8, 8)
    assert form.outputs["y"] in form.by_photo
    pixels = pixels_for(form, photos=4)
    np.testing.assert_array_equal(run_form(form, pixels)["y"], run_model(model, pixels)["y"])


@pytest.mark.parametrize("expression", ["y = Div (i, z)", "y = Mod (i, z)", "y = Gather (i, far)"])
def test_what_cannot_be_computed_is_refused(expression):
    constants = "int64[2] i = {1, 2}, int64[2] z = {0, 1}, int64[1] far = {5}"
    body = expression + " f = Cast <to = 1> (y) o = Add (f, f) r = Relu (x)"
    model = parse(body, 17, outputs="float o, float r", constants=constants)
    with pytest.raises(BrainError, match=r"cannot be computed|do not fit"):
        form_of(model)


def test_photos_and_constants_may_be_outputs_themselves():
    model = parse(
        "y = Identity (x) c = Constant <value_floats = [1.0, 2.0]> ()", outputs="float y, float c"
    )
    form = form_of(model)
    assert form.operations == ()
    assert form.outputs["y"] == form.source
    assert form.constants[form.outputs["c"]].array().tolist() == [1.0, 2.0]
    assert emit(form, [form.outputs["c"]]).session(1).get_outputs()[0].shape == [2]
    pixels = pixels_for(form)
    found = run_form(form, pixels)
    np.testing.assert_array_equal(found["y"], pixels)
    assert found["c"].tolist() == [1.0, 2.0]
