"""Two runs photo by photo: where they differ, and whether that is more than chance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.studio.answers import Answers

_MOST = 2_000


def compare(
    one: Answers, other: Answers, labels: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Where two runs give different answers.

    Of photos that were learnt from, answers are those of fits that had not seen them.

    Args:
        one: a run's answers.
        other: another one's.
        labels: int64[n], what people say now, 0 for none.
        ids: int64[n], of which photos.
    """
    first, second = one.rows_of(ids), other.rows_of(ids)
    both = (first >= 0) & (second >= 0)
    ids, labels, first, second = ids[both], labels[both], first[both], second[both]
    tops = one.top[first], other.top[second]
    right = [(top == labels) & (labels > 0) for top in tops]
    counted = labels > 0
    only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
    rows = np.flatnonzero(tops[0] != tops[1])
    # What one of them gets wrong first, then what nobody has labelled.
    order = np.argsort(~counted[rows], kind="stable")
    rows = rows[order][:_MOST]
    return {
        "a": one.run,
        "b": other.run,
        "photos": len(ids),
        "labelled": int(counted.sum()),
        "both_right": int((right[0] & right[1]).sum()),
        "only_a": only[0],
        "only_b": only[1],
        "both_wrong": int((counted & ~right[0] & ~right[1]).sum()),
        "verdict": _verdict(one.run, other.run, *only),
        "ids": ids[rows],
        "given": labels[rows],
        "a_top": tops[0][rows],
        "a_sure": _percent(one.sure[first[rows]]),
        "b_top": tops[1][rows],
        "b_sure": _percent(other.sure[second[rows]]),
    }


def sign_test(fewer: int, total: int) -> float:
    """How likely a split at least this uneven is by chance alone (two-sided, exact).

    >>> sign_test(0, 10) < 0.01, sign_test(4, 10) > 0.5
    (True, True)
    """
    if total == 0:
        return 1.0
    tail = sum(math.comb(total, k) for k in range(min(fewer, total - fewer) + 1))
    return float(min(1.0, 2.0 * tail / 2**total))


def _verdict(one: int, other: int, only_one: int, only_other: int) -> str:
    if only_one == only_other:
        return f"Version {one} and version {other} are right equally often on these photos."
    better, worse = (one, other) if only_one > only_other else (other, one)
    more, fewer = max(only_one, only_other), min(only_one, only_other)
    told = (
        f"Version {better} is right on {more} photos that version {worse} gets wrong, and wrong on "
        f"{fewer} that the other gets right"
    )
    likely = sign_test(fewer, more + fewer)
    return f"{told}: {'more than chance' if likely < 0.05 else 'that may be chance'}."


def _percent(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    return np.asarray(np.rint(100 * scores), np.int64)
