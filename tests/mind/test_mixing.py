"""Which networks let a photo's answer depend on the photos beside it."""

import numpy as np
import pytest

from ninebrains.images import Contract
from ninebrains.mind.forms.mixing import mixed_values
from tests.mind.networks import (
    LAYERS,
    assert_agree,
    form_of,
    parse,
    pixels_for,
    random_network,
    run_form,
    run_model,
)
from tests.mind.test_real_exports import NAMES, load

APART = {
    "convolution": "v = Identity (w) y = Conv (x, v)",
    "reduction of rows": "y = ReduceMean <axes = [1, 2, 3]> (x)",
    "softmax of rows": "y = Softmax <axis = 1> (x)",
    "attention": """
        q = Reshape (x, three) t = Transpose <perm = [0, 2, 1]> (q) s = MatMul (q, t)
        p = Softmax <axis = -1> (s) y = MatMul (p, q)
    """,
    "photos second and back": """
        a = Transpose <perm = [1, 0, 2, 3]> (x) b = Softmax <axis = 0> (a)
        y = Transpose <perm = [1, 0, 2, 3]> (b)
    """,
    "heads beside the photos": """
        a = Reshape (x, heads) t = Transpose <perm = [0, 2, 1]> (a) s = MatMul (a, t)
        y = Reshape (s, split)
    """,
    "rows of all photos in one matrix": """
        a = Reshape (x, two) b = MatMul (a, square) y = Reshape (b, rows)
    """,
    "a token for each photo": """
        i = Shape (x) n = Slice (i, zero, one) c = Concat <axis = 0> (n, rest)
        k = Expand (token, c) y = Concat <axis = 1> (k, x)
    """,
    "cut and put together": """
        a, b = Split <axis = 1> (x) c = Concat <axis = 1> (b, a) y = Gather <axis = 2> (c, zero)
    """,
}
MIXED = {
    "softmax over photos": "y = Softmax <axis = 0> (x)",
    "mean of all photos": "m = ReduceMean <axes = [0], keepdims = 1> (x) y = Sub (x, m)",
    "largest of everything": "m = ReduceMax <keepdims = 1> (x) y = Div (x, m)",
    "scale of the whole batch": """
        q, s, z = DynamicQuantizeLinear (x) y = DequantizeLinear (q, s, z)
    """,
    "photos turned about": """
        a = Transpose <perm = [1, 0, 2, 3]> (x) i = Shape (x) y = Reshape (a, i)
    """,
    "each with every other": """
        a = Flatten (x) t = Transpose <perm = [1, 0]> (a) y = MatMul (a, t)
    """,
    "behind a shape that only the photos tell": """
        a = Transpose <perm = [1, 0, 2, 3]> (x) i = Shape (a) b = Reshape (a, i)
        s = Softmax <axis = 1> (b) y = Transpose <perm = [1, 0, 2, 3]> (s)
    """,
    "other norm of the batch": """
        a = Transpose <perm = [1, 2, 3, 0]> (x) b = Softmax <axis = -1> (a)
        y = Transpose <perm = [3, 0, 1, 2]> (b)
    """,
}
# Seen where a photo's answer alone is compared with the one in a batch.
OTHER_ALONE = {
    "photos cut, counted from the last axis": """
        a = Slice (x, zero, one, fourth) y = Add (x, a)
    """,
    "photos turned about, counted from the last axis": """
        y = Slice (x, fourth, far, fourth, minus)
    """,
    "one photo taken, counted from the last axis": """
        a = Gather <axis = -4> (x, zero) y = Add (x, a)
    """,
    "divided by their number": """
        s = Shape (x) n = Gather <axis = 0> (s, nought) c = Cast <to = 1> (n) y = Div (x, c)
    """,
    "their places added": """
        s = Shape (x) n = Gather <axis = 0> (s, nought) q = Range (nought, n, step)
        c = Cast <to = 1> (q) u = Reshape (c, column) y = Add (x, u)
    """,
    "places told of ones": """
        s = Shape (x) n = Slice (s, zero, one)
        f = ConstantOfShape <value = float[1] {1}> (n) g = CumSum (f, nought)
        u = Reshape (g, column) y = Add (x, u)
    """,
}
# Before set 13, Softmax went over all axes from its own on. The pool keeps a file's own words.
_OWN_WORDS = "p = AveragePool <kernel_shape = [2, 2], dilations = [2, 2], pads = [1, 1, 1, 1]> (x)"
OLD = {
    "softmax of what follows": (11, """
        a = Reshape (x, three) t = Transpose <perm = [1, 0, 2]> (a) s = Softmax (t)
        y = Transpose <perm = [1, 0, 2]> (s)
    """),
    "softmax of a column for each photo": (11, """
        a = Reshape (x, tall) t = Transpose <perm = [1, 0, 2]> (a) s = Softmax <axis = 0> (t)
        y = Transpose <perm = [1, 0, 2]> (s)
    """),
    "mean of the photos": (19, f"{_OWN_WORDS} m = ReduceMean (p, fourth) y = Add (p, m)"),
    "one photo": (19, f"{_OWN_WORDS} g = Gather <axis = -4> (p, zero) y = Add (p, g)"),
    "a part of them": (19, f"{_OWN_WORDS} g = Slice (p, zero, one, fourth) y = Add (p, g)"),
    "softmax of them": (19, f"{_OWN_WORDS} y = Softmax <axis = -4> (p)"),
}  # fmt: skip
CONSTANTS = (
    "int64[3] three = {0, 4, 64}, int64[3] heads = {-1, 2, 64}, int64[4] split = {-1, 2, 2, 2},"
    "int64[2] two = {-1, 8}, int64[4] rows = {-1, 4, 8, 8}, int64[1] zero = {0},"
    "int64[1] fourth = {-4}, int64[1] far = {-10000}, int64[1] minus = {-1}, int64 nought = {0},"
    "int64 step = {1}, int64[4] column = {-1, 1, 1, 1}, int64[3] tall = {0, 256, 1},"
    "int64[1] one = {1}, int64[3] rest = {1, 8, 8}, float[1, 1, 1, 1] token = {3},"
    "float[4, 4, 1, 1] w = {" + "1," * 15 + "2}, float[8, 8] square = {" + "0.5," * 63 + "2}"
)


