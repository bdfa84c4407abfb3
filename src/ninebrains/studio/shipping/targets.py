"""Where brains can be exported to from here, found out without loading or fetching anything."""

from __future__ import annotations

from typing import Any

from ninebrains.errors import ExtraError


def find_targets() -> list[dict[str, Any]]:
    """Name, title and precisions of each target, and what is missing for it here, or None."""
    from ninebrains.exporting.targets import NAMES, target

    found = []
    for name in NAMES:
        one, missing = target(name), None
        try:
            if (
                name != "web"
            ):  # fetches what it needs, and who looks at a list asked for no download
                one.require(one.precisions[0])
        except ExtraError as error:
            missing = str(error)
        told = {"name": name, "title": one.title, "precisions": one.precisions, "missing": missing}
        found.append(told)
    return found
