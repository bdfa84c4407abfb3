"""Trying brains: one photo to several of them at once, on one mind."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninebrains.errors import RequestError
from ninebrains.images import Limits
from ninebrains.studio.learning.runs import Run
from ninebrains.studio.understanding.heating import as_data_url, layer_png
from ninebrains.studio.understanding.shelved import Brains

if TYPE_CHECKING:
    from ninebrains.brains import Inference
    from ninebrains.mind import Mind

MOST_BRAINS = 6
_TOP = 5


class Bench:
    """A mind with the brains that are being tried.

    Args:
        brains: of the runs.
        limits: bytes and pixels that a photo may have.
    """

    def __init__(self, brains: Brains, limits: Limits) -> None:
        self._brains, self._limits = brains, limits
        self._lock = threading.Lock()
        self._mind: Mind | None = None

    def run(self, data: bytes, runs: Sequence[Run], *, heat: bool) -> dict[str, Any]:
        """What each brain says of a photo.

        Args:
            data: the photo's file.
            runs: whose brains.
            heat: also where the evidence for each one's best label lies.

        Raises:
            MissingError: a brain is not kept any more.
            PhotoError: the photo cannot be read.
            RequestError: no brain, or too many.
        """
        if not 0 < len(runs) <= MOST_BRAINS:
            raise RequestError(f"1 to {MOST_BRAINS} brains can be tried at once, not {len(runs)}")
        names = {f"run-{run.id}": run for run in runs}
        with self._lock:
            mind = self._with(names)
        answers = mind.run(data, list(names), heatmaps=heat)
        width, height = answers.photo_size
        told = [_told(run, answers[name], heat=heat) for name, run in names.items()]
        return {"width": width, "height": height, "brains": told, "timings": answers.timings}

    def close(self) -> None:
        """Let the brains go."""
        with self._lock:
            if self._mind is not None:
                self._mind.close()
                self._mind = None

    def _with(self, names: Mapping[str, Run]) -> Mind:
        """The mind, with these brains in it and not many others."""
        if self._mind is None:
            from ninebrains.mind import Mind

            self._mind = Mind(threads=1, limits=self._limits, max_pending=64)
        for name, run in names.items():
            if name not in self._mind:
                self._mind.add(self._brains.get(run), name)
        for name in self._mind.names[: max(0, len(self._mind.names) - 2 * MOST_BRAINS)]:
            if name not in names:
                self._mind.remove(name)
        return self._mind


def _told(run: Run, inference: Inference, *, heat: bool) -> dict[str, Any]:
    numbers = {label["key"]: label["id"] for label in run.labels}
    best = inference.instances[:_TOP]
    return {
        "run": run.id,
        "trunk": run.trunk,
        "is_familiar": inference.is_familiar,
        "unfamiliar": inference.unfamiliar,
        "top": [
            {"label": numbers.get(one.label_id, 0), "name": one.label, "score": one.score}
            for one in best
        ],
        "heat": as_data_url(layer_png(inference, None)) if heat else None,
    }
