"""The map of a project: made when somebody asks for it, and kept until the next one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import DataError
from ninebrains.places import write_bytes
from ninebrains.studio.jobs import Job
from ninebrains.studio.learning.shelf import Shelf
from ninebrains.studio.store.photos import Stored
from ninebrains.studio.understanding.mapping import LEAST, make_map
from ninebrains.training.basis import EXACT_VALUES
from ninebrains.training.studying import calm_algebra


class Maps:
    """Makes and keeps the map.

    Args:
        path: of its file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: dict[str, npt.NDArray[Any]] | None = None

    def told(self) -> dict[str, Any]:
        """The map that is there: ids, x and y of the photos, -1 to 1; empty where there is none."""
        found = self._found()
        if found is None:
            return {"ids": [], "x": [], "y": [], "trunk": None}
        places = found["places"]
        return {
            "ids": found["ids"],
            "x": np.round(places[:, 0].astype(np.float64), 4),
            "y": np.round(places[:, 1].astype(np.float64), 4),
            "trunk": str(found["trunk"]),
        }

    def make(self, shelf: Shelf | None, photos: list[Stored], job: Job) -> dict[str, Any]:
        """Make a map of the photos that were looked at, as a job.

        Raises:
            CancelledError: it shall end.
            DataError: there are too few photos.
        """
        known = [] if shelf is None else [photo.id for photo in photos if photo.id in shelf]
        if shelf is None or len(known) < LEAST:
            raise DataError(
                f"a map needs {LEAST} photos or more that were looked at, and there are "
                f"{len(known)}; wait until the others are, or add photos"
            )
        job.progress(0, 100, "sorting by likeness")
        features = shelf.features(known)
        with calm_algebra(
            min(features.size, EXACT_VALUES)
        ):  # more threads only wait for each other
            places = make_map(features, job.progress)
        found: dict[str, npt.NDArray[Any]] = {
            "ids": np.array(known, np.int64),
            "places": places,
            "trunk": np.array(shelf.trunk.name),
        }
        file = io.BytesIO()
        np.savez(file, **found)  # type: ignore[arg-type]
        write_bytes(self._path, file.getvalue())
        self._map = found
        return {"photos": len(known)}

    def _found(self) -> dict[str, npt.NDArray[Any]] | None:
        if self._map is None and self._path.is_file():
            try:
                with np.load(self._path, allow_pickle=False) as plain:
                    self._map = {name: plain[name] for name in ("ids", "places", "trunk")}
            except (OSError, ValueError, KeyError, EOFError):
                return None  # made anew when somebody asks
        return self._map
