"""The gate: does an export answer as its brain does, does it not, or are the photos too few?"""

from __future__ import annotations

from collections.abc import Iterator
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
        return self._by_loss(agreement, quality)

    def _by_loss(self, agreement: Agreement, quality: Quality) -> tuple[Verdict, tuple[str, ...]]:
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
        if lost.value > self.lost:
            return "differs", (said,)
        if lost.high > self.lost:
            return "too few photos to tell", (said, _how_many(lost.value, self.lost))
        return "agrees", (said,)

    def _by_agreement(
        self, precision: Precision, agreement: Agreement, compared: int
    ) -> tuple[Verdict, tuple[str, ...]]:
        same = agreement.same
        said = [_said(same, compared, self.agreement)]
        if precision not in ("fp32", "fp16") and agreement.largest_difference > NEGLIGIBLE:
            said.append("The photos have no labels, so what it loses in accuracy is not known.")
        if same.value < self.agreement:
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


def _how_many(value: float, limit: float) -> str:
    """How many photos would tell, if what they show stays as it is; a rough figure."""
    room = limit - max(value, 0.0)
    if room <= 0.1 * limit:
        return "The loss is so near the limit that only a great many photos could tell."
    # Of a loss by chance alone: about as many photos change for the better as for the worse.
    needed = next(n for n in _round_numbers() if 1.96 * (2.0 / n / n + limit / n) ** 0.5 < room)
    return f"About {needed} labelled photos would tell."


def _round_numbers() -> Iterator[int]:
    size = 100
    while True:
        yield from (size, 2 * size, 3 * size, 5 * size)
        size *= 10
