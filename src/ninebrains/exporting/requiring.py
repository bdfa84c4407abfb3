"""What a target needs beyond the base install."""

from __future__ import annotations

from importlib import util

from ninebrains.errors import ExtraError


def require_package(module: str, extra: str, what: str) -> None:
    """Make sure that a package is installed, without importing it.

    Args:
        module: its name for imports.
        extra: of Ninebrains, that brings it.
        what: needs it, such as "an export to OpenVINO".

    Raises:
        ExtraError: it is missing.

    Example:
        >>> require_package("numpy", "none", "this example")
    """
    if util.find_spec(module) is None:
        raise ExtraError(
            f"{what} needs the package {module}, which is not installed. "
            f"Install it with: pip install 'ninebrains[{extra}]'"
        )
