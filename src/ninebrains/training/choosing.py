"""Which head? The one with the lowest loss on photos that it had not seen.

Ridge regression gets exact leave-one-out scores for every penalty. Logistic regression walks its
penalties on one fold and is then cross-validated at the best of them. The mean of the two is linear
as well, and often better than either. The test split takes no part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import Candidate
from ninebrains.training import logistic, ridge
from ninebrains.training.basis import Basis, Floats, make_basis
from ninebrains.training.calibrating import fit_sharpness
from ninebrains.training.links import Identity, Link, Softmax
from ninebrains.training.logistic import Logistic, fit_logistic
from ninebrains.training.ridge import Indices, make_ridge

NUM_FOLDS = 5
_LARGE = 20_000  # photos; above it choices are made on this many and cross-validation has two folds
_REFERENCE_LOGISTIC = 200_000_000_000  # n * r * K of one step; beyond it ridge alone is tried


@dataclass(frozen=True)
class Head:
    """A linear head on raw features, and what it said about photos it had not seen.

    Attributes:
        weights: W[K, D]; raw scores are `features @ W.T + bias`, already divided by the
            temperature.
        bias: b[K].
        out_of_sample: raw scores [n, K] of the training photos from fits without them, also divided
            by the temperature.
        temperature: what the scores were divided by.
        chosen: which candidate this is.
        candidates: everything that was tried.
        basis: of the training photos, for what else is computed from them.
        parts: what it was made of before calibration: (kind, W, b) of the single heads.
    """

    weights: Floats
    bias: Floats
    out_of_sample: Floats
    temperature: float
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    basis: Basis
    parts: tuple[tuple[str, Floats, Floats], ...]

    def uncalibrated(self, features: npt.NDArray[np.float32], link: Link) -> Floats:
        """Probabilities [m, K] as they were before calibration, the mean over the parts.

        Ridge regression on one-hot targets estimates probabilities itself, give or take values
        below 0 and above 1; logistic regression gives them through its link.
        """
        found = [
            _clipped(features @ weights.T + bias, link)
            if kind == "ridge"
            else link.probabilities(features @ weights.T + bias)
            for kind, weights, bias in self.parts
        ]
        return np.asarray(np.mean(found, axis=0))


@dataclass(frozen=True)
class Examples:
    """What heads learn from.

    Attributes:
        features: X[n, D], from `trunks.Trunk.run`.
        targets: Y[n, K]: one-hot, multi-hot, or standardised numbers.
        weights: w[n] of the photos.
        groups: [n]; copies of one photo have the same number and are left out together.
        mirrored: features of the mirrored photos [n, D], or None.
    """

    features: npt.NDArray[np.float32]
    targets: Floats
    weights: Floats
    groups: Indices
    mirrored: npt.NDArray[np.float32] | None = None


def choose_head(examples: Examples, link: Link, seed: int, *, quick: bool = False) -> Head:
    """Try every candidate and return the one with the lowest weighted out-of-sample loss.

    Args:
        examples: to learn from.
        link: of the task.
        seed: of the folds.
        quick: try only what has a closed form.
    """
    basis = make_basis(examples.features, examples.weights)
    plain = _Contest(basis, examples, link, seed)
    contests = [plain]
    if examples.mirrored is not None:
        both = np.concatenate([examples.features, examples.mirrored])
        doubled = Examples(
            both,
            np.tile(examples.targets, (2, 1)),
            np.tile(examples.weights, 2),
            np.tile(examples.groups, 2),
        )
        basis = make_basis(both, doubled.weights)
        contests.append(_Contest(basis, doubled, link, seed, mirrored=True))
    entries = [entry for contest in contests for entry in contest.run(quick=quick)]
    best = min(entries, key=_handicapped_loss)
    scores = best.contest.scores(best)
    # Chosen by weighted losses, but a score shall mean what it says for photos as they come.
    sharpness = _sharpness(link, scores, examples.targets, np.ones(len(scores)))
    weights, bias = best.contest.linear(best)
    return Head(
        weights=weights * sharpness,
        bias=bias * sharpness,
        out_of_sample=scores * sharpness,
        temperature=1.0 / sharpness,
        chosen=best.candidate,
        candidates=tuple(entry.candidate for entry in entries),
        basis=plain.basis,
        parts=tuple(
            (part.candidate.head, *best.contest.linear(part)) for part in best.contest.parts(best)
        ),
    )


def _sharpness(link: Link, scores: Floats, targets: Floats, weights: Floats) -> float:
    return 1.0 if isinstance(link, Identity) else fit_sharpness(link, scores, targets, weights)


@dataclass(frozen=True)
class _Entry:
    """A candidate, and what it takes to see it through."""

    contest: _Contest
    candidate: Candidate
    sharpness: float


class _Contest:
    """The candidates on one basis; of mirrored photos the second half of the rows are mirrors."""

    def __init__(
        self, basis: Basis, examples: Examples, link: Link, seed: int, *, mirrored: bool = False
    ) -> None:
        self.basis, self.targets, self.link, self.mirrored = basis, examples.targets, link, mirrored
        self.groups = examples.groups
        self.num_photos = len(self.targets) // (2 if mirrored else 1)
        self.ridge = make_ridge(basis, self.targets)
        own = self.groups[: self.num_photos]
        names = np.random.default_rng(seed).permutation(np.unique(own))
        rank = np.empty(len(names), np.int64)
        rank[np.searchsorted(np.unique(own), names)] = np.arange(len(names))
        self.order = np.argsort(rank[np.searchsorted(np.unique(own), own)], kind="stable")
        num_folds = min(NUM_FOLDS if self.num_photos <= _LARGE else 2, len(names))
        self.folds = [
            np.flatnonzero(np.isin(own, names[start::num_folds])) for start in range(num_folds)
        ]
        self.last: Logistic | None = None
        self._logistic_scores: Floats = np.empty((0, self.targets.shape[1]))
        self._parts: tuple[_Entry, ...] = ()

    def run(self, *, quick: bool) -> list[_Entry]:
        sample = np.sort(self.order[:_LARGE])
        entries = [
            self._entry(
                Candidate(head="ridge", penalty=penalty, flipped=self.mirrored, loss=0.0),
                self._ridge_scores(penalty, sample),
                sample,
            )
            for penalty in ridge.PENALTIES
        ]
        size = self.basis.rows.size * self.targets.shape[1]
        is_too_large = size > _REFERENCE_LOGISTIC
        if quick or isinstance(self.link, Identity) or is_too_large or len(self.folds) < 2:
            return entries
        penalty = self._best_logistic_penalty()
        everyone = np.arange(self.num_photos)
        self._logistic_scores = self._cross_validate(penalty)
        logistic_entry = self._entry(
            Candidate(head="logistic", penalty=penalty, flipped=self.mirrored, loss=0.0),
            self._logistic_scores,
            everyone,
        )
        self._parts = (min(entries, key=lambda entry: entry.candidate.loss), logistic_entry)
        mean = Candidate(head="mean", flipped=self.mirrored, loss=0.0)
        mean_entry = self._entry(mean, self._mean_scores(), everyone)
        return [*entries, logistic_entry, mean_entry]

    def _entry(self, candidate: Candidate, scores: Floats, photos: Indices) -> _Entry:
        """Find the sharpness of out-of-sample scores and put the loss in."""
        targets, weights = self.targets[photos], self.basis.weights[photos]
        sharpness = _sharpness(self.link, scores, targets, weights)
        loss = float((weights / weights.sum()) @ self.link.losses(scores * sharpness, targets))
        return _Entry(self, candidate.model_copy(update={"loss": loss}), sharpness)

    def scores(self, entry: _Entry) -> Floats:
        """Raw out-of-sample scores of every training photo, [n, K]."""
        if entry.candidate.head == "logistic":
            return self._logistic_scores
        if entry.candidate.head == "mean":
            return self._mean_scores()
        return self._ridge_scores(_penalty(entry), np.arange(self.num_photos))

    def _mean_scores(self) -> Floats:
        first, second = (self.scores(part) * part.sharpness for part in self._parts)
        return (first + second) / 2

    def parts(self, entry: _Entry) -> tuple[_Entry, ...]:
        """The single heads that an entry consists of."""
        return self._parts if entry.candidate.head == "mean" else (entry,)

    def linear(self, entry: _Entry) -> tuple[Floats, Floats]:
        """W[K, D] and b[K] on raw features, from all training photos."""
        return self.basis.unrotate(*self.solve(entry))

    def solve(self, entry: _Entry) -> tuple[Floats, Floats]:
        """Coefficients [r, K] and intercept [K] from all training photos."""
        if entry.candidate.head == "mean":
            first, second = self._parts
            (one, one_intercept), (two, two_intercept) = self.solve(first), self.solve(second)
            return (
                (one * first.sharpness + two * second.sharpness) / 2,
                (one_intercept * first.sharpness + two_intercept * second.sharpness) / 2,
            )
        if entry.candidate.head == "ridge":
            return self.ridge.coefficients(_penalty(entry)), self.ridge.target_mean
        fit = self._fit(_penalty(entry), np.arange(self.num_photos), self.last)
        return fit.coefficients, fit.intercept

    def _ridge_scores(self, penalty: float, photos: Indices) -> Floats:
        return self.ridge.left_out(penalty, photos, self.groups)

    def _fit(self, penalty: float, photos: Indices, start: Logistic | None) -> Logistic:
        rows = np.concatenate([photos, photos + self.num_photos]) if self.mirrored else photos
        chosen = None if len(rows) == len(self.targets) else rows
        return fit_logistic(self.basis, self.targets, self.link, penalty, chosen, start)

    def _best_logistic_penalty(self) -> float:
        """Walk from strong to weak penalties on one fold, each fit starting from the last."""
        held_out = self.folds[0][: _LARGE // 4]
        learnt = np.sort(np.setdiff1d(self.order, self.folds[0])[:_LARGE])
        fit: Logistic | None = None
        best, best_loss = logistic.PENALTIES[0], np.inf
        for penalty in logistic.PENALTIES:
            fit = self._fit(penalty, learnt, fit)
            scores = fit.scores(self.basis.rows[held_out])
            candidate = Candidate(head="logistic", penalty=penalty, loss=0.0)
            loss = self._entry(candidate, scores, held_out).candidate.loss
            if loss >= best_loss:
                break
            best, best_loss, self.last = penalty, loss, fit
        return best

    def _cross_validate(self, penalty: float) -> Floats:
        scores = np.empty((self.num_photos, self.targets.shape[1]))
        fit = self.last
        for fold in self.folds:
            learnt = np.setdiff1d(np.arange(self.num_photos), fold)
            fit = self._fit(penalty, learnt, fit)
            scores[fold] = fit.scores(self.basis.rows[fold])
        return scores


def _clipped(values: Floats, link: Link) -> Floats:
    """Ridge values as probabilities: within 0 and 1, and adding up to 1 where one label applies."""
    clipped = np.clip(values, 1e-6, 1.0)
    if isinstance(link, Softmax):
        clipped = clipped / clipped.sum(axis=1, keepdims=True)
    return np.asarray(clipped)


def _handicapped_loss(entry: _Entry) -> float:
    """The loss, with an allowance for the mean of heads: no penalty of its own was picked by it.

    The lowest of 13 losses is a little too good; the mean's is not. Over 20 splits each of three
    sets, taking the mean whenever it came close gave the lower test loss on all of them.
    """
    return entry.candidate.loss * (0.95 if entry.candidate.head == "mean" else 1.0)


def _penalty(entry: _Entry) -> float:
    assert entry.candidate.penalty is not None
    return entry.candidate.penalty
