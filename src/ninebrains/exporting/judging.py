"""The gate: does an export answer as its brain does, does it not, or are the photos too few?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ninebrains.brains.manifest import Estimate
from ninebrains.exporting.receipt import Agreement, Quality, Verdict
from ninebrains.exporting.target import Precision

FEW_PHOTOS = 30
NEGLIGIBLE = 0.02  # a score that moves by less is the same for all that it is used for


@dataclass(frozen=True)
class Gate:
    """What an export has to keep to.

    Attributes:
        agreement: least share of photos with the same answer, for fp32 and fp16; for the others
            too where no labels tell what is lost.
        lost: the most that accuracy may lose in 8 bits, as a share: 0.01 is one point.
        is_strict: whether too few photos to tell is a refusal.
    """

    agreement: float = 0.99
    lost: float = 0.01
    is_strict: bool = False

    def judge(
        self, precision: Precision, agreement: Agreement, quality: Quality | None, compared: int
    ) -> tuple[Verdict, tuple[str, ...]]:
        """The verdict on what was measured, and sentences that say why.

        An export in floats must give the same answers. One in 8 bits whose scores hardly move
        agrees if it does so too. Other exports in 8 bits may answer differently as long as they are
        not worse: what they lose must not be over the limit, and its interval tells whether the
        photos suffice to be sure of that.
        """
        by_agreement = self._by_agreement(precision, agreement, compared)
        if precision in ("fp32", "fp16") or quality is None:
            return by_agreement
        is_score = quality.measure != "mean absolute error"
        hardly_moves = is_score and agreement.largest_difference <= NEGLIGIBLE
        if hardly_moves and by_agreement[0] != "differs":
            return by_agreement
        return self._by_loss(agreement, quality, compared)

    def _by_loss(
        self, agreement: Agreement, quality: Quality, compared: int
    ) -> tuple[Verdict, tuple[str, ...]]:
        lost, points = quality.lost, f"{100 * self.lost:g} points"
        if self.lost == 0.01:
            points = "1 point"
        what = "accuracy" if quality.measure == "accuracy" else quality.measure
        interval = f"(95 %: {100 * lost.low:.2f} to {100 * lost.high:.2f})"
        said = (
            f"It loses {100 * lost.value + 0.0:.2f} points of {what} {interval}; {points} at most "
            "may be lost."
        )
        if quality.measure == "mean absolute error":
            said = (
                f"Its mean error is {100 * lost.value:.2f} % larger {interval}; "
                f"{100 * self.lost:g} % at most is allowed. The same value, within a twentieth of "
                f"the brain's usual error, is given for {agreement.same.value:.0%} of the photos."
            )
        none = _said_of_none(agreement, self.agreement)
        if lost.value > self.lost:
            return "differs", (said, *none)
        if lost.high > self.lost:
            return "too few photos to tell", (said, *none, _how_many(lost, self.lost, compared))
        return "agrees", (said, *none)

    def _by_agreement(
        self, precision: Precision, agreement: Agreement, compared: int
    ) -> tuple[Verdict, tuple[str, ...]]:
        same, none = agreement.same, _said_of_none(agreement, self.agreement)
        said = [_said(same, compared, self.agreement), *none]
        if precision not in ("fp32", "fp16") and agreement.largest_difference > NEGLIGIBLE:
            said.append("The photos have no labels, so what it loses in accuracy is not known.")
        if same.value < self.agreement or none:
            return "differs", tuple(said)
        if compared < FEW_PHOTOS:
            said.append(f"{compared} photos are few; {FEW_PHOTOS} at least are needed to tell.")
            return "too few photos to tell", tuple(said)
        return "agrees", tuple(said)

    def passes(self, verdict: Verdict) -> bool:
        """Whether an export with this verdict may be handed out."""
        return verdict == "agrees" or (verdict != "differs" and not self.is_strict)


def _said(same: Estimate, compared: int, asked: float) -> str:
    return (
        f"It gives the brain's answer on {same.value:.2%} of {compared} photos (95 %: "
        f"{same.low:.2%} to {same.high:.2%}); {asked:.0%} at least are asked for."
    )


def _said_of_none(agreement: Agreement, asked: float) -> tuple[str, ...]:
    """A sentence where the two part on what is none of the labels."""
    same = agreement.unfamiliar_same
    if same is None or same >= asked:
        return ()
    return (f'Both say alike whether a photo is "none of these" on {same:.2%} only.',)


def _how_many(lost: Estimate, limit: float, compared: int) -> str:
    """How many photos would tell, if what they show stays as it is; a rough figure."""
    room, half = limit - max(lost.value, 0.0), lost.high - lost.value
    if room <= 0.1 * limit:
        if lost.value <= 0.0:
            return "No number of photos could prove a loss of nothing; allow a little."
        return "The loss is so near the limit that only a great many photos could tell."
    # Intervals narrow with the root of the number of photos.
    needed = compared * (half / room) ** 2
    digits = len(str(int(needed))) - 1
    return f"About {math.ceil(needed / 10**digits) * 10**digits:,} labelled photos would tell."
