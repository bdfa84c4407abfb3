"""How the versions of a name compare, in numbers for people."""

from __future__ import annotations

from ninebrains.serving.asking import Variant
from ninebrains.serving.settings import Group
from ninebrains.serving.traffic.tallies import BUCKETS, Key, Tally


class Summary(Group):
    """What became of the requests that one version answered as one variant.

    Attributes:
        number: of the version.
        variant: why it was asked.
        answered: answers given.
        failed: errors of the version itself.
        errors: all errors by kind; a photo that cannot be read is no error of the version.
        mean_ms: of the time to an answer; None before the first one.
        p50_ms: half of the answers took at most about so long; between the bounds of a histogram.
        p90_ms: nine of ten.
        p99_ms: 99 of 100.
        compared: answers that were compared with those of stable.
        agreed: of these, how many had the same best label.
        confirmed: feedback that said that the answer was right.
        disputed: feedback that said that it was wrong.
    """

    number: int
    variant: Variant
    answered: int
    failed: int
    errors: dict[str, int]
    mean_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    compared: int
    agreed: int
    confirmed: int
    disputed: int


def summarise(key: Key, tally: Tally) -> Summary:
    """Counts as numbers for people."""
    answered = tally.answered
    return Summary(
        number=key.number,
        variant=key.variant,
        answered=answered,
        failed=tally.failed,
        errors=tally.errors,
        mean_ms=1000 * tally.seconds / answered if answered else None,
        p50_ms=quantile_ms(tally.buckets, 0.5),
        p90_ms=quantile_ms(tally.buckets, 0.9),
        p99_ms=quantile_ms(tally.buckets, 0.99),
        compared=tally.pairs,
        agreed=tally.agreed,
        confirmed=tally.confirmed,
        disputed=tally.disputed,
    )


def quantile_ms(buckets: list[int], share: float) -> float | None:
    """The time within which that share of answers came, in milliseconds, from a histogram.

    Within a bucket times are taken as spread evenly. Beyond the last bound there is only that.

    Args:
        buckets: counts, as in `Tally`.
        share: 0 to 1.

    Returns:
        None where there is no answer.
    """
    left = share * sum(buckets)
    if not left:
        return None
    low = 0.0
    for bound, count in zip(BUCKETS, buckets, strict=False):
        if left <= count:
            return 1000 * (low + (bound - low) * left / count)
        left, low = left - count, bound
    return 1000 * low
