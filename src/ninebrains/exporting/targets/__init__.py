"""The targets, one module each, found by name and imported when they are first asked for."""

from __future__ import annotations

import importlib

from ninebrains.errors import BrainError
from ninebrains.exporting.target import Target

NAMES = ("onnx", "litert", "saved_model", "openvino", "coreml", "web")


def target(name: str) -> Target:
    """The target of a name.

    Raises:
        BrainError: there is none.
    """
    if name not in NAMES:
        raise BrainError(f"there is no target {name!r}; the targets are {', '.join(NAMES)}")
    found: Target = importlib.import_module(f"ninebrains.exporting.targets.{name}").TARGET
    return found
