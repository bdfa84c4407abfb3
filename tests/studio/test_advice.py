"""What advice says in numbers is what the page shows beside it."""

import re

import numpy as np

from ninebrains.brains.manifest import Metrics
from ninebrains.studio.answers import Answers
from ninebrains.studio.learning.advice import advise, before_learning
from ninebrains.studio.learning.examples import Situation
from ninebrains.studio.store.labels import Label

CAT, DOG = (Label(n, name, name, "#000000", n, 40) for n, name in enumerate(("cat", "dog"), 1))


def answers(given, top, is_test):
    num = len(given)
    scores = np.where(np.array(top)[:, None] == [1, 2], 0.7, 0.3).astype(np.float32)
    ids, zeros = np.arange(1, num + 1), np.zeros(num, np.int64)
    quality, far = np.full(num, 0.5, np.float32), np.zeros(num, np.float32)
    return Answers(
        1, np.array([1, 2]), ids, scores, far, np.array(given), np.array(is_test), zeros, quality
    )


def test_how_often_labels_are_taken_for_each_other_is_told_as_the_matrix_counts_it():
    given, top = [1] * 20 + [2] * 20, [2] * 4 + [1] * 16 + [1] * 5 + [2] * 15
    said = answers(given, top, [place in (0, 20, 30) for place in range(40)])
    situation = Situation(1, (), (CAT, DOG), (CAT, DOG))
    found = advise(situation, Metrics(num_test=3, verdict="-"), said, "octo")
    told = next(one for one in found if one.kind == "confused")
    assert re.search(r"taken for each other 9 times \(2 of the photos held out", told.text)


def test_photos_that_cannot_be_read_are_no_reason_to_ask_for_photos():
    nothing = Situation(1, (), (CAT, DOG), (), {1: 7, 2: 1})
    assert "None of the photos can be read (8 photos)" in before_learning(nothing)
    assert before_learning(Situation(1, (), (), ())) == "Add photos to begin."
