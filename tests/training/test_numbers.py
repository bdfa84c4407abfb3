"""Reported figures against scikit-learn, hand-made cases and simulation."""

import numpy as np
import pytest
from sklearn import metrics as reference

from ninebrains.brains.manifest import Label
from ninebrains.training.calibrating import calibration
from ninebrains.training.curve import CurveData, learning_curve
from ninebrains.training.familiarity import fit_familiarity
from ninebrains.training.label_errors import label_quality, suspect_labels
from ninebrains.training.measuring import (
    Background,
    average_precision,
    measure,
    measure_labels,
    measure_multilabel,
    measure_values,
    wilson,
)

SEEN = Background("that training never saw", num_different=300)
LABELS = [Label(id=name, index=index, name=name) for index, name in enumerate("abcdefg")]


@pytest.mark.parametrize(
    ("right", "num", "low", "high"),
    [
        (196, 200, 0.9497, 0.9922),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 2, 0.0945, 0.9055),
    ],
)
def test_wilson_intervals_are_those_of_the_textbook(right, num, low, high):
    found = wilson(right, num)
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-4)
    assert found.low <= found.value <= found.high


def test_wilson_intervals_hold_the_truth_19_times_in_20():
    random = np.random.default_rng(0)
    for truth in (0.5, 0.9, 0.98):
        drawn = random.binomial(60, truth, 4000)
        inside = [wilson(int(k), 60).low <= truth <= wilson(int(k), 60).high for k in drawn]
        assert 0.925 < np.mean(inside) < 0.99


def test_label_figures_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    given = random.integers(0, 7, 300)
    probabilities = random.dirichlet(np.ones(7), 300)
    probabilities[np.arange(300), given] += 0.15
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    answered = probabilities.argmax(axis=1)
    found = measure_labels(probabilities, np.eye(7)[given], LABELS, SEEN)
    assert found.accuracy.value == pytest.approx(reference.accuracy_score(given, answered))
    assert found.balanced_accuracy == pytest.approx(
        reference.balanced_accuracy_score(given, answered)
    )
    assert found.log_loss == pytest.approx(reference.log_loss(given, probabilities))
    assert found.top5.value == pytest.approx(
        reference.top_k_accuracy_score(given, probabilities, k=5)
    )
    assert found.confusion == reference.confusion_matrix(given, answered).tolist()
    precision, recall, f1, support = reference.precision_recall_fscore_support(given, answered)
    for index, quality in enumerate(found.labels):
        assert quality.precision == pytest.approx(precision[index])
        assert quality.recall == pytest.approx(recall[index])
        assert quality.f1 == pytest.approx(f1[index])
        assert quality.support == support[index]


def test_few_test_photos_are_called_too_few():
    three, seven = np.eye(7)[[0, 1, 2]], np.eye(7)[[0, 1, 2, 3, 4, 5, 6] * 60]
    few = measure_labels(three, three, LABELS, Background("that training never saw", 3))
    assert "Too few photos to tell" in few.verdict
    many = measure_labels(seven, seven, LABELS, SEEN)
    assert "Too few" not in many.verdict
    copies = measure_labels(seven, seven, LABELS, Background("that training never saw", 7))
    assert "420 test photos (7 different ones)" in copies.verdict
    assert copies.accuracy.low < many.accuracy.low
    none = measure("classify", np.empty((0, 7)), np.empty((0, 7)), LABELS, SEEN)
    assert "nothing can be said" in none.verdict


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_agrees_with_scikit_learn(ties):
    random = np.random.default_rng(0)
    scores = random.uniform(size=200)
    if ties:
        scores = scores.round(1)
    given = (random.uniform(size=200) < scores).astype(float)
    assert average_precision(scores, given) == pytest.approx(
        reference.average_precision_score(given, scores)
    )
    assert average_precision(scores, np.zeros(200)) is None


def test_multilabel_figures():
    random = np.random.default_rng(0)
    given = random.integers(0, 2, (400, 7)) * 1.0
    scores = np.clip(given * 0.4 + random.uniform(0, 0.6, given.shape), 0, 1)
    found = measure_multilabel(scores, given, LABELS, SEEN)
    assert found.mean_average_precision == pytest.approx(
        reference.average_precision_score(given, scores, average="macro")
    )
    assert found.labels[2].recall == pytest.approx(
        reference.recall_score(given[:, 2], scores[:, 2] >= 0.5)
    )


def test_regression_figures():
    random = np.random.default_rng(0)
    given = random.normal(size=200)
    values = given + random.normal(size=200) * 0.3
    found = measure_values(values, given, SEEN)
    assert found.mae.value == pytest.approx(reference.mean_absolute_error(given, values))
    assert found.mae.low < found.mae.value < found.mae.high
    assert found.rmse == pytest.approx(reference.root_mean_squared_error(given, values))
    assert found.r2 == pytest.approx(reference.r2_score(given, values))


