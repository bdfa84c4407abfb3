"""The local store: by name and version, shared weights once, nothing lost."""

import pytest

from ninebrains.brains import add_brain, load, load_stored, remove_brain, stored_brains
from ninebrains.errors import BrainError, OutputError

from .making import make_brain

TRUNK_BYTES = 4 * 100_000


def bytes_in(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_stored_brain_is_loaded_by_name_and_version(home):
    one, ten = make_brain(version="2"), make_brain(version="10", head_seed=1)
    add_brain(one)
    add_brain(ten)
    assert load("pets") == ten
    assert load("pets@2") == one
    assert load_stored("pets@10") == ten
    with pytest.raises(BrainError, match="no stored brain 'cats'; stored: pets@2, pets@10"):
        load_stored("cats")


def test_brains_on_one_trunk_hold_its_weights_once(home):
    add_brain(make_brain(large=100_000, name="one"))
    alone = bytes_in(home)
    assert alone > TRUNK_BYTES
    for number in range(1, 5):
        add_brain(make_brain(large=100_000, name=f"more-{number}", head_seed=number))
    assert bytes_in(home) - alone < 4 * 8000
    found = stored_brains()
    assert [item.name for item in found] == ["more-1", "more-2", "more-3", "more-4", "one"]
    assert all(item.weight_bytes > TRUNK_BYTES for item in found)
    assert all(item.own_bytes < 8000 for item in found)


def test_removing_a_brain_frees_only_what_nothing_else_uses(home):
    one, two = (make_brain(large=100_000, name=name) for name in ("one", "two"))
    add_brain(one)
    add_brain(two)
    assert remove_brain("one") < TRUNK_BYTES
    assert load("two") == two
    assert remove_brain("two") > TRUNK_BYTES
    assert stored_brains() == []
    assert not list((home / "data" / "weights").glob("[0-9a-f]*"))
    with pytest.raises(BrainError, match="none yet"):
        remove_brain("two")


def test_another_brain_of_that_name_and_version_is_not_replaced_unasked(home):
    old, new = make_brain(), make_brain(head_seed=1)
    add_brain(old)
    add_brain(old)
    with pytest.raises(OutputError, match="another pets@1"):
        add_brain(new)
    assert load("pets") == old
    add_brain(new, replace=True)
    assert load("pets") == new
    assert len(list((home / "data" / "weights").glob("[0-9a-f]*"))) == len(new.graph.weights)


@pytest.mark.parametrize("name", ["../pets", "/etc", "pets@../..", "", ".", "pets/1", "a@b@c"])
def test_a_name_never_leads_out_of_the_store(home, name):
    add_brain(make_brain())
    with pytest.raises(BrainError):
        load_stored(name)
    with pytest.raises(BrainError):
        remove_brain(name)
    assert len(stored_brains()) == 1


def test_damage_in_the_store_is_named_and_adding_the_brain_again_mends_it(home):
    brain = make_brain()
    folder = add_brain(brain)
    weight = next((home / "data" / "weights").glob("[0-9a-f]*"))
    weight.write_bytes(b"damaged")
    with pytest.raises(BrainError, match=f"weight {weight.name} is damaged"):
        load("pets")
    (folder / "brain.json").write_bytes(b"{")
    assert "not valid JSON" in stored_brains()[0].fault
    with pytest.raises(BrainError, match=r"pets/1"):
        load("pets")
    add_brain(brain)
    assert load("pets") == brain


def test_a_file_in_the_way_wins_over_a_name_but_a_folder_of_photos_does_not(
    home, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    stored, near = make_brain(), make_brain(head_seed=1)
    add_brain(stored)
    (tmp_path / "pets").mkdir()
    assert load("pets") == stored
    (tmp_path / "pets").rmdir()
    near.save("pets")
    assert load("pets") == near
