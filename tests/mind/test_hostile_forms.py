"""Whatever a graph holds, reading its form ends soon, in a form or in an error of ours."""

import math

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from ninebrains.brains.graph import pack
from ninebrains.errors import BrainError
from ninebrains.images import Contract
from ninebrains.mind.forms import builder
from ninebrains.mind.forms.canonical import read_form
from tests.mind.networks import form_of, operators, parse
from tests.mind.test_clean_up import CASES, case
from tests.mind.test_real_exports import load

MODELS = [load("torchscript-13-unfolded"), load("dynamo-18-unfolded"), *map(case, CASES)]


@given(st.integers(0, len(MODELS) - 1), st.integers(0, 1 << 30), st.integers(1, 3))
@settings(deadline=None, derandomize=True, max_examples=400, database=None)
def test_a_graph_with_anything_changed_ends_in_a_form_or_an_error_of_ours(index, seed, changes):
    model = onnx.ModelProto()
    model.CopyFrom(MODELS[index])
    random = np.random.default_rng(seed)
    for _ in range(changes):
        change_anything(model.graph, random)
    try:
        graph = pack(model)
    except (ValueError, TypeError):
        return  # no graph at all
    try:
        form = read_form(graph, Contract(32, 32))
    except BrainError:
        return
    assert form.outputs.keys() == {value.name for value in model.graph.output}


def change_anything(graph, random):
    node = graph.node[random.integers(len(graph.node))]
    kind = random.integers(8)
    if kind == 0 and node.input:
        node.input.pop()
    elif kind == 1 and node.input:
        node.input[random.integers(len(node.input))] = ""
    elif kind == 2 and node.input:
        other = graph.node[random.integers(len(graph.node))]
        node.input[random.integers(len(node.input))] = random.choice([*other.input, *other.output])
    elif kind == 3 and node.attribute:
        attribute = node.attribute[random.integers(len(node.attribute))]
        if attribute.ints:
            attribute.ints[random.integers(len(attribute.ints))] = random.choice(
                [-1, 0, 7, 1 << 40]
            )
        else:
            attribute.i = int(random.choice([-9, 0, 3, 1 << 40]))
    elif kind == 4 and node.attribute:
        del node.attribute[random.integers(len(node.attribute))]
    elif kind == 5:
        node.op_type = graph.node[random.integers(len(graph.node))].op_type
    elif kind == 6 and graph.initializer:
        tensor = graph.initializer[random.integers(len(graph.initializer))]
        size = math.prod(tensor.dims)
        del tensor.dims[:]
        tensor.dims.extend(((size,), (1, size), (size, 1, 1, 1))[random.integers(3)])
    else:
        name = f"{random.integers(1000)}"
        node.attribute.append(helper.make_attribute(f"a{name}", 1))


@pytest.mark.parametrize("operator", ["Relu", "Identity", "Flatten", "Transpose"])
def test_a_very_long_chain_is_read(operator):
    steps = [f"v{i + 1} = {operator} (v{i})" for i in range(3000)]
    model = parse(f"v0 = Neg (x) {' '.join(steps)} y = Abs (v3000)")
    expected = {"Relu": 3002, "Identity": 2, "Flatten": 3, "Transpose": 2}[operator]
    assert len(form_of(model).operations) == expected


def test_one_weight_named_by_many_layers_does_not_fill_memory(monkeypatch):
    monkeypatch.setattr(builder, "LARGEST_HELD", 5 * 16)
    body = " ".join(
        f"p{i} = LeakyRelu <alpha = {i + 2}.0> (x) c{i} = Conv (p{i}, w) y{i} = Mul (c{i}, f{i})"
        for i in range(20)
    )
    constants = "float[4, 4, 1, 1] w = {" + "1," * 15 + "1}"
    constants += "".join(f", float f{i} = {{{i + 2}}}" for i in range(20))
    outputs = ", ".join(f"float y{i}" for i in range(20))
    left = operators(form_of(parse(body, outputs=outputs, constants=constants)))
    assert (left.count("Conv"), left.count("Mul")) == (20, 15)


def test_nothing_at_all_made_larger_has_a_form_without_a_warning():
    body = "a = MaxPool <kernel_shape = [9, 1]> (x) y = Resize (a, , , sizes)"
    lists = "int64[4] sizes = {2, 4, 3, 8}"
    form = form_of(parse(body, inputs="float[2,4,8,8] x", constants=lists))
    assert operators(form) == ["MaxPool", "Resize"]
