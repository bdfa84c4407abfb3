"""What lies beside an ONNX file and says what the file leaves open."""

import os
import re

import numpy as np
import pytest

import ninebrains as nb
from ninebrains.mind.guests import files_beside, import_beside
from tests.making import write_model
from tests.mind.test_guests import anonymous
from tests.trunks import networks

UNIT = "mean = [0, 0, 0]\nstd = [1, 1, 1]\n"
NAMES = "abcdefghij"


def answer(guest, pixels):
    name = guest.outputs[0].name
    return guest.graph.session(1).run([name], {"photos": pixels})[0]


def test_what_is_said_beside_a_file_is_what_import_model_takes(tmp_path):
    path = networks.save(anonymous(), tmp_path)
    path.with_name("net.toml").write_text(
        'fit = "pad"\npad_color = [1, 2, 3]\nmean = [0, 0.5, 0]\nstd = [1, 1.0, 0.5]\n'
        "color = 'bgr'\n"
    )
    guest = import_beside(path)
    same = nb.import_model(
        path, fit="pad", pad_color=(1, 2, 3), mean=(0, 0.5, 0), std=(1, 1, 0.5), color="bgr"
    )
    assert guest.contract == same.contract
    assert np.array_equal(answer(guest, networks.photos()), answer(same, networks.photos()))


def test_a_mind_takes_the_path_with_what_lies_beside_it(tmp_path):
    path = write_model(tmp_path / "model.onnx")
    (tmp_path / "model.toml").write_text("activation = 'softmax'")
    (tmp_path / "labels.txt").write_text("\n".join(NAMES))
    photo = np.zeros((64, 64, 3), np.uint8)
    with nb.Mind([path]) as mind:
        assert mind.run(photo)["model"].top.label in NAMES


@pytest.mark.parametrize(
    ("file", "others", "expected"),
    [
        ("model.onnx", ["b.onnx", "model.toml", "labels.txt"], ["model.toml", "labels.txt"]),
        ("a.onnx", ["a.toml", "a.labels.txt"], ["a.toml", "a.labels.txt"]),
        ("a.onnx", ["model.toml", "labels.txt"], ["model.toml", "labels.txt"]),
        ("a.onnx", ["b.onnx", "model.toml", "labels.txt"], []),
        ("3.onnx", ["3.toml", "3.labels.txt"], ["3.toml", "3.labels.txt"]),
        ("3.onnx", ["labels.txt", "config.pbtxt"], []),
    ],
)
def test_each_network_has_its_own_files(tmp_path, file, others, expected):
    for name in (file, *others):
        (tmp_path / name).touch()
    assert [one.name for one in files_beside(tmp_path / file)] == expected


def test_its_version_is_that_of_all_files(tmp_path):
    path, seen = write_model(tmp_path / "model.onnx"), []
    seen.append(import_beside(path).version)
    for settings, names in (
        ("fit = 'pad'", ""),
        ("fit = 'crop'", ""),
        ("activation = 'softmax'", NAMES),
        ("activation = 'softmax'", NAMES[::-1]),
    ):
        (tmp_path / "model.toml").write_text(settings)
        if names:
            (tmp_path / "labels.txt").write_text("\n".join(names))
        seen.append(import_beside(path).version)
    assert seen[0] == nb.import_model(path).version
    assert len(set(seen)) == len(seen)


REFUSED = {
    "nothing said": ("", None, r"(?s)Write it into .*model.toml.*\n  mean = .*\n  std = "),
    "no TOML": ("mean: 1", None, "model.toml is no TOML file"),
    "too deep": ("a = " + "[" * 100_000, None, "model.toml is no TOML file"),
    "an absurd number": ("size = " + "9" * 5000, None, "model.toml is no TOML file"),
    "too long": ("#" * (2 << 20), None, "more than 1,048,576 bytes"),
    "unknown": ("meen = [0, 0, 0]", None, "no field 'meen'; expected some of size, fit, .*mean"),
    "two numbers": ("mean = [0, 0]", None, "model.toml: mean: .*received"),
    "texts": ("mean = ['0', '0', '0']", None, "model.toml: mean: .*valid number; received"),
    "no finite number": ("mean = [nan, 0, 0]", None, "model.toml: mean: .*finite"),
    "a date": ("size = 2020-01-01", None, "model.toml: size: "),
    "one of two": ("mean = [0, 0, 0]", None, "mean and std belong together"),
    "no such fit": ("fit = 'crops'", None, "fit: input should be 'crop', 'pad' or 'stretch'; rec"),
    "no activation": (UNIT, "abcde", "write into .*model.toml: activation = 'softmax'"),
    "too few labels": (UNIT, "abc", "labels.txt: 3 labels were given.*as many labels"),
    "labels twice": (UNIT + "labels = ['a']", "abcde", "labels.txt and in a .toml"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_errors_name_the_file_and_what_to_write_into_it(tmp_path, case):
    settings, names, message = REFUSED[case]
    path = networks.save(
        anonymous() if names is None else networks.torchvision(), tmp_path, "model.onnx"
    )
    if settings:
        (tmp_path / "model.toml").write_text(settings)
    if names is not None:
        (tmp_path / "labels.txt").write_text("\n".join(names))
    with pytest.raises(nb.BrainError, match=message):
        import_beside(path)


def test_two_files_for_the_same_and_what_is_no_file_are_refused(tmp_path):
    path = write_model(tmp_path / "net.onnx")
    os.mkfifo(tmp_path / "net.toml")
    with pytest.raises(nb.BrainError, match=r"net\.toml is no file"):
        import_beside(path)
    (tmp_path / "model.toml").touch()
    with pytest.raises(nb.BrainError, match=r"both .*net\.toml and model\.toml"):
        import_beside(path)


def test_run_takes_a_network_with_its_files(tmp_path, ninebrains, pets):
    write_model(tmp_path / "model.onnx")
    (tmp_path / "model.toml").write_text("activation = 'softmax'\nlabels = " + repr(list(NAMES)))
    photo = next(pets.rglob("*.jpg"))
    done = ninebrains("run", "--brains", tmp_path / "model.onnx", "--source", photo, "--json")
    assert re.search(r'"label_id": ?"[a-j]"', done.out), done.out


def test_a_real_quantised_network_names_what_is_in_a_photo(shared, tmp_path):
    path = tmp_path / "model.onnx"
    path.symlink_to(shared / "models" / "mobilenet_v2_int8_dynamic.onnx")
    with pytest.raises(nb.BrainError, match=r"model\.toml"):
        import_beside(path)
    (tmp_path / "model.toml").write_text(
        "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\nactivation = 'softmax'\n"
    )
    names = (shared / "models" / "imagenet_labels.txt").read_text().splitlines()[1:]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    photo = next((shared / "data/classification/imagenet_one_a_class").glob("0340_*"))
    with nb.Mind([path]) as mind:
        assert mind.run(photo)["model"].top.label == "zebra"