def depends_on_others(model, form):
    """Whether the first photo's answer changes with those beside it, tried out."""
    pixels = pixels_for(form)
    other = pixels.copy()
    other[1:] = other[1:] * 4 + 1
    one, two = run_model(model, pixels), run_model(model, other)
    return any(not np.allclose(one[name][0], two[name][0], atol=1e-4) for name in one)


@pytest.mark.parametrize("name", APART)
def test_photos_that_stay_apart_are_told_to(name):
    model = parse(APART[name], constants=CONSTANTS)
    form = form_of(model)
    assert not depends_on_others(model, form)
    assert not mixed_values(form)


@pytest.mark.parametrize("name", MIXED)
def test_photos_that_are_mixed_are_told_to_be(name):
    model = parse(MIXED[name], constants=CONSTANTS)
    form = form_of(model)
    assert depends_on_others(model, form)
    assert form.outputs["y"] in mixed_values(form)


@pytest.mark.parametrize("name", OTHER_ALONE)
def test_photos_that_answer_otherwise_alone_are_told_to_be_mixed(name):
    model = parse(OTHER_ALONE[name], constants=CONSTANTS)
    form = form_of(model)
    pixels = pixels_for(form)
    alone = [run_model(model, pixels[place : place + 1])["y"] for place in range(len(pixels))]
    assert not np.allclose(run_model(model, pixels)["y"], np.concatenate(alone), atol=1e-4)
    assert form.outputs["y"] in mixed_values(form)


@pytest.mark.parametrize("name", OLD)
def test_photos_that_a_file_mixes_in_its_own_words_are_told_to_be(name):
    opset, body = OLD[name]
    form = form_of(parse(body, opset=opset, constants=CONSTANTS))
    assert form.outputs["y"] in mixed_values(form)


@pytest.mark.parametrize("name", NAMES)
def test_real_exports_keep_photos_apart(name):
    form = form_of(load(name), Contract(32, 32))
    assert not mixed_values(form)
    pixels = pixels_for(form)
    alone = [run_form(form, pixels[place : place + 1]) for place in range(len(pixels))]
    rows = {name: np.concatenate([part[name] for part in alone]) for name in form.outputs}
    assert_agree(run_form(form, pixels), rows)


def test_random_networks_keep_photos_apart():
    for seed in range(20):
        layers = np.random.default_rng(seed).choice(LAYERS, 6)
        assert not mixed_values(form_of(random_network(list(layers), seed)))


def test_a_network_for_one_photo_has_nothing_to_mix():
    model = parse("y = Softmax <axis = 0> (x)", inputs="float[1,4,8,8] x")
    assert not mixed_values(form_of(model))
