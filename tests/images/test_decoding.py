"""Bytes to pixels: every format, every orientation, every kind of damage."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from ninebrains.errors import PhotoError
from ninebrains.images import Limits, decode, inspect, is_photo


def encode(image, form, **options):
    """The bytes of a PIL image in a format."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def scene(width=120, height=90):
    """A photo-like picture: smooth shades, an edge and a coloured corner."""
    across = np.linspace(0, 255, width)[None, :].repeat(height, axis=0)
    down = np.linspace(0, 255, height)[:, None].repeat(width, axis=1)
    pixels = np.stack([across, down, 255 - across], axis=2).astype(np.uint8)
    pixels[: height // 3, : width // 3] = (250, 20, 20)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("form", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 12),
        ("JPEG", {"quality": 95, "progressive": True, "subsampling": 0}, 12),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("BMP", {}, 0),
        ("PPM", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 16),
    ],
)
def test_every_format_gives_the_same_scene(form, options, tolerance):
    pixels, info = decode(encode(scene(), form, **options))
    assert info.format == form
    assert (info.width, info.height) == (120, 90)
    difference = np.abs(pixels.astype(int) - np.asarray(scene()).astype(int))
    assert np.quantile(difference, 0.98) <= tolerance


def test_gif_and_mpo_give_their_first_frame():
    first, second = scene(), Image.new("RGB", (120, 90), (0, 0, 0))
    gif = encode(first, "GIF", save_all=True, append_images=[second])
    mpo = encode(first, "MPO", save_all=True, append_images=[second])
    for data in (gif, mpo):
        pixels, _ = decode(data)
        assert pixels.shape == (90, 120, 3)
        assert np.abs(pixels.astype(int) - np.asarray(first).astype(int)).mean() < 12


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(form, orientation):
    upright = np.asarray(scene())
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98, "subsampling": 0} if form == "JPEG" else {}
    if form == "WEBP":
        options = {"lossless": True}
    data = encode(Image.fromarray(np.ascontiguousarray(turned)), form, exif=exif, **options)
    pixels, info = decode(data)
    assert (info.width, info.height) == (120, 90)
    assert np.abs(pixels.astype(int) - upright.astype(int)).mean() < 4


def test_real_photos_in_all_orientations_agree(shared):
    folder = shared / "data/robustness/exif_orientation"
    reference, _ = decode((folder / "Landscape_1.jpg").read_bytes())
    for number in range(2, 9):
        pixels, info = decode((folder / f"Landscape_{number}.jpg").read_bytes())
        assert info.orientation == number
        assert pixels.shape == reference.shape
        assert np.abs(pixels.astype(int) - reference.astype(int)).mean() < 8


def sixteen_bit_png(values):
    """A grey PNG of 16 bits a pixel, written by hand."""
    height, width = values.shape

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def test_sixteen_bits_become_eight():
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    pixels, _ = decode(sixteen_bit_png(values))
    assert np.abs(pixels[:, :, 0].astype(int) - (values >> 8).astype(int)).max() <= 1
    assert (pixels[:, :, 0] == pixels[:, :, 2]).all()


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("L", "PNG"),
        ("L", "JPEG"),
        ("1", "PNG"),
        ("P", "PNG"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "JPEG"),
        ("LAB", "TIFF"),
        ("I;16", "TIFF"),
    ],
)
def test_every_colour_mode_becomes_rgb(mode, form):
    grey = Image.new("L", (40, 30), 200)
    if mode == "I;16":
        image = Image.fromarray(np.full((30, 40), 200 * 257, np.uint16))
    elif mode == "LAB":
        from PIL import ImageCms

        change = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        image = ImageCms.applyTransform(grey.convert("RGB"), change)
    elif mode == "CMYK":
        image = grey.convert("RGB").convert("CMYK")
    else:
        image = grey.convert(mode)
    pixels, _ = decode(encode(image, form))
    assert pixels.shape == (30, 40, 3)
    assert pixels.dtype == np.uint8
    expected = 255 if mode == "1" else 200
    if mode == "1":
        assert set(np.unique(pixels)) <= {0, 255}
    else:
        assert np.abs(pixels.astype(int) - expected).max() <= 8


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "1", "I;16", "CMYK"])
def test_large_photos_are_the_same_pixels_as_their_parts(mode):
    """Those of more than about a million pixels are converted strip by strip."""
    rng = np.random.default_rng(1)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 2**16, (1400, 900), np.uint16))
    else:
        colors = Image.fromarray(rng.integers(0, 256, (1400, 900, 4), np.uint8), "RGBA")
        image = (
            colors.quantize(64)
            if mode == "P"
            else colors.convert("RGB" if mode == "CMYK" else mode)
        )
        image = image.convert("CMYK") if mode == "CMYK" else image
    form = "TIFF" if mode == "CMYK" else "PNG"
    whole, _ = decode(encode(image, form))
    for top in (0, 700):
        part, _ = decode(encode(image.crop((0, top, 900, top + 700)), form))
        np.testing.assert_array_equal(whole[top : top + 700], part)


