"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata, util
from typing import NamedTuple

from ninebrains.errors import BrainError, ExtraError
from ninebrains.mind.backends.onnx_runtime import OnnxRuntime
from ninebrains.mind.backends.openvino import OpenVino
from ninebrains.mind.backends.protocol import Backend

REFERENCE = "onnxruntime"
"""The backend that all others are compared with."""

BACKENDS: dict[str, Callable[[], Backend]] = {REFERENCE: OnnxRuntime, "openvino": OpenVino}
"""Name → what makes it. Making one is cheap; its packages are imported when it compiles."""


class _Package(NamedTuple):
    module: str
    distribution: str
    extra: str | None  # None: part of the base install


_PACKAGES: Mapping[str, _Package] = {
    REFERENCE: _Package("onnxruntime", "onnxruntime", None),
    "openvino": _Package("openvino", "openvino", "openvino"),
}


def available() -> tuple[str, ...]:
    """The names of the backends whose packages are installed; nothing is imported to find out."""
    return tuple(name for name in BACKENDS if _is_installed(name))


def backend(name: str = REFERENCE) -> Backend:
    """The backend of that name.

    Raises:
        BrainError: there is no such backend.
        ExtraError: its packages are not installed; the message holds the install command.

    Example:
        >>> backend("onnxruntime").name
        'onnxruntime'
    """
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise BrainError(f"there is no backend {name!r}; expected one of: {known}")
    if not _is_installed(name):
        package = _PACKAGES[name]
        raise ExtraError(
            f"backend {name} needs the package {package.distribution}, which is not installed. "
            f'Install it with: pip install "ninebrains[{package.extra}]"'
        )
    return BACKENDS[name]()


def versions() -> dict[str, str]:
    """The version of every available backend that is a package, by name."""
    return {
        name: metadata.version(_PACKAGES[name].distribution)
        for name in available()
        if name in _PACKAGES
    }


def _is_installed(name: str) -> bool:
    return name not in _PACKAGES or util.find_spec(_PACKAGES[name].module) is not None
