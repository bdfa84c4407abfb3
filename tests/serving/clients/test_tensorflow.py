"""TensorFlow Serving's client, and one that does without TensorFlow, get what the brains answer."""

import numpy as np
import pytest

PIXELS = np.arange(20 * 10 * 3, dtype=np.uint8).reshape(20, 10, 3)


@pytest.fixture(scope="module")
def told(served):
    return served.ask(".venv-clients", "tensorflow", served.grpc)


@pytest.fixture(scope="module")
def minimal(served):
    return served.ask(".venv-clients-minimal", "minimal", served.grpc)


def test_predict_answers_files_and_pixels(told, served):
    scores, labels, version = told["strings"]
    known = served.scores(served.photo)
    np.testing.assert_allclose(scores, [known, known], rtol=1e-5)
    assert set(labels) <= {"cat", "dog", "sofa", ""}
    assert version == 2
    np.testing.assert_allclose(told["uint8"], [served.scores(PIXELS)], rtol=1e-5)
    same = np.full((8, 8, 3), 7, np.uint8)
    np.testing.assert_allclose(told["same pixels"], [served.scores(same)], rtol=1e-5)
    assert told["features"] == [1, 8]


def test_predict_answers_by_version_and_label(told, served):
    np.testing.assert_allclose(told["by number"], [served.scores(PIXELS, 1)], rtol=1e-5)
    assert told["by label"] == 2


def test_examples_are_classified_and_measured(told):
    assert sorted(told["classes"]) == ["cat", "dog", "sofa"]
    assert len(told["values"]) == 1


def test_metadata_and_status_are_told(told):
    assert told["metadata"] == {"version": 2, "inputs": {"image": 7}, "scores": [-1, 3]}
    assert told["status"] == [[2, "AVAILABLE"], [1, "AVAILABLE"]]


REFUSED = {
    "no such brain": ("NOT_FOUND", "nix"),
    "no such version": ("NOT_FOUND", "pets"),
    "no photo": ("INVALID_ARGUMENT", "photo"),
    "no pixels": ("INVALID_ARGUMENT", "[N, H, W, 3]"),
    "no status": ("NOT_FOUND", "nix"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_are_told(told, case):
    code, said = REFUSED[case]
    assert told["refused"][case][0] == code
    assert said in told["refused"][case][1]


def test_a_client_without_tensorflow_is_answered(minimal, served):
    known = served.scores(served.photo)
    for asked in ("strings", "file as uint8"):
        np.testing.assert_allclose(minimal[asked], [known], rtol=1e-5)
    for asked in ("uint8", "float"):
        np.testing.assert_allclose(minimal[asked], [served.scores(PIXELS)], rtol=1e-5)
    np.testing.assert_allclose(minimal["version"], [served.scores(PIXELS, 1)], rtol=1e-5)
    assert minimal["label"][0] in {"cat", "dog", "sofa", ""}


def test_a_client_without_tensorflow_is_told_of_brains(minimal):
    assert minimal["metadata"] == ["pixels", "serving_default"]
    assert minimal["status"] == [[2, 30], [1, 30]]


def test_a_client_without_tensorflow_is_told_of_mistakes(minimal):
    codes = {case: code for case, (code, _said) in minimal["refused"].items()}
    invalid = "INVALID_ARGUMENT"
    assert codes == {"text": invalid, "version": "NOT_FOUND", "shape": invalid}
