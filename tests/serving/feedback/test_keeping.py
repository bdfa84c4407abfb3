"""Which photos are kept, how many, and what is left of those that are deleted."""

import hashlib
import io
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from ninebrains.errors import OutputError, RequestError
from ninebrains.serving.feedback.intake import Intake
from ninebrains.serving.feedback.photos import Photos
from tests.serving.feedback.making import Desk

UNSURE = (0.4, 0.35, 0.25)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "state")


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        ({"scores": UNSURE}, "photos_low_confidence"),
        ({"unfamiliar": 1.2}, "photos_unfamiliar"),
        ({}, "photos_waiting"),
        ({"scores": UNSURE, "consent": False}, None),
        ({"scores": UNSURE, "variant": "shadow"}, None),
    ],
)
def test_photos_are_kept_for_a_reason_and_with_consent_only(desk, answer, counted):
    desk.answer(b"photo", **answer)
    stats = desk.stats()
    assert {name for name in stats if name.startswith("photos_") and stats[name]} == (
        {counted} if counted else set()
    )
    assert desk.files() == ([b"photo"] if counted else [])


def test_a_photo_is_kept_when_its_answer_is_disputed_even_at_once(desk):
    said = desk.feedback.give(desk.answer(b"wrong"), label="dog")
    assert said.has_photo
    assert not desk.feedback.give(desk.answer(b"right"), rank=1).has_photo
    assert desk.stats()["photos_disputed"] == 1
    assert desk.stats()["photos_waiting"] == 1


def test_a_photo_is_disputed_before_the_worker_that_answered_has_written_it(tmp_path):
    one, other = Desk(tmp_path), Desk(tmp_path)
    prediction = one.answer(b"photo")
    other.feedback.give(prediction, none=True)
    assert one.stats()["photos_disputed"] == 1


def test_pixels_are_kept_as_png(desk):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    desk.answer(pixels, UNSURE)
    desk.feedback.flush()
    (kept,) = desk.files()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(kept))), pixels)


def test_the_oldest_photos_go_first_and_their_files_with_the_last_row(tmp_path):
    desk = Desk(tmp_path, photos=3, waiting=2)
    for number in (0, 1, 2, 0, 3):  # 0 is seen again: its file stays
        desk.answer(b"kept %d" % number, UNSURE)
        desk.feedback.flush()
    for number in range(4):
        desk.answer(b"waits %d" % number)
    desk.feedback.flush()
    assert desk.files() == [b"kept 0", b"kept 2", b"kept 3", b"waits 2", b"waits 3"]


def test_photos_are_bounded_by_bytes_too(tmp_path):
    desk = Desk(tmp_path, bytes=25, waiting_bytes=15)
    for number in range(4):
        desk.answer(b"0123456 %2d" % number, UNSURE)
        desk.answer(b"abcdefg %2d" % number)
    desk.answer(b"far too large for what may be kept", UNSURE)
    desk.answer(b"small   99", UNSURE)
    assert desk.stats()["bytes_kept"] == 10
    assert desk.stats()["bytes_waiting"] == 10


def test_forgetting_a_user_leaves_no_trace_in_any_file(desk):
    alice = desk.seal.user("alice").encode()
    secret = b"a photo of alice " * 40
    for photo, answer in ((secret, {"scores": UNSURE}), (b"alice waits", {}), (b"both", {})):
        desk.answer(photo, user="alice", **answer)
    desk.feedback.give(desk.answer(b"both", user="bob"), label="Alice's hamster", user="alice")
    desk.feedback.give(desk.answer(b"a sofa", user="alice"), none=True)
    desk.feedback.flush()
    needles = (secret, b"alice waits", b"a sofa", alice, b"Alice's hamster")
    assert desk.traces(*needles) == set(needles)
    assert desk.feedback.forget("alice") == {"photos": 4, "feedback": 2}
    assert desk.traces(*needles, hashlib.sha256(secret).hexdigest().encode()) == set()
    assert desk.files() == [b"both"]  # bob's
    assert desk.feedback.forget("alice") == {"photos": 0, "feedback": 0}


def test_what_another_worker_still_holds_of_a_forgotten_user_is_not_written(tmp_path):
    one, other = Desk(tmp_path), Desk(tmp_path)
    one.answer(b"on its way", UNSURE, user="alice")
    one.answer(b"of bob", UNSURE, user="bob")
    other.feedback.forget("alice")
    one.feedback.flush()
    assert one.files() == [b"of bob"]