def test_calibration_error_is_the_gap_between_score_and_share():
    given = np.eye(2)[np.array([0, 0, 0, 1] * 50)]
    sure = np.tile([0.95, 0.05], (200, 1))
    honest = np.tile([0.75, 0.25], (200, 1))
    found = calibration(sure, honest, given, temperature=2.0)
    assert found.ece_before == pytest.approx(0.2)
    assert found.ece_after == pytest.approx(0.0, abs=1e-9)
    assert sum(part.count for part in found.bins) == 200


def test_wrong_labels_are_suspected_and_right_ones_are_not():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 300)
    probabilities = random.dirichlet(np.ones(3) * 0.5, 300) * 0.3 + np.eye(3)[truth] * 0.7
    given = truth.copy()
    wrong = random.choice(300, 30, replace=False)
    given[wrong] = (given[wrong] + 1) % 3
    suggested = suspect_labels(probabilities, given)
    found = np.flatnonzero(suggested >= 0)
    assert set(found) <= set(wrong)
    assert len(found) >= 20
    assert (suggested[found] == truth[found]).all()
    quality = label_quality(probabilities, given)
    assert quality[wrong].max() < np.delete(quality, wrong).min()
    assert quality.min() >= 0
    assert quality.max() <= 1


def test_familiarity_rejects_about_one_in_a_hundred_of_the_same_and_most_others():
    random = np.random.default_rng(0)
    means = np.abs(random.normal(size=(3, 200)))
    same = np.abs(means[random.integers(0, 3, 2000)] + 0.2 * random.normal(size=(2000, 200)))
    groups = np.argmin(((same[:, None] - means[None]) ** 2).sum(axis=2), axis=1)
    other = np.abs(random.normal(size=(300, 200)))
    model, scores = fit_familiarity(
        same[:1000].astype(np.float32), groups[:1000], np.arange(1000), seed=0
    )
    assert scores.shape == (1000,)
    assert 0.002 < (scores > 1).mean() < 0.02
    assert (model.scores(same[1000:]) > 1).mean() < 0.03
    assert (model.scores(other) > 1).mean() > 0.95


def curve_of(truth, num_photos, seed=0):
    """A learning curve of a real ridge fit on separable data with label noise."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(num_photos, 30))
    groups = (rows[:, :10].sum(axis=1) + truth * random.normal(size=num_photos) > 0).astype(int)
    data = CurveData(rows, np.eye(2)[groups], np.ones(num_photos), groups, 0.01)

    def accuracy(scores, targets):
        return float((scores.argmax(axis=1) == targets.argmax(axis=1)).mean())

    ridge = np.linalg.lstsq(rows, groups * 2.0 - 1, rcond=None)[0]
    full = float(((rows @ ridge > 0) == groups).mean()) - 0.02
    return learning_curve(data, "accuracy", accuracy, full, seed=0)


def test_the_learning_curve_rises_and_says_what_more_photos_bring():
    curve = curve_of(truth=0.5, num_photos=150)
    values = [point.value for point in curve.points]
    assert values[-1] > values[0]
    assert [point.photos for point in curve.forecast][-1] == 600
    assert "more photos" in curve.verdict or "Twice as many" in curve.verdict


def test_labels_by_coin_toss_show_no_sign_that_more_photos_help():
    random = np.random.default_rng(0)
    rows, groups = random.normal(size=(300, 20)), random.integers(0, 2, 300)
    data = CurveData(rows, np.eye(2)[groups], np.ones(300), groups, 0.1)

    def accuracy(scores, targets):
        return float((scores.argmax(axis=1) == targets.argmax(axis=1)).mean())

    curve = learning_curve(data, "accuracy", accuracy, 0.5, seed=0)
    assert curve.verdict == "No sign that more photos like these would help."


def test_a_handful_of_photos_gives_no_forecast():
    curve = learning_curve(
        CurveData(np.eye(4), np.eye(2)[[0, 1, 0, 1]], np.ones(4), np.array([0, 1, 0, 1]), 0.1),
        "accuracy",
        lambda _scores, _targets: 0.5,
        0.5,
        seed=0,
    )
    assert curve.forecast == []
    assert "Too few photos" in curve.verdict


def test_an_answer_that_is_always_the_same_is_not_praised():
    given = np.eye(7)[[0] * 98 + [1] * 2]
    found = measure_labels(np.eye(7)[[0] * 100], given, LABELS, Background("unseen", 100))
    assert "not clearly better than always guessing 'a' (98.0%)" in found.verdict
    assert "fewer than 5 photos" in found.verdict
