"""Where networks can be cut, and what two of them share."""

import numpy as np
import pytest

from ninebrains.brains.graph import pack
from ninebrains.images import Contract
from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.forms.cutting import steps
from ninebrains.mind.heads.tails import split
from ninebrains.mind.tree import Network, Tree, run_route
from tests.mind.making import BLOCKS, CHANNELS, SIDE, Net, deep_model

CONTRACT = Contract(SIDE, SIDE)


def form_of(model):
    return read_form(pack(model), CONTRACT)


def network(form, *names):
    wanted = tuple(form.outputs[name] for name in names or form.outputs)
    return Network(form, steps(form, wanted))


def pixels(count=3, seed=0):
    shape = (count, SIDE, SIDE, 3)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def placed(tree, forms, form, *names):
    placing = tree.place(network(form, *names))
    tree.apply(placing)
    forms.update(dict.fromkeys(placing.added, form))
    return placing


def reference(form, model, rows, name):
    session = pack(model).session()
    return session.run([name], {"photos": rows})[0]


def test_a_residual_network_can_be_cut_between_its_blocks_and_not_within():
    form = form_of(deep_model())
    found = steps(form, [form.outputs["features"]])
    ends = {operation.outputs[0]: operation for operation in form.operations}
    kinds = [ends[step.end].operator for step in found]
    # Inside a block two values are alive: the branch's and the way around.
    assert kinds.count("Conv") == 1
    assert kinds.count("Add") == BLOCKS
    assert "Sigmoid" not in kinds
    assert "Mul" not in kinds[kinds.index("Conv") :]
    assert found[-1].end == form.outputs["features"]
    assert found[-1].wanted == (form.outputs["features"],)
    block = 2 * CHANNELS * CHANNELS * 9 * (SIDE // 2) ** 2
    assert sum(step.cost for step in found) > BLOCKS * block


def test_a_network_with_several_ends_has_one_last_step_for_all_of_them():
    net = Net()
    random = np.random.default_rng(0)
    value = net.conv(net.entrance(), "stem", random, (8, 3, 3, 3), pads=[1] * 4)
    high = net.conv(value, "high", random, (4, 8, 3, 3), strides=[2, 2], pads=[1] * 4)
    low = net.conv(high, "low", random, (4, 4, 3, 3), strides=[2, 2], pads=[1] * 4)
    net.conv(high, "boxes", random, (2, 4, 1, 1))
    net.conv(low, "more", random, (2, 4, 1, 1))
    model = net.model({"boxes": ["N", 2, 16, 16], "more": ["N", 2, 8, 8]})
    form = form_of(model)
    found = steps(form, list(form.outputs.values()))
    assert set(found[-1].wanted) == set(form.outputs.values())
    assert found[-1].end not in form.shapes
    tree = Tree(lambda _segment: None)
    route = placed(tree, {}, form).route
    rows = pixels()
    for name, value in form.outputs.items():
        (ours,) = run_route(route, rows, [value])
        assert np.array_equal(ours, reference(form, model, rows, name))


def test_a_value_that_mixes_photos_is_no_cut_point():
    net = Net()
    value = net.entrance()
    net.node("Transpose", [value], "turned", perm=[1, 0, 2, 3])
    net.node("Relu", ["turned"], "positive")
    net.node("Transpose", ["positive"], "back", perm=[1, 0, 2, 3])
    net.node("GlobalAveragePool", ["back"], "pooled")
    form = form_of(net.model({"pooled": ["N", 3, 1, 1]}))
    ends = [step.end for step in steps(form, [form.outputs["pooled"]])]
    assert set(ends) <= form.by_photo


@pytest.mark.parametrize("untouched", [1, 3, 5])
def test_networks_share_exactly_the_blocks_that_fine_tuning_left_alone(untouched):
    models = [deep_model(), *(deep_model(upper=seed, untouched=untouched) for seed in (1, 2))]
    forms, routes = {}, []
    tree = Tree(forms.get)
    for model in models:
        form = form_of(model)
        placing = placed(tree, forms, form, "features")
        for old, pieces in placing.replaced.items():
            forms.update(dict.fromkeys(pieces, forms[old]))
            routes = [[piece for s in r for piece in placing.replaced.get(s, (s,))] for r in routes]
        routes.append(list(placing.route))
    shared = {route[0] for route in routes}
    assert len(shared) == 1
    assert len({route[1] for route in routes}) == 3
    (lower,) = shared
    block = 2 * CHANNELS * CHANNELS * 9 * 256
    assert untouched <= lower.multiplications / block < untouched + 1
    rows = pixels()
    for model, route in zip(models, routes, strict=True):
        value = form_of(model).outputs["features"]
        (ours,) = run_route(tuple(route), rows, [value])
        assert np.array_equal(ours, reference(None, model, rows, "features"))


def test_a_network_that_wants_less_of_a_segment_needs_no_cut():
    form = form_of(deep_model())
    tree = Tree(lambda _segment: None)
    whole = tree.place(Network(form, steps(form, split(form).stem_outputs)))
    tree.apply(whole)
    assert len(whole.route[0].outputs) == 2
    assert placed(tree, {}, form, "features").route == whole.route
    assert tree.segments == whole.route


def test_networks_with_nothing_but_the_entrance_in_common_are_not_joined():
    first, second = form_of(deep_model(trunk=1)), form_of(deep_model(trunk=2))
    forms = {}
    tree = Tree(forms.get)
    one, two = placed(tree, forms, first), placed(tree, forms, second)
    assert not two.replaced
    assert not set(one.route) & set(two.route)


def test_a_segment_whose_source_is_gone_is_left_whole():
    tree, forms = Tree(lambda _segment: None), {}
    one = placed(tree, forms, form_of(deep_model()))
    two = placed(tree, forms, form_of(deep_model(upper=1, untouched=4)))
    assert not two.replaced
    assert tree.segments == (*one.route, *two.route)
