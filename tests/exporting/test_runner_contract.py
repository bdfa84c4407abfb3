"""The `contract.py` of an export sees what `images.prepare` sees, and refuses what it refuses."""

import importlib.util
from dataclasses import asdict
from importlib import resources

import numpy as np
import pytest
from PIL import Image, ImageCms

from ninebrains.errors import PhotoError
from ninebrains.images import Contract, prepare

CONTRACT = Contract(48, 40)
RANDOM = np.random.default_rng(0)
COLORS = Image.fromarray(RANDOM.integers(0, 256, (70, 90, 3), np.uint8))
CLEAR = Image.fromarray(RANDOM.integers(0, 256, (70, 90, 4), np.uint8))
WIDE = RANDOM.integers(0, 65536, (70, 90))


def lab():
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(COLORS, *profiles, outputMode="LAB")


def grey(values, kind):
    return Image.fromarray(np.asarray(values, kind))


@pytest.fixture(scope="module")
def runner():
    path = resources.files("ninebrains.exporting.runners").joinpath("contract.py")
    spec = importlib.util.spec_from_file_location("contract_of_an_export", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


READ = {
    "1.png": (lambda: COLORS.convert("1"), {}),
    "1.bmp": (lambda: COLORS.convert("1"), {}),
    "grey and alpha.png": (lambda: CLEAR.convert("LA"), {}),
    "alpha.tif": (lambda: CLEAR, {}),
    "palette.png": (lambda: COLORS.quantize(32), {}),
    "clear palette.png": (lambda: COLORS.quantize(32), {"transparency": 3}),
    "clear palette.gif": (lambda: COLORS.quantize(32), {"transparency": 3}),
    "half clear palette.png": (lambda: COLORS.quantize(4), {"transparency": bytes([0, 50, 255])}),
    "clear colour.png": (lambda: COLORS, {"transparency": (1, 2, 3)}),
    "cmyk.jpg": (lambda: COLORS.convert("CMYK"), {}),
    "cmyk.tif": (lambda: COLORS.convert("CMYK"), {}),
    "ycbcr.tif": (lambda: COLORS.convert("YCbCr"), {}),
    "lab.tif": (lab, {}),
    "16 bits.png": (lambda: grey(WIDE, np.uint16), {}),
    "16 bits.tif": (lambda: grey(WIDE, np.uint16), {}),
    "16 bits turned.tif": (
        lambda: Image.frombytes("I;16B", (90, 70), WIDE.astype(">u2").tobytes()),
        {},
    ),
    "32 bits.tif": (lambda: grey(WIDE, np.int32), {}),
    "floats.tif": (lambda: grey(WIDE / 65535, np.float32), {}),
}
REFUSED = {
    "floats to 255.tif": (lambda: grey(WIDE / 257, np.float32), "beyond 0 to 1"),
    "no numbers.tif": (lambda: grey(np.where(WIDE > 60_000, np.nan, 0.5), np.float32), "nan"),
    "below 0.tif": (lambda: grey(WIDE - 5, np.int32), "beyond 0 to 65535"),
    "beyond 16 bits.tif": (lambda: grey(WIDE * 100, np.int32), "beyond 0 to 65535"),
    "an icon.ico": (lambda: COLORS, "cannot identify"),
    "other.tga": (lambda: COLORS, "cannot identify"),
}


@pytest.mark.parametrize("name", READ)
def test_every_mode_gives_the_same_pixels(runner, tmp_path, name):
    make, options = READ[name]
    make().save(tmp_path / name, **options)
    seen = runner.prepare(tmp_path / name, asdict(CONTRACT))
    np.testing.assert_array_equal(seen, prepare(tmp_path / name, CONTRACT))


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_brain_refuses_is_refused(runner, tmp_path, name):
    make, said = REFUSED[name]
    make().save(tmp_path / name)
    with pytest.raises(PhotoError):
        prepare(tmp_path / name, CONTRACT)
    with pytest.raises((ValueError, OSError), match=said):
        runner.prepare(tmp_path / name, asdict(CONTRACT))
