import os
import shutil

import numpy as np
import pytest

from ninebrains.brains.signing import new_key, sign
from ninebrains.errors import BrainError, MissingError
from ninebrains.serving.catalog import State
from ninebrains.serving.settings import Policy
from tests.brains.making import make_brain, photo
from tests.serving.catalog.making import look, states
from tests.serving.making import put, repository


def scores(catalog, member):
    return catalog._lineup._mind.run(photo(), member)[member].answers


def test_what_is_there_when_starting_is_ready_after_one_look(models, opened, model_file):
    repository(models, {"pets": [1, 2], "rooms": [5]})
    (models / "net.onnx").write_bytes(model_file.read_bytes())
    catalog = opened()
    assert not catalog.has_looked
    catalog.refresh()
    assert catalog.has_looked
    assert catalog.names == ("net", "pets", "rooms")
    assert states(catalog) == {1: "known", 2: "ready"}
    assert catalog.ready("pets") == (2,)
    assert catalog.ready("nobody") == ()
    pets, net = catalog.find("pets", 2), catalog.find("net", 1)
    assert (pets.facts.name, pets.facts.version, pets.digest) == (
        "pets",
        "2",
        make_brain(name="pets", version="2", head_seed=2).hash,
    )
    assert len(net.digest) == 64
    assert not net.facts.graph.data
    with pytest.raises(MissingError, match="pets@3"):
        catalog.find("pets", 3)


def test_sources_that_are_missing_end_the_start(opened, models, tmp_path):
    put(models, "pets", 1)
    catalog = opened(sources=(models, tmp_path / "gone"))
    with pytest.raises(MissingError, match="gone cannot be read"):
        catalog.refresh()
    (tmp_path / "gone").mkdir()
    catalog.refresh()
    assert catalog.names == ("pets",)


def test_a_source_that_goes_away_later_changes_nothing(begun, models, tmp_path):
    put(models, "pets", 1)
    catalog = begun()
    models.rename(tmp_path / "away")
    look(catalog)
    assert states(catalog) == {1: "ready"}
    assert catalog.problems[0].is_source
    (tmp_path / "away").rename(models)
    look(catalog)
    assert (states(catalog), catalog.problems) == ({1: "ready"}, ())


def test_an_empty_folder_is_no_mistake(begun):
    catalog = begun()
    assert (catalog.names, dict(catalog.versions), catalog.has_looked) == ((), {}, True)


def test_a_new_version_is_ready_before_the_old_one_leaves_step_by_step(begun, models):
    put(models, "pets", 1)
    catalog = begun()
    put(models, "pets", 2)
    seen = []
    for _ in range(6):
        catalog.refresh()
        assert catalog.ready("pets")
        seen.append(states(catalog))
    assert seen == [
        {1: "ready", 2: "known"},
        {1: "ready", 2: "ready"},
        {1: "leaving", 2: "ready"},
        {1: "known", 2: "ready"},
        {1: "known", 2: "ready"},
        {1: "known", 2: "ready"},
    ]
    assert catalog._lineup._mind.names == ("pets@2",)


def test_time_must_pass_between_two_looks(begun, models):
    """Looks on behalf of others may follow each other at once; copying takes its time."""
    put(models, "pets", 1)
    catalog = begun(watch_seconds=3600.0)
    put(models, "pets", 2)
    look(catalog)
    assert states(catalog) == {1: "ready", 2: "known"}
    assert "copied" in catalog.find("pets", 2).reason


def test_snapshots_never_change(begun, models):
    put(models, "pets", 1)
    catalog = begun()
    before = catalog.versions
    look(catalog)
    assert catalog.versions is before
    put(models, "pets", 2)
    look(catalog)
    assert {number: version.state for number, version in before["pets"].items()} == {1: State.READY}


