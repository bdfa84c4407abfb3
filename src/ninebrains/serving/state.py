"""Where a host keeps what outlives it, and what its processes share while they run."""

from __future__ import annotations

from pathlib import Path

from ninebrains.places import data_folder
from ninebrains.serving.settings import Settings


def state_folder(settings: Settings) -> Path:
    """Where a host keeps what outlives it."""
    if settings.state is not None:
        return settings.state
    for source in settings.sources:
        if source.is_dir() and not (source / "brain.json").is_file():
            return source / ".ninebrains"
    return data_folder() / "serving"


def state_file(settings: Settings) -> Path:
    """The ledger of a host."""
    return state_folder(settings) / "host.db"


def weights_folder(settings: Settings) -> Path:
    """Where workers share weights while they run; nothing in there is of use afterwards."""
    return state_folder(settings) / "weights"
