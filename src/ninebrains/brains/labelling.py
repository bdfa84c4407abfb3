"""From what people call things to labels that are valid, whatever the names hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ninebrains.brains.fields import safe_text
from ninebrains.brains.manifest import Label


def labels_from(names: Iterable[str]) -> list[Label]:
    """Labels in the order given, with readable, unique ids.

    Bytes that are no text, control characters and what is over 200 characters are replaced or cut
    off, and names that then are the same numbered.
    """
    labels: list[Label] = []
    taken_ids: set[str] = set()
    taken_names: set[str] = set()
    for index, name in enumerate(names):
        shown = _unused(safe_text(name)[:200] or "?", taken_names, " ")
        slug = unicodedata.normalize("NFKC", shown).casefold()
        slug = re.sub(r"[^\w.-]+", "-", slug).strip("-")[:180] or "label"
        labels.append(Label(id=_unused(slug, taken_ids, "-"), index=index, name=shown))
    return labels


def _unused(wanted: str, taken: set[str], joint: str) -> str:
    """`wanted`, with a number where it is in `taken`; the result is added there."""
    unique, suffix = wanted, 2
    while unique in taken:
        unique, suffix = f"{wanted[:190]}{joint}{suffix}", suffix + 1
    taken.add(unique)
    return unique
