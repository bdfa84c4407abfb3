"""Heads against brute force and against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as ReferenceRidge

from ninebrains.training.basis import make_basis
from ninebrains.training.calibrating import fit_sharpness
from ninebrains.training.choosing import Examples, choose_head
from ninebrains.training.links import LINKS
from ninebrains.training.logistic import fit_logistic
from ninebrains.training.ridge import make_ridge


def data(num_photos, num_features, num_labels, seed=0):
    """Features, one-hot targets that depend on them, and uneven weights."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(num_photos, num_features)).astype(np.float32)
    features *= np.geomspace(3, 0.05, num_features, dtype=np.float32)
    scores = features @ random.normal(size=(num_features, num_labels))
    groups = (scores + random.normal(size=scores.shape)).argmax(axis=1)
    targets = np.eye(num_labels)[groups]
    weights = random.uniform(0.5, 2.0, num_photos)
    return features, targets, weights / weights.mean()


def examples(features, targets, weights, mirrored=None):
    """What heads learn from, no photo a copy of another."""
    return Examples(features, targets, weights, np.arange(len(features)), mirrored)


def refit(features, targets, weights, alpha, left_out):
    """Ridge without some photos, by scikit-learn: predictions for the first of them."""
    keep = np.setdiff1d(np.arange(len(features)), left_out)
    model = ReferenceRidge(alpha=alpha).fit(features[keep], targets[keep], weights[keep])
    return model.predict(features[left_out[:1]])[0]


SHAPES = [(24, 60), (80, 12)]


