"""Options that take several words, as in `--brains a.brain b.brain`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from typer.core import TyperCommand


class SeveralWords(TyperCommand):
    """A command whose repeatable options also take all words up to the next option.

    Made for commands without arguments: a word that follows such an option belongs to it. What the
    shell makes of a pattern can so be given to an option too.
    """

    # The context is click's, or Typer's own copy of it, by Typer's version.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the words as if each option had been given once for every word."""
        several = {
            name
            for option in self.params
            if getattr(option, "multiple", False)
            for name in option.opts
        }
        return super().parse_args(ctx, spelt_out(args, several))


def spelt_out(words: Sequence[str], several: Iterable[str]) -> list[str]:
    """The words with each option in `several` repeated before every word that belongs to it.

    >>> spelt_out(["--brains", "a", "b", "--json"], {"--brains"})
    ['--brains', 'a', '--brains', 'b', '--json']
    """
    known, found = frozenset(several), list[str]()
    option, has_word = "", False
    for place, word in enumerate(words):
        if word == "--":
            return [*found, *words[place:]]
        if word.startswith("-") and len(word) > 1:
            name, sign, _ = word.partition("=")
            option, has_word = (name if name in known else ""), bool(sign)
        elif option and has_word:
            found.append(option)
        else:
            has_word = True
        found.append(word)
    return found
