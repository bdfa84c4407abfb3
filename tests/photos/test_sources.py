"""Folders, videos and cameras as sources of photos."""

import os
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from ninebrains.errors import DataError, ExtraError, PhotoError
from ninebrains.images import Limits
from ninebrains.photos import open_source
from ninebrains.photos.cameras import NewestFrame
from ninebrains.photos.videos import Pace
from tests.making import jpeg
from tests.photos.films import HEIGHT, RATE, STEP, WIDTH, grey, turn, write_film


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / "clip.avi", codec="MJPG")


def opened(*sources, **options):
    return list(open_source(sources, **options).photos)


def numbers(found):
    """Which frames these are, by what they show."""
    return [round(grey(frame) / STEP) for _, frame in found]


def is_red(color):
    return color[0] > 200 and color[2] < 60


def test_a_video_gives_its_frames_in_order_with_their_times(film):
    found = opened(film)
    assert [name for name, _ in found[:3]] == [f"{film}@{t}s" for t in ("0.000", "0.040", "0.080")]
    assert len({name for name, _ in found}) == 50
    for number, (_, frame) in enumerate(found):
        assert (frame.dtype, frame.shape) == (np.uint8, (HEIGHT, WIDTH, 3))
        assert abs(grey(frame) - STEP * number) < 4
        assert frame.flags["C_CONTIGUOUS"]


def test_frames_are_rgb(film):
    _, frame = opened(film)[30]
    assert is_red(frame[5, 5])


def test_a_video_from_a_phone_held_upright_is_turned(tmp_path):
    _, frame = opened(turn(write_film(tmp_path / "turned.mp4")))[30]
    assert frame.shape == (WIDTH, HEIGHT, 3)
    assert is_red(frame[5, -5])  # a quarter clockwise


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"every": 10}, [0, 10, 20, 30, 40]),
        ({"every": 49}, [0, 49]),
        ({"fps": 5}, list(range(0, 50, 5))),
        ({"fps": 0.5}, [0]),
        ({"fps": 1000}, list(range(50))),
        ({"every": 2, "fps": 5}, [0, 6, 10, 16, 20, 26, 30, 36, 40, 46]),
    ],
)
def test_a_pace_leaves_frames_out(film, options, expected):
    assert numbers(opened(film, **options)) == expected


def test_each_video_has_the_pace_of_its_own(film):
    assert numbers(opened(film, film, fps=1)) == [0, 25, 0, 25]


@pytest.mark.parametrize("options", [{"every": 0}, {"fps": 0}, {"fps": -1}, {"fps": float("nan")}])
def test_a_pace_that_is_none_is_refused(film, options):
    with pytest.raises(DataError, match="every is 1 or more and fps above 0"):
        open_source([film], **options)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "MJPG"), ("a", "MJPG")])
def test_content_counts_not_the_name(tmp_path, name, codec):
    suffix = Path(name).suffix or ".avi"
    film = write_film(tmp_path / f"film{suffix}", 5, codec)
    film.rename(tmp_path / name)
    assert numbers(opened(tmp_path / name)) == [0, 1, 2, 3, 4]


def test_a_photo_named_like_a_video_is_a_photo(tmp_path):
    path = tmp_path / "photo.mp4"
    path.write_bytes(jpeg("cat", 1))
    assert opened(path) == [(str(path), path)]


