"""Photos in, brain out: what is learnt, what is promised, what is reported."""

import dataclasses
import shutil

import numpy as np
import pytest

import ninebrains as nb
from ninebrains.images import Limits
from ninebrains.photos import read_dataset
from ninebrains.training.caching import FeatureCache
from ninebrains.training.extracting import extract, recall
from ninebrains.training.record import load_record
from ninebrains.training.training import fit
from tests.making import photo, write_levels, write_pairs, write_photos, write_table


def saved(brain, path):
    """The bytes of a brain as a file."""
    brain.save(path)
    return path.read_bytes()


def test_the_same_seed_gives_the_same_file_bit_for_bit(pets, small_trunk, tmp_path, monkeypatch):
    first = saved(nb.train(pets, trunk=small_trunk), tmp_path / "first.brain")
    warm = saved(nb.train(pets, trunk=small_trunk), tmp_path / "warm.brain")
    monkeypatch.setenv("NINEBRAINS_HOME", str(tmp_path / "another"))
    cold = saved(nb.train(pets, trunk=small_trunk), tmp_path / "cold.brain")
    assert first == warm == cold
    other = nb.train(pets, trunk=small_trunk, recipe=nb.Recipe(seed=1))
    assert saved(other, tmp_path / "other.brain") != first


def test_where_the_photos_lie_makes_no_difference(pets, small_trunk, tmp_path):
    shutil.copytree(pets, tmp_path / "copy" / pets.name)
    here = saved(nb.train(pets, trunk=small_trunk), tmp_path / "here.brain")
    there = saved(
        nb.train(tmp_path / "copy" / pets.name, trunk=small_trunk), tmp_path / "there.brain"
    )
    assert here == there


def test_one_more_photo_costs_one_photo(pets, small_trunk, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(pets, photos)
    dataset = nb.read_dataset(photos)
    first = extract(small_trunk, dataset.photos, limits=nb.Limits())
    assert (len(first.places), first.num_cached) == (80, 0)
    photo("cat", 777).save(photos / "cat" / "one_more.png")
    second = extract(small_trunk, nb.read_dataset(photos).photos, limits=nb.Limits())
    assert (len(second.places), second.num_cached) == (81, 80)
    kept = np.delete(second.features, 40, axis=0)
    np.testing.assert_array_equal(kept, first.features)


def test_features_do_not_depend_on_the_batch(pets, small_trunk):
    photos = nb.read_dataset(pets).photos
    together = extract(small_trunk, photos, limits=nb.Limits()).features
    for number in (0, 33, 79):
        alone = small_trunk.run(nb.prepare(photos[number].path, small_trunk.contract)[None])
        np.testing.assert_array_equal(alone[0], together[number])


def test_features_beyond_memory_go_through_a_file(pets, small_trunk, monkeypatch):
    photos = nb.read_dataset(pets).photos
    expected = extract(small_trunk, photos, limits=nb.Limits()).features
    monkeypatch.setattr("ninebrains.training.extracting._MOST_BYTES_IN_MEMORY", 1000)
    found = extract(small_trunk, photos, limits=nb.Limits()).features
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, expected)


def test_the_record_holds_every_photo_and_the_brain_none(pets, small_trunk, tmp_path):
    trained = fit(pets, trunk=small_trunk)
    record = load_record(trained.brain.graph.hash)
    assert record == trained.record
    assert len(record.outcomes) == 80
    assert sum(outcome.split == "test" for outcome in record.outcomes) == 16
    data = saved(trained.brain, tmp_path / "pets.brain")
    assert b"cat000" not in data
    assert str(pets).encode() not in data


def test_a_given_split_is_respected(small_trunk, tmp_path):
    write_photos(tmp_path / "photos/train", {"cat": 20, "dog": 20})
    write_photos(tmp_path / "photos/test", {"cat": 7, "dog": 5}, start=100)
    trained = fit(tmp_path / "photos", trunk=small_trunk)
    training = trained.brain.manifest.training
    assert (training.num_train, training.num_test, training.split) == (40, 12, "given")
    tested = {o.path for o in trained.record.outcomes if o.split == "test"}
    assert all(path.startswith("test/") for path in tested)


