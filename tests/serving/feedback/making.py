"""Answers as a host gives them, without a host: real ids, real inferences, real files."""

import numpy as np

from ninebrains.brains.inference import make_inference
from ninebrains.serving.asking import Answered, Asker, Chosen
from ninebrains.serving.feedback import Feedback
from ninebrains.serving.feedback.truths import Facts
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.predictions import Seal, secret_of
from ninebrains.serving.settings import Feedback as Bounds
from tests.brains.making import NAMES, make_manifest
from tests.making import jpeg


class Desk:
    """A host's feedback, and answers for it to see."""

    def __init__(self, state, names=NAMES, task="classify", **bounds):
        self.state = state
        self.manifest = make_manifest(task, names)
        self.ledger = Ledger(state / "host.db")
        self.seal = Seal(secret_of(self.ledger))
        self.told = []
        self.feedback = Feedback(
            self.ledger,
            self.seal,
            state / "photos",
            Bounds(**bounds),
            lambda _name, _number: Facts(task, tuple(self.manifest.labels)),
            lambda prediction, is_right: self.told.append((prediction.key, is_right)),
        )

    def answer(self, photo, scores=(0.9, 0.06, 0.04), user="", consent=True, **more):
        """The id of an answer that the feedback has seen."""
        far = more.pop("unfamiliar", 0.5)
        variant = more.pop("variant", "stable")
        name = more.pop("name", "pets")
        answers = np.array(scores, np.float32)
        inference = make_inference(
            self.manifest,
            {
                "values" if self.manifest.task == "regress" else "scores": answers,
                "unfamiliar": np.float32(far),
            },
            photo_size=(4, 4),
            timings={},
        )
        best = tuple(int(i) for i in np.argsort(-answers, kind="stable"))
        prediction = self.seal.make(
            name,
            1,
            variant,
            labels=() if self.manifest.task == "regress" else best,
            user=user,
            is_rejected=far > 1.0,
            consent=consent,
        )
        chosen = Chosen(name, 1, variant)
        asker = Asker(user=user, consent=consent)
        self.feedback.saw(Answered(chosen, inference, None, 0.01, prediction, asker, photo))
        return prediction

    def stats(self):
        self.feedback.flush()
        return self.feedback.stats()

    def files(self):
        """Contents of the kept and waiting files."""
        folder = self.state / "photos"
        return sorted(path.read_bytes() for path in folder.glob("*/*") if path.is_file())

    def traces(self, *needles):
        """Which of some byte strings stand in any file of the state folder."""
        found = set()
        for path in self.state.rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            found |= {needle for needle in needles if needle in data}
        return found


def corrected_host(models):
    """A repository whose host has answered photos and heard what they show."""
    desk = Desk(models / ".ninebrains", ("cat", "dog"))
    for number in range(24):
        label = ("cat", "dog")[number % 2]
        prediction = desk.answer(jpeg(label, 600 + number), (0.55, 0.45), user="alice")
        desk.feedback.give(prediction, label=label, user="bob")
    desk.feedback.close()
    desk.ledger.close()
