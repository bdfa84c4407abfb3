"""Do suspected label errors find the labels that people found wrong?

    python -m benchmarks.label_errors

CIFAR-10 test photos with the labels they were published with. For 275 of them five people were
asked whether they show the given label, another one, both or neither; as in the study (Northcutt,
Athalye and Mueller 2021) a label is taken as wrong when fewer than three of the five chose it
alone. All photos are ranked by label quality, out-of-sample, lowest first. Area under the curve:
0.5 is chance, 1.0 perfect; the interval is that of Hanley and McNeil (1982).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

import ninebrains as nb
from benchmarks.running import SHARED, fresh_home, need_shared, use_home, write_results
from ninebrains.training.training import fit

FOLDER = SHARED / "data/labelerrors/cifar10"


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a random positive scores higher than a random negative; ties count half."""
    from scipy.stats import rankdata

    ranks, num = rankdata(scores), positive.sum()
    return float((ranks[positive].sum() - num * (num + 1) / 2) / (num * (~positive).sum()))


def interval(area: float, num_positive: int, num_negative: int) -> str:
    """The 95 % interval of an area under the curve."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (
        area * (1 - area)
        + (num_positive - 1) * (first - area**2)
        + (num_negative - 1) * (second - area**2)
    ) / (num_positive * num_negative)
    half = 1.96 * variance**0.5
    return f"{area - half:.3f} to {area + half:.3f}"


def main() -> None:
    need_shared()
    votes = {
        int(entry["id"]): entry["mturk"]["given"]
        for entry in json.loads((FOLDER / "cifar10_mturk.json").read_text())
    }
    with tempfile.TemporaryDirectory() as name:
        use_home(fresh_home(Path(name)))
        trained = fit(FOLDER / "images", trunk="mobilenet_v2_100", recipe=nb.Recipe())
    outcomes = trained.record.outcomes
    numbers = [int(Path(outcome.path).stem) for outcome in outcomes]
    suspicion = np.array([-outcome.label_quality for outcome in outcomes])
    suspected = np.array([outcome.suggested is not None for outcome in outcomes])
    wrong = np.array([votes.get(number, 5) < 3 for number in numbers])
    asked = np.array([number in votes for number in numbers])
    write_results(
        "label_errors",
        [
            {
                "photos": len(outcomes),
                "wrong_by_people": int(wrong.sum()),
                "auc_all_photos": round(area_under_curve(suspicion, wrong), 3),
                "auc_95": interval(
                    area_under_curve(suspicion, wrong), int(wrong.sum()), int((~wrong).sum())
                ),
                "auc_among_the_asked": round(area_under_curve(suspicion[asked], wrong[asked]), 3),
                "suspected": int(suspected.sum()),
                "suspected_and_wrong": int((suspected & wrong).sum()),
                "wrong_among_all": round(float(wrong.mean()), 3),
                "wrong_among_suspected": round(float(wrong[suspected].mean()), 3),
                "test_accuracy": round(trained.brain.metrics.accuracy.value, 3),
            }
        ],
    )


if __name__ == "__main__":
    main()
