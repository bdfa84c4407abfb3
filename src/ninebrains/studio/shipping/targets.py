"""Where brains can be exported to from here, found out without loading or fetching anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ninebrains.errors import ExtraError

if TYPE_CHECKING:
    from ninebrains.exporting.target import Target

# These import what they need to see that it is there, which takes seconds and half a gigabyte; or
# fetch it, which nobody has asked for who only looks at the list.
_LOOKED_FOR: Mapping[str, tuple[str, ...]] = {
    "litert": ("keras", "tensorflow", "ai_edge_litert"),
    "saved_model": ("keras", "tensorflow"),
    "web": (),
}


def find_targets() -> list[dict[str, Any]]:
    """Name, title and precisions of each target, and what is missing for it here, or None."""
    from ninebrains.exporting.targets import NAMES, target

    found = []
    for name in NAMES:
        one, missing = target(name), None
        try:
            _require(one)
        except ExtraError as error:
            missing = str(error)
        told = {"name": name, "title": one.title, "precisions": one.precisions, "missing": missing}
        found.append(told)
    return found


def _require(target: Target) -> None:
    """Make sure that the packages are installed.

    Raises:
        ExtraError: one is missing.
    """
    from ninebrains.exporting.requiring import require_package

    modules = _LOOKED_FOR.get(target.name)
    if modules is None:
        target.require(target.precisions[0])
    for module in modules or ():
        require_package(module, "keras", f"an export to {target.title}")