def test_a_video_whose_name_is_no_text_is_read(film, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    path.write_bytes(film.read_bytes())
    assert len(opened(path)) == 50


def test_sources_come_in_the_order_given(film, pets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo.jpg").write_bytes(jpeg("cat", 1))
        (tmp_path / f"{name}.mp4").write_bytes(film.read_bytes())
    found = [name for name, _ in opened("two", "*.mp4", "one/photo.jpg", every=49)]
    assert found == [
        "two/photo.jpg",
        *("one.mp4@0.000s", "one.mp4@1.960s", "two.mp4@0.000s", "two.mp4@1.960s"),
        "one/photo.jpg",
    ]


def test_what_cannot_be_looked_at_in_a_folder_is_told(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(jpeg("cat", 1))
    (tmp_path / "loop").symlink_to("loop")
    (_, photo), (name, problem) = opened(tmp_path)
    assert isinstance(photo, Path)
    assert name == str(tmp_path / "loop")
    assert isinstance(problem, PhotoError)


def cut(data):
    return data[: len(data) * 6 // 10]


def scratched(data):
    """A stretch in the middle overwritten."""
    middle = len(data) // 3
    return data[:middle] + b"\xff" * 300 + data[middle + 300 :]


@pytest.mark.parametrize(
    ("suffix", "codec", "damage", "least", "words"),
    [
        (".avi", "MJPG", cut, 10, "breaks off at"),
        (".mkv", "MJPG", cut, 10, "breaks off at 1.* s of 2.0 s"),
        (".mp4", "mp4v", cut, 0, "no frame of the video can be read"),
        (".mp4", "mp4v", scratched, 25, "is damaged"),
        (".mp4", "mp4v", lambda _data: b"", 0, "empty"),
        (".mp4", "mp4v", lambda _data: b"hello\x1b[2J", 0, r'begins with "hello\\x1b\[2J"'),
        (".avi", "MJPG", lambda data: data[:40], 0, "no frame of the video can be read"),
    ],
)
def test_a_damaged_video_gives_what_can_be_read_and_says_so(
    tmp_path, capfd, suffix, codec, damage, least, words
):
    path = write_film(tmp_path / f"film{suffix}", codec=codec)
    path.write_bytes(damage(path.read_bytes()))
    *frames, (name, problem) = opened(path)
    assert least <= len(frames) < 50
    assert all(isinstance(frame, np.ndarray) for _, frame in frames)
    assert name == str(path)
    with pytest.raises(PhotoError, match=words):
        raise problem
    assert capfd.readouterr().err == ""  # FFmpeg's own remarks are not meant for people


def test_a_video_with_frames_over_the_limit_is_not_read(film):
    ((name, problem),) = opened(film, limits=Limits(max_pixels=5000))
    assert name == str(film)
    assert "96 x 72 = 6,912 pixels" in str(problem)


def test_a_video_is_read_only_as_far_as_it_is_asked_for(tmp_path):
    path = write_film(tmp_path / "long.avi", 400, "MJPG")
    source = open_source([path])
    assert len(list(islice(source.photos, 3))) == 3
    path.write_bytes(b"")  # what is left could not be read now
    assert len(list(source.photos)) < 390


def test_a_source_that_is_closed_lets_go_of_its_file(film):
    source = open_source([film])
    next(source.photos)
    assert film in open_files()
    source.photos.close()
    assert film not in open_files()


def open_files():
    return [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["nowhere.mp4"], "there is no nowhere.mp4"),
        (["*.mp4"], "nothing matches"),
        ([], "no source was named"),
        (["0", "1"], "must be the only one"),
        (["0", "."], "must be the only one"),
        (["."], "no photos in"),
    ],
)
def test_sources_that_are_none_are_refused(sources, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=words):
        open_source(sources)


@pytest.mark.parametrize("index", ["97", "99999999999999999999"])
def test_a_camera_that_is_not_there_is_told(index, capfd):
    with pytest.raises(DataError, match=f"camera {index} cannot be opened; this machine has"):
        open_source([index])
    assert capfd.readouterr().err == ""


def test_a_file_with_a_number_for_a_name_can_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("7").write_bytes(jpeg("cat", 1))
    assert opened("./7") == [("7", Path("7"))]


@pytest.mark.parametrize("source", ["0", "clip.mp4"])
def test_without_opencv_the_command_that_installs_it_is_named(source, film, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(film.read_bytes())
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ExtraError, match=r"pip install 'ninebrains\[video\]'"):
        open_source([source])


def test_photos_need_no_opencv(pets):
    code = (
        "import sys; sys.modules['cv2'] = None\n"
        "from ninebrains.photos import open_source\n"
        "print(len(list(open_source(sys.argv[1:]).photos)))"
    )
    out = subprocess.run([sys.executable, "-c", code, pets], capture_output=True, check=True)
    assert out.stdout.split() == [b"11"]


def reader_of(film, gate=None):
    """A film as if from a camera; a frame whenever the gate is opened once, else at once.

    Gives what `NewestFrame` takes, and a semaphore that is released when a frame is asked for,
    which is when the one before has been put where it can be taken.
    """
    import cv2

    capture, asked = cv2.VideoCapture(str(film)), threading.Semaphore(0)
    times = (number / RATE for number in range(1000))

    def read():
        asked.release()
        if gate is not None:
            gate.acquire()
        is_whole, frame = capture.read()
        return (next(times), frame) if is_whole else None

    return (read, capture.release), asked


def shown(frame):
    return round(grey(frame[1]) / STEP)


def test_whoever_is_slow_sees_the_newest_frame_not_a_queue(film):
    gate = threading.Semaphore(0)
    camera, asked = reader_of(film, gate)
    newest = NewestFrame(*camera)
    asked.acquire()
    seen = []
    for step in (1, 20, 3):
        for _ in range(step):
            gate.release()
            asked.acquire()
        seen.append(shown(newest.take()))
    gate.release()
    newest.close()
    assert seen == [0, 20, 23]


def test_the_last_frame_comes_before_the_end(film):
    camera, asked = reader_of(film)
    newest = NewestFrame(*camera)
    for _ in range(51):
        asked.acquire()
    assert shown(newest.take()) == 49
    assert newest.take() is None
    newest.close()


def test_a_pace_holds_for_cameras_too(film):
    taken, pace = [], Pace(fps=5)

    def wants(number, seconds):
        is_wanted = pace.takes(number, seconds)
        taken.extend([number] if is_wanted else [])
        return is_wanted

    newest = NewestFrame(*reader_of(film)[0], wants)
    while newest.take() is not None:
        pass
    assert taken == list(range(0, 50, 5))


def test_closing_ends_the_reader_and_frees_whoever_waits():
    closed, waiting = threading.Event(), threading.Event()
    gate = threading.Semaphore(0)

    def read():
        waiting.set()
        gate.acquire()
        return 0.0, np.zeros((4, 4, 3), np.uint8)

    newest = NewestFrame(read, closed.set)
    taken = []
    taker = threading.Thread(target=lambda: taken.append(newest.take()))
    taker.start()
    waiting.wait()
    gate.release()
    taker.join()
    assert taken[0] is not None
    gate.release()
    newest.close()
    assert closed.is_set()
    assert newest.take() is None


def test_a_driver_that_fails_is_told_to_whoever_waits():
    def read():
        raise OSError("the bus is gone")

    newest = NewestFrame(read)
    with pytest.raises(OSError, match="the bus is gone"):
        newest.take()
    newest.close()
