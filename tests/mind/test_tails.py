"""What of a network is its tail, and that the tail computes what the network would."""

import numpy as np
import pytest

from ninebrains.mind.heads.stacking import Stack
from ninebrains.mind.heads.tails import split
from tests.mind.tail_making import WIDTH, Ending, brain_ending, photos, stem_values


def _scaled_bias(net):
    inputs = ("features", net.weights(WIDTH, 5), net.weights(1, 5))
    net.then("Gemm", *inputs, output="y", alpha=0.5, beta=3.0)


def _layers(net):
    hidden = net.then("Relu", net.linear(20))
    inner = net.then("Gemm", hidden, net.weights(20, 4), net.weights(4))
    net.then("Sigmoid", inner, output="y")


def _arithmetic(net):
    one, two = net.linear(4), net.linear(4)
    value = net.then("Sub", net.then("Mul", one, net.weights(4)), two)
    value = net.then("Div", value, net.number(1.7))
    value = net.then("Min", value, net.weights(1, 4), net.number(0.4))
    net.then("Sub", net.number(1.0), value, output="y")


def _reductions(net):
    raw = net.linear(7)
    kinds = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceL2")
    for kind in kinds:
        net.then(kind, raw, output=kind, axes=[1], keepdims=int(kind != "ReduceMean"))
    net.then("ReduceSum", raw, net.ints(-1), output="ReduceSum", keepdims=0)


def _reshaping(net):
    flat = net.then("Flatten", net.linear(1), axis=1)
    net.then("Squeeze", flat, net.ints(1), output="y")
    net.then("Unsqueeze", "y", net.ints(1), output="z")


def _read_on(net):
    net.linear(3, output="raw")
    net.then("Softmax", "raw", output="scores")
    net.then("Identity", "scores", output="again")
    net.outputs.append("features")


def _shared_values(net):
    length = net.then("ReduceMax", "features", axes=[1], keepdims=1)
    unit = net.then("Div", "features", length, output="ratio")
    raw = net.linear(3, unit)
    net.then("Add", raw, length, output="y")


def _gate(net):
    # The value that the head reads is met again after it.
    raw = net.then("Gemm", "features", net.weights(WIDTH, WIDTH))
    net.then("Mul", raw, "features", output="y")


def _sum_of_heads(net):
    value = net.then("Gemm", "features", net.weights(WIDTH, 5), net.linear(5))
    net.then("Relu", value, output="y")


def _maps(net):
    inputs = ("map", net.weights(5, WIDTH, 1, 1), net.weights(5))
    net.then("Conv", *inputs, output="y", kernel_shape=[1, 1], pads=[0] * 4)
    net.linear(5, output="z")


TAILS = {
    "a sum of products": (lambda net: net.linear(4, output="y"), {"y"}),
    "a product alone": (
        lambda net: net.then("MatMul", "features", net.weights(WIDTH, 4), output="y"),
        {"y"},
    ),
    "one label": (lambda net: net.linear(1, output="y"), {"y"}),
    "scaled products and biases": (_scaled_bias, {"y"}),
    "layers of a head": (_layers, {"y"}),
    "arithmetic with weights and numbers": (_arithmetic, {"y"}),
    "limits": (
        lambda net: net.then("Clip", net.linear(4), net.number(-0.1), net.number(0.2), output="y"),
        {"y"},
    ),
    "one limit": (
        lambda net: net.then("Clip", net.linear(4), "", net.number(0.2), output="y"),
        {"y"},
    ),
    "reductions": (
        _reductions,
        {"ReduceMax", "ReduceMean", "ReduceMin", "ReduceL2", "ReduceSum"},
    ),
    "other shapes": (_reshaping, {"y", "z"}),
    "outputs that are read on, twice, or of the stem": (_read_on, {"raw", "scores", "again"}),
    "values that all brains share": (_shared_values, {"ratio", "y"}),
    "the head's input met again": (_gate, {"y"}),
    "a head added to another": (_sum_of_heads, {"y"}),
    "maps with weights of their own": (_maps, {"y", "z"}),
}


@pytest.mark.parametrize(("write", "expected"), TAILS.values(), ids=TAILS)
def test_a_tail_computes_what_the_network_would(write, expected):
    net = Ending()
    write(net)
    assert_runs_as_the_network(net, expected)


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
@pytest.mark.parametrize("labels", [1, 2, 10, 30])
def test_all_but_the_features_of_a_trained_brain_is_tail(labels, opset):
    net = brain_ending(labels=labels, opset=opset)
    assert_runs_as_the_network(net, {"scores", "heatmap", "unfamiliar"})


def test_attributes_of_old_operator_sets_are_understood():
    net = Ending(opset=10)
    net.then("Clip", net.linear(4), output="y", min=-0.1, max=0.2)
    net.then("Softmax", net.linear(4), output="z")
    assert_runs_as_the_network(net, {"y", "z"})


