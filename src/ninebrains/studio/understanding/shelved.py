"""Brains of runs that are in use, loaded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from ninebrains.brains import Brain, load
from ninebrains.errors import MissingError
from ninebrains.studio.learning.runs import Run

_MOST = 6


class Brains:
    """Loads brains of runs, and keeps the last few.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: OrderedDict[int, Brain] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, run: Run) -> Path:
        """The file of a run's brain.

        Raises:
            MissingError: it was dropped for newer ones.
        """
        path = self._folder / run.file
        if not path.is_file():
            raise MissingError(
                f"the brain of run {run.id} is not kept any more, only its numbers; choose a newer "
                "run, or learn again"
            )
        return path

    def get(self, run: Run) -> Brain:
        """The brain of a run.

        Raises:
            BrainError: its file is damaged.
            MissingError: it was dropped for newer ones.
        """
        path = self.path(run)
        with self._lock:
            brain = self._loaded.get(run.id)
            if brain is None:
                brain = self._loaded[run.id] = load(path)
                while len(self._loaded) > _MOST:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(run.id)
            return brain
