"""Which version answers whom, and how that is changed: with real hosts in this process."""

import threading
from collections import Counter

import pytest

from ninebrains.errors import MissingError, RequestError
from ninebrains.serving.asking import Asker
from ninebrains.serving.traffic.route import Route
from tests.serving.traffic.making import hosts

NOBODY = Asker()


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A host with pets 1, 2, 3 and rooms 1; tests begin with `fresh`."""
    with hosts(tmp_path_factory.mktemp("host"), {"pets": [1, 2, 3], "rooms": [1]}) as (one,):
        yield one


@pytest.fixture
def traffic(host):
    host.traffic.change(
        "pets",
        "test",
        stable=None,
        canary=None,
        shadow=None,
        rules=(),
        arrival="stable",
        gate=None,
    )
    return host.traffic


def number(traffic, wanted="pets", **asker):
    return traffic.choose(wanted, Asker(**asker)).number


def test_newest_ready_version_is_stable_where_none_is_set(traffic):
    chosen = traffic.choose("pets", NOBODY)
    assert (chosen.number, chosen.variant, chosen.member) == (3, "stable", "pets@3")
    traffic.change("pets", "ann", stable=1)
    assert number(traffic) == 1


def test_versions_and_aliases_are_found_by_name(traffic):
    traffic.change("pets", "ann", stable=1, canary=2, shadow=3)
    got = {w: traffic.choose(f"pets@{w}", NOBODY) for w in ("3", "stable", "canary", "shadow")}
    assert {which: (one.number, one.variant) for which, one in got.items()} == {
        "3": (3, "version"),
        "stable": (1, "stable"),
        "canary": (2, "canary"),
        "shadow": (3, "shadow"),
    }


@pytest.mark.parametrize("wanted", ["cars", "cars@1", "", "@1"])
def test_unknown_name_is_missing_and_the_known_ones_are_told(traffic, wanted):
    with pytest.raises(MissingError, match="there is pets, rooms"):
        traffic.choose(wanted, NOBODY)


@pytest.mark.parametrize("which", ["9", "canary", "shadow", "", "x", "-1", "9" * 5000, "²"])
def test_unknown_version_is_missing_and_the_ready_ones_are_told(traffic, which):
    with pytest.raises(MissingError, match="pets@1, pets@2, pets@3, pets@stable"):
        traffic.choose(f"pets@{which}", NOBODY)


def test_user_keeps_their_version_and_the_share_is_as_set(traffic):
    traffic.change("pets", "ann", stable=1, canary=2, canary_percent=10)
    users = [f"user {n}" for n in range(4000)]
    first = {user: number(traffic, user=user) for user in users}
    assert first == {user: number(traffic, user=user) for user in users}
    assert 320 < Counter(first.values())[2] < 480
    traffic.change("pets", "ann", canary_percent=30)
    wider = {user: number(traffic, user=user) for user in users}
    assert 1080 < Counter(wider.values())[2] < 1320
    assert all(wider[user] == 2 for user in users if first[user] == 2)


def test_every_canary_is_tried_on_other_users(traffic):
    users = [f"user {n}" for n in range(2000)]
    traffic.change("pets", "ann", stable=1, canary=2, canary_percent=20)
    first = {user for user in users if number(traffic, user=user) == 2}
    traffic.change("pets", "ann", canary=3)
    second = {user for user in users if number(traffic, user=user) == 3}
    assert 0.1 < len(first & second) / len(first) < 0.3


def test_requests_without_user_are_shared_at_random(traffic):
    traffic.change("pets", "ann", stable=1, canary=2, canary_percent=50)
    assert 850 < sum(number(traffic) == 2 for _ in range(2000)) < 1150
    for percent, always in ((0, 1), (100, 2)):
        traffic.change("pets", "ann", canary_percent=percent)
        assert {number(traffic) for _ in range(200)} == {always}
        assert {number(traffic, user=str(n)) for n in range(200)} == {always}


RULES = (
    {"header": "X-Region", "values": ["eu", "uk"], "to": "canary"},
    {"header": "x-app", "at_least": "2.10.0", "to": "canary"},
    {"header": "x-internal", "to": "stable"},
)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-region": "eu"}, 2),
        ({"x-region": "us"}, 1),
        ({"x-app": "2.9"}, 1),
        ({"x-app": "2.10"}, 2),
        ({"x-app": "v2.10.1"}, 2),
        ({"x-app": "10.0"}, 2),
        ({"x-app": "2.10.0-beta"}, 1),
        ({"x-app": "newest"}, 1),
        ({"x-app": "9" * 5000}, 1),
        ({"x-internal": "", "x-app": "3"}, 2),
        ({}, 1),
    ],
)
def test_first_rule_that_fits_decides(traffic, headers, expected):
    traffic.change("pets", "ann", stable=1, canary=2, rules=RULES)
    assert number(traffic, headers=headers, user="u") == expected


def test_rule_to_stable_goes_before_the_share(traffic):
    traffic.change("pets", "ann", stable=1, canary=2, canary_percent=100, rules=RULES)
    assert number(traffic, headers={"x-internal": "yes"}) == 1
    assert number(traffic) == 2


def test_promotion_makes_the_canary_stable_and_roll_back_undoes_it(traffic):
    traffic.change("pets", "ann", stable=1, canary=2, canary_percent=5)
    assert traffic.promote("pets", "ann", why="it is better") == Route(stable=2, previous=1)
    assert number(traffic, user="u") == 2
    assert traffic.roll_back("pets", "bob") == Route(stable=1, previous=2)
    assert traffic.roll_back("pets", "bob").stable == 2
    told = [(h.by, h.what, h.why) for h in traffic.history("pets")[:3]]
    assert told == [
        ("bob", "roll back: stable: 1 → 2, previous: 2 → 1", ""),
        ("bob", "roll back: stable: 2 → 1, previous: 1 → 2", ""),
        (
            "ann",
            "promote: stable: 1 → 2, canary: 2 → none, canary_percent: 5 → 0, previous: 3 → 1",
            "it is better",
        ),
    ]


def test_roll_back_of_a_running_canary_only_ends_it(traffic):
    traffic.change("pets", "ann", stable=1, canary=2, canary_percent=50)
    route = traffic.roll_back("pets", "bob")
    assert (route.stable, route.canary, route.canary_percent) == (1, None, 0.0)


def test_any_known_version_can_be_promoted_and_again_without_effect(traffic):
    route = traffic.promote("pets", "ann", 2)
    assert (route.stable, route.previous) == (2, 3)
    before = traffic.history("pets")
    assert traffic.promote("pets", "ann", 2) == route
    assert traffic.history("pets") == before


def test_shadow_that_becomes_stable_is_no_shadow_any_more(traffic):
    traffic.change("pets", "ann", stable=1, shadow=2)
    assert traffic.promote("pets", "ann", 2).shadow is None
    traffic.change("pets", "ann", shadow=1)
    route = traffic.roll_back("pets", "ann")
    assert (route.stable, route.shadow) == (1, None)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"stable": 9}, MissingError, "pets@9"),
        ({"canary": 9}, MissingError, "pets@9"),
        ({"stable": 1, "canary": 1}, RequestError, "pets@1 is stable, so it cannot be canary"),
        ({"canary": 3}, RequestError, "pets@3 is stable"),
        ({"shadow": 3}, RequestError, "pets@3 is stable, so it cannot be shadow"),
        ({"canary": 2, "canary_percent": 101}, RequestError, "canary_percent.*less than or equal"),
        ({"canary_percent": -1}, RequestError, "canary_percent"),
        ({"canary_percent": float("nan")}, RequestError, "canary_percent"),
        ({"stable": 0}, RequestError, "stable"),
        ({"stable": "x"}, RequestError, "stable"),
        ({"stable": True}, RequestError, "stable"),
        ({"colour": "red"}, RequestError, "colour"),
        ({"previous": 1}, RequestError, "previous"),
        ({"rules": [{"header": "a", "to": "shadow"}]}, RequestError, "rules.0.to"),
        ({"rules": [{"header": "a", "at_least": "x", "to": "canary"}]}, RequestError, "at_least"),
        (
            {"rules": [{"header": "x y", "to": "canary"}]},
            RequestError,
            "no header can be called so",
        ),
        ({"gate": {}}, RequestError, "a gate needs a goal"),
        ({"arrival": "version"}, RequestError, "arrival"),
    ],
)
def test_senseless_change_is_refused_and_changes_nothing(traffic, fields, error, message):
    before = traffic.route("pets"), traffic.history("pets")
    with pytest.raises(error, match=message):
        traffic.change("pets", "ann", **fields)
    assert (traffic.route("pets"), traffic.history("pets")) == before


def test_what_is_not_there_cannot_be_promoted_or_rolled_back(traffic):
    for act, error in (
        (lambda: traffic.promote("pets", "ann"), RequestError),
        (lambda: traffic.promote("pets", "ann", 9), MissingError),
        (lambda: traffic.promote("cars", "ann"), MissingError),
        (lambda: traffic.roll_back("cars", "ann"), MissingError),
        (lambda: traffic.roll_back("rooms", "ann"), RequestError),
        (lambda: traffic.route("cars"), MissingError),
        (lambda: traffic.history("cars"), MissingError),
    ):
        with pytest.raises(error):
            act()


def test_canary_pins_stable_that_followed_the_newest(traffic):
    route = traffic.change("pets", "ann", canary=2, canary_percent=10)
    assert (route.stable, route.canary) == (3, 2)


def test_history_tells_rules_and_gates_in_words(traffic):
    rules = [
        {"header": "X-Region", "values": ["eu", "us"], "to": "stable"},
        {"header": "x-app-version", "at_least": "2.10.0", "to": "canary"},
        {"header": "x-beta", "to": "canary"},
    ]
    traffic.change("pets", "ann", rules=rules, gate={"p90_ms": 80, "act": True})
    assert traffic.history("pets")[0].what == (
        "change: rules: none → (x-region is 'eu' or 'us': to stable; x-app-version is at least "
        "2.10.0: to canary; x-beta is there: to canary), gate: none → (p90_ms 80, act yes)"
    )
    traffic.change("pets", "ann", rules=rules * 30)
    assert len(traffic.history("pets")[0].what) < 700


def test_changes_are_logged_by_whom_and_why(traffic, caplog):
    caplog.set_level("INFO", "ninebrains.serving")
    traffic.change("pets", "ann", canary=2, why="trained in spring")
    (line,) = [record for record in caplog.records if record.getMessage() == "route"]
    assert (line.brain, line.by, line.why) == ("pets", "ann", "trained in spring")
    assert line.what == traffic.history("pets")[0].what


def test_history_is_bounded(traffic, monkeypatch):
    monkeypatch.setattr("ninebrains.serving.traffic.states.MOST_HAPPENINGS", 5)
    for percent in range(12):
        traffic.change("pets", "ann", arrival_percent=percent)
    told = traffic.history("pets")
    assert told[0].what == "change: arrival_percent: 10 → 11"
    assert len(told) == 5


def test_each_request_gets_a_whole_route_while_it_changes(traffic):
    """Promotions and roll-backs under way: stable is always 1 or 2, and never a canary as well."""
    traffic.change("pets", "ann", stable=1, canary=2, canary_percent=50)
    seen, stop = set(), threading.Event()

    def ask():
        while not stop.is_set():
            seen.add(traffic.choose("pets", Asker(user="u")))
            seen.add(traffic.choose("pets@stable", NOBODY))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        traffic.promote("pets", "ann")
        traffic.change("pets", "ann", stable=1, canary=2, canary_percent=50)
    stop.set()
    for thread in threads:
        thread.join()
    assert {(one.number, one.variant) for one in seen} <= {
        (1, "stable"),
        (2, "stable"),
        (2, "canary"),
    }
