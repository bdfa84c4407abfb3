import io

import numpy as np
import pytest
from PIL import Image

from ninebrains.explaining import heat_layer, overlay, peak, thumbnail
from ninebrains.images import Contract

GREY = 120


def plain(width, height):
    return np.full((height, width, 3), GREY, np.uint8)


def hot(rows, columns, row, column):
    heatmap = np.full((rows, columns), -1.0, np.float32)
    heatmap[row, column] = 5.0
    return heatmap


def changed_box(image):
    """The box (left, top, right, bottom) in which an image differs from the plain photo."""
    rows, columns = np.nonzero((np.asarray(image) != GREY).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize(
    ("fit", "size", "cell", "expected"),
    [
        ("crop", (300, 200), (0, 0), (75, 25)),  # seen: 50 to 250, each cell 50 x 50
        ("crop", (200, 300), (3, 3), (175, 225)),
        ("pad", (300, 200), (1, 0), (37.5, 62.5)),  # seen: -50 to 250 vertically
        ("pad", (300, 200), (0, 2), (187.5, 0)),  # that cell lies on the bar above
        ("stretch", (300, 200), (3, 3), (262.5, 175)),
    ],
)
def test_heat_lies_where_the_network_looked(fit, size, cell, expected):
    heatmap = hot(4, 4, *cell)
    contract = Contract(64, 64, fit=fit)
    assert peak(heatmap, contract, size) == expected
    left, top, right, bottom = changed_box(overlay(plain(*size), heatmap, contract))
    assert left - 1 <= expected[0] <= right
    assert top - 1 <= expected[1] <= bottom
    assert (right - left) < 0.6 * size[0]
    assert (bottom - top) < 0.75 * size[1]


def test_what_the_network_did_not_see_stays_clear():
    layer = np.asarray(heat_layer(np.ones((7, 7), np.float32), Contract(64, 64), (300, 200)))
    assert not layer[:, :50, 3].any()
    assert not layer[:, 250:, 3].any()
    assert layer[:, 50:250, 3].all()


def test_evidence_against_a_label_is_not_shown():
    photo = plain(90, 60)
    against = np.full((7, 7), -3.0, np.float32)
    assert np.array_equal(overlay(photo, against, Contract(64, 64)), photo)


def test_more_evidence_is_darker_and_more_opaque():
    heatmap = np.linspace(0, 1, 20, dtype=np.float32)[None, :].repeat(4, axis=0)
    layer = heat_layer(heatmap, Contract(8, 8, fit="stretch"), (200, 40), opacity=0.5)
    values = np.asarray(layer)[20].astype(int)
    grey = values[:, :3] @ np.array([299, 587, 114]) // 1000
    assert (np.diff(grey) <= 1).all()
    assert (np.diff(values[:, 3]) >= -1).all()
    assert values[0, 3] == 0
    assert values[-1, 3] == pytest.approx(127, abs=1)


@pytest.mark.parametrize(
    ("size", "expected"), [((2000, 1000), (1024, 512)), ((300, 500), (300, 500)), ((1, 9), (1, 9))]
)
def test_an_overlay_has_at_most_1024_pixels_a_side_and_never_more_than_the_photo(size, expected):
    assert overlay(plain(*size), hot(7, 7, 3, 3), Contract(64, 64)).size == expected


def test_a_turned_jpeg_comes_out_upright():
    image = Image.new("RGB", (2400, 1600), "white")
    image.paste("black", (0, 0, 2400, 400))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    small = thumbnail(file.getvalue(), 120)
    assert small.size == (80, 120)
    pixels = np.asarray(small)
    assert pixels[60, 75].max() < 40
    assert pixels[60, 5].min() > 215


@pytest.mark.parametrize("heatmap", [np.zeros((2, 2, 2)), np.zeros((0, 3)), np.zeros(4)])
def test_what_is_no_heat_map_is_refused(heatmap):
    with pytest.raises(ValueError, match="heat map"):
        overlay(plain(9, 9), heatmap.astype(np.float32), Contract(8, 8))


def test_a_heat_map_of_one_cell_covers_the_photo():
    image = overlay(plain(40, 40), np.ones((1, 1), np.float32), Contract(8, 8))
    assert changed_box(image) == (0, 0, 40, 40)


def test_heat_fades_out_where_the_view_ends_inside_the_photo():
    layer = heat_layer(np.ones((7, 7), np.float32), Contract(64, 64), (300, 200))
    alpha = np.asarray(layer)[..., 3].astype(int)
    row, full = alpha[100], alpha[100, 150]
    assert row[50] < 0.15 * full  # seen: 50 to 250
    assert row[249] < 0.15 * full
    assert np.abs(np.diff(row)).max() < 0.2 * full
    assert (row[65:235] == full).all()
    assert (alpha[[0, -1], 150] == full).all()  # those edges are the photo's own
