"""`ninebrains run`: many brains on photos, videos and cameras."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from PIL import Image

import ninebrains as nb
from tests.brains.making import make_brain, make_model, repacked
from tests.making import jpeg, write_photos
from tests.photos.films import write_film
from tests.trunks import networks

FULL = Path("/dev/full")  # never takes a byte


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Three brains on one trunk, four photos, a video. Tests must not change them."""
    folder = tmp_path_factory.mktemp("place")
    make_brain(name="pets").save(folder / "pets.brain")
    make_brain("multilabel", ("bed", "lamp"), name="rooms", head_seed=1).save(
        folder / "rooms.brain"
    )
    make_brain("regress", name="weight", head_seed=2).save(folder / "weight.brain")
    write_photos(folder / "photos", {"cat": 2, "dog": 2})
    write_film(folder / "clip.avi", codec="MJPG")
    return folder


@pytest.fixture
def run(ninebrains, place):
    """`ninebrains run` in the folder of the brains."""

    def start(*words, **options):
        return ninebrains("run", *words, cwd=options.pop("cwd", place), **options)

    return start


def lines(done):
    return [json.loads(line) for line in done.out.splitlines()]


ALL = ("--brains", "pets.brain", "rooms.brain", "weight.brain")


def test_every_brain_answers_as_it_does_alone(run, place):
    told = lines(run(*ALL, "--source", "photos", "--json", "--top", 9, "--threshold", 0))
    assert [line["photo"] for line in told] == sorted(line["photo"] for line in told)
    assert len(told) == 4
    for line in told:
        assert set(line["brains"]) == {"pets", "rooms", "weight"}
        assert line["error"] is None
        assert line["photo_size"] == [96, 72]
        assert {"queue_ms", "decode_ms", "network_ms", "head_ms"} <= line["timings"].keys()
        for name, answer in line["brains"].items():
            alone = nb.load(place / f"{name}.brain").run(place / line["photo"])
            told_instances = answer["instances"]
            assert [one["label"] for one in told_instances] == [
                one.label for one in alone.instances
            ]
            key = "value" if name == "weight" else "score"
            expected = [getattr(one, key) for one in alone.instances]
            assert [one[key] for one in told_instances] == pytest.approx(expected, abs=1e-4)
            assert answer["answer"] == alone.answer


def test_a_line_for_each_photo_names_every_brain_s_answer(run, place):
    out = run(*ALL, "--source", "photos/cat/cat000.jpg").out
    (line,) = out.splitlines()
    assert line.startswith("photos/cat/cat000.jpg  pets: ")
    for name in ("pets", "rooms", "weight"):
        alone = nb.load(place / f"{name}.brain").run(place / "photos/cat/cat000.jpg")
        assert f"{name}: " in line
        nearest = alone.top.label if alone.is_familiar else f"nearest: {alone.top.label}"
        assert nearest in line


def test_options_take_several_words_and_may_be_repeated(run):
    words = ("--source", "photos/cat", "photos/dog/dog000.jpg", "--json")
    one = run("--brains", "pets.brain", "rooms.brain", *words)
    other = run("--brains", "pets.brain", *words, "--brains", "rooms.brain")
    for done in (one, other):
        assert [len(line["brains"]) for line in lines(done)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("words", "times"),
    [
        (("--every", 20), ["0.000", "0.800", "1.600"]),
        (("--fps", 1), ["0.000", "1.000"]),
        (("--max-frames", 2), ["0.000", "0.040"]),
    ],
)
def test_a_video_gives_an_answer_for_each_frame_taken(run, words, times):
    told = lines(run("--brains", "pets.brain", "--source", "clip.avi", "--json", *words))
    assert [line["photo"] for line in told] == [f"clip.avi@{time}s" for time in times]