@pytest.mark.parametrize("shape", SHAPES)
def test_leave_one_out_is_what_refitting_without_each_photo_gives(shape):
    features, targets, weights = data(*shape, 3)
    ridge = make_ridge(make_basis(features, weights), targets)
    scaled = features.astype(np.float64) / ridge.basis.scale
    everyone = np.arange(shape[0])
    found = ridge.left_out(0.02, everyone, everyone)
    for photo in range(shape[0]):
        expected = refit(scaled, targets, weights, 0.02 * shape[0], np.array([photo]))
        np.testing.assert_allclose(found[photo], expected, atol=1e-7)
    chosen = np.array([3, 7, 11])
    some = ridge.left_out(0.02, chosen, everyone)
    np.testing.assert_allclose(some, found[chosen], atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_copies_are_left_out_together_as_if_refitted_without_them(shape):
    features, targets, weights = data(*shape, 3)
    groups = np.arange(shape[0]) % (shape[0] // 2)
    groups[:5] = 0
    ridge = make_ridge(make_basis(features, weights), targets)
    scaled = features.astype(np.float64) / ridge.basis.scale
    found = ridge.left_out(0.02, np.arange(shape[0]), groups)
    for photo in range(shape[0]):
        copies = np.flatnonzero(groups == groups[photo])
        out = np.concatenate([[photo], copies[copies != photo]])
        expected = refit(scaled, targets, weights, 0.02 * shape[0], out)
        np.testing.assert_allclose(found[photo], expected, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_unrotated_heads_give_the_same_scores_on_raw_features(shape):
    features, targets, weights = data(*shape, 3)
    basis = make_basis(features, weights)
    ridge = make_ridge(basis, targets)
    matrix, bias = basis.unrotate(ridge.coefficients(0.1), ridge.target_mean)
    rotated = basis.rotate(features) @ ridge.coefficients(0.1) + ridge.target_mean
    np.testing.assert_allclose(features @ matrix.T + bias, rotated, atol=1e-8)


@pytest.mark.parametrize("shape", [(60, 100), (300, 20)])
def test_logistic_regression_agrees_with_scikit_learn(shape):
    features, targets, _ = data(*shape, 3)
    basis = make_basis(features, np.ones(shape[0]))
    scaled = (features - basis.mean) / basis.scale
    penalty = 0.01
    reference = LogisticRegression(C=1 / (penalty * shape[0]), max_iter=5000, tol=1e-9)
    reference.fit(scaled, targets.argmax(axis=1))
    found = fit_logistic(basis, targets, LINKS["classify"], penalty)
    expected = reference.predict_proba(scaled)
    probabilities = LINKS["classify"].probabilities(found.scores(basis.rows))
    np.testing.assert_allclose(probabilities, expected, atol=5e-3)


@pytest.mark.parametrize("task", ["classify", "multilabel", "regress"])
def test_gradients_are_the_slopes_of_the_losses(task):
    random = np.random.default_rng(1)
    scores = random.normal(size=(5, 4))
    targets = (
        np.eye(4)[[0, 1, 2, 3, 0]] if task == "classify" else random.integers(0, 2, (5, 4)) * 1.0
    )
    link, step = LINKS[task], 1e-6
    gradient = link.gradient(scores, targets)
    for place in np.ndindex(scores.shape):
        moved = scores.copy()
        moved[place] += step
        slope = (link.losses(moved, targets) - link.losses(scores, targets)).sum() / step
        assert abs(slope - gradient[place]) < 1e-4


def test_losses_survive_extreme_scores():
    scores = np.array([[1e4, -1e4], [-1e4, 1e4]])
    targets = np.eye(2)
    for task in ("classify", "multilabel"):
        assert np.isfinite(LINKS[task].losses(scores, targets)).all()
        assert np.isfinite(LINKS[task].losses(-scores, targets)).all()
        assert np.isfinite(LINKS[task].probabilities(scores)).all()


def test_sharpness_finds_the_scale_that_scores_were_divided_by():
    random = np.random.default_rng(0)
    scores = random.normal(size=(4000, 3)) * 2
    probabilities = LINKS["classify"].probabilities(scores)
    drawn = (probabilities.cumsum(axis=1) > random.uniform(size=(4000, 1))).argmax(axis=1)
    found = fit_sharpness(LINKS["classify"], scores / 7.0, np.eye(3)[drawn], np.ones(4000))
    assert found == pytest.approx(7.0, rel=0.1)


@pytest.mark.parametrize(
    ("num_photos", "num_features", "num_labels"),
    [(4, 30, 2), (40, 16, 2), (200, 40, 7), (60, 5, 20)],
)
def test_a_head_is_found_for_any_number_of_photos_and_labels(num_photos, num_features, num_labels):
    features, _, weights = data(num_photos, num_features, num_labels)
    groups = np.arange(num_photos) % num_labels
    head = choose_head(
        examples(features, np.eye(num_labels)[groups], weights), LINKS["classify"], seed=0
    )
    assert head.weights.shape == (num_labels, num_features)
    assert head.out_of_sample.shape == (num_photos, num_labels)
    assert np.isfinite(head.weights).all()
    assert np.isfinite(head.out_of_sample).all()
    lowest = min(candidate.loss for candidate in head.candidates)
    assert head.chosen.loss <= lowest / 0.95 + 1e-12


def test_identical_photos_do_not_break_the_head():
    features = np.ones((6, 10), np.float32)
    head = choose_head(
        examples(features, np.eye(2)[[0, 1, 0, 1, 0, 1]], np.ones(6)), LINKS["classify"], seed=0
    )
    assert np.isfinite(head.out_of_sample).all()


def test_mirrored_photos_are_kept_only_when_they_lower_the_loss():
    features, targets, weights = data(120, 30, 3)
    noise = np.random.default_rng(5).normal(size=features.shape).astype(np.float32) * 20
    link = LINKS["classify"]
    useless = choose_head(examples(features, targets, weights, noise), link, seed=0)
    assert not useless.chosen.flipped
    assert any(candidate.flipped for candidate in useless.candidates)
    shaken = (
        features + np.random.default_rng(6).normal(size=features.shape).astype(np.float32) * 0.5
    )
    other_view = choose_head(examples(shaken, targets, weights, features), link, seed=0)
    flipped = min(c.loss for c in other_view.candidates if c.flipped)
    plain = min(c.loss for c in other_view.candidates if not c.flipped)
    assert other_view.chosen.flipped == (flipped < plain)


def test_the_same_seed_gives_the_same_head():
    features, targets, weights = data(100, 30, 3)
    learnt = examples(features, targets, weights)
    first, second = (choose_head(learnt, LINKS["classify"], seed=3) for _ in range(2))
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.candidates == second.candidates


def test_copies_do_not_make_out_of_sample_scores_look_better():
    random = np.random.default_rng(0)
    features = random.normal(size=(40, 60)).astype(np.float32)
    targets = np.eye(2)[random.integers(0, 2, 40)]
    four = [np.tile(part, (4, 1)) for part in (features, targets)]
    copies = np.tile(np.arange(40), 4)
    honest = choose_head(Examples(*four, np.ones(160), copies), LINKS["classify"], seed=0)
    right = (honest.out_of_sample.argmax(axis=1) == four[1].argmax(axis=1)).mean()
    assert right < 0.75
    fooled = choose_head(Examples(*four, np.ones(160), np.arange(160)), LINKS["classify"], seed=0)
    assert (fooled.out_of_sample.argmax(axis=1) == four[1].argmax(axis=1)).mean() > 0.95
