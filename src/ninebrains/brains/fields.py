"""The kinds of value a manifest's fields may have: text that is safe to show, bounded numbers."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

# Joiners are of these categories too, but Persian, Hindi and emoji are not written without them.
_JOINERS = "\u200c\u200d"
_UNSAFE_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Shares are sums and quotients of floats, which may end a hair outside.
_ROUNDING = 1e-6
_LARGEST_COUNT = 1 << 53


def is_unsafe(character: str) -> bool:
    """Whether a character could steer a terminal, break a line or turn the direction of text."""
    return unicodedata.category(character) in _UNSAFE_CATEGORIES and character not in _JOINERS


def safe_text(text: str) -> str:
    r"""The text with every unsafe character replaced by U+FFFD.

    >>> safe_text("cat\n").encode()
    b'cat\xef\xbf\xbd'
    """
    return "".join("\ufffd" if is_unsafe(character) else character for character in text)


def _refuse_unsafe(text: str) -> str:
    for character in () if text.isprintable() else text:
        if is_unsafe(character):
            raise ValueError(
                f"the text holds the control or format character U+{ord(character):04X}, which "
                "could garble what is shown; remove it"
            )
    return text


Text = Annotated[str, Field(max_length=200), AfterValidator(_refuse_unsafe)]
"""One line that is safe to show; a name, at most 200 characters."""

LongText = Annotated[str, Field(max_length=10_000), AfterValidator(_refuse_unsafe)]
"""As `Text`, for sentences."""

Count = Annotated[int, Field(ge=0, le=_LARGEST_COUNT)]
Share = Annotated[float, Field(ge=-_ROUNDING, le=1.0 + _ROUNDING)]
Size = Annotated[float, Field(ge=-_ROUNDING)]
"""What is never negative, such as an error or a spread."""
