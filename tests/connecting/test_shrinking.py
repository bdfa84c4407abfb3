"""Photos are sent no larger than the brains can use, and are answered the same."""

import io

import numpy as np
import pytest
from PIL import Image

import ninebrains as nb
from ninebrains.images import decode
from tests.connecting.misbehaving import FACTS, answers, misbehaving
from tests.making import jpeg
from tests.making import photo as drawn

EXIF_ORIENTATION = 0x0112


def as_camera(image, short_side, orientation=None, **options):
    """An image as a camera would store it: large, with grain."""
    scale = short_side / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.int16)
    grain = np.random.default_rng(0).integers(-9, 10, pixels.shape[:2], np.int16)
    noisy = Image.fromarray(np.clip(pixels + grain[:, :, None], 0, 255).astype(np.uint8))
    exif = Image.Exif()
    if orientation:
        exif[EXIF_ORIENTATION] = orientation
    file = io.BytesIO()
    noisy.save(file, "JPEG", quality=88, exif=exif, **options)
    return file.getvalue()


@pytest.fixture
def sent(monkeypatch):
    """What goes to a host of one small brain, for a photo."""
    from ninebrains.connecting import doing

    bodies = []
    real = doing._arguments

    def seen(step, **options):
        if step.call.path.startswith("/infer"):
            bodies.append(step.call.content)
        return real(step, **options)

    monkeypatch.setattr(doing, "_arguments", seen)

    def send(photo, brains="pets", **options):
        bodies.clear()
        with misbehaving() as server, nb.connect(server.url, **options) as host:
            found = host.run(photo, brains)
        (body,) = bodies
        return body, found

    return send


def size_of(content):
    return Image.open(io.BytesIO(content)).size


def test_a_phone_photo_costs_little(sent):
    photo = as_camera(drawn("cat", 1, size=(960, 640)), 4000)  # 24 megapixels
    assert len(photo) > 4_000_000
    body, found = sent(photo)
    assert len(body) < 150_000
    assert size_of(body) == (672, 448)
    assert found.photo_size == found["pets"].photo_size == (6000, 4000)


@pytest.mark.parametrize("brains", ["pets", None, ["pets"], "pets@1"])
def test_the_brain_that_needs_most_decides(sent, monkeypatch, brains):
    monkeypatch.setitem(FACTS, "contract", {**FACTS["contract"], "width": 224, "height": 300})
    body, _ = sent(as_camera(drawn("cat", 1, size=(960, 640)), 1600), brains)
    assert size_of(body) == (1350, 900)


@pytest.mark.parametrize(
    "photo",
    [
        jpeg("cat", 1),
        jpeg("cat", 1, size=(500, 400)),
        as_camera(drawn("cat", 1, size=(960, 640)), 500),
        b"x" * 200_000,
        as_camera(drawn("cat", 1, size=(960, 640)), 1600)[:-200_000],
    ],
    ids=["small", "few bytes", "few pixels", "no photo", "half a photo"],
)
def test_what_is_sent_as_it_is(sent, photo):
    assert sent(photo)[0] == photo


def test_nothing_is_shrunk_that_is_not_to_be(sent):
    photo = as_camera(drawn("cat", 1, size=(960, 640)), 1600)
    assert sent(photo, shrink=False)[0] == photo
    pixels = np.asarray(drawn("cat", 1, size=(900, 900)))
    body, _ = sent(pixels, shrink=False)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(body))), pixels)


def test_photos_are_shrunk_once(sent):
    body, _ = sent(as_camera(drawn("cat", 1, size=(960, 640)), 1600))
    assert sent(body)[0] == body


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(sent, orientation):
    image = drawn("dog", 5, size=(96, 64))
    body, found = sent(as_camera(image, 1000, orientation))
    turned = found.photo_size
    assert turned == ((1500, 1000) if orientation < 5 else (1000, 1500))
    assert size_of(body) == ((672, 448) if orientation < 5 else (448, 672))
    assert Image.open(io.BytesIO(body)).getexif().get(EXIF_ORIENTATION, 1) == 1
    whole, _ = decode(as_camera(image, 1000, orientation))
    small = np.asarray(Image.fromarray(whole).resize(size_of(body), Image.Resampling.BOX), float)
    assert np.abs(np.asarray(Image.open(io.BytesIO(body)), float) - small).mean() < 4


