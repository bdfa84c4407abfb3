"""What the probes of trunks rest on: splits without leaks, crops, and features of the peers."""

import numpy as np
import pytest
from benchmarks.probes import sets
from benchmarks.probes.hog import hog_of_pixels
from benchmarks.probes.models import Model, features_of, from_trunk, untrained
from benchmarks.probes.scoring import accuracy, part_of
from benchmarks.probes.scratch import Scratch
from benchmarks.probes.sets import ProbeSet, square_around
from benchmarks.probes.splits import draw, hold_out


def labelled(sizes):
    """Labels and groups of photos, from groups given as {group: [label, ...]}."""
    pairs = [(label, group) for group, labels in sizes.items() for label in labels]
    labels, groups = np.array(pairs).T
    return labels, groups


def crowded(seed):
    """Four classes in 60 groups of one to nine photos, several classes in many of them."""
    rng = np.random.default_rng(seed)
    return labelled({group: rng.integers(0, 4, rng.integers(1, 10)) for group in range(60)})


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_on_both_sides_and_every_class_on_each(seed):
    labels, groups = crowded(seed)
    train, test = hold_out(labels, groups, 0.25, seed)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert not set(groups[train]) & set(groups[test])
    tested = np.bincount(labels[test]) / np.bincount(labels)
    assert ((tested > 0.15) & (tested < 0.35)).all()


def test_single_photos_are_held_out_exactly_by_share():
    labels = np.repeat([0, 1, 2], [50, 20, 5])
    _, test = hold_out(labels, np.arange(75), 0.2, 0)
    assert np.bincount(labels[test]).tolist() == [10, 4, 1]


def test_a_seed_gives_one_test_part_and_another_seed_another():
    labels, groups = crowded(0)
    first, again, other = (hold_out(labels, groups, 0.25, seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_of_one_group_is_refused():
    labels, groups = labelled({0: [0, 0], 1: [1], 2: [1]})
    with pytest.raises(ValueError, match="too few groups"):
        hold_out(labels, groups, 0.5, 0)


def test_fewer_photos_a_class_are_a_part_of_more_and_never_test_photos():
    labels, groups = crowded(3)
    train, test = hold_out(labels, groups, 0.25, 3)
    few, more, every = (draw(labels, train, number, 3) for number in (4, 9, None))
    assert np.bincount(labels[few]).tolist() == [4, 4, 4, 4]
    assert set(few) < set(more) < set(every)
    assert not set(every) & set(test)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0.5, 0.5, 0.2, 0.4), (44, 44)),  # as wide as the longer side and a tenth
        ((0.0, 0.0, 0.4, 0.1), (88, 88)),  # moved into the photo
        ((0.5, 0.5, 1.0, 1.0), (100, 200)),  # no larger than the photo
        ((0.5, 0.5, 0.05, 0.1), None),  # too small
    ],
)
def test_crops_are_squares_within_the_photo(box, expected):
    pixels = np.zeros((100, 200, 3), np.uint8)
    crop = square_around(pixels, *box)
    assert (crop is None) if expected is None else crop.shape == (*expected, 3)


def test_crops_show_the_box():
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[60:80, 150:180] = 255
    crop = square_around(pixels, 165 / 200, 0.7, 30 / 200, 0.2)
    assert (crop == 255).all(axis=2).sum() == 600


def test_hog_votes_for_the_direction_of_the_gradient():
    across = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None], (128, 128, 3))
    found = hog_of_pixels(across).reshape(-1, 4, 9)
    assert found.shape == (225, 4, 9)
    # 0 degrees lies between the last bin and the first, so both get half.
    assert np.allclose(found[112].sum(axis=0)[[0, 8]], found[112].sum() / 2, rtol=1e-4)
    turned = hog_of_pixels(across.transpose(1, 0, 2)).reshape(-1, 4, 9)
    assert turned[112].sum(axis=0).argmax() == 4  # 90 degrees, the middle bin


def test_hog_does_not_see_brightness_and_hardly_contrast():
    pixels = np.random.default_rng(0).integers(0, 100, (128, 128, 3)).astype(np.uint8)
    assert np.allclose(hog_of_pixels(pixels), hog_of_pixels(pixels + 50), atol=1e-6)
    assert np.allclose(hog_of_pixels(pixels), hog_of_pixels(pixels * 2), atol=1e-3)


def probe_of_points():
    """Three classes of photos of a single grey each, with 20 photos a class."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    greys = (60 * labels + 40 + rng.integers(-9, 10, 60)).astype(np.uint8)
    photos = [np.full((8, 8, 3), grey) for grey in greys]
    return ProbeSet("greys", photos, ("a", "b", "c"), labels, np.arange(60), 0.25, "", "greys")


@pytest.mark.parametrize("kind", ["recipe", "ridge"])
def test_separable_features_are_learnt_and_noise_is_not(kind):
    probe = probe_of_points()
    part = part_of(probe, 10, 0)
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(60, 6)).astype(np.float32)
    telling = noise + 20 * np.eye(6, dtype=np.float32)[probe.labels]
    assert accuracy(probe, telling, part, 0, kind) == 1.0
    assert accuracy(probe, noise, part, 0, kind) < 0.8


def test_features_are_computed_once(tmp_path):
    seen = []

    def look(photo):
        seen.append(photo)
        return photo.mean(axis=(0, 1)).astype(np.float32)

    probe, scratch = probe_of_points(), Scratch(tmp_path)
    first = features_of(Model("mean", "mean", look), probe, scratch)
    again = features_of(Model("mean", "mean", look), probe, scratch)
    other = features_of(Model("mean", "another", look), probe, scratch)
    assert np.array_equal(first, again)
    assert np.array_equal(first, other)
    assert len(seen) == 2 * len(probe.photos)


def test_an_untrained_trunk_has_other_weights_and_the_same_form(small_trunk):
    fresh = untrained(small_trunk)
    photo = probe_of_points().photos[0]
    one, other = (from_trunk("a", network).look(photo) for network in (small_trunk, fresh))
    assert one.shape == other.shape
    assert not np.allclose(one, other)
    assert np.isfinite(other).all()
    assert untrained(small_trunk).hash == fresh.hash


@pytest.mark.parametrize(
    ("name", "num_classes", "least"), [("coco_crops", 9, 20), ("att_faces", 40, 10)]
)
def test_the_real_sets_split_without_leaks(shared, tmp_path, name, num_classes, least):
    probe = sets.SETS[name](shared / "data", Scratch(tmp_path))
    assert len(probe.classes) == num_classes
    assert np.bincount(probe.labels).min() >= least
    part = part_of(probe, None, 0)
    assert not set(probe.groups[part.train]) & set(probe.groups[part.test])
