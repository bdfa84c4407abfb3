"""The few choices that a person may want to make about training; the defaults are best practice."""

from __future__ import annotations

from dataclasses import dataclass, field

from ninebrains.images import Limits


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        seed: decides the split and every random choice; the same seed gives the same brain.
        test_share: part of the photos that only the reported numbers ever see.
        balanced: give every label the same weight; None does so when the most frequent label has
            over three times as many photos as the rarest.
        flip: also learn from mirrored photos if that lowers the out-of-sample loss. Takes twice the
            time; wrong where left and right matter, such as for text or traffic signs.
        limits: bytes and pixels that a photo may have.
        quick: a first answer in a third of the time: only heads in closed form are tried, and no
            learning curve is drawn.
    """

    seed: int = 0
    test_share: float = 0.2
    balanced: bool | None = None
    flip: bool = False
    limits: Limits = field(default_factory=Limits)
    quick: bool = False

    def __post_init__(self) -> None:
        """Refuse shares that leave nothing to train or to test on.

        Raises:
            ValueError: `test_share` or `seed` is out of range.
        """
        if not 0.0 < self.test_share < 0.9:
            raise ValueError(f"test_share is between 0 and 0.9, not {self.test_share}")
        if self.seed < 0:
            raise ValueError(f"seed is 0 or more, not {self.seed}")
