"""A graph's canonical form: what it keeps, what it takes no notice of, and that it runs."""

import numpy as np
import onnx
import pytest

import ninebrains as nb
from ninebrains.brains.graph import Graph, pack
from ninebrains.errors import BrainError
from ninebrains.images import Contract
from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.forms.emitting import emit
from tests.mind.networks import (
    CONTRACT,
    assert_agree,
    form_of,
    operators,
    parse,
    pixels_for,
    run_form,
    run_model,
)


@pytest.fixture(scope="module")
def brain(pets):
    """A brain trained on the drawn pets with the trunk that the package holds."""
    return nb.train(pets)


@pytest.fixture(scope="module")
def form(brain):
    return read_form(brain.graph, brain.contract)


def test_a_form_of_a_brain_answers_as_the_brain_bit_for_bit(brain, form):
    size = (3, *brain.contract.shape)
    pixels = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    names = list(form.outputs)
    values = [form.outputs[name] for name in names]
    answers = emit(form, values).session(1).run(values, {form.source: pixels})
    expected = brain.graph.session(1).run(names, {"photos": pixels})
    for name, answer, wanted in zip(names, answers, expected, strict=True):
        np.testing.assert_array_equal(answer, wanted, err_msg=name)


def test_a_form_holds_the_weights_of_its_graph_without_copies(brain, form):
    large = [constant for constant in form.constants.values() if len(constant.data) >= 256]
    assert large
    for constant in large:
        assert constant.data is brain.graph.weights[constant.digest]
        assert not constant.array().flags.writeable
    part = emit(form, [form.outputs["scores"]])
    assert all(data is brain.graph.weights[name] for name, data in part.weights.items())


def test_reading_the_form_of_a_brain_touches_no_large_weight(brain, form):
    class Elsewhere:
        """Bytes that nobody has fetched yet."""

        def __init__(self, size):
            self.size = size

        def __len__(self):
            return self.size

    weights = {name: Elsewhere(len(data)) for name, data in brain.graph.weights.items()}
    assert read_form(Graph(brain.graph.data, weights), brain.contract).hash == form.hash


def test_parts_of_a_form_compute_together_what_the_whole_does(brain, form):
    pixels = np.random.default_rng(1).integers(0, 256, (2, *brain.contract.shape)).astype(np.uint8)
    cut = form.outputs["features"]
    lower, upper = emit(form, [cut]), emit(form, [form.outputs["scores"]], [cut])
    (features,) = lower.session(1).run(None, {form.source: pixels})
    (scores,) = upper.session(1).run(None, {cut: features})
    np.testing.assert_array_equal(
        scores, brain.graph.session(1).run(["scores"], {"photos": pixels})[0]
    )
    assert emit(form, [cut]).data == lower.data


def test_a_part_that_lacks_an_input_is_refused(form):
    with pytest.raises(BrainError, match="neither given nor computed"):
        emit(form, [form.outputs["scores"]], inputs=[form.outputs["heatmap"]])


