import json
import subprocess
import sys

import numpy as np
import pytest

from ninebrains.brains import pool
from ninebrains.errors import BrainError, TrunkError
from ninebrains.trunks import (
    InputOverrides,
    add_trunk,
    import_trunk,
    list_trunks,
    load_trunk,
    remove_trunk,
    summarise,
)
from tests.trunks import networks

HALF = InputOverrides(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def file(tmp_path):
    return networks.save(networks.torchvision(), tmp_path, "small-net.onnx")


@pytest.fixture
def kept(file):
    trunk = import_trunk(file, "small")
    add_trunk(trunk)
    return trunk


def _own_names():
    """Of the trunks that were added."""
    return [summary.name for summary in list_trunks() if summary.name != "octo"]


def _pool_names():
    return {path.name for path in pool.folder().glob("[0-9a-f]*")}


def test_a_kept_trunk_comes_back_the_same_by_name_and_by_hash(kept):
    pixels = networks.photos()
    for wanted in ("small", kept.hash, kept.hash[:8]):
        loaded = load_trunk(wanted)
        assert loaded == kept
        np.testing.assert_array_equal(loaded.run(pixels), kept.run(pixels))


def test_a_trunk_can_be_used_straight_from_its_file_without_keeping_it(file, kept):
    remove_trunk("small")
    trunk = load_trunk(file)
    assert (trunk.name, trunk.hash) == ("small-net", kept.hash)
    assert _own_names() == []


def test_an_unknown_name_is_answered_with_the_known_ones(kept):
    with pytest.raises(TrunkError, match=r"no trunk 'resnet'; known are: small, octo\. Add one"):
        load_trunk("resnet")
    with pytest.raises(TrunkError, match="no trunk"):
        remove_trunk("../trunks/small")
    with pytest.raises(TrunkError, match="no trunk"):
        load_trunk(kept.hash[:7])


def test_another_trunk_of_the_same_name_is_kept_only_on_demand(file, kept):
    other = import_trunk(file, "small", HALF)
    with pytest.raises(TrunkError, match=r"another trunk 'small', from small-net\.onnx.*--replace"):
        add_trunk(other)
    assert load_trunk("small").hash == kept.hash
    add_trunk(other, replace=True)
    assert load_trunk("small").hash == other.hash
    assert _pool_names() == set(other.graph.weights)


def test_removing_a_trunk_frees_only_the_weights_that_nothing_else_uses(file, kept, home):
    add_trunk(import_trunk(file, "half", HALF))
    brain = home / "data" / "brains" / "pets"
    brain.mkdir(parents=True)
    (brain / "graph.onnx").write_bytes(kept.graph.data)
    half = load_trunk("half")
    assert set(half.graph.weights) != set(kept.graph.weights)

    freed = remove_trunk("half")

    only_half = set(half.graph.weights) - set(kept.graph.weights)
    assert freed == sum(len(half.graph.weights[name]) for name in only_half)
    assert load_trunk("small").hash == kept.hash
    assert remove_trunk("small") == 0
    assert _pool_names() == set(kept.graph.weights)
    assert _own_names() == []


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def _edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


DAMAGE = {
    "a changed weight": (lambda _folder, weight: _flip(weight), "weight .* is damaged"),
    "a missing weight": (lambda _folder, weight: weight.unlink(), "weight .* is missing"),
    "a changed graph": (
        lambda folder, _weight: (folder / "graph.onnx").write_bytes(b"x"),
        "does not match the hash",
    ),
    "a missing graph": (lambda folder, _weight: (folder / "graph.onnx").unlink(), r"graph\.onnx"),
    "a cut manifest": (
        lambda folder, _weight: (folder / "trunk.json").write_text('{"name": "small"'),
        r"trunk\.json",
    ),
    "an unknown field": (
        lambda folder, _weight: _edit(folder / "trunk.json", extra=1),
        r"trunk\.json.*[Ee]xtra",
    ),
    "another trunk's manifest": (
        lambda folder, _weight: _edit(folder / "trunk.json", name="other"),
        "belongs to 'other'",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_and_mended_by_adding_again(kept, home, case):
    harm, message = DAMAGE[case]
    folder = home / "data" / "trunks" / "small"
    harm(folder, pool.folder() / min(kept.graph.weights))
    with pytest.raises(TrunkError, match=rf"(?s)'small' is damaged.*{message}.*--name small"):
        load_trunk("small")
    assert _own_names() == ["small"]
    add_trunk(kept)
    assert load_trunk("small") == kept


def test_a_list_tells_size_and_problems_without_failing(kept, home):
    summary = summarise("small")
    weights = sum(len(data) for data in kept.graph.weights.values())
    assert summary.size_bytes == weights + len(kept.graph.data)
    assert summary.problem is None
    assert (summary.record.hash, summary.record.num_features) == (kept.hash, networks.FEATURES)
    (pool.folder() / min(kept.graph.weights)).unlink()
    assert "1 of its files are missing" in summarise("small").problem
    (home / "data" / "trunks" / "small" / "trunk.json").write_text("")
    assert list_trunks()[1].record is None


def test_trunks_added_by_two_processes_at_once_are_all_whole(file, tmp_path):
    code = (
        "import sys\n"
        "from ninebrains.trunks import *\n"
        "half = InputOverrides(mean=(.5, .5, .5), std=(.5, .5, .5))\n"
        "for turn in range(6):\n"
        "    one = turn % 2 == int(sys.argv[2])\n"
        "    add_trunk(import_trunk(sys.argv[1], 'both', half if one else None), replace=True)\n"
        "    add_trunk(import_trunk(sys.argv[1], f'own{sys.argv[2]}'))\n"
        "    load_trunk('both')\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(file), str(place)], stderr=subprocess.PIPE, text=True
        )
        for place in range(2)
    ]
    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors
    for name in _own_names():
        assert load_trunk(name).run(networks.photos(1)).shape == (1, networks.FEATURES)
    assert _own_names() == ["both", "own0", "own1"]


def test_a_home_that_cannot_be_written_can_still_be_read(kept, home, monkeypatch):
    # As root every folder can be written; a lock file that is a folder stands in for one.
    (pool.folder() / ".lock").unlink()
    (pool.folder() / ".lock").mkdir()
    assert load_trunk("small") == kept
    (pool.folder() / min(kept.graph.weights)).unlink()
    with pytest.raises(TrunkError, match="is missing"):
        load_trunk("small")


def test_the_pool_keeps_only_what_is_named_by_its_content():
    with pytest.raises(BrainError, match="not named by the SHA-256"):
        pool.put({"0" * 64: b"other"})
    with pytest.raises(BrainError, match="missing"):
        pool.get("../../etc/passwd")