@pytest.mark.parametrize("form", ["array", "image"])
def test_pixels_are_shrunk_as_well(sent, form):
    image = drawn("cat", 1, size=(2000, 1500))
    body, found = sent(np.asarray(image) if form == "array" else image)
    assert size_of(body) == (597, 448)
    assert len(body) < 200_000
    assert found.photo_size == (2000, 1500)
    tiny = drawn("cat", 1)
    body, _ = sent(np.asarray(tiny))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(body))), np.asarray(tiny))


def test_a_new_version_that_needs_more_gets_more(sent, monkeypatch):
    """Versions change between asking for the brain and asking the brain."""
    from tests.connecting import misbehaving as other

    larger = {**FACTS, "version": 2, "contract": {**FACTS["contract"], "width": 300, "height": 300}}
    real = other.Misbehaving._reply

    def reply(self, head):
        if head.startswith("GET /brains/pets@2"):
            return other.http(200, larger)
        if head.startswith("POST /infer"):
            self.requests.append(head)
            return answers({**other.ONE, "version": 2})
        return real(self, head)

    monkeypatch.setattr(other.Misbehaving, "_reply", reply)
    photo = as_camera(drawn("cat", 1, size=(960, 640)), 1600)
    with misbehaving() as server, nb.connect(server.url) as host:
        found = host.run(photo, "pets")
        assert found["pets"].contract.width == 300
        assert len(server.requests) == 2
        sizes = [
            int(line.split(":")[1])
            for head in server.requests
            for line in head.split("\r\n")
            if line.lower().startswith("content-length")
        ]
        assert sizes[0] < sizes[1] < len(photo)
        host.run(photo, "pets")
        assert len(server.requests) == 3


def test_shrunk_photos_are_answered_the_same(serving, mind):
    """On drawn photos, by a host."""
    photos = [
        as_camera(drawn(label, n, size=(960, 720)), 1200) for n in range(10) for label in "ab"
    ]
    with nb.connect(str(serving)) as host:
        shrunk = [one["pets"] for one in host.run_many(photos, "pets")]
    for photo, one in zip(photos, shrunk, strict=True):
        whole = mind.run(photo, "pets@2")["pets@2"]
        assert one.top.label == whole.top.label
        np.testing.assert_allclose(one.answers, whole.answers, atol=0.02)
        assert one.photo_size == whole.photo_size


def test_shrunk_real_photos_are_answered_the_same(shared, tmp_path):
    """On photos of cats and dogs as a phone would take them, by a brain trained on others."""
    from tests.serving.making import running

    folder = shared / "data/classification/dogcat"
    train, test = tmp_path / "train", []
    for label in ("cat", "dog"):
        (train / label).mkdir(parents=True)
        files = sorted((folder / label).iterdir())
        for number, path in enumerate(files[:60]):
            (train / label / f"{number}.jpg").write_bytes(path.read_bytes())
        test += files[-15:]
    brain = nb.train(train)
    (tmp_path / "models/pets").mkdir(parents=True)
    brain.save(tmp_path / "models/pets/1.brain")
    photos = [as_camera(Image.open(path), 1200) for path in test]
    with (
        running({"sources": [tmp_path / "models"], "state": tmp_path / "state"}) as server,
        nb.connect(str(server)) as small,
        nb.connect(str(server), shrink=False) as full,
    ):
        shrunk = [one["pets"] for one in small.run_many(photos, "pets")]
        whole = [one["pets"] for one in full.run_many(photos, "pets")]
    same = [one.top.label == other.top.label for one, other in zip(shrunk, whole, strict=True)]
    apart = [
        abs(one.answers - other.answers).max() for one, other in zip(shrunk, whole, strict=True)
    ]
    assert np.mean(same) >= 0.99
    assert np.mean(apart) < 0.02
    assert max(apart) < 0.1
