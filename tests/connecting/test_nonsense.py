"""Whatever a host answers, the client understands it or says that it does not."""

import contextlib
import copy
import json
import random

import pytest

import ninebrains as nb
from tests.connecting.misbehaving import FACTS, ONE, answers, http, misbehaving

STRANGE = (
    None,
    True,
    -1,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 1000,
    [],
    [[]],
    {},
    {"a": 1},
    [None],
    "AAAA",
)


def places(plain, path=()):
    """Every place in a JSON value."""
    items = (
        plain.items()
        if isinstance(plain, dict)
        else enumerate(plain)
        if isinstance(plain, list)
        else ()
    )
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def spoilt(plain, choice):
    """A copy with one place gone, or strange."""
    plain = copy.deepcopy(plain)
    *path, last = choice.choice(list(places(plain)))
    parent = plain
    for key in path:
        parent = parent[key]
    if choice.random() < 0.2 and isinstance(parent, dict):
        del parent[last]
    else:
        parent[last] = choice.choice(STRANGE)
    return plain


HEATMAP = {"shape": [2, 1, 1], "values": {"shape": [2, 1, 1], "float32": "AAAAAAAAAAA="}}
GOOD = json.loads(answers({**ONE, "heatmap": HEATMAP, "features": None}).partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("seed", range(3))
def test_spoilt_answers(seed):
    choice = random.Random(seed)
    spoilt_ones = [http(200, spoilt(GOOD, choice)) for _ in range(100)]
    answered = 0
    with misbehaving(*spoilt_ones) as server, nb.connect(server.url) as host:
        for _ in spoilt_ones:
            with contextlib.suppress(nb.NinebrainsError):
                host.run(b"photo", "pets", heatmaps=True)
                answered += 1
    assert 0 < answered < 80


@pytest.mark.parametrize("seed", range(3))
def test_spoilt_facts(seed, monkeypatch):
    choice = random.Random(seed)
    good = dict(FACTS)
    with misbehaving() as server:
        for _ in range(40):
            for name, value in spoilt(good, choice).items():
                monkeypatch.setitem(FACTS, name, value)
            with nb.connect(server.url) as host:
                for ask in (lambda: host.names, lambda: host.get("pets").run(b"photo", top=1)):
                    with contextlib.suppress(nb.NinebrainsError):
                        ask()