# What is written in two ways: body, operator set and constants of each.
SAME = {
    "pool by mean": (
        ("y = GlobalAveragePool (x)", 17, ""),
        ("y = ReduceMean <axes = [-1, 2]> (x)", 13, ""),
        ("y = ReduceMean (x, a)", 18, "int64[2] a = {2, 3}"),
    ),
    "flatten": (
        ("y = Flatten (x)", 9, ""),
        ("y = Flatten <axis = -3> (x)", 17, ""),
        ("y = Reshape (x, s)", 17, "int64[2] s = {0, -1}"),
        ("y = Reshape (x, s)", 17, "int64[2] s = {-1, 256}"),
        (
            "z = Reshape (x, s) y = Reshape (z, t)",
            17,
            "int64[3] s = {0, 4, 64}, int64[2] t = {0, -1}",
        ),
        (
            """
            s = Shape (x) n = Gather <axis = 0> (s, zero) m = Unsqueeze (n, axis)
            t = Concat <axis = 0> (m, rest) y = Reshape (x, t)
            """,
            17,
            "int64 zero = {0}, int64[1] axis = {0}, int64[1] rest = {-1}",
        ),
    ),
    "squeeze": (
        ("z = GlobalAveragePool (x) y = Squeeze <axes = [2, 3]> (z)", 11, ""),
        ("z = GlobalAveragePool (x) y = Squeeze (z, a)", 17, "int64[2] a = {-1, -2}"),
        ("z = GlobalAveragePool (x) y = Flatten (z)", 17, ""),
        ("y = ReduceMean <axes = [2, 3], keepdims = 0> (x)", 17, ""),
    ),
    "bounds": (
        ("y = Clip <min = 0.0, max = 6.0> (x)", 7, ""),
        ("y = Clip (x, low, high)", 17, "float low = {0}, float high = {6}"),
        (
            ("low = Constant <value_float = 0.0> () high = Constant <value = float {6}> ()"
            "y = Clip (x, low, high)"),
            13,
            "",
        ),
        ("z = Identity (x) y = Clip (z, low, high)", 20, "float low = {0}, float high = {6}"),
    ),
    "idle": (
        ("y = Relu (x)", 17, ""),
        ("z = Dropout <ratio = 0.5> (x) y = Relu (z)", 10, ""),
        ("z = Dropout (x, ratio) y = Relu (z)", 17, "float ratio = {0.3}"),
        ("z = Cast <to = 1> (x) y = Relu (z)", 17, ""),
        ("z = Transpose <perm = [0, 1, 2, 3]> (x) y = Relu (z)", 17, ""),
        (
            ("z = Transpose <perm = [0, 2, 3, 1]> (x) v = Transpose <perm = [0, 3, 1, 2]> (z)"
            "y = Relu (v)"),
            17,
            "",
        ),
        ("z = Pad (x, p) y = Relu (z)", 17, "int64[8] p = {0, 0, 0, 0, 0, 0, 0, 0}"),
        (
            "z = Slice (x, a, b) y = Relu (z)",
            17,
            "int64[2] a = {0, 0}, int64[2] b = {9223372036854775807, 99}",
        ),
        ("z = Concat <axis = 1> (x) y = Relu (z)", 17, ""),
        ("z = Mul (x, one) y = Relu (z)", 17, "float one = {1}"),
        ("w = Sigmoid (x) v = Add (w, w) y = Relu (x)", 17, ""),
    ),
    "order": (
        ("a = Relu (x) b = Sigmoid (x) y = Add (a, b)", 17, ""),
        ("b = Sigmoid (x) a = Relu (x) y = Add (b, a)", 7, ""),
        ("b = Sigmoid (x) a = Relu (x) c = Relu (x) y = Add (b, c)", 14, ""),
    ),
    "slice": (
        ("y = Slice <axes = [1], starts = [1], ends = [3]> (x)", 9, ""),
        ("y = Slice (x, s, e, a)", 17, "int64[1] s = {-3}, int64[1] e = {-1}, int64[1] a = {-3}"),
        ("a, y, b = Split <axis = 1, split = [1, 2, 1]> (x)", 11, ""),
        ("a, y, b = Split <axis = 1> (x, s)", 17, "int64[3] s = {1, 2, 1}"),
    ),
    "softmax": (
        ("z = Flatten (x) y = Softmax (z)", 11, ""),
        ("z = Flatten (x) y = Softmax <axis = 1> (z)", 17, ""),
        ("z = Flatten (x) y = Softmax (z)", 17, ""),
    ),
    "windows": (
        (
            "y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], auto_pad = \"SAME_UPPER\"> (x)",
            17,
            "",
        ),
        ("y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [0, 0, 1, 1]> (x)", 8, ""),
        (
            ("y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [0, 0, 1, 1],"
            "dilations = [1, 1], ceil_mode = 0, storage_order = 0> (x)"),
            20,
            "",
        ),
    ),
    "growth": (
        ("y = Upsample <mode = \"nearest\"> (x, s)", 9, "float[4] s = {1, 1, 2, 2}"),
        ("y = Resize <mode = \"nearest\"> (x, s)", 10, "float[4] s = {1, 1, 2, 2}"),
        (
            ("y = Resize <mode = \"nearest\", coordinate_transformation_mode = \"asymmetric\","
            "nearest_mode = \"floor\"> (x, roi, s)"),
            11,
            "float[0] roi = {}, float[4] s = {1, 1, 2, 2}",
        ),
        (
            ("i = Shape <end = 2> (x) s = Concat <axis = 0> (i, t)"
            "y = Resize <mode = \"nearest\", coordinate_transformation_mode = \"asymmetric\","
            "nearest_mode = \"floor\"> (x, , , s)"),
            20,
            "int64[2] t = {16, 16}",
        ),
    ),
    "constants": (
        ("y = Mul (x, c)", 17, "float[1] c = {6}"),
        (
            "b = Constant <value_floats = [2.0]> () d = Add (b, b) c = Add (d, b) y = Mul (c, x)",
            17,
            "",
        ),
        (
            ("i = Shape (x) j = Slice (i, one, two) k = Cast <to = 1> (j) c = Add (k, b)"
            "y = Mul (x, c)"),
            17,
            "int64[1] one = {1}, int64[1] two = {2}, float[1] b = {2}",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("ways", SAME.values(), ids=SAME)
def test_what_is_written_in_several_ways_has_one_form(ways):
    models = [parse(body, opset, constants=constants) for body, opset, constants in ways]
    forms = [form_of(model) for model in models]
    for form, (body, _, _) in zip(forms, ways, strict=True):
        assert operators(form) == operators(forms[0]), body
        assert form.hash == forms[0].hash, body
    pixels = pixels_for(forms[0])
    for model in models:
        assert_agree(run_form(forms[0], pixels), run_model(model, pixels), 1e-6)


# What looks alike and is not the same.
DIFFERENT = {
    "sign of an axis": ("y = Softmax <axis = 1> (x)", "y = Softmax <axis = 2> (x)"),
    "order of a difference": (
        "a = Relu (x) b = Sigmoid (x) y = Sub (a, b)",
        "a = Relu (x) b = Sigmoid (x) y = Sub (b, a)",
    ),
    "order of joined": (
        "a = Relu (x) y = Concat <axis = 1> (a, x)",
        "a = Relu (x) y = Concat <axis = 1> (x, a)",
    ),
    "attribute": ("y = LeakyRelu <alpha = 0.1> (x)", "y = LeakyRelu <alpha = 0.2> (x)"),
    "transposition": (
        "y = Transpose <perm = [0, 2, 1, 3]> (x)",
        "y = Transpose <perm = [0, 1, 3, 2]> (x)",
    ),
    "size of an axis": (
        "s = Constant <value_ints = [0, 16, 16]> () y = Reshape (x, s)",
        "s = Constant <value_ints = [0, 4, 64]> () y = Reshape (x, s)",
    ),
    "type of a constant": (
        "c = Constant <value_float = 1.0> () d = Cast <to = 1> (c) y = Add (x, d)",
        "c = Constant <value_float = 2.0> () d = Cast <to = 1> (c) y = Add (x, d)",
    ),
    "which of the outputs": (
        "y, b = Split <axis = 1> (x)",
        "b, y = Split <axis = 1> (x)",
    ),
    "padding": (
        "p = Constant <value_ints = [0, 0, 1, 0, 0, 0, 0, 0]> () y = Pad (x, p)",
        "p = Constant <value_ints = [0, 0, 0, 0, 0, 0, 1, 0]> () y = Pad (x, p)",
    ),
}


@pytest.mark.parametrize("ways", DIFFERENT.values(), ids=DIFFERENT)
def test_what_only_looks_alike_has_two_forms(ways):
    first, second = (form_of(parse(body, 13)) for body in ways)
    assert first.hash != second.hash


def test_softmax_of_old_sets_still_runs_over_all_axes_from_its_own_on():
    model = parse("y = Softmax <axis = 1> (x)", 11)
    form = form_of(model)
    assert operators(form) == ["Reshape", "Softmax", "Reshape"]
    assert form.hash != form_of(parse("y = Softmax <axis = 1> (x)", 13)).hash
    pixels = pixels_for(form)
    assert_agree(run_form(form, pixels), run_model(model, pixels), 1e-6)


def test_an_operator_without_todays_words_is_kept_in_its_own():
    model = parse('y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)', 7)
    same = form_of(model)
    assert same.opset == 18
    odd = parse("v, i = TopK <k = 2, axis = 1> (x) y = Identity (v)", 9)
    form = form_of(odd)
    assert form.opset == 9
    pixels = pixels_for(form)
    assert_agree(run_form(form, pixels), run_model(odd, pixels), 0)


def test_an_unusual_input_is_another_source():
    bodies = {
        "uint8[N,8,8,3] x": "y = Cast <to = 1> (x)",
        "float[N,8,8,3] x": "y = Relu (x)",
        "float[N,3,8,8] x": "y = Relu (x)",
        "float[1,3,8,8] x": "y = Relu (x)",
    }
    forms = [form_of(parse(body, inputs=given)) for given, body in bodies.items()]
    assert len({form.source for form in forms}) == 4
    assert not forms[3].by_photo


def test_sides_that_a_graph_leaves_open_are_the_contracts():
    model = parse("y = GlobalAveragePool (x)", inputs="float[N,3,H,W] x")
    assert form_of(model).shapes[form_of(model).source] == (1, 3, 8, 8)
    assert form_of(model, Contract(4, 6)).shapes[form_of(model, Contract(4, 6)).source] == (
        1,
        3,
        4,
        6,
    )


def damaged(name):
    """A graph that no form can be read from."""
    good = parse(
        "z = Add (x, c) y = Relu (z)", constants="float[4, 8, 8] c = {" + "1," * 255 + "1}"
    )
    graph = pack(good)
    if name == "not a model":
        return Graph(b"\xff\xff\xff", {})
    if name == "missing weight":
        return Graph(graph.data, {})
    if name == "short weight":
        return Graph(graph.data, {key: bytes(data)[:-4] for key, data in graph.weights.items()})
    if name == "cycle":
        good.graph.node[0].input[0] = "y"
    if name == "nothing makes it":
        good.graph.node[1].input[0] = "nowhere"
    if name == "no output":
        good.graph.output[0].name = "nowhere"
    if name == "two inputs":
        good.graph.input.add().CopyFrom(good.graph.input[0])
        good.graph.input[1].name = "other"
    if name == "custom operator":
        good.graph.node[1].domain = "com.example"
    if name == "unknown operator":
        good.graph.node[1].op_type = "Unheard"
    if name == "unknown set":
        good.opset_import[0].version = 1000
    if name == "shapes that do not fit":
        good.graph.node[0].op_type = "MatMul"
        good.graph.node[0].input[1] = "x3"
        good.graph.initializer.add(name="x3", dims=[3, 3], data_type=1, raw_data=bytes(36))
    return pack(good)


@pytest.mark.parametrize(
    "name",
    [
        "not a model", "missing weight", "short weight", "cycle", "nothing makes it", "no output",
        "two inputs", "custom operator", "unknown operator", "unknown set",
        "shapes that do not fit",
    ],
)  # fmt: skip
def test_a_damaged_graph_ends_in_an_error_of_ours(name):
    with pytest.raises(BrainError):
        read_form(damaged(name), CONTRACT)


def test_constants_too_large_to_compute_are_left_to_the_backend():
    body = "y = Expand (x, s) z = ConstantOfShape (big) v = Tile (c, t) w = Add (v, v)"
    model = parse(
        body,
        outputs="float y, float z, float w",
        constants="int64[4] s = {1, 4, 8, 8}, int64[2] big = {16384, 16384},"
        " float[1, 2] c = {1, 2}, int64[2] t = {8192, 8192}",
    )
    form = form_of(model)
    assert sorted(operators(form)) == ["Add", "Expand", "Tile"]
    assert sum(len(constant.data) for constant in form.constants.values()) < 10_000


def test_serialising_a_graph_again_changes_nothing():
    model = parse("a = Relu (x) b = Sigmoid (x) y = Add (a, b)")
    again = onnx.load_model_from_string(model.SerializeToString())
    again.producer_name, again.doc_string = "someone", "words"
    again.metadata_props.add(key="date", value="today")
    assert form_of(again) == form_of(model)
