"""What `tune` chose for whole networks, where they share a part of them."""

import numpy as np
import pytest

from ninebrains.mind.backends import backend
from ninebrains.mind.mind import Mind
from ninebrains.mind.tuning.choices import Choice, keep
from ninebrains.mind.tuning.stems import stems_of
from tests.mind.making import SIDE, deep_brain

OPENVINO = Choice("openvino", 1, 4)
COARSE = Choice("openvino", 1, 4, "bf16")


@pytest.fixture(scope="module")
def brains():
    """One, and one that was fine-tuned from it above its third block."""
    return deep_brain("first"), deep_brain("second", upper=1, untouched=3)


def photos(count=3):
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)


def segments(mind):
    """The backends of the segments on the way to each brain, by name."""
    found = {}

    def walk(branch, above):
        above = (*above, branch.backend) if branch.kind == "segment" else above
        if not any(below.kind == "segment" for below in branch.below):
            found.update(dict.fromkeys(branch.brains, above))
        for below in branch.below:
            walk(below, above)

    for root in mind.explain().roots:
        walk(root, ())
    return found


def answers(mind, name):
    return np.stack([mind.run(photo, name)[name].answers for photo in photos()])


def test_brains_that_share_a_part_still_share_it_when_both_were_tuned(brains):
    choices = {stem.hash: OPENVINO for stem in stems_of(brains)}
    with Mind(brains, choices=choices) as mind:
        ways = segments(mind)
        assert ways == dict.fromkeys(("first", "second"), ("openvino", "openvino"))
        together = {name: answers(mind, name) for name in ways}
    for brain in brains:
        with Mind([brain], choices=choices) as mind:
            assert segments(mind) == {brain.name: ("openvino",)}
            np.testing.assert_array_equal(answers(mind, brain.name), together[brain.name])


@pytest.mark.parametrize("tuned", [0, 1])
def test_in_fp32_what_is_shared_runs_in_the_way_of_the_one_that_came_first(brains, tuned):
    choices = {stems_of([brains[tuned]])[0].hash: OPENVINO}
    with Mind(brains, choices=choices) as mind:
        way = ("openvino" if tuned == 0 else "onnxruntime",) * 2
        assert segments(mind) == {"first": way, "second": way}


def test_coarser_products_are_not_shared_with_a_brain_they_were_not_found_good_enough_for(brains):
    if "bf16" not in backend("openvino").precisions():
        pytest.skip("this processor has no bf16")
    first, second = brains
    choices = {stems_of([first])[0].hash: COARSE}
    with Mind(brains, choices=choices) as mind:
        assert segments(mind) == {"first": ("openvino",), "second": ("onnxruntime",)}
        ours = answers(mind, "second")
    with Mind([second]) as alone:
        np.testing.assert_array_equal(ours, answers(alone, "second"))


def test_a_mind_finds_what_was_kept(brains, home):
    keep({stem.hash: OPENVINO for stem in stems_of(brains[:1])})
    with Mind(brains[:1]) as mind:
        assert segments(mind) == {"first": ("openvino",)}
