"""Several workers of one host: they converge, and a version arrives once."""

import pytest

from ninebrains.errors import MissingError, OutputError, RequestError
from ninebrains.serving.asking import Asker
from ninebrains.serving.traffic.route import Route
from tests.serving.making import put, repository
from tests.serving.traffic.making import ask, hosts, until

NOBODY = Asker()


def happened(host, name="pets"):
    return [one.what for one in host.traffic.history(name)]


def test_change_in_one_worker_holds_in_the_other_and_after_a_restart(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2]}, count=2) as (one, other):
        one.traffic.change("pets", "ann", stable=1, canary=2, canary_percent=30)
        other.traffic.refresh()
        users = [Asker(user=str(n)) for n in range(300)]
        assert [one.traffic.choose("pets", user) for user in users] == [
            other.traffic.choose("pets", user) for user in users
        ]
        other.traffic.promote("pets", "bob")
        until(lambda: one.traffic.choose("pets", NOBODY).number == 2)  # by its own chores
        assert one.traffic.history("pets") == other.traffic.history("pets")
    with hosts(tmp_path, {}, count=1) as (one,):
        assert one.traffic.route("pets") == Route(stable=2, previous=1)


def test_changes_of_different_fields_in_different_workers_are_both_kept(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2]}, count=2) as (one, other):
        one.traffic.change("pets", "ann", stable=1)
        assert other.traffic.change("pets", "bob", arrival="nothing").stable == 1


@pytest.mark.parametrize(
    ("arrival", "expected", "chosen"),
    [
        ("stable", Route(arrival="stable", previous=1), 2),
        ("canary", Route(arrival="canary", stable=1, canary=2, canary_percent=25.0), 1),
        ("shadow", Route(arrival="shadow", stable=1, shadow=2), 1),
        ("nothing", Route(arrival="nothing", stable=1), 1),
    ],
)
def test_new_version_becomes_what_the_route_says_once(tmp_path, arrival, expected, chosen):
    with hosts(tmp_path, {"pets": [1]}, count=2) as (one, other):
        one.traffic.change("pets", "ann", arrival=arrival, arrival_percent=25)
        put(one.settings.sources[0], "pets", 2)
        expected = expected.model_copy(update={"arrival_percent": 25.0})
        for host in (one, other):
            until(lambda host=host: host.catalog.ready("pets") == (1, 2))
            until(lambda host=host: host.traffic.route("pets") == expected)
            got = {host.traffic.choose("pets@stable", NOBODY).number for _ in range(50)}
            assert got == {chosen}
        assert sum("2 arrived" in what for what in happened(one)) == 1
        if arrival == "canary":
            one.traffic.roll_back("pets", "ann")
    with hosts(tmp_path, {}) as (one,):
        assert sum("2 arrived" in what for what in happened(one)) == 1
        assert one.traffic.route("pets").canary is None


def test_newest_is_stable_at_the_first_start_and_nothing_arrives(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2]}) as (host,):
        assert host.traffic.choose("pets", NOBODY).number == 2
        assert happened(host) == []


def test_version_that_came_while_the_host_was_down_becomes_canary(tmp_path):
    latest = {"policy": {"load": "latest", "latest": 1}}
    with hosts(tmp_path, {"pets": [1]}, **latest) as (host,):
        host.traffic.change("pets", "ann", arrival="canary")
    put(tmp_path / "models", "pets", 2)
    with hosts(tmp_path, {}, **latest) as (host,):
        route = host.traffic.route("pets")
        assert (route.stable, route.canary, route.canary_percent) == (1, 2, 10.0)
        assert host.catalog.ready("pets") == (1, 2)
        assert host.traffic.choose("pets@stable", NOBODY).number == 1


def test_version_that_is_gone_is_made_up_for_and_only_missed_by_number(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2, 3]}) as (host,):
        host.traffic.change("pets", "ann", stable=2, canary=3, canary_percent=100)
        (tmp_path / "models" / "pets" / "3.brain").unlink()
        until(lambda: host.catalog.ready("pets") == (1, 2))
        assert host.traffic.choose("pets", NOBODY).number == 2
        host.traffic.promote("pets", "ann", 1)
        (tmp_path / "models" / "pets" / "1.brain").unlink()
        until(lambda: host.catalog.ready("pets") == (2,))
        assert host.traffic.choose("pets", NOBODY).number == 2
        assert host.traffic.change("pets", "ann", arrival="nothing").stable == 1


def test_change_that_cannot_be_written_changes_nothing(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2]}) as (host,):
        with host.ledger.reading() as rows:
            rows.execute("PRAGMA query_only = 1")
        with pytest.raises(OutputError):
            host.traffic.change("pets", "ann", stable=1)
        assert host.traffic.choose("pets", NOBODY).number == 2
        with host.ledger.reading() as rows:
            rows.execute("PRAGMA query_only = 0")
        host.traffic.change("pets", "ann", stable=1)
        assert host.traffic.choose("pets", NOBODY).number == 1


def test_roll_back_to_a_version_that_is_not_loaded_loads_it_and_fails_nothing(tmp_path):
    latest = {"policy": {"load": "latest", "latest": 1}}
    with hosts(tmp_path, {"pets": [1]}, **latest) as (host,):
        put(tmp_path / "models", "pets", 2)
        until(lambda: host.catalog.ready("pets") == (2,))
        until(lambda: host.traffic.route("pets").previous == 1)
        host.traffic.roll_back("pets", "ann")
        until(lambda: host.traffic.choose("pets", NOBODY).number == 1)
        ask(host, 3)
        assert host.catalog.ready("pets") == (1, 2)
        host.traffic.roll_back("pets", "ann")
        assert host.traffic.choose("pets", NOBODY).number == 2


def test_version_can_be_named_before_it_is_ready_and_stable_answers_until_then(tmp_path):
    latest = {"policy": {"load": "latest", "latest": 1}}
    with hosts(tmp_path, {"pets": [1, 2]}, **latest) as (host,):
        assert host.catalog.ready("pets") == (2,)
        host.traffic.change("pets", "ann", stable=2, canary=1, canary_percent=100)
        ask(host, 3)
        until(lambda: host.traffic.choose("pets", NOBODY).number == 1)
        assert host.traffic.choose("pets", NOBODY).variant == "canary"


def test_version_that_could_not_be_loaded_is_neither_asked_nor_promoted(tmp_path):
    repository(tmp_path / "models", {"pets": [1], "broken": []})
    (tmp_path / "models" / "pets" / "2.brain").write_bytes(b"no brain")
    (tmp_path / "models" / "broken").mkdir()
    (tmp_path / "models" / "broken" / "1.brain").write_bytes(b"no brain")
    with hosts(tmp_path, {}) as (host,):
        until(lambda: host.catalog.find("pets", 2).state == "failed")
        with pytest.raises(RequestError, match="pets@2 could not be loaded") as refused:
            host.traffic.promote("pets", "ann", 2)
        assert refused.value.status == 409
        assert host.traffic.choose("pets", NOBODY).number == 1
        until(lambda: host.catalog.find("broken", 1).state == "failed")
        with pytest.raises(MissingError, match="no version of broken is ready: "):
            host.traffic.choose("broken", NOBODY)