def test_transparent_parts_become_white():
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 10, 20))
    pixels, _ = decode(encode(image, "PNG"))
    assert tuple(pixels[5, 5]) == (0, 0, 255)
    assert tuple(pixels[5, 15]) == (255, 255, 255)
    palette = encode(image.quantize(), "PNG")
    assert tuple(decode(palette)[0][5, 15]) == (255, 255, 255)


def test_a_large_jpeg_is_reduced_while_decoding_but_never_below_twice_the_target():
    data = encode(scene(2000, 1200), "JPEG", quality=90)
    for wanted, expected in [
        ((224, 224), (1000, 600)),
        ((100, 100), (500, 300)),
        ((700, 700), (2000, 1200)),
    ]:
        pixels, info = decode(data, at_least=wanted)
        assert (info.width, info.height) == (2000, 1200)
        assert (pixels.shape[1], pixels.shape[0]) == expected


def test_a_large_cmyk_jpeg_of_odd_size_is_reduced_too():
    data = encode(scene(2001, 1203).convert("CMYK"), "JPEG", quality=90)
    pixels, info = decode(data, at_least=(100, 100))
    assert (info.width, info.height) == (2001, 1203)
    assert (pixels.shape[1], pixels.shape[0]) == (501, 301)


def test_limits_are_checked_from_the_header():
    data = encode(scene(400, 300), "PNG")
    with pytest.raises(PhotoError, match=r"400 x 300 = 120,000 pixels.*limit of 100,000"):
        decode(data, Limits(max_pixels=100_000))
    with pytest.raises(PhotoError, match="more than the limit of 100"):
        decode(data, Limits(max_bytes=100))


def bomb(width, height):
    """A PNG header that claims a size, with next to nothing behind it."""
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + body
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(body))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + b"\0\0\0\0IEND\xaeB`\x82"
    )


def test_more_pixels_than_pillow_reads_are_refused_in_our_own_words():
    with pytest.raises(PhotoError, match=r"more than 178 million pixels.* Shrink it") as caught:
        decode(bomb(65_500, 65_500))
    assert "DOS" not in str(caught.value)


def bmp(**header):
    """A BMP of 4 x 4 pixels with other values in its header, at these offsets."""
    data = bytearray(encode(Image.new("RGB", (4, 4)), "BMP"))
    for offset, value in header.values():
        data[offset : offset + 2] = struct.pack("<H", value)
    return bytes(data)


