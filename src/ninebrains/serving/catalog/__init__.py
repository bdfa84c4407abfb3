"""The versions of all brains that a host knows: which are there, which are loaded, which failed."""

from ninebrains.serving.catalog.catalog import Catalog
from ninebrains.serving.catalog.version import State, Version, Versions

__all__ = ["Catalog", "State", "Version", "Versions"]
