"""Where brains can be exported to from here, found out in a process of its own.

    python -m ninebrains.studio.shipping.targets

Some targets import what they need to see that it is there, which takes seconds and half a gigabyte:
the studio must not keep that for a list.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

from ninebrains.errors import ExportError, ExtraError

_SECONDS = 300.0


class Targets:
    """The list of targets, made when somebody first asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[dict[str, Any]] | None = None

    def told(self) -> list[dict[str, Any]]:
        """Name, title and precisions of each target, and what is missing for it here, or None.

        Raises:
            ExportError: the process that looks has failed.
        """
        with self._lock:
            if self._found is None:
                self._found = _ask()
            return self._found


def find_targets() -> list[dict[str, Any]]:
    """What `Targets.told` gives, in this process."""
    from ninebrains.exporting.targets import NAMES, target

    found = []
    for name in NAMES:
        one = target(name)
        missing = None
        try:
            one.require(one.precisions[0])
        except ExtraError as error:
            missing = str(error)
        told = {"name": name, "title": one.title, "precisions": one.precisions, "missing": missing}
        found.append(told)
    return found


def _ask() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "ninebrains.studio.shipping.targets"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, timeout=_SECONDS, check=True, stdin=subprocess.DEVNULL
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ExportError(
            f"it could not be found out where brains can be exported to ({error}); try again, or "
            "export on the command line"
        ) from error
    return found


if __name__ == "__main__":
    json.dump(find_targets(), sys.stdout)