def assert_runs_as_the_network(net, expected):
    form = net.form()
    parts = split(form)
    assert parts.tail is not None
    assert set(parts.tail.outputs) == expected
    assert {form.outputs[name] for name in set(net.outputs) - expected} <= set(parts.stem_outputs)
    pixels = photos(6)
    values = stem_values(form, parts, pixels)
    stack = Stack()
    seat = stack.add(parts.tail)
    results = stack.run(values, [(row, seat) for row in range(6)], net.outputs)
    wanted = net.answers(pixels)
    for row in range(6):
        assert results.error(row) is None
        found = results.values(row)
        assert found.keys() == expected
        for name, value in found.items():
            assert value.dtype == np.float32
            assert value.shape == wanted[name][row].shape
            np.testing.assert_allclose(value, wanted[name][row], rtol=1e-5, atol=1e-5)


def _projection(net):
    # A trunk's own last layer: all heads on it share what it computes.
    net.then("MatMul", "features", net.weights(WIDTH, WIDTH), output="projected")
    net.linear(3, "projected", output="y")


def _normed(net):
    scaled = net.then("Mul", "features", net.weights(WIDTH))
    net.linear(3, net.then("Add", scaled, net.weights(WIDTH)), output="y")


def _half_read(net):
    net.linear(3, output="y")
    raw = net.linear(4, output="z")
    net.then("Gather", raw, net.ints(0), output="first", axis=1)


PARTLY = {
    "a trunk's last layer": (_projection, {"y"}, {"projected"}),
    "weights before the head": (_normed, {"y"}, set()),
    "what the stem reads": (_half_read, {"y"}, {"z", "first"}),
}


@pytest.mark.parametrize(("write", "expected", "stem"), PARTLY.values(), ids=PARTLY)
def test_what_many_brains_may_share_stays_in_the_stem(write, expected, stem):
    net = Ending()
    write(net)
    assert_runs_as_the_network(net, expected)
    form = net.form()
    parts = split(form)
    assert {form.outputs[name] for name in stem} <= set(parts.stem_outputs)
    # What comes before the head is computed before it, not in each brain.
    assert len(parts.tail.template.products) == 1
    assert parts.tail.template.shared == ()


NO_TAILS = {
    "no head": lambda net: net.then("Relu", "features", output="y"),
    "an operator that stacks do not know": lambda net: net.then("Erf", net.linear(), output="y"),
    "a softmax over photos": lambda net: net.then("Softmax", net.linear(), output="y", axis=0),
    "a sum over photos": lambda net: net.then("ReduceMax", net.linear(), output="y", axes=[0]),
    "a larger filter": lambda net: net.then(
        "Conv", "map", net.weights(2, WIDTH, 3, 3), output="y", kernel_shape=[3, 3]
    ),
    "a map in steps": lambda net: net.then(
        "Conv", "map", net.weights(2, WIDTH, 1, 1), output="y", strides=[2, 2]
    ),
    "a padded map": lambda net: net.then(
        "Conv", "map", net.weights(2, WIDTH, 1, 1), output="y", pads=[1] * 4
    ),
    "a map in groups": lambda net: net.then(
        "Conv", "map", net.weights(2, WIDTH // 2, 1, 1), output="y", group=2
    ),
    "a map that is read on": lambda net: net.then(
        "Relu", net.then("Conv", "map", net.weights(2, WIDTH, 1, 1)), output="y"
    ),
    "a matrix that the photo makes": lambda net: net.then(
        "MatMul", "features", net.then("Transpose", "features"), output="y"
    ),
}


@pytest.mark.parametrize("write", NO_TAILS.values(), ids=NO_TAILS)
def test_a_network_without_a_head_that_could_be_stacked_has_no_tail(write):
    net = Ending()
    write(net)
    form = net.form()
    parts = split(form)
    assert parts.tail is None
    assert set(parts.stem_outputs) == set(form.outputs.values())


def test_brains_that_differ_in_weights_only_have_one_template():
    tails = [split(brain_ending(head).form()).tail for head in range(12)]
    assert len({tail.template.hash for tail in tails}) == 1
    assert len({tail.template for tail in tails}) == 1
    others = [
        brain_ending(labels=9),
        brain_ending(axes=7),
        brain_ending(trunk=1),
        brain_ending(width=WIDTH + 1),
    ]
    hashes = {split(net.form()).tail.template.hash for net in others}
    assert len(hashes | {tails[0].template.hash}) == 1 + len(others)


def test_weights_of_heat_maps_are_those_of_the_scores_and_held_once():
    tail = split(brain_ending(labels=10, axes=8).form()).tail
    assert tail.num_bytes == 4 * (10 * WIDTH + 10 + 18 * WIDTH + 8 + 10)


def test_only_what_the_outputs_need_is_asked_of_the_stem():
    form = brain_ending().form()
    template = split(form).tail.template
    features = form.outputs["features"]
    assert template.needs({"scores"}) == {features}
    assert template.needs({"scores", "unfamiliar", "features", "unknown"}) == {features}
    assert len(template.needs({"heatmap"})) == 1
    assert template.needs({"heatmap", "scores"}) == template.needs({"heatmap"}) | {features}
    assert template.needs(()) == frozenset()
