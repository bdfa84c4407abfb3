"""Each rule that makes a form shorter: what is left, and that the values agree."""

import numpy as np
import pytest
from onnx import numpy_helper

from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.forms.emitting import emit
from tests.mind.networks import (
    assert_agree,
    form_of,
    operators,
    parse,
    pixels_for,
    run_form,
    run_model,
)

BN = "BatchNormalization <epsilon = 0.001>"
CONV = {"w": (4, 4, 3, 3), "b": (4,)}
NORM = {"g": (4,), "e": (4,), "m": (4,), "v": (4,)}
TO_LAST, TO_FIRST = "Transpose <perm = [0, 2, 3, 1]>", "Transpose <perm = [0, 3, 1, 2]>"
THREE_SIX = "float three = {3}, float zero = {0}, float six = {6}"

# Body, weights by shape, other constants, and the operators that are left.
CASES = {
    "normalisation after a convolution": (
        f"z = Conv (x, w, b) y = {BN} (z, g, e, m, v)", {**CONV, **NORM}, "", ["Conv"],
    ),
    "normalisation after a convolution without bias": (
        f"z = Conv (x, w) y = {BN} (z, g, e, m, v)", {**CONV, **NORM}, "", ["Conv"],
    ),
    "normalisation after a convolution by channel": (
        f"z = Conv <group = 4> (x, w, b) y = {BN} (z, g, e, m, v)",
        {**CONV, **NORM, "w": (4, 1, 3, 3)}, "", ["Conv"],
    ),
    "normalisation after a transposed convolution": (
        f"z = ConvTranspose <strides = [2, 2]> (x, w, b) y = {BN} (z, g, e, m, v)",
        {**CONV, **NORM}, "", ["ConvTranspose"],
    ),
    "normalisation after a transposed convolution in groups": (
        f"z = ConvTranspose <group = 2> (x, w) y = {BN} (z, g, e, m, v)",
        {**NORM, "w": (4, 2, 3, 3)}, "", ["ConvTranspose"],
    ),
    "normalisation after a linear layer": (
        f"r = Flatten (x) z = Gemm <transB = 1> (r, w, b) y = {BN} (z, g, e, m, v)",
        {**CONV, **NORM, "w": (4, 256)}, "", ["Reshape", "Gemm"],
    ),
    "normalisation after a linear layer, weights turned": (
        f"r = Flatten (x) z = Gemm (r, w) y = {BN} (z, g, e, m, v)",
        {**NORM, "w": (256, 4)}, "", ["Reshape", "Gemm"],
    ),
    "normalisation of what is read twice stays": (
        f"z = Conv (x, w, b) n = {BN} (z, g, e, m, v) y = Add (n, z)",
        {**CONV, **NORM}, "", ["Conv", "BatchNormalization", "Add"],
    ),
    "normalisation of an output stays": (
        f"y = Conv (x, w, b) o = {BN} (y, g, e, m, v)",
        {**CONV, **NORM}, "", ["Conv", "BatchNormalization"],
    ),
    "factors and offsets": (
        "z = Conv (x, w) a = Mul (f, z) c = Add (a, o) d = Div (c, f) y = Sub (d, o)",
        {**CONV, "f": (4, 1, 1), "o": (1, 4, 1, 1)}, "", ["Conv"],
    ),
    "a factor by place stays": (
        "z = Conv <pads = [1, 1, 1, 1]> (x, w, b) y = Mul (z, f)",
        {**CONV, "f": (8, 8)}, "", ["Conv", "Mul"],
    ),
    "zeros around a convolution": (
        "z = Pad (x, p) y = Conv <pads = [1, 1, 1, 1]> (z, w, b)",
        CONV, "int64[8] p = {0, 0, 0, 1, 0, 0, 1, 2}", ["Conv"],
    ),
    "zeros around an average": (
        "z = Pad (x, p) y = AveragePool <kernel_shape = [3, 3]> (z)",
        {}, "int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}", ["AveragePool"],
    ),
    "other filling than zeros stays": (
        "z = Pad (x, p, c) y = Conv (z, w, b)",
        CONV, "int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}, float c = {0.5}", ["Pad", "Conv"],
    ),
    "mirrored borders stay": (
        'z = Pad <mode = "reflect"> (x, p) y = Conv (z, w, b)',
        CONV, "int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}", ["Pad", "Conv"],
    ),
    "zeros around a maximum stay": (
        "z = Pad (x, p) y = MaxPool <kernel_shape = [3, 3]> (z)",
        {}, "int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}", ["Pad", "MaxPool"],
    ),
    "a turn and back": (
        f"a = {TO_LAST} (x) r = Relu (a) s = Add (r, o) c = Mul (s, r) y = {TO_FIRST} (c)",
        {"o": (4,)}, "", ["Relu", "Add", "Mul"],
    ),
    "turns around convolutions": (
        f"""
        c = Conv <pads = [1, 1, 1, 1]> (x, w, b) d = {TO_LAST} (c) r = Relu (d)
        i = {TO_FIRST} (r) j = Conv <pads = [1, 1, 1, 1]> (i, w, b) k = {TO_LAST} (j)
        s = Add (k, r) m = ReduceMean <axes = [1, 2], keepdims = 0> (s) y = Relu (m)
        """,
        CONV, "", ["Conv", "Relu", "Conv", "Add", "GlobalAveragePool", "Reshape", "Relu"],
    ),
    "a lone turn stays": (
        f"a = {TO_LAST} (x) y = Add (a, o)", {"o": (4,)}, "", ["Transpose", "Add"],
    ),
    "other turns stay": (
        f"a = {TO_LAST} (x) r = Relu (a) y = {TO_LAST} (r)", {}, "",
        ["Transpose", "Relu", "Transpose"],
    ),
    "hard swish": (
        "a = Add (x, three) c = Clip (a, zero, six) p = Mul (x, c) y = Div (p, six)",
        {}, THREE_SIX, ["HardSwish"],
    ),
    "hard swish, divided first": (
        "a = Add (three, x) c = Clip (a, zero, six) d = Div (c, six) y = Mul (d, x)",
        {}, THREE_SIX, ["HardSwish"],
    ),
    "hard swish of a hard sigmoid": (
        "d = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul (d, x)",
        {}, "", ["HardSwish"],
    ),
    "hard sigmoid": (
        "a = Add (x, three) c = Clip (a, zero, six) y = Mul (c, sixth)",
        {}, THREE_SIX + ", float sixth = {0.16666667}", ["HardSigmoid"],
    ),
    "another slope than hard swish has": (
        "d = HardSigmoid (x) y = Mul (d, x)", {}, "", ["HardSigmoid", "Mul"],
    ),
    "a product with another value's gate": (
        "n = Neg (x) d = HardSigmoid <alpha = 0.16666667, beta = 0.5> (n) y = Mul (d, x)",
        {}, "", ["Neg", "HardSigmoid", "Mul"],
    ),
    "gelu": (
        "d = Div (x, r) e = Erf (d) o = Add (e, one) p = Mul (x, o) y = Mul (p, half)",
        {}, "float r = {1.4142135}, float one = {1}, float half = {0.5}", ["Gelu"],
    ),
    "gelu, halved first": (
        "h = Mul (half, x) d = Mul (x, r) e = Erf (d) o = Add (one, e) y = Mul (h, o)",
        {}, "float r = {0.70710677}, float one = {1}, float half = {0.5}", ["Gelu"],
    ),
    "layer normalisation": (
        """
        m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) q = Pow (d, two)
        v = ReduceMean <axes = [-1]> (q) s = Add (v, tiny) r = Sqrt (s) n = Div (d, r)
        g = Mul (n, f) y = Add (g, o)
        """,
        {"f": (8,), "o": (8,)}, "float two = {2}, float tiny = {0.00001}", ["LayerNormalization"],
    ),
    "the new exporter's turn of keys": (
        """
        a = Reshape (x, s) t = Transpose <perm = [0, 2, 1]> (a) y = Reshape (t, u)
        """,
        {}, "int64[3] s = {-1, 4, 16}, int64[4] u = {-1, 4, 16, 4}", ["Reshape", "Transpose"],
    ),
}  # fmt: skip


