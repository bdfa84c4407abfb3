"""Options that take several words."""

import pytest

from ninebrains.cli.words import spelt_out

CASES = [
    ("--brains a b --source x", "--brains a --brains b --source x"),
    ("--brains a --brains b", "--brains a --brains b"),
    ("--brains=a b", "--brains=a --brains b"),
    ("--top 3 --brains a b c --json", "--top 3 --brains a --brains b --brains c --json"),
    ("--source 0 --brains a", "--source 0 --brains a"),
    ("--brains a - b", "--brains a --brains - --brains b"),
    ("--brains --source x y", "--brains --source x --source y"),
    ("--top 3 x", "--top 3 x"),
    ("--brains a -- b c", "--brains a -- b c"),
    ("", ""),
]


@pytest.mark.parametrize(("given", "expected"), CASES, ids=[given for given, _ in CASES])
def test_words_belong_to_the_option_before_them(given, expected):
    assert spelt_out(given.split(), {"--brains", "--source"}) == expected.split()
