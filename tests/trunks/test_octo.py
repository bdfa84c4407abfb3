"""The trunk that comes with the package."""

import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from tools.trunk.pack import rounded

from ninebrains.brains.graph import unpack
from ninebrains.cli.doctor import doctor
from ninebrains.cli.trunk import list_command
from ninebrains.errors import TrunkError
from ninebrains.trunks import (
    add_trunk,
    embedded,
    import_trunk,
    list_trunks,
    load_trunk,
    remove_trunk,
)
from tests.trunks import networks

# What every runtime has and runs fast; all but the convolutions and sums happen once a photo.
PLAIN = {
    "Cast",
    "Transpose",
    "Sub",
    "Conv",
    "Relu",
    "Add",
    "Concat",
    "GlobalAveragePool",
    "Flatten",
}


@pytest.fixture(scope="module")
def octo():
    return load_trunk("octo")


def test_it_is_there_without_a_network_or_a_home(octo, home):
    assert octo.name == "octo"
    assert not list(home.rglob("*"))
    assert list_trunks()[0].record.hash == octo.hash
    assert load_trunk(octo.hash[:8]) == octo


def test_it_keeps_within_its_budgets(octo):
    size = sum(len((embedded.folder() / name).read_bytes()) for name in embedded.FILES)
    assert size == list_trunks()[0].size_bytes
    assert size <= 6_000_000
    assert 384 <= octo.num_features <= 1280
    assert min(octo.map_size) >= 6
    nodes = unpack(octo.graph).graph.node
    assert {node.op_type for node in nodes} <= PLAIN


def test_its_weights_match_their_names_after_being_expanded(octo):
    assert octo.graph.weights
    for name, raw in octo.graph.weights.items():
        assert hashlib.sha256(raw).hexdigest() == name


def test_its_features_are_the_mean_of_its_map_and_differ_between_photos(octo):
    size = octo.contract.height
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (3, size, size, 3)).astype(np.uint8)
    pixels[1] //= 4
    pixels[2] = np.arange(size, dtype=np.uint8)[:, None, None]
    features, maps = octo.run_maps(pixels)
    np.testing.assert_allclose(features, maps.mean((2, 3)), rtol=1e-4, atol=1e-5)
    assert np.ptp(features, axis=0).max() > 0.01
    np.testing.assert_array_equal(octo.run(pixels[:1]), features[:1])


def test_its_name_cannot_be_given_to_another_nor_be_removed(tmp_path):
    other = import_trunk(networks.save(networks.torchvision(), tmp_path), "octo")
    for action in (lambda: add_trunk(other), lambda: add_trunk(other, replace=True)):
        with pytest.raises(TrunkError, match="'octo' comes with Ninebrains"):
            action()
    with pytest.raises(TrunkError, match="cannot be removed"):
        remove_trunk("octo")


def _flip_a_bit(folder):
    with np.load(folder / "weights.npz") as kept:
        arrays = dict(kept)
    arrays[max(arrays, key=lambda name: arrays[name].size)].flat[5] ^= 1
    np.savez(folder / "weights.npz", **arrays)


def _cut(name):
    def cut(folder):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return cut


@pytest.mark.parametrize(
    "damage",
    [
        _flip_a_bit,
        *(_cut(name) for name in embedded.FILES),
        lambda folder: (folder / "weights.npz").unlink(),
        lambda folder: shutil.copy(folder / "trunk.json", folder / "weights.npz"),
    ],
    ids=["a bit", *(f"{name} cut" for name in embedded.FILES), "no weights", "no archive"],
)
def test_files_changed_after_installation_are_noticed(damage, tmp_path, monkeypatch):
    folder = tmp_path / "octo"
    shutil.copytree(embedded.folder(), folder)
    monkeypatch.setattr(embedded, "folder", lambda: folder)
    assert load_trunk("octo").name == "octo"
    damage(folder)
    with pytest.raises(TrunkError, match=r"'octo'.* damaged or missing in .* Install"):
        load_trunk("octo")


def test_a_damaged_one_is_listed_with_its_problem_and_others_still_work(
    tmp_path, monkeypatch, stored_trunk, capsys
):
    def told(command):
        command(as_json=False)
        return capsys.readouterr().out

    folder = tmp_path / "octo"
    shutil.copytree(embedded.folder(), folder)
    monkeypatch.setattr(embedded, "folder", lambda: folder)
    assert "damaged" not in told(doctor)
    (folder / "weights.npz").write_bytes(b"")
    assert "'octo', which comes with Ninebrains, are damaged" in told(doctor)
    for name in ("card.md", "trunk.json"):
        (folder / name).unlink()
        first, second = list_trunks()
        assert "damaged or missing" in first.problem
        assert second.problem is None
        assert load_trunk(second.record.hash[:10]).name == stored_trunk
        assert "DAMAGED" in told(list_command)
        assert "damaged or missing" in told(doctor)


def test_loading_it_needs_neither_onnx_nor_its_runtime():
    code = (
        "import sys; from ninebrains.trunks import load_trunk; load_trunk('octo'); "
        "print([m for m in ('onnx', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rounding_weights_to_8_bits_loses_little_of_each_channel():
    weight = np.random.default_rng(0).normal(size=(6, 40, 3, 3)).astype(np.float32)
    weight *= np.array([1e-4, 0.01, 0.1, 1.0, 10.0, 0.0], np.float32)[:, None, None, None]
    weight[2, 0, 0, 0] = 3.0  # one weight far from the others must not blunt them all
    numbers, factors = rounded(weight)
    assert (numbers.dtype, factors.shape) == (np.int8, (6,))
    back = np.frombuffer(embedded.multiplied(numbers, factors), np.float32).reshape(weight.shape)
    lost = np.square(back - weight).sum((1, 2, 3))
    assert np.all(lost[:5] < 0.005 * np.square(weight[:5]).sum((1, 2, 3)))
    assert not back[5].any()
