"""Which host a verb is about: the one that the same settings would start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.errors import ExtraError, SettingsError

if TYPE_CHECKING:
    from ninebrains.serving.settings import Settings


@contextmanager
def needing_serving() -> Iterator[None]:
    """Tell how to install what serving needs, where an import finds it missing.

    Raises:
        ExtraError: it is missing.
    """
    try:
        yield
    except ImportError as error:
        raise ExtraError(
            f'{error.name} is missing; serving needs: pip install "ninebrains[serve]"'
        ) from error


def settings_of(repository: Path | None, state: Path | None, config: Path | None) -> Settings:
    """The settings of a host that is named by its folder of brains, its state or its file.

    Raises:
        SettingsError: the folder is none, or the settings make no sense.
    """
    from ninebrains.serving.reading import read_settings

    given: dict[str, object] = {}
    if repository is not None:
        if not repository.is_dir():
            raise SettingsError(f"{repository} is no folder; expected the one that is served")
        given["sources"] = [repository]
    if state is not None:
        given["state"] = state
    return read_settings(given, config)
