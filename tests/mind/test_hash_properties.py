"""Equal hashes mean equal answers; whatever changes an answer changes the hash."""

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from ninebrains.images import Contract
from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.forms.emitting import emit
from tests.mind.networks import (
    LAYERS,
    assert_agree,
    disguise,
    form_of,
    pixels_for,
    random_network,
    run_form,
    run_model,
)

networks = st.builds(
    random_network,
    layers=st.lists(st.sampled_from(LAYERS), min_size=1, max_size=9),
    seed=st.integers(0, 1000),
    num_outputs=st.integers(1, 3),
    opset=st.sampled_from([14, 17, 18, 20]),
)
seeds = st.integers(0, 1 << 30)
steady = settings(deadline=None, derandomize=True, max_examples=60, database=None)


@given(networks, seeds)
@steady
def test_a_disguised_copy_has_the_same_hash_and_a_form_answers_as_its_network(model, seed):
    form = form_of(model)
    copy = form_of(disguise(model, seed))
    assert copy.hash == form.hash
    assert copy == form
    pixels = pixels_for(form, seed=seed % 100)
    assert_agree(run_form(form, pixels), run_model(model, pixels))


@given(networks)
@steady
def test_the_form_of_a_form_is_the_form(model):
    form = form_of(model)
    again = read_form(emit(form, list(form.outputs.values())), form.contract)
    assert set(again.outputs.values()) == set(form.outputs.values())
    assert again.operations == form.operations


@given(networks, st.sampled_from(["weight", "attribute", "operator", "output"]), seeds)
@steady
def test_one_change_changes_the_hash(model, kind, seed):
    form = form_of(model)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    change(changed, kind, np.random.default_rng(seed))
    assert form_of(changed).hash != form.hash


@given(networks, seeds)
@steady
def test_equal_hashes_mean_equal_answers(model, seed):
    edited = onnx.ModelProto()
    edited.CopyFrom(model)
    edit(edited, np.random.default_rng(seed))
    one, two = form_of(model), form_of(edited)
    pixels = pixels_for(one, seed=seed % 100)
    if one.hash == two.hash:
        assert_agree(run_model(edited, pixels), run_model(model, pixels), 1e-6)
    else:
        assert one.outputs != two.outputs


def test_values_of_two_networks_share_names_exactly_as_far_as_the_networks_are_equal():
    layers = ["conv", "bn", "relu", "squeeze_excite", "conv", "relu"]
    whole = random_network(layers, 7)
    tuned = onnx.ModelProto()
    tuned.CopyFrom(whole)
    scale_weight(next(t for t in reversed(tuned.graph.initializer) if len(t.dims) == 4), 0)
    one, two = form_of(whole), form_of(tuned)
    names = [{name for o in form.operations for name in o.outputs} for form in (one, two)]
    shared = names[0] & names[1]
    assert 0 < len(shared) < len(names[0])
    pixels = pixels_for(one)
    parts = [
        emit(form, sorted(shared)).session(1).run(None, {form.source: pixels})
        for form in (one, two)
    ]
    for value, expected in zip(*parts, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_each_part_of_the_contract_changes_the_hash():
    model = random_network(["conv", "relu"], 3)
    contracts = [
        Contract(8, 8), Contract(8, 16), Contract(16, 8), Contract(8, 8, fit="pad"),
        Contract(8, 8, fit="stretch"), Contract(8, 8, fit="pad", pad_color=(0, 0, 0)),
    ]  # fmt: skip
    hashes = {form_of(model, contract).hash for contract in contracts}
    assert len(hashes) == len(contracts)


def change(model, kind, random):
    """Change one thing that changes the answers of nearly any photo."""
    graph = model.graph
    if kind == "weight":
        floats = [t for t in graph.initializer if t.data_type == 1 and t.dims]
        scale_weight(floats[random.integers(len(floats))], random.integers(1 << 30))
    elif kind == "attribute":
        heads = [node for node in graph.node if node.op_type == "Gemm"]
        heads[random.integers(len(heads))].attribute.add(name="alpha", type=1, f=0.5)
    elif kind == "operator":
        node = graph.node.add(op_type="Neg", input=[graph.output[0].name], output=["negated"])
        heads = [n for n in graph.node if graph.output[0].name in n.output]
        heads[0].output[0] = node.input[0] = "before"
        node.output[0] = graph.output[0].name
    else:
        old, new = graph.output[-1].name, "renamed"
        graph.output[-1].name = new
        for node in graph.node:
            node.output[:] = [new if name == old else name for name in node.output]


SIMILAR = (
    ("Relu", "Sigmoid", "HardSwish", "Identity"),
    ("Add", "Mul", "Sub", "Max"),
    ("GlobalAveragePool", "GlobalMaxPool"),
)


def edit(model, random):
    """Change one operator or what it reads; the answers may change or not."""
    nodes = model.graph.node
    node = nodes[random.integers(len(nodes))]
    kinds = [kind for kind in SIMILAR if node.op_type in kind]
    if kinds and random.random() < 0.5:
        node.op_type = str(random.choice(kinds[0]))
    elif len(node.input) == 2 and random.random() < 0.5 and node.op_type in ("Add", "Mul", "Sub"):
        node.input[:] = list(node.input)[::-1]
    elif node.op_type == "Clip":
        node.input[2] = ""
    elif node.op_type in ("MaxPool", "AveragePool"):
        node.op_type = "AveragePool" if node.op_type == "MaxPool" else "MaxPool"
    else:
        node.input[0] = node.input[0]


def scale_weight(tensor, place):
    values = numpy_helper.to_array(tensor).copy()
    values.flat[int(place) % values.size] += 0.75
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