def test_what_cannot_be_read_is_reported_in_its_place_and_the_rest_is_answered(
    run, place, tmp_path
):
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    for name in ("a", "c"):
        (tmp_path / f"{name}.jpg").write_bytes(jpeg("cat", 1))
    whole = (place / "clip.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    brain = ("--brains", place / "pets.brain")
    words = ("--source", ".", "cut.avi", "--every", 10, "--json")
    told = lines(run(*brain, *words, cwd=tmp_path, check=2))
    names = [line["photo"] for line in told]
    assert names[:4] == ["a.jpg", "b.jpg", "c.jpg", "cut.avi@0.000s"]
    assert names[-1] == "cut.avi"
    problems = {line["photo"]: line["error"] for line in told if line["error"]}
    assert set(problems) == {"b.jpg", "cut.avi"}
    assert "breaks off" in problems["cut.avi"]
    shown = run(*brain, *words[:-1], cwd=tmp_path, check=2)
    assert len(shown.out.splitlines()) == len(told) - 2
    assert "b.jpg: " in shown.err
    assert "cut.avi: the video is cut" in shown.err


def test_a_failing_brain_does_not_stop_the_others(run, place, tmp_path):
    model = make_model(head_seed=3)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    weights.CopyFrom(numpy_helper.from_array(np.full((3, 8), np.nan, np.float32), "weights"))
    repacked(make_brain(name="bad"), model).save(tmp_path / "bad.brain")
    words = ("--brains", "pets.brain", tmp_path / "bad.brain", "--source", "photos/cat")
    told = lines(run(*words, "--json", check=2))
    assert [set(line["brains"]) for line in told] == [{"pets", "bad"}] * 2
    for line in told:
        assert line["brains"]["pets"]["instances"]
        assert "bad" in line["brains"]["bad"]["error"]
    shown = run(*words, check=2)
    assert [("pets: " in line, "bad: " in line) for line in shown.out.splitlines()] == [
        (True, False)
    ] * 2
    assert len(shown.err.splitlines()) == 2


def test_brains_of_one_name_get_numbers(run, place, tmp_path):
    make_brain(name="pets", version="2", head_seed=7).save(tmp_path / "pets.brain")
    words = ("--brains", place / "pets.brain", tmp_path / "pets.brain", "--json")
    (line,) = lines(run(*words, "--source", "photos/cat/cat000.jpg"))
    assert {name: one["brain"] for name, one in line["brains"].items()} == {
        "pets": "pets@1",
        "pets-2": "pets-2@2",
    }


def test_a_network_from_elsewhere_answers_beside_brains(run, model_file):
    words = ("--brains", "pets.brain", model_file, "--source", "photos/cat/cat000.jpg")
    (line,) = lines(run(*words, "--json"))
    assert line["brains"]["small"]["outputs"] == {"output": [10]}
    assert "small: output [10]" in run(*words).out


def test_heat_maps_are_written_for_every_brain_and_photo(run, tmp_path):
    words = ("--source", "photos/cat/cat000.jpg", "clip.avi", "--max-frames", 2)
    run("--brains", "pets.brain", "rooms.brain", *words, "--heatmap", tmp_path / "maps")
    found = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert [name.rpartition(".")[0].rpartition(".")[0] for name in found] == [
        "cat000.pets",
        "cat000.rooms",
        "clip.avi@0.000s.pets",
        "clip.avi@0.000s.rooms",
    ]
    for path in (tmp_path / "maps").iterdir():
        with Image.open(path) as image:
            assert image.size == (96, 72)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--brains", "nowhere.brain", "--source", "photos"), "nowhere.brain"),
        (
            ("--brains", "pets.brain", "--source", "photos", "--heatmap", "clip.avi"),
            "clip.avi is a file; --heatmap takes a folder",
        ),
        (
            ("--brains", "pets.brain", "--source", "photos", "--heatmap", "clip.avi/maps"),
            "clip.avi is a file",
        ),
        (("--brains", "pets.brain", "--source", "nowhere"), "there is no nowhere"),
        (("--brains", "pets.brain", "--source", "97"), "camera 97 cannot be opened"),
        (("--brains", "pets.brain", "--source", "clip.avi", "--fps", "0"), "fps above 0"),
        (("--brains", "pets.brain"), "--source"),
        (("--source", "photos"), "--brains"),
        (("--brains", "pets.brain", "--source", ".", "--top", "3", "more"), "(more)"),
    ],
)
def test_mistakes_are_told_before_anything_is_answered(run, words, told):
    done = run(*words, check=2)
    assert told in done.err
    assert done.out == ""


# What stands in for a camera: a film that is read as fast as can be, once or for ever.
WITH_CAMERA = """
import signal, sys
import cv2
signal.signal(signal.SIGINT, signal.default_int_handler)
film, times = sys.argv[1], int(sys.argv[2])
real = cv2.VideoCapture

class Camera:
    def __init__(self, index):
        self.film, self.times = real(film), times
    def isOpened(self):
        return True
    def read(self):
        found = self.film.read()
        if not found[0] and self.times > 1:
            self.times, self.film = self.times - 1, real(film)
            found = self.film.read()
        return found
    def release(self):
        self.film.release()

cv2.VideoCapture = Camera
sys.argv[:] = ["ninebrains", "run", *sys.argv[3:]]
from ninebrains.cli import main
main()
"""


