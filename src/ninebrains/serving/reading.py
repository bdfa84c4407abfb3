"""Reading settings: flags before environment variables before one TOML file."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ninebrains.errors import SettingsError
from ninebrains.serving.settings import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

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
    """What variables say; lists and groups are given as JSON."""
    from pydantic_settings import BaseSettings, EnvSettingsSource

    names = {
        name: name[len(PREFIX) :].partition("__")[0].lower()
        for name in os.environ
        if name.upper().startswith(PREFIX) and name[len(PREFIX) :].upper() not in OWN
    }
    for name, setting in names.items():
        if setting not in Settings.model_fields:
            raise SettingsError(f"{name}: {_unknown(setting, Settings.model_fields)}")

    class Told(Settings, BaseSettings):  # type: ignore[misc]  # both have a configuration
        pass

    class Variables(EnvSettingsSource):
        def decode_complex_value(self, field_name: str, _field: FieldInfo, value: str) -> object:
            return _decoded(field_name, value)

    source = Variables(Told, env_prefix=PREFIX, env_nested_delimiter="__", env_parse_none_str=_NONE)
    return dict(source())


def _decoded(setting: str, value: str) -> object:
    """A list or group in a variable: JSON; of sources also paths as in PATH."""
    try:
        decoded: object = json.loads(value)
    except ValueError:
        decoded = value  # the settings say that they expected something else
    if setting != "sources" or isinstance(decoded, (list, dict)) or value.lstrip()[:1] == "[":
        return decoded
    return [path for path in value.split(os.pathsep) if path]


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
        if where == "environment":
            name += _variable(path)
        if fault["type"] == "extra_forbidden":
            lines.append(f"{where}: {name}: {_unknown(str(path[-1]), _known(path[:-1]))}")
            continue
        is_text = where == "environment" and fault["type"] in _FORMS
        form = f", which is given as JSON, such as {_FORMS[fault['type']]}" if is_text else ""
        received = "" if is_missing else f"; received {_short(fault['input'])}"
        said = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {name}: {said[:1].lower()}{said[1:]}{form}{received}")
    return "\n".join(lines)


_LIST, _GROUP = """'["one", "two"]'""", """'{"name": "value"}'"""
_FORMS = {
    **dict.fromkeys(("tuple_type", "frozen_set_type"), _LIST),
    **dict.fromkeys(("dict_type", "model_type"), _GROUP),
}


def _variable(path: tuple[int | str, ...]) -> str:
    """The variable that a setting came from, in brackets."""
    told = {name.upper(): name for name in os.environ}
    for end in range(len(path), 0, -1):
        found = told.get(f"{PREFIX}{'__'.join(map(str, path[:end]))}".upper())
        if found is not None:
            return f" ({found})"
    return ""


def _unknown(name: str, known: Collection[str]) -> str:
    """Say that there is no such setting, and which there are."""
    close = get_close_matches(name, known, 3)
    hint = f"is {' or '.join(close)} meant? There are" if close else "there are"
    return f"there is no setting {name!r}; {hint} {', '.join(known)}"


def _known(path: tuple[int | str, ...]) -> Collection[str]:
    """The settings of a group, of all for the empty path."""
    kind: object = Settings
    for part in path:
        group = _model(kind)
        kind = get_args(kind)[-1] if group is None else group.model_fields[str(part)].annotation
    group = _model(kind)
    return () if group is None else tuple(group.model_fields)


def _model(kind: object) -> type[BaseModel] | None:
    """The group among what a setting may be; None where that is a table of groups."""
    for one in (kind, *get_args(kind)) if get_origin(kind) is not dict else ():
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


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
