from dataclasses import replace

import numpy as np
import pytest

from ninebrains.errors import DataError
from ninebrains.photos import (
    PhotoFacts,
    examine_all,
    read_dataset,
    require_distinct,
    require_trainable,
    split_photos,
)
from tests.photos.making import classes, looked, made, write


def different(num, seed=0):
    """Facts of so many photos, no two alike."""
    rng = np.random.default_rng(seed)
    return [
        PhotoFacts(
            rng.bytes(32).hex(), 9, 9, "PNG", int(rng.integers(2**63)), rng.bytes(256), 0.5, 0.2, 1
        )
        for _ in range(num)
    ]


def alike(fact, num):
    """Near duplicates of a photo."""
    return [replace(fact, sha256=f"{fact.phash + n:064x}") for n in range(num)]


def per_label(dataset, indices):
    return {
        label: sum(label in dataset.photos[index].labels for index in indices)
        for label in dataset.labels
    }


def test_every_class_gives_a_fifth_and_nothing_is_lost():
    dataset = made("classify", [["a"]] * 100 + [["b"]] * 10 + [["c"]] * 5)
    split = split_photos(dataset, different(115))
    assert sorted(split.train + split.test) == list(range(115))
    assert per_label(dataset, split.test) == {"a": 20, "b": 2, "c": 1}
    assert (split.given, split.notes) == (False, [])


@pytest.mark.parametrize(("num", "tested"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (8, 2)])
def test_small_classes_keep_enough_to_learn_from(num, tested):
    dataset = made("classify", [["big"]] * 20 + [["small"]] * num)
    split = split_photos(dataset, different(20 + num), test_share=0.25)
    assert per_label(dataset, split.test)["small"] == tested
    assert bool(split.notes) == (tested == 0)
    assert all("'small'" in note for note in split.notes)


def test_the_split_depends_on_seed_and_content_not_on_order():
    facts, labels = different(60), [["a"], ["b"]] * 30
    chosen = {facts[i].sha256 for i in split_photos(made("classify", labels), facts).test}
    order = np.random.default_rng(3).permutation(60)
    mixed = [facts[i] for i in order]
    again = split_photos(made("classify", [labels[i] for i in order]), mixed)
    assert {mixed[i].sha256 for i in again.test} == chosen
    other = split_photos(made("classify", labels), facts, seed=1)
    assert {facts[i].sha256 for i in other.test} != chosen


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_stay_on_one_side(seed):
    singles = different(40, seed)
    facts = [copy for fact in singles[:10] for copy in alike(fact, 3)] + singles[10:]
    facts += [facts[-1], facts[-1]]  # exact copies
    dataset = made("classify", [["a"]] * len(facts))
    split = split_photos(dataset, facts, seed=seed)
    test = set(split.test)
    groups = [range(3 * n, 3 * n + 3) for n in range(10)] + [range(59, 62)]
    for group in groups:
        assert len(test & set(group)) in (0, 3)
    assert 0.1 < len(test) / len(facts) < 0.3


def test_a_class_before_one_fixed_camera_is_split_all_the_same_with_a_note():
    facts = alike(different(1)[0], 20) + different(20, seed=9)
    dataset = made("classify", [["still"]] * 20 + [["moving"]] * 20)
    split = split_photos(dataset, facts)
    assert per_label(dataset, split.test) == {"still": 4, "moving": 4}
    assert "20 of 20 photos of 'still' look nearly the same" in split.notes[0]


def test_unreadable_photos_are_in_neither_part():
    facts = [*different(10), None]
    split = split_photos(made("classify", [["a"]] * 11), facts)
    assert 10 not in split.train + split.test


def test_numbers_are_split_over_their_whole_range():
    targets = [float(n) ** 2 for n in range(100)]
    split = split_photos(made("regress", None, targets), different(100))
    assert len(split.test) == 20
    tenths = np.histogram(split.test, bins=10, range=(0, 100))[0]
    assert tenths.min() >= 1
    assert tenths.max() <= 3


