"""Versions with and without a memory of their training, and answers of theirs, without networks."""

from dataclasses import replace

import numpy as np

from ninebrains.brains.inference import make_inference
from ninebrains.brains.manifest import Candidate, Reference, Spread, Training
from ninebrains.brains.reference import along_directions, count_unfamiliar
from ninebrains.errors import MissingError
from ninebrains.serving.asking import Answered, Asker, Chosen
from ninebrains.serving.catalog import Version
from ninebrains.serving.drift import Drift
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.repository import Found
from tests.brains.making import NAMES, make_manifest

WIDTH = 48


class Photos:
    """Draws answers: scores, how unfamiliar, features."""

    def __init__(self, seed=0, shares=(0.5, 0.3, 0.2), far=0.6, shift=0.0):
        self.random = np.random.default_rng(seed)
        self.shares, self.far, self.shift = shares, far, shift
        self.centre = np.random.default_rng(99).normal(size=WIDTH) + 3.0
        self.way = np.random.default_rng(98).normal(size=WIDTH)

    def draw(self, num):
        labels = self.random.choice(len(self.shares), num, p=self.shares)
        far = self.random.normal(self.far, 0.12, num).clip(0.01)
        noise = self.random.normal(size=(num, WIDTH))
        features = (self.centre + noise + self.shift * self.way).astype(np.float32)
        return labels, far, features


def make_reference(num=2000, **photos):
    labels, far, features = Photos(seed=5, **photos).draw(num)
    along = along_directions(features)
    return Reference(
        num_photos=num,
        num_different=num,
        answers=np.bincount(labels, minlength=len(NAMES)).tolist(),
        unfamiliar=count_unfamiliar(far).tolist(),
        features=[
            Spread(mean=float(column.mean()), deviation=float(column.std())) for column in along.T
        ],
    )


def make_version(name="pets", number=1, reference=None, digest="a"):
    manifest = make_manifest()
    training = Training(
        data_fingerprint="0" * 64,
        num_train=10,
        num_test=0,
        num_skipped=0,
        split="random",
        seed=0,
        balanced=False,
        head=Candidate(head="ridge", loss=0.1),
        reference=reference,
    )
    facts = manifest.model_copy(update={"training": training})
    return Version(name, number, Found(None, None, ()), facts=facts, digest=digest)


class Shelf:
    """The part of a catalog that drift needs."""

    def __init__(self, *versions):
        self.versions = {}
        for version in versions:
            self.versions.setdefault(version.name, {})[version.number] = version

    def find(self, name, number):
        try:
            return self.versions[name][number]
        except KeyError:
            raise MissingError(name) from None

    def replace(self, name, number, **changes):
        self.versions[name][number] = replace(self.versions[name][number], **changes)


class Watch:
    """Drift with a clock that can be set, and answers for it to see."""

    def __init__(self, state, *versions):
        self.now = 1_800_000_000.0
        self.shelf = Shelf(*versions)
        self.ledger = Ledger(state / "host.db")
        self.drift = Drift(self.ledger, self.shelf, lambda: self.now)

    def see(self, num, name="pets", number=1, write=True, **photos):
        manifest = make_manifest()
        for label, far, features in zip(*Photos(**photos).draw(num), strict=True):
            scores = np.full(len(NAMES), 0.1, np.float32)
            scores[label] = 0.8
            values = {"scores": scores, "unfamiliar": np.float32(far), "features": features}
            inference = make_inference(manifest, values, photo_size=(4, 4), timings={})
            chosen = Chosen(name, number, "stable")
            self.drift.saw(Answered(chosen, inference, None, 0.01, "id", Asker(), b""))
        if write:
            self.drift.flush(now=True)

    def report(self, name="pets"):
        return self.drift.report(name)[0]
