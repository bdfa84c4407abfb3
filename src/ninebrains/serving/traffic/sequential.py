"""Bounds on a share that hold at every moment at once, however often one looks.

A usual 95 % interval is wrong 5 % of the time at one moment; whoever looks each second and stops at
the first surprise is wrong far more often. The bounds here hold for all numbers of observations
together: the chance that the true share ever leaves them is at most `alpha`.

For a share p, let n observations with k hits have the likelihood p^k (1-p)^(n-k). Its mixture over
all shares, weighted alike, divided by it,

    M(p) = B(1 + k, 1 + n - k) / (p^k (1-p)^(n-k)),

is a martingale that starts at 1 if p is the true share. By Ville's inequality it ever reaches
1 / alpha with a chance of at most alpha. The bounds are the shares where it has not.

Sources: J. Ville, Étude critique de la notion de collectif, 1939; H. Robbins, Statistical methods
related to the law of the iterated logarithm, Annals of Mathematical Statistics 41 (1970); S. R.
Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Time-uniform, nonparametric, nonasymptotic confidence
sequences, Annals of Statistics 49 (2021).
"""

from __future__ import annotations

from math import inf, lgamma, log

_HALVINGS = 50


def log_evidence(hits: int, total: int, share: float) -> float:
    """The logarithm of M(share): how much speaks against that share."""
    misses = total - hits
    if (share <= 0.0 and hits) or (share >= 1.0 and misses):
        return inf
    mixture = lgamma(1 + hits) + lgamma(1 + misses) - lgamma(2 + total)
    return (
        mixture
        - (hits * log(share) if hits else 0.0)
        - (misses * log(1 - share) if misses else 0.0)
    )


def bounds(hits: int, total: int, alpha: float) -> tuple[float, float]:
    """Between what a share lies, at this and at every other moment, but for a chance of `alpha`.

    Args:
        hits: how often it was so.
        total: of how many times.
        alpha: 0 to 1, without the ends.

    Returns:
        (low, high); (0, 1) while nothing is known.
    """
    limit, seen = -log(alpha), hits / total if total else 0.0
    if not total:
        return 0.0, 1.0
    return (
        _edge(hits, total, seen, 0.0, limit) if hits else 0.0,
        _edge(hits, total, seen, 1.0, limit) if hits < total else 1.0,
    )


def _edge(hits: int, total: int, inside: float, outside: float, limit: float) -> float:
    """Where the evidence reaches `limit`; it grows from the seen share outwards."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if log_evidence(hits, total, middle) < limit:
            inside = middle
        else:
            outside = middle
    return outside