def test_several_labels_a_photo_are_split_evenly_and_rare_ones_can_be_learnt():
    rng = np.random.default_rng(0)
    chance = {"a": 0.7, "b": 0.3, "c": 0.1}
    labels = [[name for name, part in chance.items() if rng.random() < part] for _ in range(300)]
    labels += [["rare"], ["rare", "a"], []]
    dataset = made("multilabel", labels)
    split = split_photos(dataset, different(303))
    all_of, tested = per_label(dataset, range(303)), per_label(dataset, split.test)
    assert sorted(split.train + split.test) == list(range(303))
    assert tested["rare"] == 0
    for name in chance:
        assert abs(tested[name] - 0.2 * all_of[name]) <= 2


@pytest.mark.parametrize(
    ("splits", "test", "note"),
    [
        (["train", "train", "val", "test"], [3], "used for training"),
        (["train", "train", "train", "val"], [3], "are the test"),
        (["train", "train", None, "test"], [3], "without a given part"),
        (["train", "train", "test", "test"], [2, 3], None),
    ],
)
def test_a_given_split_is_respected(splits, test, note):
    dataset = made("classify", [["a"], ["b"]] * 2, splits=splits)
    split = split_photos(dataset, different(4))
    assert (split.given, split.test) == (True, test)
    assert sorted(split.train + split.test) == [0, 1, 2, 3]
    assert [note in told for told in split.notes] == ([True] if note else [])


def test_a_train_part_alone_is_split():
    dataset = made("classify", [["a"], ["b"]] * 10, splits=["train"] * 20)
    split = split_photos(dataset, different(20))
    assert (split.given, len(split.test)) == (False, 4)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_of_nothing_or_all_is_refused(share):
    with pytest.raises(ValueError, match="test_share"):
        split_photos(made("classify", [["a"]]), different(1), test_share=share)


def test_data_that_nothing_can_be_learnt_from_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"same label, 'cat'.*at least two classes"):
        require_trainable(read_dataset(classes(tmp_path / "one", cat=3)))
    with pytest.raises(DataError, match=r"too few photos for 'dog' \(1\).*at least 2 photos"):
        require_trainable(read_dataset(classes(tmp_path / "two", cat=3, dog=1)))
    inner = classes(tmp_path / "zip/photos", cat=2, dog=2)
    with pytest.raises(DataError, match=f"give {inner} instead"):
        require_trainable(read_dataset(tmp_path / "zip"))
    require_trainable(read_dataset(inner))


def test_a_class_that_is_only_in_the_test_part_is_refused(tmp_path):
    classes(tmp_path / "train", cat=2, dog=2)
    classes(tmp_path / "test", cat=1, dog=1, owl=2)
    with pytest.raises(DataError, match=r"outside the test part for 'owl' \(0\)"):
        require_trainable(read_dataset(tmp_path))


def test_numbers_and_names_are_not_taken_for_each_other():
    numbers = made("regress", None, [1.0, 2.0, 3.0, 4.5])
    require_trainable(numbers)
    with pytest.raises(DataError, match="have numbers"):
        require_trainable(numbers, "classify")
    with pytest.raises(DataError, match="a number for every photo"):
        require_trainable(made("classify", [["a"], ["b"]]), "regress")
    with pytest.raises(DataError, match="1 different numbers"):
        require_trainable(made("regress", None, [1.0] * 5))


def test_classes_emptied_by_broken_photos_are_refused(pets):
    for photo in (pets / "dog").iterdir():
        photo.write_bytes(b"")
    dataset = read_dataset(pets)
    facts, problems = examine_all(dataset.photos)
    left = dataset.keep([index for index, fact in enumerate(facts) if fact])
    assert (len(problems), left.labels) == (5, ("cat",))
    with pytest.raises(DataError, match="at least two classes"):
        require_trainable(left)


def test_two_classes_with_the_same_photos_are_refused(tmp_path):
    classes(tmp_path, cat=3, dog=2)
    for photo in (tmp_path / "cat").iterdir():
        write(tmp_path / "tom" / f"x{photo.name}", 0).write_bytes(photo.read_bytes())
    dataset = read_dataset(tmp_path)
    with pytest.raises(DataError, match="'cat' and 'tom' hold exactly the same 3 photos"):
        require_distinct(dataset, looked(dataset))
    write(tmp_path / "tom/new.jpg", 77)
    dataset = read_dataset(tmp_path)
    require_distinct(dataset, looked(dataset))