def with_weights(model, shapes):
    """The model with random weights; variances and factors are positive."""
    random = np.random.default_rng(5)
    for name, shape in shapes.items():
        values = random.normal(0, 0.5, shape)
        if name in ("v", "g", "f"):
            values = np.abs(values) + 0.5
        tensor = numpy_helper.from_array(values.astype(np.float32), name)
        model.graph.initializer.append(tensor)
    return model


def case(name):
    body, shapes, constants, _ = CASES[name]
    outputs = "float y, float o" if " o = BatchNorm" in body else "float y"
    return with_weights(parse(body, 17, outputs=outputs, constants=constants), shapes)


@pytest.mark.parametrize("name", CASES)
def test_a_form_is_shorter_and_agrees(name):
    model = case(name)
    form = form_of(model)
    assert operators(form) == CASES[name][3]
    pixels = pixels_for(form)
    assert_agree(run_form(form, pixels), run_model(model, pixels), 2e-6)


def test_what_a_rule_leaves_has_a_form_that_stays():
    for name in CASES:
        form = form_of(case(name))
        again = read_form(emit(form, list(form.outputs.values())), form.contract)
        assert set(again.outputs.values()) == set(form.outputs.values()), name


@pytest.mark.parametrize("shape", [(1,), (5,), (1, 5), (1, 1), (4, 1), (4, 5)])
def test_what_a_linear_layer_adds_is_folded_only_where_it_is_the_same_for_each_row(shape):
    body = "r = Reshape (x, rows) z = Gemm (r, w, c) y = Add (z, b)"
    model = parse(body, inputs="float[1,4,8,8] x", constants="int64[2] rows = {4, 64}")
    model = with_weights(model, {"w": (64, 5), "c": shape, "b": (5,)})
    form = form_of(model)
    assert ("Add" in operators(form)) == (shape[0] == 4)
    pixels = pixels_for(form)
    assert_agree(run_form(form, pixels), run_model(model, pixels), 2e-6)


