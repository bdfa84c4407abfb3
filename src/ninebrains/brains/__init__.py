"""The artefact: one deployable model as data, how it is stored, checked and run."""

from ninebrains.brains.brain import Brain
from ninebrains.brains.comparing import diff
from ninebrains.brains.file import load
from ninebrains.brains.inference import Inference, Instance
from ninebrains.brains.manifest import Label, Manifest
from ninebrains.brains.signing import new_key, sign, verify
from ninebrains.brains.store import add_brain, load_stored, remove_brain, stored_brains

__all__ = [
    "Brain",
    "Inference",
    "Instance",
    "Label",
    "Manifest",
    "add_brain",
    "diff",
    "load",
    "load_stored",
    "new_key",
    "remove_brain",
    "sign",
    "stored_brains",
    "verify",
]
