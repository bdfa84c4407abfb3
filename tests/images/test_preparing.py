"""The contract: one way from any photo to the network's input."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from ninebrains.errors import NinebrainsError, PhotoError
from ninebrains.images import Contract, Limits, prepare, read_photo, seen_box

WIDE = np.zeros((100, 300, 3), np.uint8)
WIDE[:, 100:200] = 255


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("crop", np.full((32, 32), 255)),
        ("stretch", np.repeat([0, 255, 0], [11, 10, 11])[None].repeat(32, axis=0)),
    ],
)
def test_fits_show_what_they_say(fit, expected):
    pixels = prepare(WIDE, Contract(32, 32, fit=fit))
    assert pixels.shape == (32, 32, 3)
    assert np.abs(pixels[:, :, 0].astype(int) - expected).mean() < 12


def test_pad_shows_the_whole_photo_between_bars():
    pixels = prepare(WIDE, Contract(30, 30, fit="pad", pad_color=(1, 2, 3)))
    assert (pixels[:10] == (1, 2, 3)).all()
    assert (pixels[20:] == (1, 2, 3)).all()
    assert pixels[15, 15, 0] == 255
    assert pixels[15, 2, 0] == 0


@pytest.mark.parametrize(
    ("contract", "size", "box"),
    [
        (Contract(100, 100), (300, 200), (50, 0, 250, 200)),
        (Contract(100, 200), (300, 200), (0, 25, 300, 175)),
        (Contract(100, 100, fit="pad"), (300, 200), (0, -50, 300, 250)),
        (Contract(100, 100, fit="stretch"), (300, 200), (0, 0, 300, 200)),
    ],
)
def test_seen_box(contract, size, box):
    assert seen_box(contract, *size) == box


def test_every_way_to_hand_over_a_photo_gives_the_same_pixels(tmp_path):
    contract = Contract(24, 24)
    image = Image.fromarray(WIDE)
    path = tmp_path / "wide.png"
    image.save(path)
    expected = prepare(WIDE, contract)
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), image):
        assert (prepare(source, contract) == expected).all()
    assert (prepare(WIDE[:, :, 0].copy(), contract) == expected).all()


class Trickle(io.RawIOBase):
    """A file that gives a little at a time, as pipes and sockets do."""

    def __init__(self, data):
        self.rest = data

    def read(self, size=-1):
        piece, self.rest = self.rest[: min(size, 7)], self.rest[min(size, 7) :]
        return piece


def test_an_open_file_is_read_up_to_the_limit(tmp_path):
    contract, path = Contract(24, 24), tmp_path / "wide.png"
    Image.fromarray(WIDE).save(path)
    expected, data = prepare(WIDE, contract), path.read_bytes()
    with path.open("rb") as file:
        assert (prepare(file, contract) == expected).all()
        with pytest.raises(PhotoError, match=r"nothing is left .* seek\(0\)"):
            prepare(file, contract)
    for source in (io.BytesIO(data), Trickle(data)):
        assert (prepare(source, contract) == expected).all()
    with pytest.raises(PhotoError, match="cannot read from the open file"):
        prepare(file, contract)
    endless = open("/dev/zero", "rb")  # noqa: SIM115, PTH123
    with endless, pytest.raises(PhotoError, match="more than the limit of 1,000"):
        prepare(endless, contract, Limits(max_bytes=1000))
    with path.open(encoding="latin-1") as text, pytest.raises(PhotoError, match="'rb'"):
        prepare(text, contract)


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_a_pil_image_without_pixels_is_refused(size):
    with pytest.raises(PhotoError, match=f"{size[0]} x {size[1]} pixels"):
        prepare(Image.new("RGB", size), Contract(8, 8))


def test_a_closed_pil_image_is_called_closed(tmp_path):
    path = tmp_path / "wide.png"
    Image.fromarray(WIDE).save(path)
    in_memory = Image.new("RGB", (4, 4))
    in_memory.close()
    with Image.open(path) as never_read:
        pass
    with Image.open(path) as opened:
        opened.load()
    opened.close()
    for image in (in_memory, never_read, opened):
        with pytest.raises(PhotoError, match="was closed"):
            prepare(image, Contract(8, 8))


@pytest.mark.parametrize("wrong", [None, (8, 8), "crop"])
def test_what_is_no_contract_is_refused(wrong):
    with pytest.raises(NinebrainsError, match="expected a contract"):
        prepare(WIDE, wrong)


def test_a_wrong_extension_does_not_matter(tmp_path):
    path = tmp_path / "really_a_png.jpg"
    Image.fromarray(WIDE).save(path, "PNG")
    assert prepare(path, Contract(8, 8)).shape == (8, 8, 3)


def test_downscaling_is_antialiased():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = prepare(stripes, Contract(16, 16))
    assert np.abs(pixels.astype(int) - 127).max() <= 2


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((10, 10, 3), np.float32),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10,), np.uint8),
        42,
    ],
)
def test_what_is_no_photo_is_refused_with_what_was_expected(wrong):
    with pytest.raises(PhotoError, match="expected"):
        prepare(wrong, Contract(8, 8))


def test_reading_refuses_what_is_no_file(tmp_path):
    with pytest.raises(PhotoError, match="No such file"):
        read_photo(tmp_path / "missing.jpg")
    with pytest.raises(PhotoError, match=r"not a file|Is a directory"):
        read_photo(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="not a file"):
        read_photo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="embedded null"):
        read_photo("a\0b.jpg")
    (tmp_path / "large.jpg").write_bytes(b"x" * 2000)
    with pytest.raises(PhotoError, match="2,000 bytes"):
        read_photo(tmp_path / "large.jpg", Limits(max_bytes=1000))


@pytest.mark.parametrize(
    "wrong", [{"height": 0}, {"width": 5000}, {"fit": "squeeze"}, {"pad_color": (0, 0, 300)}]
)
def test_an_impossible_contract_is_refused(wrong):
    with pytest.raises(ValueError, match="contract"):
        Contract(**{"height": 8, "width": 8, **wrong})


def test_the_fingerprint_stands_for_everything_that_decides_the_pixels():
    contracts = [
        Contract(8, 8),
        Contract(9, 8),
        Contract(8, 9),
        Contract(8, 8, fit="pad"),
        Contract(8, 8, fit="stretch"),
        Contract(8, 8, pad_color=(0, 0, 0)),
    ]
    assert len({contract.fingerprint for contract in contracts}) == len(contracts)
    assert Contract(8, 8).fingerprint == Contract(8, 8).fingerprint


def test_every_size_of_photo_can_be_fitted():
    for width in range(1, 400, 7):
        for height in (1, 50, 333, 399):
            for fit in ("crop", "pad", "stretch"):
                pixels = np.zeros((height, width, 3), np.uint8)
                assert prepare(pixels, Contract(224, 224, fit=fit)).shape == (224, 224, 3)
