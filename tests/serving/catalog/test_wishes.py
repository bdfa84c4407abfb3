import pytest

from ninebrains.errors import BrainError, MissingError
from ninebrains.serving.settings import Policy
from tests.brains.making import make_brain
from tests.serving.catalog.making import look, states
from tests.serving.making import put, repository


@pytest.fixture
def three(models):
    return repository(models, {"pets": [1, 2, 3]})


def test_a_version_is_loaded_beside_what_the_policy_says(begun, three):
    catalog = begun()
    version = catalog.load("pets", 1)
    assert (version.number, version.state) == (1, "ready")
    look(catalog)
    assert catalog.ready("pets") == (1, 3)
    assert catalog.load("pets").number == 3  # back to the policy
    look(catalog)
    assert catalog.ready("pets") == (3,)


def test_a_version_is_loaded_without_waiting_for_a_look(begun, three):
    catalog = begun(watch_seconds=3600.0)
    put(three, "pets", 9)
    put(three, "rooms", 1)
    assert catalog.load("pets", 9).state == "ready"
    assert catalog.load("rooms").number == 1


def test_one_version_that_is_unloaded_leaves_the_rest(begun, three):
    catalog = begun()
    catalog.unload("pets", 3)
    assert states(catalog) == {1: "known", 2: "ready", 3: "leaving"}
    look(catalog)
    assert states(catalog) == {1: "known", 2: "ready", 3: "known"}
    put(three, "pets", 4)
    look(catalog)
    assert catalog.ready("pets") == (4,)
    assert catalog.load("pets", 3).state == "ready"


def test_a_name_that_is_unloaded_stays_so_until_it_is_loaded(begun, three):
    catalog = begun(policy=Policy(load="all"))
    catalog.held = lambda _: frozenset({2})
    catalog.unload("pets")
    assert set(states(catalog).values()) == {"leaving"}
    put(three, "pets", 4)
    look(catalog)
    assert states(catalog) == dict.fromkeys((1, 2, 3, 4), "known")
    catalog.load("pets", 2)
    look(catalog)
    assert catalog.ready("pets") == (2,)
    catalog.load("pets")
    look(catalog)
    assert catalog.ready("pets") == (1, 2, 3, 4)


def test_wishes_are_taken_over_by_other_workers_and_after_a_restart(begun, opened, three):
    one, other = begun(), begun()
    for catalog in (one, other):
        catalog.follow()
    one.load("pets", 1)
    other.follow()
    assert other.ready("pets") == (1, 3)
    other.unload("pets", 3)
    one.follow()
    look(one)
    assert one.ready("pets") == (1, 2)
    later = opened()
    later.refresh()
    assert later.ready("pets") == (1, 2)
    one.unload("pets")
    for catalog in (other, later):
        catalog.follow()
        assert catalog.ready("pets") == ()


def test_what_one_worker_has_proven_the_others_take_without_waiting(begun, models, tmp_path):
    sent = make_brain().save(tmp_path / "sent.brain")
    one, other = begun(watch_seconds=3600.0), begun(watch_seconds=3600.0)
    put(models, "rooms", 1)
    one.load("rooms", 1)
    one.upload("pets", None, sent)
    other.follow()
    assert other.names == ("pets", "rooms")
    put(models, "pets", 1)  # other files: whether they are whole nobody knows
    digest = other.find("pets", 1).digest
    other.refresh()
    assert other.find("pets", 1).digest == digest


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda c: c.load("pets", 9), MissingError, "pets@9"),
        (lambda c: c.load("nobody"), MissingError, "nobody"),
        (lambda c: c.load("nobody", 1), MissingError, "nobody@1"),
        (lambda c: c.load("../pets", 1), MissingError, "pets"),
        (lambda c: c.load("pets", 4), BrainError, "pets@4 was refused: .*no brain"),
        (lambda c: c.load("pets"), BrainError, "pets@4 was refused: .*no brain"),
        (lambda c: c.unload("nobody"), MissingError, "nobody"),
        (lambda c: c.unload("pets", 9), MissingError, "pets@9"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(begun, opened, three, call, error, reason):
    (three / "pets" / "4.brain").write_bytes(b"this is no brain" * 10)
    catalog = begun()
    before = states(catalog)
    with pytest.raises(error, match=reason):
        call(catalog)
    look(catalog)
    assert states(catalog) == before
    later = opened()
    later.refresh()
    assert states(later) == before


def test_a_version_that_was_refused_is_tried_again_when_asked_to(begun, models, monkeypatch):
    from ninebrains.serving.catalog import lineup

    real = lineup.admit
    put(models, "pets", 1)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(lineup, "admit", fail)
    catalog = begun()
    assert states(catalog) == {1: "failed"}
    monkeypatch.setattr(lineup, "admit", real)
    assert catalog.load("pets", 1).state == "ready"