def test_activations_are_told_of_floats_only():
    body = """
        k = Cast <to = 6> (x) a = Add (k, three) c = Clip (a, zero, six) d = Div (c, six)
        e = Mul (k, d) y = Cast <to = 1> (e)
    """
    model = parse(body, constants="int32 three = {3}, int32 zero = {0}, int32 six = {6}")
    form = form_of(model)
    assert not {"HardSigmoid", "HardSwish"} & set(operators(form))
    pixels = pixels_for(form)
    assert_agree(run_form(form, pixels), run_model(model, pixels), 0)


@pytest.mark.parametrize("scales", ["0.3, 0.6", "0.6, 0.6", "0.75, 1", "2, 2", "1.5, 1", "0.6, 2"])
def test_the_first_resize_takes_what_it_took(scales):
    constants = f"float[4] s = {{1, 1, {scales}}}"
    model = parse('y = Resize <mode = "nearest"> (x, s)', 10, constants=constants)
    form = form_of(model)
    pixels = pixels_for(form)
    assert_agree(run_form(form, pixels), run_model(model, pixels), 0)


def test_folded_weights_are_those_that_the_new_exporter_of_pytorch_folds():
    model = case("normalisation after a convolution")
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    scale = weights["g"] / np.sqrt(weights["v"] + np.float32(0.001))
    folded = parse("y = Conv (x, w, b)")
    for name, values in (
        ("w", weights["w"] * scale[:, None, None, None]),
        ("b", (weights["b"] - weights["m"]) * scale + weights["e"]),
    ):
        folded.graph.initializer.append(numpy_helper.from_array(values, name))
    assert form_of(folded).hash == form_of(model).hash


def test_copies_of_a_layer_that_several_normalisations_read_are_one_layer():
    """Whether a file repeats the layer or not, its form is the same."""
    shared = f"z = Conv (x, w) p = {BN} (z, g, e, m, v) q = {BN} (z, e, g, m, v) y = Add (p, q)"
    copied = shared.replace("q =", "t = Conv (x, w) q =").replace("(z, e", "(t, e")
    forms = [form_of(with_weights(parse(body), {**CONV, **NORM})) for body in (shared, copied)]
    assert forms[0] == forms[1]
    assert operators(forms[0]).count("Conv") == 1
