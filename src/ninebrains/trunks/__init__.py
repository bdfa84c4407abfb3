"""Trunks: backbone networks made from ONNX classifiers, kept for every brain that needs them."""

from ninebrains.trunks.catalog import CATALOG, HubFile, ListedTrunk
from ninebrains.trunks.downloading import Patience
from ninebrains.trunks.embedded import NAME as DEFAULT_TRUNK
from ninebrains.trunks.importing import import_trunk
from ninebrains.trunks.inputs import InputOverrides
from ninebrains.trunks.pulling import pull_trunk
from ninebrains.trunks.store import (
    TrunkSummary,
    add_trunk,
    list_trunks,
    load_trunk,
    remove_trunk,
    summarise,
)
from ninebrains.trunks.trunk import Trunk

__all__ = [
    "CATALOG",
    "DEFAULT_TRUNK",
    "HubFile",
    "InputOverrides",
    "ListedTrunk",
    "Patience",
    "Trunk",
    "TrunkSummary",
    "add_trunk",
    "import_trunk",
    "list_trunks",
    "load_trunk",
    "pull_trunk",
    "remove_trunk",
    "summarise",
]