def test_a_folder_that_is_copied_file_by_file_is_left_alone(begun, models, tmp_path):
    put(models, "pets", 1)
    catalog = begun()
    source = make_brain(large=1000).save(tmp_path / "draft")
    target = models / "pets" / "2"
    files = sorted(path for path in source.rglob("*") if path.is_file())
    assert len(files) > 3
    for file in files:
        target.joinpath(file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        data = file.read_bytes()
        for end in (len(data) // 2, len(data)):
            target.joinpath(file.relative_to(source)).write_bytes(data[:end])
            catalog.refresh()
            assert states(catalog).get(2, "known") == "known"
            assert catalog.ready("pets") == (1,)
    catalog.refresh()
    assert catalog.ready("pets") == (1, 2)


def test_a_copy_that_pauses_is_refused_and_taken_once_it_is_whole(begun, models, tmp_path):
    put(models, "pets", 1)
    catalog = begun()
    data = make_brain(version="2").save(tmp_path / "2.brain").read_bytes()
    with (models / "pets" / "2.brain").open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        look(catalog)
        assert states(catalog) == {1: "ready", 2: "failed"}
        file.write(data[len(data) // 2 :])
    look(catalog)
    assert states(catalog) == {1: "known", 2: "ready"}


def test_a_half_copied_version_when_starting_is_taken_once_it_is_whole(begun, models, tmp_path):
    put(models, "pets", 1)
    data = make_brain(version="2").save(tmp_path / "2.brain").read_bytes()
    (models / "pets" / "2.brain").write_bytes(data[:-100])
    catalog = begun()
    assert states(catalog) == {1: "ready", 2: "failed"}
    (models / "pets" / "2.brain").write_bytes(data)
    look(catalog)
    assert states(catalog) == {1: "known", 2: "ready"}


@pytest.mark.parametrize("number_of_byte", [100, -3000, -10])
def test_a_corrupt_version_is_refused_and_the_old_one_keeps_serving(begun, models, number_of_byte):
    put(models, "pets", 1, large=10_000)
    catalog = begun()
    path = put(models, "pets", 2, large=10_000)  # with the same trunk, which runs already
    data = bytearray(path.read_bytes())
    data[number_of_byte] ^= 1
    path.write_bytes(data)
    look(catalog)
    assert states(catalog) == {1: "ready", 2: "failed"}
    assert catalog.find("pets", 2).reason.count(str(path)) == 1
    assert catalog._lineup._mind.names == ("pets@1",)


def test_what_was_refused_is_not_tried_again_until_it_changes(begun, models, monkeypatch):
    from ninebrains.serving.catalog import lineup

    tried = []
    real = lineup.admit
    monkeypatch.setattr(lineup, "admit", lambda *a: (tried.append(a[2]), real(*a))[1])
    (models / "pets").mkdir()
    (models / "pets" / "1.brain").write_bytes(b"no brain")
    catalog = begun()
    look(catalog, 10)
    assert tried == ["pets@1"]
    put(models, "pets", 1)
    look(catalog)
    assert tried == ["pets@1"] * 2
    assert states(catalog) == {1: "ready"}


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (MemoryError(), True),
        (OSError(28, "No space left on device"), True),
        (RuntimeError("[ONNXRuntimeError] : 6 : std::bad_alloc"), True),
        (RuntimeError("[ONNXRuntimeError] : 1 : FAIL"), False),
        (KeyError("anything"), False),
        (RecursionError(), False),
        (BrainError("no brain"), False),
    ],
)
def test_whatever_a_load_raises_becomes_a_refusal(
    begun, models, monkeypatch, error, is_tried_again
):
    from ninebrains.serving.catalog import lineup, patience

    tried = []

    def fail(*_):
        tried.append(1)
        raise error

    clock = [1000.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: clock[0])
    real = lineup.admit
    monkeypatch.setattr(lineup, "admit", fail)
    put(models, "pets", 1)
    catalog = begun()
    assert states(catalog) == {1: "failed"}
    name = "" if isinstance(error, BrainError) else type(error).__name__
    assert name in catalog.find("pets", 1).reason
    times = []
    for _ in range(1200):
        clock[0] += 1
        before = len(tried)
        catalog.refresh()
        times += [clock[0]] * (len(tried) - before)
    pauses = [later - earlier for earlier, later in zip([1000.0, *times], times, strict=False)]
    assert bool(pauses) == is_tried_again
    assert pauses == sorted(pauses)
    assert len(pauses) < 20
    monkeypatch.setattr(lineup, "admit", real)
    clock[0] += 400
    look(catalog)
    assert states(catalog) == {1: "ready" if is_tried_again else "failed"}


def test_unexpected_failures_are_logged_with_their_trace(begun, models, monkeypatch, caplog):
    from ninebrains.serving.catalog import lineup

    def fail(*_):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(lineup, "admit", fail)
    put(models, "pets", 1)
    begun()
    (record,) = [record for record in caplog.records if "refused" in record.message]
    assert record.exc_info[0] is ZeroDivisionError


def test_replaced_content_takes_over_under_the_same_number(begun, models):
    put(models, "pets", 1)
    catalog = begun()
    before, digest = scores(catalog, "pets@1"), catalog.find("pets", 1).digest
    put(models, "pets", 1, head_seed=77)
    catalog.refresh()
    assert catalog.find("pets", 1).digest == digest
    look(catalog)
    assert catalog.find("pets", 1).digest != digest
    assert catalog.find("pets", 1).reason == ""
    assert not np.allclose(scores(catalog, "pets@1"), before)
    assert catalog._lineup._mind.names == ("pets@1",)


def test_replaced_content_that_is_refused_leaves_the_old_one_serving(begun, models):
    put(models, "pets", 1)
    catalog = begun()
    before, digest = scores(catalog, "pets@1"), catalog.find("pets", 1).digest
    draft = models / "pets" / ".draft"
    draft.write_bytes(b"no brain")
    draft.rename(models / "pets" / "1.brain")
    look(catalog)
    version = catalog.find("pets", 1)
    assert version.state is State.READY
    assert "refused" in version.reason
    assert version.digest == digest
    assert np.array_equal(scores(catalog, "pets@1"), before)
    put(models, "pets", 1)
    look(catalog)
    assert (catalog.find("pets", 1).state, catalog.find("pets", 1).reason) == (State.READY, "")


def test_touched_files_change_nothing(begun, models):
    path = put(models, "pets", 1)
    catalog = begun()
    digest = catalog.find("pets", 1).digest
    os.utime(path, ns=(1, 1))
    look(catalog)
    assert states(catalog) == {1: "ready"}
    assert catalog.find("pets", 1).digest == digest


def test_a_deleted_version_leaves_and_an_older_one_takes_its_place(begun, models):
    repository(models, {"pets": [1, 2]})
    catalog = begun()
    (models / "pets" / "2.brain").unlink()
    seen = []
    for _ in range(5):
        catalog.refresh()
        assert catalog.ready("pets")
        seen.append(states(catalog))
    assert seen[0] == {1: "ready", 2: "ready"}
    assert seen[-1] == {1: "ready"}
    shutil.rmtree(models / "pets")
    look(catalog)
    assert dict(catalog.versions) == {}
    assert catalog._lineup._mind.names == ()


def test_a_version_that_is_gone_for_a_moment_goes_on(begun, models, tmp_path):
    """As when one folder is moved away and another one put in its place."""
    path = put(models, "pets", 1)
    catalog = begun()
    path.rename(tmp_path / "away")
    catalog.refresh()
    assert states(catalog) == {1: "ready"}
    (tmp_path / "away").rename(path)
    look(catalog)
    assert states(catalog) == {1: "ready"}


def test_only_brains_by_those_who_are_trusted_are_served(begun, models, tmp_path, model_file):
    key = new_key(tmp_path / "key")
    new_key(tmp_path / "other")
    (models / "pets").mkdir()
    sign(make_brain(), tmp_path / "key").save(models / "pets" / "1.brain")
    sign(make_brain(), tmp_path / "other").save(models / "pets" / "2.brain")
    put(models, "pets", 3)
    (models / "pets" / "4.onnx").write_bytes(model_file.read_bytes())
    catalog = begun(trusted=(key,))
    assert states(catalog) == {1: "ready", 2: "failed", 3: "failed", 4: "failed"}
    told = [catalog.find("pets", number).reason for number in (2, 3, 4)]
    for reason, part in zip(told, ("not trusted", "not signed", "ONNX network"), strict=True):
        assert part in reason


def test_keys_that_are_trusted_no_more_end_what_they_signed(begun, models, tmp_path):
    keys = [new_key(tmp_path / name) for name in ("old", "new")]
    (models / "pets").mkdir()
    sign(make_brain(head_seed=1), tmp_path / "old").save(models / "pets" / "1.brain")
    sign(make_brain(head_seed=2), tmp_path / "new").save(models / "pets" / "2.brain")
    sign(make_brain(name="rooms"), tmp_path / "old").save(models / "rooms" / "1.brain")

    def trust(*trusted):
        catalog.adopt(catalog.settings.model_copy(update={"trusted": trusted}))
        look(catalog)

    catalog = begun(trusted=keys[:1])
    assert (states(catalog), catalog.names) == ({1: "ready", 2: "failed"}, ("pets", "rooms"))
    trust(*keys)
    assert (states(catalog), catalog.names) == ({1: "known", 2: "ready"}, ("pets", "rooms"))
    trust(keys[1])
    assert (states(catalog), catalog.names) == ({1: "known", 2: "ready"}, ("pets",))
    assert "not trusted" in catalog.find("rooms", 1).reason
    assert catalog._lineup._mind.names == ("pets@2",)
    trust()
    assert catalog.names == ()


def test_what_is_kept_for_want_of_better_must_be_trusted_too(begun, models, tmp_path):
    keys = [new_key(tmp_path / name) for name in ("old", "new")]
    (models / "pets").mkdir()
    sign(make_brain(), tmp_path / "old").save(models / "pets" / "1.brain")
    catalog = begun(trusted=keys)
    these = Policy(load="these", numbers=(2,))
    catalog.adopt(catalog.settings.model_copy(update={"policy": these}))
    look(catalog)
    assert states(catalog) == {1: "ready"}
    catalog.adopt(catalog.settings.model_copy(update={"trusted": keys[1:]}))
    look(catalog)
    assert states(catalog) == {1: "failed"}


def test_a_brain_that_loads_but_cannot_answer_is_refused(begun, models, monkeypatch):
    """The canary photo finds it; the mind is left as it was."""
    from ninebrains.mind import Mind

    put(models, "pets", 1)
    catalog = begun()
    real = Mind.run_many

    def run_many(self, photos, brains=None, **options):
        if "2" in brains:
            raise BrainError("no answer")
        return real(self, photos, brains, **options)

    monkeypatch.setattr(Mind, "run_many", run_many)
    put(models, "pets", 2)
    look(catalog)
    assert states(catalog) == {1: "ready", 2: "failed"}
    assert catalog._lineup._mind.names == ("pets@1",)


def test_what_is_no_version_is_logged_once(begun, models, caplog):
    (models / "notes.txt").touch()
    catalog = begun()
    look(catalog, 5)
    assert [record.message for record in caplog.records if "notes.txt" in record.message] == [
        f"{models / 'notes.txt'} is neither a folder of versions nor a .brain or .onnx file"
    ]
    assert len(catalog.problems) == 1
