"""`brain.json` and `signature.json` as bytes, and back: strict, and the same bytes for the same."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from ninebrains.errors import BrainError

if TYPE_CHECKING:
    from ninebrains.brains.manifest import Manifest, Part

    Kind = TypeVar("Kind", bound=Part)

SCHEMA_VERSION = 1
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
LARGEST_JSON_BYTES = 16 * 1024 * 1024


def canonical(part: Part) -> bytes:
    """The one JSON text of a manifest or signature: ASCII, sorted, a line a field, nothing absent.

    Fields that a later version adds do not show while they are absent, so the bytes, the hash and
    the signature of an older brain stay what they are.
    """
    plain = part.model_dump(mode="json", exclude_none=True)
    lines = [f"{json.dumps(name)}:{_write(plain[name])}" for name in sorted(plain)]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def read_manifest(data: bytes) -> Manifest:
    """The manifest in the bytes of a `brain.json`.

    Raises:
        BrainError: no JSON, of a newer version, or with fields that are missing, strange or wrong.
    """
    from ninebrains.brains.manifest import Manifest
    from ninebrains.images import Contract

    plain = _read_json(data, "brain.json")
    version = plain.get("schema_version")
    if type(version) is int and version > SCHEMA_VERSION:
        raise BrainError(
            f"this brain was written by a newer Ninebrains (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION}). Upgrade with: pip install --upgrade ninebrains"
        )
    if type(version) is not int or version < 1:
        raise BrainError(
            f"brain.json has the schema_version {version!r}; expected {SCHEMA_VERSION}"
        )
    contract = plain.get("contract")
    if isinstance(contract, dict):
        # A contract is a plain dataclass, where pydantic lets unknown fields pass.
        for name in sorted(set(contract) - {field.name for field in fields(Contract)}):
            raise BrainError(f"brain.json is wrong at contract: there is no field {name!r}")
    return read_part(Manifest, data, "brain.json")


def read_part(kind: type[Kind], data: bytes, name: str) -> Kind:
    """A manifest or signature from JSON.

    Raises:
        BrainError: no JSON, or with fields that are missing, strange or wrong.
    """
    from pydantic import ValidationError

    plain = _read_json(data, name)
    try:
        # Not `data` itself: pydantic's own JSON reader takes the last of two equal keys.
        return kind.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the whole"
        place = place if place.isprintable() else ascii(place)  # keys may be hostile, too
        raise BrainError(f"{name} is wrong at {place}: {first['msg']}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise BrainError(f"{name} is wrong: {error}") from error


def _read_json(data: bytes, name: str) -> dict[str, object]:
    if len(data) > LARGEST_JSON_BYTES:
        raise BrainError(f"{name} has {len(data):,} bytes; the limit is {LARGEST_JSON_BYTES:,}")
    try:
        plain = json.loads(
            data.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_refuse
        )
    except RecursionError:
        raise BrainError(f"{name} is nested too deeply") from None
    except ValueError as error:  # also what is not UTF-8, and numbers of thousands of digits
        raise BrainError(f"{name} is not valid JSON: {error}") from error
    if not isinstance(plain, dict):
        raise BrainError(f"{name} holds a {type(plain).__name__}; expected an object")
    return plain


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")
