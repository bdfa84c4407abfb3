"""Which host a verb is about: the one that the same settings would start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.errors import ExtraError, OutputError, SettingsError

if TYPE_CHECKING:
    from ninebrains.serving.settings import Settings


@contextmanager
def needing_serving(extra: str = "serve") -> Iterator[None]:
    """Tell how to install what serving needs, where an import finds it missing.

    Args:
        extra: that has it.

    Raises:
        ExtraError: it is missing.
    """
    try:
        yield
    except ImportError as error:
        raise ExtraError(
            f'{error.name} is missing; this needs: pip install "ninebrains[{extra}]"'
        ) from error


def settings_of(
    repository: Path | None, state: Path | None, config: Path | None, *, is_new: bool = False
) -> Settings:
    """The settings of a host that is named by its folder of brains, its state or its file.

    Args:
        repository: the folder that it serves.
        state: for what outlives it.
        config: TOML file.
        is_new: whether `state` may be a folder that is yet to be made.

    Raises:
        SettingsError: a folder is none, or the settings make no sense.
    """
    from ninebrains.serving.reading import read_settings

    given: dict[str, object] = {}
    if repository is not None:
        if not repository.is_dir():
            raise SettingsError(f"{repository} is no folder; expected the one that is served")
        given["sources"] = [repository]
    if state is not None:
        if not is_new and not state.is_dir():
            raise SettingsError(
                f"{state} is no folder; expected the one where a host keeps its state"
            )
        given["state"] = state
    return read_settings(given, config)


def stored_by(settings: Settings) -> Path:
    """The ledger of a host that has been there.

    Raises:
        OutputError: no host has stored anything where this one would.
    """
    from ninebrains.serving.state import state_file

    file = state_file(settings)
    if not file.is_file():
        raise OutputError(
            f"no host has stored anything in {file.parent}. Name the folder that it serves with "
            "--repository, or its state folder with --state."
        )
    return file


def to_be_stored_by(settings: Settings) -> Path:
    """The ledger of a host that may be yet to come, but of which one knows which it is.

    Raises:
        SettingsError: nothing says which host is meant, and none has been without a folder.
    """
    from ninebrains.serving.state import state_file

    file = state_file(settings)
    is_named = settings.state is not None or bool(settings.sources)
    if not is_named and not file.is_file():
        raise SettingsError(
            "which host? Name the folder that it serves with --repository, its state folder with "
            "--state, or its TOML file with --config"
        )
    return file
