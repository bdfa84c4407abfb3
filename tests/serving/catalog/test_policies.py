import pytest

from ninebrains.serving.settings import Policy
from tests.serving.catalog.making import look, states
from tests.serving.making import put, repository


@pytest.mark.parametrize(
    ("policy", "ready"),
    [
        (Policy(), (4,)),
        (Policy(latest=2), (3, 4)),
        (Policy(latest=9), (1, 3, 4)),
        (Policy(load="all"), (1, 3, 4)),
        (Policy(load="these", numbers=(1, 3, 8)), (1, 3)),
        (Policy(load="these", numbers=(2,)), ()),
    ],
)
def test_the_policy_says_what_is_loaded_of_what_can_be(begun, models, policy, ready):
    repository(models, {"pets": [1, 3, 4]})
    for number in (2, 5):
        (models / "pets" / f"{number}.brain").write_bytes(b"no brain")
    assert begun(policy=policy).ready("pets") == ready


def test_a_policy_may_be_for_one_name(begun, models):
    repository(models, {"pets": [1, 2], "rooms": [1, 2]})
    catalog = begun(policies={"rooms": Policy(load="all")})
    assert (catalog.ready("pets"), catalog.ready("rooms")) == ((2,), (1, 2))


def test_what_a_new_policy_does_not_want_leaves_when_the_rest_is_ready(begun, models):
    repository(models, {"pets": [1, 2, 3]})
    catalog = begun()

    def change(**policy):
        catalog.adopt(catalog.settings.model_copy(update={"policy": Policy(**policy)}))
        look(catalog)
        return catalog.ready("pets")

    assert change(latest=2) == (2, 3)
    assert change(load="these", numbers=(1,)) == (1,)
    assert change(load="these", numbers=(7,)) == (1,)  # better than nothing
    put(models, "pets", 7)
    look(catalog)
    assert catalog.ready("pets") == (7,)
    assert change(load="all") == (1, 2, 3, 7)
    assert change() == (7,)


def test_what_the_traffic_speaks_of_is_loaded_whatever_the_policy(begun, models):
    repository(models, {"pets": [1, 2, 3]})
    catalog = begun()
    catalog.held = lambda _: frozenset({1, 9})
    look(catalog)
    assert states(catalog) == {1: "ready", 2: "known", 3: "ready"}
    catalog.held = lambda _: frozenset()
    look(catalog)
    assert states(catalog) == {1: "known", 2: "known", 3: "ready"}


def test_what_policies_name_in_vain_is_told_once(opened, models, caplog):
    repository(models, {"pets": [1, 2], "rooms": [1]})
    catalog = opened(
        policy=Policy(load="these", numbers=(1, 8)),
        policies={
            "pets": Policy(load="these", numbers=(2, 9)),
            "roms": Policy(latest=2),
            "cars": Policy(),
        },
    )
    look(catalog)
    told = {problem.path: problem.reason for problem in catalog.problems}
    assert set(told) == {"policy", "policies.pets", "policies.roms", "policies.cars"}
    assert "version 8," in told["policy"]
    assert "version 9," in told["policies.pets"]
    assert "is rooms meant?" in told["policies.roms"]
    assert sorted(record.message for record in caplog.records) == sorted(
        f"{path} {reason}" for path, reason in told.items()
    )
    repository(models, {"pets": [9], "roms": [1], "cars": [1], "rooms": [8]})
    look(catalog)
    assert catalog.problems == ()
