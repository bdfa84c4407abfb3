"""Ninebrains: from a folder of photos to a tested vision model in seconds.

>>> import ninebrains as nb
>>> brain = nb.train("photos/", trunk="mobilenet_v2_100")  # doctest: +SKIP
>>> brain.save("pets.brain")  # doctest: +SKIP
>>> nb.load("pets.brain").run("cat.jpg").top.label  # doctest: +SKIP
'cat'
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from ninebrains.errors import (
    AccessError,
    BrainError,
    ClosedError,
    DataError,
    DeadlineError,
    ExportError,
    ExtraError,
    HostError,
    MissingError,
    NinebrainsError,
    OutputError,
    OverloadError,
    PhotoError,
    RequestError,
    TrunkError,
)

if TYPE_CHECKING:
    from ninebrains.brains import Brain, Inference, Instance, load
    from ninebrains.connecting import RemoteHost, connect
    from ninebrains.exporting import ExportRecipe, Gate, Receipt, export, verify
    from ninebrains.images import Contract, Limits, prepare
    from ninebrains.mind import Guest, Inferences, Mind, import_model
    from ninebrains.photos import read_dataset
    from ninebrains.training import Recipe, evaluate, train
    from ninebrains.trunks import add_trunk, import_trunk, list_trunks, load_trunk

__version__ = "0.1.0"

# ONNX Runtime reports what it runs to its maker, from Linux too since 1.29, unless this is set
# before it is imported (docs/Privacy.md there). Nothing leaves the machine unless it was asked to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "AccessError",
    "Brain",
    "BrainError",
    "ClosedError",
    "Contract",
    "DataError",
    "DeadlineError",
    "ExportError",
    "ExportRecipe",
    "ExtraError",
    "Gate",
    "Guest",
    "HostError",
    "Inference",
    "Inferences",
    "Instance",
    "Limits",
    "Mind",
    "MissingError",
    "NinebrainsError",
    "OutputError",
    "OverloadError",
    "PhotoError",
    "Receipt",
    "Recipe",
    "RemoteHost",
    "RequestError",
    "TrunkError",
    "add_trunk",
    "connect",
    "evaluate",
    "export",
    "import_model",
    "import_trunk",
    "list_trunks",
    "load",
    "load_trunk",
    "prepare",
    "read_dataset",
    "train",
    "verify",
]

_HOMES = {
    "ninebrains.brains": ("Brain", "Inference", "Instance", "load"),
    "ninebrains.connecting": ("RemoteHost", "connect"),
    "ninebrains.exporting": ("ExportRecipe", "Gate", "Receipt", "export", "verify"),
    "ninebrains.images": ("Contract", "Limits", "prepare"),
    "ninebrains.mind": ("Guest", "Inferences", "Mind", "import_model"),
    "ninebrains.photos": ("read_dataset",),
    "ninebrains.training": ("Recipe", "evaluate", "train"),
    "ninebrains.trunks": ("add_trunk", "import_trunk", "list_trunks", "load_trunk"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import ninebrains` costs nothing."""
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(importlib.import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'ninebrains' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
