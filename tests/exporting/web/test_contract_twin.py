"""The browser sees the pixels that `images.prepare` sees."""

import base64
import io
from dataclasses import asdict

import numpy as np
import PIL
import pytest
from PIL import Image

from ninebrains.images import Contract, prepare

CONTRACTS = [
    Contract(64, 64),
    Contract(96, 48, fit="crop"),
    Contract(48, 96, fit="pad"),
    Contract(40, 72, fit="stretch"),
    Contract(224, 224, fit="pad", pad_color=(1, 2, 3)),
]
SEE = """async ([files, contracts]) => {
  const { decode, prepare } = await import("/app/contract.mjs");
  const seen = [];
  for (const [file, contract] of files.flatMap((f) => contracts.map((c) => [f, c]))) {
    const data = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    const { bitmap, isJpeg } = await decode(new Blob([data]));
    const pixels = prepare(bitmap, isJpeg, contract);
    seen.push(btoa(Array.from(pixels, (value) => String.fromCharCode(value)).join("")));
  }
  return seen;
}"""


@pytest.fixture
def see(visit, one_site):
    """What the browser makes of photos: for each photo and contract, uint8[H, W, 3]."""
    page = visit(one_site)

    def see(files, contracts):
        texts = [base64.b64encode(data).decode() for data in files]
        seen = page.evaluate(SEE, [texts, [asdict(contract) for contract in contracts]])
        pixels = iter(np.frombuffer(base64.b64decode(text), np.uint8) for text in seen)
        return [[next(pixels).reshape(contract.shape) for contract in contracts] for _ in files]

    return see


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(width, height, mode="RGB"):
    random = np.random.default_rng([width, height])
    shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
    return Image.fromarray(random.integers(0, 256, shape, np.uint8), mode)


def scene(width, height):
    """Something smooth with edges, as photos are."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (7 + k)) * np.cos(columns / (11 - k)) for k in range(3)]
    pixels = np.stack([128 + 90 * wave for wave in waves], axis=-1).astype(np.uint8)
    pixels[height // 4 : height // 2, width // 3 : width // 2] = (240, 30, 60)
    return Image.fromarray(pixels)


SIZES = [(64, 64), (65, 47), (333, 200), (200, 333), (20, 90), (1, 1), (1500, 40), (40, 1500)]


def test_every_pixel_is_the_same_where_decoding_is_exact(see):
    files = [encoded(noise(*size), "PNG") for size in SIZES]
    # The twin takes rows and columns in the order in which Pillow takes them since version 13.
    allowed = 0 if int(PIL.__version__.split(".")[0]) >= 13 else 1
    for data, row in zip(files, see(files, CONTRACTS), strict=True):
        for pixels, contract in zip(row, CONTRACTS, strict=True):
            away = np.abs(pixels.astype(int) - prepare(data, contract))
            assert away.max() <= allowed


def test_grey_and_palette_photos_are_the_same(see):
    files = [
        encoded(noise(90, 70, "L"), "PNG"),
        encoded(noise(90, 70).quantize(32), "PNG"),
        encoded(noise(90, 70).quantize(32), "GIF"),
        encoded(noise(90, 70), "BMP"),
    ]
    for data, row in zip(files, see(files, CONTRACTS[:3]), strict=True):
        for pixels, contract in zip(row, CONTRACTS, strict=False):
            np.testing.assert_array_equal(pixels, prepare(data, contract))


def test_transparent_parts_are_white(see):
    (row,) = see([encoded(noise(80, 60, "RGBA"), "PNG")], CONTRACTS)
    data = encoded(noise(80, 60, "RGBA"), "PNG")
    for pixels, contract in zip(row, CONTRACTS, strict=True):
        away = np.abs(pixels.astype(int) - prepare(data, contract))
        assert away.max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(see, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(scene(120, 80), "JPEG", quality=95, exif=exif)
    (row,) = see([data], CONTRACTS)
    for pixels, contract in zip(row, CONTRACTS, strict=True):
        away = np.abs(pixels.astype(int) - prepare(data, contract))
        assert away.mean() < 0.5


def with_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def as_webp(image, **options):
    return encoded(image, "WEBP", lossless=True, exact=True, **options)


def test_webp_photos_are_turned_upright_to_the_pixel(see):
    """Browsers do not agree on what to do with the orientation of WebP."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    files = [as_webp(noise(90, 70), exif=with_orientation(number)) for number in range(10)]
    bare = [with_orientation(number).removeprefix(b"Exif\0\0") for number in (3, 6)]
    files += [as_webp(noise(90, 70), exif=exif) for exif in bare]
    files += [as_webp(noise(91, 70), xmp=xmp), as_webp(noise(91, 70))]
    files += [as_webp(noise(90, 70), xmp=xmp, exif=with_orientation(8))]
    for data, row in zip(files, see(files, CONTRACTS[1:4]), strict=True):
        for pixels, contract in zip(row, CONTRACTS[1:4], strict=True):
            np.testing.assert_array_equal(pixels, prepare(data, contract))


def test_damaged_exif_in_webp_turns_nothing(see):
    whole = with_orientation(6)
    pieces = [whole[:length] for length in (6, 9, 14, 17, 24)]
    files = [as_webp(noise(90, 70), exif=exif) for exif in [b"Exif", b"no exif at all", *pieces]]
    plain = see([as_webp(noise(90, 70))], CONTRACTS[:1])[0][0]
    for row in see(files, CONTRACTS[:1]):
        np.testing.assert_array_equal(row[0], plain)


@pytest.mark.parametrize("size", [(128, 96), (300, 220), (517, 389), (1030, 771), (2400, 1600)])
def test_jpegs_of_any_size_are_nearly_the_same(see, size):
    data = encoded(scene(*size), "JPEG", quality=90)
    (row,) = see([data], CONTRACTS[:4])
    for pixels, contract in zip(row, CONTRACTS[:4], strict=True):
        away = np.abs(pixels.astype(int) - prepare(data, contract))
        assert away.mean() < 0.7
        assert away.max() <= 16


def test_real_photos_are_nearly_the_same(see, shared):
    files = sorted((shared / "data/classification").glob("*/*/*.jpg"))[::60]
    photos = [path.read_bytes() for path in files]
    contracts = [Contract(96, 96), Contract(224, 224)]
    away = [
        np.abs(pixels.astype(int) - prepare(data, contract)).mean()
        for data, row in zip(photos, see(photos, contracts), strict=True)
        for pixels, contract in zip(row, contracts, strict=True)
    ]
    assert np.mean(away) < 0.3
    assert np.max(away) < 2.0


def test_what_is_no_photo_is_refused_in_words(visit, one_site):
    page = visit(one_site)
    said = page.evaluate("""async () => {
      const { decode } = await import("/app/contract.mjs");
      const files = [new Blob([]), new Blob(["no photo"]), new Blob([new Uint8Array(70e6)])];
      return Promise.all(files.map((file) => decode(file).catch((error) => error.message)));
    }""")
    assert "empty" in said[0]
    assert "cannot read" in said[1]
    assert "67 MB is the most" in said[2]
