"""Reading settings: flags before environment variables before one TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ninebrains.errors import SettingsError
from ninebrains.serving.settings import Settings

PREFIX = "NINEBRAINS_SERVE_"
OWN = frozenset({"SETTINGS", "GIVEN"})
"""Variables with that prefix that are no settings: what a supervisor hands to its workers."""

_NONE = "none"
"""Stands for no value where there is a default, such as for `grpc_port`; TOML has no null."""

Tree = dict[str, Any]


def read_settings(flags: Mapping[str, Any], file: Path | None = None) -> Settings:
    """The settings of a host.

    Args:
        flags: settings by name, as `Settings` has them; groups are mappings. Only what was given.
        file: TOML with the same names. Relative paths in it start at its folder.

    Raises:
        SettingsError: the file cannot be read; or a setting is unknown or of no use. Says which
            one, what was received, what was expected, and where it came from.
    """
    told = {} if file is None else _from_file(file)
    places = [("flags", _plain(flags)), ("environment", _from_environment())]
    if file is not None:
        places.append((str(file), told))
    merged: Tree = {}
    for _, tree in reversed(places):
        merged = _merged(merged, tree)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(_complaint(error, places)) from error


def _from_file(path: Path) -> Tree:
    try:
        told: Tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} is no TOML file: {error}") from error
    told = {name: None if value == _NONE else value for name, value in told.items()}
    folder = path.resolve().parent
    if isinstance(told.get("state"), str):
        told["state"] = str(folder / told["state"])
    if isinstance(told.get("sources"), list):
        told["sources"] = [
            str(folder / source) if isinstance(source, str) else source
            for source in told["sources"]
        ]
    tls = told.get("tls")
    if isinstance(tls, dict):
        told["tls"] = {
            name: str(folder / value) if isinstance(value, str) else value
            for name, value in tls.items()
        }
    return told


def _from_environment() -> Tree:
    """What variables say; lists and groups may be given as JSON."""
    from pydantic_settings import BaseSettings, EnvSettingsSource

    names = {
        name: name[len(PREFIX) :].partition("__")[0].lower()
        for name in os.environ
        if name.upper().startswith(PREFIX) and name[len(PREFIX) :].upper() not in OWN
    }
    for name, setting in names.items():
        if setting not in Settings.model_fields:
            raise SettingsError(
                f"{name}: there is no setting {setting!r}; expected one of "
                f"{', '.join(Settings.model_fields)}"
            )

    class Told(Settings, BaseSettings):  # type: ignore[misc]  # both have a configuration
        pass

    source = EnvSettingsSource(
        Told, env_prefix=PREFIX, env_nested_delimiter="__", env_parse_none_str=_NONE
    )
    try:
        return dict(source())
    except ValueError as error:
        raise SettingsError(f"environment: {error}; lists and groups are given as JSON") from error


def _plain(tree: Mapping[str, Any]) -> Tree:
    return {
        name: _plain(value) if isinstance(value, Mapping) else value for name, value in tree.items()
    }


def _merged(below: Tree, above: Tree) -> Tree:
    """Both, where `above` goes first; groups are merged by name."""
    both = dict(below)
    for name, value in above.items():
        old = both.get(name)
        both[name] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both


def _complaint(error: ValidationError, places: list[tuple[str, Tree]]) -> str:
    lines = []
    for fault in error.errors(include_url=False):
        path = fault["loc"]
        is_missing = fault["type"] == "missing"
        known = path[:-1] if is_missing else path
        where = next((place for place, tree in places if _is_in(tree, known)), "settings")
        name = ".".join(str(part) for part in path)
        received = "" if is_missing else f"; received {_short(fault['input'])}"
        lines.append(f"{where}: {name}: {fault['msg'].lower()}{received}")
    return "\n".join(lines)


def _is_in(tree: Any, path: tuple[int | str, ...]) -> bool:  # noqa: ANN401 - whatever TOML holds
    for part in path:
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        else:
            return not isinstance(tree, dict)
    return True


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