def start_camera(place, times, *words):
    command = [
        sys.executable,
        "-c",
        WITH_CAMERA,
        place / "clip.avi",
        times,
        "--source",
        "0",
        *words,
    ]
    return subprocess.Popen(
        [*map(str, command)], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_camera_that_is_lost_is_told_after_what_it_showed(place):
    process = start_camera(place, 1, "--brains", "pets.brain", "--json")
    out, errors = process.communicate(timeout=60)
    told = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 2, errors
    assert len(told) >= 2  # the last frame at least
    assert all(line["photo"].startswith("camera 0@") for line in told[:-1])
    assert told[-1]["photo"] == "camera 0"
    assert "no more frames" in told[-1]["error"]
    assert errors == b""


def test_ctrl_c_is_the_usual_end_of_a_camera(place):
    process = start_camera(place, 10**6, "--brains", "pets.brain", "--json")
    first = process.stdout.readline()  # comes while the camera goes on
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors == b""
    assert all(json.loads(line)["brains"] for line in [first, *rest.splitlines()])


# Tests that run in the background of a shell would hand down that Ctrl-C is to be ignored.
LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "ninebrains"
from ninebrains.cli import main
main()
"""


def test_ctrl_c_ends_a_long_run_with_whole_lines(place):
    words = ["run", "--brains", "pets.brain", "--json", "--source", *["clip.avi"] * 2000]
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENING, *words],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith(b"stopped")
    assert all(json.loads(line)["brains"] for line in [first, *rest.splitlines()])


def test_a_reader_that_leaves_early_ends_it(place):
    words = f"run --brains pets.brain --source {'clip.avi ' * 2000}"
    command = f"set -o pipefail; {sys.executable} -m ninebrains.cli {words} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=place, capture_output=True, timeout=60, check=False
    )
    assert done.stdout.startswith(b"clip.avi@0.000s  pets: ")
    assert done.stderr == b""
    assert done.returncode == 0


def test_a_file_name_that_is_no_text_can_be_answered(run, place, tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(jpeg("cat", 1))
    words = ("--brains", place / "pets.brain", "--source", ".")
    assert run(*words, cwd=tmp_path).out.startswith("caf\\xe9.jpg  pets: ")
    (line,) = lines(run(*words, "--json", cwd=tmp_path))
    assert os.fsencode(line["photo"]) == b"caf\xe9.jpg"


def test_an_empty_folder_is_told_without_words_about_training(run, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("--brains", "pets.brain", "--source", tmp_path / "empty", check=2)
    assert "found nothing. Expected JPEG" in done.err
    assert "class" not in done.err


@pytest.mark.parametrize("verb", ["run", "bench", "tune"])
def test_a_network_about_which_something_must_be_said_is_taken_once_it_is_said_beside_it(
    ninebrains, place, tmp_path, verb
):
    path = networks.save(networks.normalising([("Mul", [2.0])]), tmp_path)
    words = {
        "run": ("--brains", path, "--source", "photos"),
        "bench": (path,),
        "tune": (path, "--photos", "photos"),
    }
    told = ninebrains(verb, *words[verb], cwd=place, check=2).err
    assert f"Write it into {path.with_suffix('.toml')}" in told
    assert "\n  mean = [0.485, 0.456, 0.406]\n  std = [0.229, 0.224, 0.225]\n" in told
    assert "nb.import_model(path, mean=" in told
    assert "--mean" not in told
    if verb == "run":
        path.with_suffix(".toml").write_text("mean = [0, 0, 0]\nstd = [1, 1, 1]\n")
        assert "net: " in ninebrains(verb, *words[verb], cwd=place).out


@pytest.mark.skipif(not FULL.exists(), reason="has no device that is always full")
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_answers_that_find_no_room_are_the_user_s_to_mend(place, form):
    words = ("run", "--brains", "pets.brain", "--source", "photos", *form)
    command = [sys.executable, "-m", "ninebrains.cli", *words]
    with FULL.open("wb") as full:
        done = subprocess.run(
            command, cwd=place, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: could not write the output: No space left")
    assert len(done.stderr.splitlines()) == 1
