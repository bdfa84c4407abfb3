"""What people say about answers."""

import pytest

from ninebrains.errors import RequestError
from tests.serving.feedback.making import Desk

CLEAR, STRANGE = {"scores": (0.1, 0.7, 0.2)}, {"scores": (0.1, 0.7, 0.2), "unfamiliar": 1.5}


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "state")


@pytest.mark.parametrize(
    ("answered", "said", "is_confirmed"),
    [
        (CLEAR, {"rank": 1}, True),
        (CLEAR, {"label": "dog"}, True),
        (CLEAR, {"label": "id-dog"}, True),
        (CLEAR, {"rank": 2}, False),
        (CLEAR, {"label": "cat"}, False),
        (CLEAR, {"label": "hamster"}, False),
        (CLEAR, {"none": True}, False),
        (STRANGE, {"none": True}, True),
        (STRANGE, {"rank": 1}, False),
        (STRANGE, {"label": "dog"}, False),
    ],
)
def test_feedback_confirms_what_was_answered(desk, answered, said, is_confirmed):
    prediction = desk.answer(b"photo", **answered)
    assert desk.feedback.give(prediction, **said).is_confirmed is is_confirmed
    assert [right for _, right in desk.told] == [is_confirmed]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({}, "exactly one"),
        ({"rank": 1, "none": True}, "exactly one"),
        ({"rank": 0}, "expected 1 to 3"),
        ({"rank": 4}, "expected 1 to 3"),
        ({"label": " "}, "printable"),
        ({"label": "x" * 201}, "printable"),
        ({"label": "a\nb"}, "printable"),
    ],
)
def test_what_is_not_understood_is_refused(desk, said, says):
    with pytest.raises(RequestError, match=says):
        desk.feedback.give(desk.answer(b"photo"), **said)
    assert desk.stats()["versions"] == []


def test_ids_that_were_never_given_are_refused(desk):
    real = desk.answer(b"photo")
    forged = real[:3] + ("A" if real[3] != "A" else "B") + real[4:]
    for made_up in ("", "x", forged, "\udcff", real * 9):
        with pytest.raises(RequestError, match="prediction"):
            desk.feedback.give(made_up, rank=1)


def test_the_latest_word_on_a_prediction_counts_and_only_the_first_is_told(desk):
    prediction = desk.answer(b"photo")
    for _ in range(3):
        desk.feedback.give(prediction, rank=1)
    desk.feedback.give(prediction, label="dog")
    (version,) = desk.stats()["versions"]
    assert (version["feedback"], version["confirmed"], len(desk.told)) == (1, 0, 1)


def test_a_version_that_measures_takes_no_feedback(tmp_path):
    desk = Desk(tmp_path, ("grams",), "regress")
    with pytest.raises(RequestError, match="names no labels"):
        desk.feedback.give(desk.answer(b"photo", (3.0,)), rank=1)


def test_feedback_is_understood_when_the_version_is_long_gone(tmp_path):
    first = Desk(tmp_path)
    prediction = first.answer(b"photo")
    first.feedback.flush()
    first.ledger.close()
    later = Desk(tmp_path, names=("other",))
    assert later.feedback.give(prediction, label="cat").is_confirmed