def test_suspected_label_errors_are_the_ones_that_were_planted(small_trunk, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 40, "dog": 40, "bird": 40})
    for number in (3, 9):
        (photos / "cat" / f"cat{number:03}.jpg").rename(photos / "dog" / f"wrong{number}.jpg")
    record = fit(photos, trunk=small_trunk).record
    worst = {outcome.path for outcome in record.suspects[:2]}
    assert worst == {"dog/wrong3.jpg", "dog/wrong9.jpg"}


def test_uneven_labels_are_balanced_and_it_is_said(small_trunk, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 60, "dog": 12})
    trained = fit(photos, trunk=small_trunk)
    assert trained.brain.manifest.training.balanced
    assert any("uneven" in note for note in trained.notes)
    plain = fit(photos, trunk=small_trunk, recipe=nb.Recipe(balanced=False))
    assert not plain.brain.manifest.training.balanced


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_handful_of_photos_is_enough_to_run_and_too_few_to_tell(small_trunk, tmp_path, count):
    photos = write_photos(tmp_path / "photos", {"cat": count, "dog": count})
    brain = nb.train(photos, trunk=small_trunk)
    assert "oo few" in brain.metrics.verdict or "none was held out" in brain.metrics.verdict
    assert brain.run(photo("cat", 99)).top.label in ("cat", "dog")


def test_multi_label(small_trunk, tmp_path):
    brain = nb.train(write_pairs(tmp_path), trunk=small_trunk)
    assert brain.task == "multilabel"
    assert brain.metrics.mean_average_precision > 0.7
    inference = brain.run(tmp_path / "1.png")
    assert len(inference.instances) == 3
    assert all(0 <= instance.score <= 1 for instance in inference.instances)
    assert inference.heatmap("dog").ndim == 2


def test_regression(small_trunk, tmp_path):
    brain = nb.train(write_levels(tmp_path), trunk=small_trunk)
    assert brain.task == "regress"
    assert brain.metrics.r2 > 0.6
    assert brain.metrics.mae.low <= brain.metrics.mae.value <= brain.metrics.mae.high
    level = float(np.random.default_rng(3).uniform(0, 100))
    assert brain.run(tmp_path / "3.png").top.value == pytest.approx(level, abs=25)


def test_mirrored_photos_may_be_learnt_from(pets, small_trunk):
    brain = nb.train(pets, trunk=small_trunk, recipe=nb.Recipe(flip=True))
    assert any(candidate.flipped for candidate in brain.manifest.training.candidates)
    assert brain.metrics.accuracy.value > 0.8


def test_evaluation_repeats_the_test_numbers(small_trunk, tmp_path):
    write_photos(tmp_path / "photos/train", {"cat": 20, "dog": 20})
    write_photos(tmp_path / "photos/test", {"cat": 10, "dog": 10}, start=100)
    brain = nb.train(tmp_path / "photos", trunk=small_trunk)
    found = nb.evaluate(brain, nb.read_dataset(tmp_path / "photos/test"))
    for name in ("accuracy", "confusion", "labels", "balanced_accuracy"):
        assert getattr(found.metrics, name) == getattr(brain.metrics, name), name
    assert found.metrics.log_loss == pytest.approx(brain.metrics.log_loss, rel=1e-4)
    assert found.metrics.familiarity.rejected_test == brain.metrics.familiarity.rejected_test


def test_evaluation_leaves_out_labels_that_the_brain_does_not_know(pets, small_trunk, tmp_path):
    brain = nb.train(pets, trunk=small_trunk)
    more = write_photos(tmp_path / "more", {"cat": 5, "fish": 5}, start=300)
    found = nb.evaluate(brain, nb.read_dataset(more))
    assert found.metrics.num_test == 5
    assert sum("fish" in problem.reason for problem in found.problems) == 5
    only_fish = write_photos(tmp_path / "fish", {"fish": 5, "bird": 5})
    with pytest.raises(nb.DataError, match=r"fish.*cat"):
        nb.evaluate(brain, nb.read_dataset(only_fish))


