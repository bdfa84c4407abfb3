"""A brain's graph in trunk and head."""

import numpy as np
import pytest

from ninebrains.brains.graph import pack, unpack
from ninebrains.errors import BrainError
from ninebrains.exporting.splitting import split


def run(model, inputs):
    session = pack(model).session(1)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def test_trunk_and_head_in_turn_answer_as_the_whole(small_brain, small_pixels):
    trunk, head = split(unpack(small_brain.graph))
    seam = run(trunk, {"photos": small_pixels})
    assert sorted(seam) == ["feature_map", "features"]
    answers = run(head, seam)
    for name in ("scores", "heatmap", "unfamiliar"):
        whole = small_brain.compute(small_pixels, [name])[name]
        np.testing.assert_allclose(answers[name], whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        seam["features"], small_brain.compute(small_pixels, ["features"])["features"]
    )


def test_brains_on_one_trunk_give_equal_trunks(small_brain, small_regress_brain):
    trunks = [split(unpack(brain.graph))[0] for brain in (small_brain, small_regress_brain)]
    assert trunks[0].SerializeToString(deterministic=True) == trunks[1].SerializeToString(
        deterministic=True
    )


def test_a_head_holds_no_weight_of_the_trunk(small_brain):
    _, head = split(unpack(small_brain.graph))
    names = [tensor.name for tensor in head.graph.initializer]
    assert names
    assert all(name.startswith("head/") for name in names)


def test_the_model_that_is_split_stays_as_it_was(small_brain):
    model = unpack(small_brain.graph)
    before = model.SerializeToString(deterministic=True)
    split(model)
    assert model.SerializeToString(deterministic=True) == before


def rename(model, old, new):
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for output in model.graph.output:
        output.name = new if output.name == old else output.name


def test_a_network_without_features_is_refused(small_brain):
    model = unpack(small_brain.graph)
    rename(model, "features", "pooled")
    with pytest.raises(BrainError, match="no value named 'features'"):
        split(model)


def test_a_head_that_reads_deeper_in_the_trunk_is_refused(small_brain):
    model = unpack(small_brain.graph)
    inner = next(node.output[0] for node in model.graph.node if node.op_type == "Sub")
    heat = next(node for node in model.graph.node if node.output[0] == "heatmap")
    heat.input[0] = inner
    with pytest.raises(BrainError, match="cannot be"):
        split(model)