def test_nobody_cannot_be_forgotten(desk):
    with pytest.raises(RequestError, match="whose"):
        desk.feedback.forget("")


def test_a_queue_that_is_full_drops_and_counts(desk):
    intake = Intake(answers=3, num_bytes=10)
    desk.feedback._intake = intake
    for photo in (b"12345", b"6789a", b"too much"):
        desk.answer(photo, UNSURE)
    assert (len(intake.take()), intake.dropped) == (2, 1)


def test_many_brains_that_are_asked_about_one_photo_hold_it_once(desk):
    desk.feedback._intake = Intake(num_bytes=10)
    photo = b"12345678"
    for _ in range(5):
        desk.answer(photo, UNSURE)
    stats = desk.stats()
    assert (stats["photos_low_confidence"], stats["photos_dropped"]) == (5, 0)
    assert desk.files() == [photo]


def test_what_a_killed_process_left_is_swept(desk):
    desk.answer(b"whole", UNSURE)
    desk.answer(b"lost", UNSURE)
    desk.feedback.flush()
    photos = desk.feedback.photos
    photos.path(hashlib.sha256(b"lost").hexdigest()).unlink()
    stray = photos.path(hashlib.sha256(b"stray").hexdigest())
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    (stray.parent / f".{stray.name}.x.tmp").write_bytes(b"half")
    photos.sweep()
    assert desk.files() == [b"whole"]
    assert desk.stats()["photos_low_confidence"] == 1


def test_workers_share_the_folder(tmp_path):
    desks = [Desk(tmp_path, photos=20) for _ in range(3)]

    def work(desk):
        for number in range(40):
            desk.answer(b"photo %d" % (number % 30), UNSURE)
            desk.feedback.flush()

    threads = [threading.Thread(target=work, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with desks[0].ledger.reading() as rows:
        known = {row["sha256"] for row in rows.execute("SELECT sha256 FROM photos")}
    assert {hashlib.sha256(data).hexdigest() for data in desks[0].files()} == known
    assert desks[0].stats()["photos_low_confidence"] == 20


KILLED = """
import sys
from pathlib import Path
from tests.serving.feedback.making import Desk
desk = Desk(Path(sys.argv[1]), photos=5)
number = 0
while True:
    desk.answer(b"photo %d" % number, (0.4, 0.3, 0.3))
    desk.feedback.flush()
    print(number, flush=True)
    number += 1
"""


def test_killed_processes_leave_nothing_that_the_next_start_does_not_find(tmp_path):
    for _ in range(3):
        command = [sys.executable, "-c", KILLED, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            for _ in range(8):
                process.stdout.readline()
            process.kill()
    desk = Desk(tmp_path, photos=5)
    desk.feedback.photos.sweep()
    assert len(desk.files()) == desk.stats()["photos_low_confidence"] == 5


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder):
    with (folder / "ballast").open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def give_often(desk, prediction):
    for _ in range(300):  # until the last free page of the journal is full, too
        desk.feedback.give(prediction, label="dog")


def test_a_full_disk_drops_photos_refuses_feedback_and_is_forgiven(small_disk):
    desk = Desk(small_disk / "state")
    desk.answer(b"before", UNSURE)
    desk.feedback.flush()
    fill(small_disk)
    prediction = desk.answer(b"x" * 9000, UNSURE)
    with pytest.raises(OutputError, match="free some space"):
        desk.feedback.flush()
    with pytest.raises(OutputError, match="feedback cannot be stored"):
        give_often(desk, prediction)
    assert desk.feedback.stats()["photos_dropped"] == 1
    (small_disk / "ballast").unlink()
    desk.feedback.photos.sweep()
    assert desk.files() == [b"before"]
    assert not desk.feedback.give(prediction, label="cat").has_photo
    desk.answer(b"after", UNSURE)
    assert desk.stats()["photos_low_confidence"] == 2
    assert desk.files() == [b"after", b"before"]
    desk.ledger.close()


def test_photos_are_found_by_their_content(desk):
    desk.answer(b"photo", UNSURE)
    desk.feedback.flush()
    photos: Photos = desk.feedback.photos
    assert photos.path(hashlib.sha256(b"photo").hexdigest()).read_bytes() == b"photo"