def strange_tiff(tag, value):
    """A TIFF whose one-number `tag` says something else."""
    data = bytearray(encode(Image.new("RGB", (4, 4)), "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    for place in range(start + 2, start + 2 + 12 * data[start], 12):
        if struct.unpack_from("<H", data, place) == (tag,):
            struct.pack_into("<HIHH", data, place + 2, 3, 1, value, 0)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (bmp(depth=(28, 2)), "BMP"),
        (bmp(compression=(30, 4)), "BMP"),
        (bmp(compression=(30, 3), depth=(28, 16)), "BMP"),
        (strange_tiff(262, 32845), "TIFF"),
        (strange_tiff(259, 34887), "TIFF"),
        (strange_tiff(259, 12345), "TIFF"),
    ],
)
def test_a_kind_of_photo_that_is_not_supported_is_not_called_damaged(data, kind):
    with pytest.raises(PhotoError, match=rf"kind of {kind}.* Save it as an ordinary") as caught:
        decode(data)
    assert "not a photo" not in str(caught.value)
    assert "is damaged" not in str(caught.value)


@pytest.mark.parametrize("size", [(65_500, 65_500), (20_000, 20_000), (12_000, 10_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(size):
    with pytest.raises(PhotoError, match="pixels"):
        decode(bomb(*size))


def test_a_photo_65500_pixels_wide_is_read():
    pixels, info = decode(encode(Image.new("RGB", (65_500, 40), (9, 90, 9)), "JPEG"))
    assert info.width == 65_500
    assert abs(int(pixels[20, 60_000, 1]) - 90) < 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 hello", "this is a PDF"),
        (b"PK\x03\x04 more", "a zip file"),
        (b"<svg xmlns='x'/>", "an SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a photo"),
        (b"hello world", "not a photo"),
        (b"\xff\xd8\xff", "photo"),
        (b"\x89PNG\r\n\x1a\n", "photo"),
    ],
)
def test_what_is_no_photo_says_so(data, message):
    with pytest.raises(PhotoError, match=message):
        decode(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_truncated_photo_is_an_error_and_never_another_exception(form):
    data = encode(scene(), form)
    failures = 0
    for length in range(1, len(data), max(1, len(data) // 60)):
        try:
            decode(data[:length])
        except PhotoError:
            failures += 1
    assert failures > 20


def test_malformed_real_files_give_pixels_or_a_photo_error(shared):
    read = refused = 0
    for path in sorted((shared / "data/robustness/image-rs").rglob("*")):
        if not path.is_file():
            continue
        try:
            pixels, info = decode(path.read_bytes())
            assert pixels.shape == (info.height, info.width, 3)
            read += 1
        except PhotoError:
            refused += 1
    assert read > 80
    assert refused > 20


def test_inspect_reads_the_header_only():
    data = encode(scene(300, 200), "JPEG")
    info = inspect(data[: len(data) // 2])
    assert (info.width, info.height, info.format) == (300, 200, "JPEG")


def test_is_photo_goes_by_content():
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"):
        assert is_photo(encode(scene(), form)[:32]), form
    for data in (b"%PDF-1.7", b"hello", b"", b"BM", b"P5", b"\0\0\0\x18ftypmp42"):
        assert not is_photo(data)


def test_heic_without_its_decoder_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(PhotoError, match=r"pip install 'ninebrains\[heif\]'"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_a_damaged_heic_is_a_photo_error():
    with pytest.raises(PhotoError):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


@pytest.mark.parametrize(
    ("values", "expected"), [(np.full((9, 9), 0.5, np.float32), 128), (np.full((9, 9), 32768), 128)]
)
def test_wide_grey_values_become_eight_bits(values, expected):
    image = Image.fromarray(values.astype(np.int32) if values.dtype != np.float32 else values)
    pixels, _ = decode(encode(image, "TIFF"))
    assert np.abs(pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("wrong", [-1.0, 3.0, np.nan])
def test_grey_values_beyond_their_range_are_refused(wrong):
    with pytest.raises(PhotoError, match="8 or 16 bits"):
        decode(encode(Image.fromarray(np.full((9, 9), wrong, np.float32)), "TIFF"))
