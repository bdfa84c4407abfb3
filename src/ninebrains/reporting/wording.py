"""Numbers and names as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ninebrains.brains.manifest import Label
from ninebrains.photos import shortened

_NARROW = "\u202f"  # a thin space at which no line breaks
NOTHING = "\u2013"  # in the place of a number that is not known


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage, or a dash.

    >>> percent(0.98).replace(chr(0x202F), " ")
    '98.0 %'
    """
    return NOTHING if value is None else f"{100 * value:.{digits}f}{_NARROW}%"


def figure(value: float | None) -> str:
    """A measured number with four significant digits, or a dash.

    >>> figure(0.123456)
    '0.1235'
    """
    return NOTHING if value is None else f"{value:.4g}"


def count(number: int) -> str:
    """A count with its thousands apart.

    >>> count(12000)
    '12,000'
    """
    return f"{number:,}"


def photos(number: int) -> str:
    """A number of photos, in the right grammatical number.

    >>> photos(1), photos(1200)
    ('1 photo', '1,200 photos')
    """
    return f"{number:,} photo{'' if number == 1 else 's'}"


def sentence(text: str) -> str:
    """A sentence made elsewhere, with its percentages set as they are on this page."""
    return re.sub(r"(?<=\d) ?%", f"{_NARROW}%", text)


def names_in_short(names: Sequence[str], most: int = 5) -> str:
    """The first few of some names, and how many more there are.

    >>> names_in_short(["cat", "dog", "eel"], most=2)
    'cat, dog and 1 more'
    """
    shown = ", ".join(shortened(name) for name in names[:most])
    return f"{shown} and {count(len(names) - most)} more" if len(names) > most else shown


def names_of(indices: Sequence[int], labels: Sequence[Label]) -> str:
    """The names of some labels, or `no label`."""
    return " + ".join(labels[index].name for index in indices) or "no label"
