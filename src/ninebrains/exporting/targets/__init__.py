"""The targets, one module each, found by name and imported when they are first asked for."""

from __future__ import annotations

import importlib
from difflib import get_close_matches

from ninebrains.errors import BrainError
from ninebrains.exporting.target import Target

NAMES = ("onnx", "litert", "saved_model", "openvino", "coreml", "web")
_ALSO_CALLED = {
    **dict.fromkeys(("tflite", "tf-lite", "edgetpu", "android"), "litert"),
    **dict.fromkeys(("tensorflow", "tf", "pb"), "saved_model"),
    **dict.fromkeys(("mlpackage", "mlmodel", "ios"), "coreml"),
    **dict.fromkeys(("browser", "html", "js", "pwa"), "web"),
}


def target(name: str) -> Target:
    """The target of a name.

    Raises:
        BrainError: there is none.
    """
    if name not in NAMES:
        known = _ALSO_CALLED.get(name.casefold())
        meant = [known] if known else get_close_matches(name, NAMES, 1)
        hint = f" Is {meant[0]} meant?" if meant else ""
        raise BrainError(f"there is no target {name!r}; the targets are {', '.join(NAMES)}.{hint}")
    found: Target = importlib.import_module(f"ninebrains.exporting.targets.{name}").TARGET
    return found
