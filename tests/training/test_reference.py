"""What a brain remembers of its training photos."""

import numpy as np
import pytest

import ninebrains as nb
from ninebrains.brains.encoding import canonical, read_manifest
from ninebrains.brains.reference import (
    NUM_DIRECTIONS,
    NUM_STEPS,
    along_directions,
    count_unfamiliar,
)
from ninebrains.errors import BrainError
from tests.making import write_levels


def test_a_brain_remembers_its_training_in_few_numbers(pets, stored_trunk):
    brain = nb.train(pets, trunk=stored_trunk)
    reference, training = brain.manifest.training.reference, brain.manifest.training
    assert reference.num_photos == training.num_train == sum(reference.answers)
    assert sum(reference.unfamiliar) == training.num_train
    assert sum(reference.unfamiliar[50:]) / training.num_train <= 0.02
    assert reference.values is None
    size = len(canonical(reference))
    assert size < 6_000, size
    assert read_manifest(canonical(brain.manifest)) == brain.manifest


def test_its_features_are_those_of_the_photos(pets, stored_trunk):
    brain = nb.train(pets, trunk=stored_trunk)
    photos = sorted(pets.glob("*/*.jpg"))
    along = along_directions(np.stack([brain.run(path).features for path in photos]))
    reference = brain.manifest.training.reference
    means = np.array([spread.mean for spread in reference.features])
    deviations = np.array([spread.deviation for spread in reference.features])
    assert np.abs((along.mean(axis=0) - means) / deviations).max() < 0.3  # four in five photos
    assert along.std(axis=0) == pytest.approx(deviations, rel=0.3)


def test_a_brain_that_measures_remembers_its_values(tmp_path, stored_trunk):
    brain = nb.train(write_levels(tmp_path), trunk=stored_trunk)
    reference = brain.manifest.training.reference
    assert reference.answers == []
    assert 30 < reference.values.mean < 70


def test_a_reference_that_cannot_be_is_refused(pets, stored_trunk):
    manifest = nb.train(pets, trunk=stored_trunk).manifest
    data = canonical(manifest)
    counts = b",".join(b"%d" % count for count in manifest.training.reference.answers)
    for wrong in (counts + b",1", b"-" + counts, counts.replace(b",", b".5,")):
        with pytest.raises(BrainError, match=r"reference|answers"):
            read_manifest(data.replace(b'"answers":[' + counts, b'"answers":[' + wrong))


def test_brains_without_one_keep_their_bytes(pets, stored_trunk):
    manifest = nb.train(pets, trunk=stored_trunk).manifest
    training = manifest.training.model_copy(update={"reference": None})
    older = manifest.model_copy(update={"training": training})
    assert b"reference" not in canonical(older)
    assert canonical(read_manifest(canonical(older))) == canonical(older)


def test_directions_never_change():
    along = along_directions(np.eye(5, dtype=np.float32))
    assert along.shape == (5, NUM_DIRECTIONS)
    assert "".join("+" if sign > 0 else "-" for sign in along[0]) == DIRECTION
    assert (along_directions(np.eye(5, dtype=np.float32) * 7) == along).all()


DIRECTION = "--+-+-++--+---+++--+-+-+-+------"


def test_unfamiliar_scores_are_counted_by_step():
    counts = count_unfamiliar(np.array([0.0, 0.019, 0.021, 1.0, 1.999, 2.0, 1e30, np.nan, np.inf]))
    assert len(counts) == NUM_STEPS
    assert {int(step): int(counts[step]) for step in np.flatnonzero(counts)} == {
        0: 2,
        1: 1,
        50: 1,
        99: 1,
        100: 3,
    }
