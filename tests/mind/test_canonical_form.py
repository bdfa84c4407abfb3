"""A graph's canonical form: what it keeps, and that any part of it can be computed again."""

import numpy as np
import pytest

import ninebrains as nb
from ninebrains.errors import BrainError
from ninebrains.mind.canonical import read_form
from ninebrains.mind.emitting import emit


@pytest.fixture(scope="module")
def brain(pets):
    """A brain trained on the drawn pets with the trunk that the package holds."""
    return nb.train(pets)


def photos(contract, number=3, seed=0):
    """Random pixels, a batch."""
    size = (number, *contract.shape)
    return np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)


def test_a_form_of_a_brain_answers_as_the_brain_bit_for_bit(brain):
    form = read_form(brain.graph, brain.contract)
    pixels = photos(brain.contract)
    names = list(form.outputs)
    values = [form.outputs[name] for name in names]
    answers = emit(form, values).session(1).run(values, {form.source: pixels})
    expected = brain.graph.session(1).run(names, {"photos": pixels})
    for name, answer, wanted in zip(names, answers, expected, strict=True):
        np.testing.assert_array_equal(answer, wanted, err_msg=name)


def test_a_part_that_lacks_an_input_is_refused(brain):
    form = read_form(brain.graph, brain.contract)
    with pytest.raises(BrainError, match="neither given nor computed"):
        emit(form, [form.outputs["scores"]], inputs=[form.outputs["heatmap"]])
