"""`ninebrains bench`: figures of brains on this machine."""

import json
import sys

import pytest

from tests.brains.making import make_brain
from tests.making import jpeg, write_photos


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    for number, name in enumerate(("pets", "rooms")):
        make_brain(name=name, head_seed=number).save(folder / f"{name}.brain")
    write_photos(folder / "photos", {"cat": 3, "dog": 2})
    (folder / "photos/broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


def test_figures_hang_together(ninebrains, place):
    told = json.loads(
        ninebrains(
            *("bench", "pets.brain", "rooms.brain", "--photos", "photos"),
            *("--seconds", "0.3", "--callers", "4", "--json"),
            cwd=place,
        ).out
    )
    assert told["brains"] == ["pets", "rooms"]
    assert (told["photos"]["given"], told["photos"]["used"]) == (6, 5)
    (problem,) = told["problems"]
    assert problem["photo"] == "photos/broken.jpg"
    assert "JPEG" in problem["reason"]
    assert told["cold"]["load_ms"] > 0
    assert told["cold"]["first_photo_ms"] > 0
    assert told["memory_bytes"]["with_brains"] > told["memory_bytes"]["before"] > 0
    assert [one["callers"] for one in told["warm"]] == [1, 4]
    for one in told["warm"]:
        latency, share = one["latency_ms"], one["share"]
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"]
        assert one["photos_per_second"] == pytest.approx(one["photos"] / one["seconds"], rel=0.01)
        # No caller can have waited for longer than it took.
        waited = one["photos"] * latency["mean"] / 1000
        assert 0 < waited <= one["callers"] * one["seconds"] * 1.01
        assert set(share) == {"decode", "queue", "trunk", "heads"}
        assert all(value >= 0 for value in share.values())
        assert 0 < sum(share.values()) <= 1.05


def test_without_photos_drawn_ones_are_used_and_it_says_so(ninebrains, place):
    out = ninebrains("bench", "pets.brain", "--seconds", "0.1", "--callers", "1", cwd=place).out
    assert "1 brain, 12 photos drawn by computer" in out
    for words in ("load and compile", "first photo", "memory", "callers", "p99 ms", "trunk %"):
        assert words in out
    assert len(out.splitlines()) == 7


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere.brain",), "nowhere.brain"),
        (("pets.brain", "--photos", "nowhere"), "there is no nowhere"),
        (("pets.brain", "--photos", "photos/broken.jpg"), "the first is photos/broken.jpg: "),
        (("pets.brain", "--callers", "0"), "callers"),
        ((), "brains"),
    ],
)
def test_mistakes_are_told(ninebrains, place, words, told):
    assert told.lower() in ninebrains("bench", *words, cwd=place, check=2).err.lower()


@pytest.mark.skipif(sys.platform != "linux", reason="uses a file that nobody can read")
def test_photos_that_the_system_does_not_give_are_left_out_and_named(ninebrains, place, tmp_path):
    words = ("bench", place / "pets.brain", "--photos", tmp_path, "--seconds", "0.1")
    (tmp_path / "lost.jpg").symlink_to("/proc/self/mem")
    assert "lost.jpg" in ninebrains(*words, "--callers", "1", check=2).err
    (tmp_path / "cat.jpg").write_bytes(jpeg("cat", 1))
    done = ninebrains(*words, "--callers", "1")
    assert "left out: " in done.err
    assert "lost.jpg" in done.err
    assert "1 brain" in done.out