def test_a_recipe_out_of_range_is_refused():
    for wrong in ({"test_share": 0.0}, {"test_share": 1.0}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            nb.Recipe(**wrong)


def test_brains_in_the_graph_answer_what_numpy_measured(pets, small_trunk):
    trained = fit(pets, trunk=small_trunk)
    tested = [outcome for outcome in trained.record.outcomes if outcome.split == "test"]
    for outcome in tested:
        inference = trained.brain.run(pets / outcome.path)
        assert inference.top.index == outcome.answer
        assert inference.top.score == pytest.approx(outcome.score, abs=1e-4)
        assert inference.unfamiliar == pytest.approx(outcome.unfamiliar, abs=1e-3)


def test_a_heat_map_adds_up_to_the_score(pets, small_trunk):
    brain = nb.train(pets, trunk=small_trunk)
    first, second = (brain.run(pets / f"cat/cat00{number}.jpg") for number in (0, 1))

    def odds(inference):
        scores = {instance.label: instance.score for instance in inference.instances}
        return np.log(scores["cat"] / scores["dog"])

    def evidence(inference):
        return inference.heatmap("cat").mean() - inference.heatmap("dog").mean()

    difference = odds(first) - odds(second)
    assert evidence(first) - evidence(second) == pytest.approx(difference, abs=2e-2)


def test_outcomes_are_plain_values(pets, small_trunk):
    for outcome in fit(pets, trunk=small_trunk).record.outcomes[:3]:
        for value in dataclasses.asdict(outcome).values():
            assert value is None or type(value) in (str, float, int, tuple)


def test_file_names_decide_nothing(pets, small_trunk, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "renamed" / label).mkdir(parents=True)
        for number, path in enumerate(sorted((pets / label).iterdir(), reverse=True)):
            shutil.copy(path, tmp_path / "renamed" / label / f"{number:03}.jpg")
    first = nb.train(pets, trunk=small_trunk, name="a")
    second = nb.train(tmp_path / "renamed", trunk=small_trunk, name="a")
    assert saved(first, tmp_path / "a.brain") == saved(second, tmp_path / "b.brain")


def test_copies_of_training_photos_are_left_out_of_the_test_figures(small_trunk, tmp_path):
    write_photos(tmp_path / "photos/train", {"cat": 20, "dog": 20})
    write_photos(tmp_path / "photos/test", {"cat": 10, "dog": 10}, start=100)
    for number in range(5):
        name = f"cat/cat{number:03}.jpg"
        shutil.copy(tmp_path / "photos/train" / name, tmp_path / "photos/test/cat")
    trained = fit(tmp_path / "photos", trunk=small_trunk)
    assert trained.brain.metrics.num_test == 20
    assert any("5 of 25 test photos have a copy" in note for note in trained.notes)
    outcomes = trained.record.outcomes
    assert len(outcomes) == 60
    assert not {o.path for o in outcomes} & {f"test/cat/cat{n:03}.jpg" for n in range(5)}
    assert all(np.isfinite([o.score, o.given_score, o.label_quality]).all() for o in outcomes)


def test_evaluation_says_what_the_brain_has_seen(pets, small_trunk, tmp_path, monkeypatch):
    brain = nb.train(pets, trunk=small_trunk)
    seen = nb.evaluate(brain, nb.read_dataset(pets)).metrics.verdict
    assert "64 were learnt from, so the figures are too good" in seen
    more = write_photos(tmp_path / "more", {"cat": 20, "dog": 20}, start=300)
    assert "never saw" in nb.evaluate(brain, nb.read_dataset(more)).metrics.verdict
    monkeypatch.setenv("NINEBRAINS_HOME", str(tmp_path / "elsewhere"))
    assert "is not known here" in nb.evaluate(brain, nb.read_dataset(more)).metrics.verdict


def test_evaluation_matches_labels_by_id_after_renaming(pets, small_trunk):
    brain = nb.train(pets, trunk=small_trunk).rename_label("cat", "Katze")
    found = nb.evaluate(brain, nb.read_dataset(pets))
    assert found.metrics.num_test == 80
    assert found.metrics.accuracy.value > 0.8


def test_a_record_that_cannot_be_kept_costs_no_brain(pets, small_trunk, home):
    (home / "data").mkdir()
    (home / "data/records").write_bytes(b"in the way")
    trained = fit(pets, trunk=small_trunk)
    assert any("record was not kept" in note for note in trained.notes)


def test_what_could_not_be_used_is_said(small_trunk, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 10, "dog": 10})
    (photos / "cat/notes.txt").write_text("hello")
    rows = [(f"{k}/{k}{n:03}.jpg", k) for k in ("cat", "dog") for n in range(10)]
    table = write_table(photos / "photos.csv", [*rows, ("gone.jpg", "cat")])
    assert any("gone.jpg" in note for note in fit(table, trunk=small_trunk).notes)
    assert any("Ignored" in note for note in fit(photos, trunk=small_trunk).notes)


def test_labels_by_coin_toss_are_not_called_wrong(small_trunk, tmp_path):
    for number in range(40):
        label = ("cat", "dog")[int(np.random.default_rng(number).integers(0, 2))]
        (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
        photo("same", number).save(tmp_path / "photos" / label / f"{number}.png")
    trained = fit(tmp_path / "photos", trunk=small_trunk)
    assert trained.record.suspects == []


def test_the_embedded_trunk_is_the_default_and_stronger_ones_are_named_where_it_is_too_weak(
    pets, small_trunk, tmp_path
):
    easy = fit(pets)
    assert easy.brain.manifest.trunk.name == "octo"
    assert easy.brain.metrics.accuracy.value >= 0.95
    assert not any("trunk pull" in note for note in easy.notes)
    twins = write_photos(tmp_path / "twins", {"cat": 20})
    (twins / "lynx").mkdir()
    for number in range(20):  # the same animal under another name
        photo("cat", 500 + number).save(twins / "lynx" / f"{number}.png")
    assert any("trunk pull" in note for note in fit(twins).notes)
    assert not any("trunk pull" in note for note in fit(twins, trunk=small_trunk).notes)


def test_photos_too_few_to_hold_some_out_are_still_learnt_right(tmp_path):
    photos = write_photos(tmp_path / "few", {"cat": 2, "dog": 2, "bird": 2})
    brain = nb.train(photos, trunk="octo")
    assert brain.manifest.training.num_test == 0
    for path in photos.rglob("*.jpg"):
        assert brain.run(path).top.label == path.parent.name


def test_a_quick_fit_tries_closed_forms_alone_and_measures_the_same_photos(pets, small_trunk):
    quick = nb.train(pets, trunk=small_trunk, recipe=nb.Recipe(quick=True))
    full = nb.train(pets, trunk=small_trunk)
    assert {one.head for one in quick.manifest.training.candidates} == {"ridge"}
    assert {one.head for one in full.manifest.training.candidates} > {"ridge"}
    assert quick.metrics.learning_curve is None
    assert quick.metrics.num_test == full.metrics.num_test


def test_what_was_kept_of_photos_is_recalled_without_their_files(pets, small_trunk):
    dataset = read_dataset(pets)
    found = extract(small_trunk, dataset.photos, limits=Limits())
    hashes = [fact.sha256 for fact in found.facts]
    with FeatureCache() as cache:
        recalled = list(recall(small_trunk, [*hashes, "0" * 64], cache))
    assert recalled[-1] is None
    assert [facts for _, facts in recalled[:-1]] == list(found.facts)
    assert np.array_equal(np.stack([vector for vector, _ in recalled[:-1]]), found.features)
