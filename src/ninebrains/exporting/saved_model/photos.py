"""From a photo's bytes to the network's input in TensorFlow's operations alone.

The twin of `images.prepare` that travels inside a SavedModel, for JPEG and PNG. TensorFlow has
decoders for GIF and BMP too, but they read transparent and less usual files as other pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ninebrains.images import Contract

_HEAD_BYTES = 65536  # no JPEG segment is longer, and the one with the orientation comes first
_ORIENTATION = 0x0112
_MOST_ENTRIES = 64
_REDUCTIONS = (8, 4, 2, 1)


def decoder(tensorflow: Any, contract: Contract) -> Callable[[Any], Any]:  # noqa: ANN401
    """A function from the bytes of one photo (a string tensor) to uint8[H, W, 3].

    Args:
        tensorflow: the module.
        contract: of the brain.
    """
    tf = tensorflow

    def prepare(data: Any) -> Any:  # noqa: ANN401
        start = tf.strings.substr(data, 0, 3)
        pixels, orientation = tf.case(
            [
                (tf.equal(start, b"\xff\xd8\xff"), lambda: _jpeg(tf, data, contract)),
                (tf.equal(start, b"\x89PN"), lambda: (_png(tf, data), tf.constant(1))),
            ],
            default=lambda: (_refused(tf, data), tf.constant(1)),
        )
        return _fitted(tf, _upright(tf, pixels, orientation), contract)

    return prepare


def _jpeg(tf: Any, data: Any, contract: Contract) -> tuple[Any, Any]:  # noqa: ANN401
    """Pixels, decoded at 1/2, 1/4 or 1/8 where that leaves twice the frame; and the orientation."""
    orientation = _orientation(tf, data)
    shape = tf.image.extract_jpeg_shape(data)
    height, width = shape[0], shape[1]
    is_turned = orientation >= 5
    upright = [tf.where(is_turned, width, height), tf.where(is_turned, height, width)]
    frame = (2 * contract.height, 2 * contract.width)
    room = tf.minimum(upright[0] // frame[0], upright[1] // frame[1])

    def decoded(reduction: int) -> Callable[[], Any]:
        return lambda: tf.image.decode_jpeg(
            data, channels=3, ratio=reduction, dct_method="INTEGER_ACCURATE"
        )

    cases = [(room >= reduction, decoded(reduction)) for reduction in _REDUCTIONS[:-1]]
    return tf.case(cases, default=decoded(1)), orientation


def _png(tf: Any, data: Any) -> Any:  # noqa: ANN401
    """Pixels on white where they are transparent."""
    four = tf.cast(tf.image.decode_png(data, channels=4), tf.float32)
    cover = four[..., 3:] / 255.0
    return _bytes(tf, four[..., :3] * cover + 255.0 * (1.0 - cover))


def _refused(tf: Any, data: Any) -> Any:  # noqa: ANN401
    told = "got a file that is neither JPEG nor PNG; convert it, or use serving_default"
    never = tf.strings.length(data) < 0
    with tf.control_dependencies([tf.debugging.Assert(never, [told])]):
        return tf.zeros([1, 1, 3], tf.uint8)


def _bytes(tf: Any, values: Any) -> Any:  # noqa: ANN401
    return tf.cast(tf.clip_by_value(tf.round(values), 0.0, 255.0), tf.uint8)


def _orientation(tf: Any, data: Any) -> Any:  # noqa: ANN401
    """EXIF's tag 0x0112 of a JPEG, 1 to 8; 1 where there is none.

    It stands in the first directory of the TIFF structure that follows the letters "Exif" (EXIF
    2.32, 4.5 and 4.6). Reading beyond the end gives zeros.
    """
    head = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 0, _HEAD_BYTES), tf.uint8), tf.int32)
    head = tf.concat([head, tf.zeros([16 + 12 * _MOST_ENTRIES], tf.int32)], 0)
    last = tf.size(head) - 1
    mark = [ord(letter) for letter in "Exif"] + [0, 0]
    count = tf.size(head) - len(mark)
    found = tf.reduce_all(
        [tf.equal(head[place : count + place], byte) for place, byte in enumerate(mark)], 0
    )
    start = tf.argmax(found, output_type=tf.int32) + len(mark)
    is_big = tf.equal(head[start], ord("M"))

    def number(place: Any, size: int) -> Any:  # noqa: ANN401
        """Whole numbers of 2 or 4 bytes at places after the start of the TIFF structure."""
        total: Any = 0
        for byte in range(size):
            shift = tf.where(is_big, 8 * (size - 1 - byte), 8 * byte)
            at = tf.clip_by_value(start + place + byte, 0, last)
            total += tf.bitwise.left_shift(tf.gather(head, at), shift)
        return total

    directory = tf.clip_by_value(number(4, 4), 0, last)
    entries = tf.range(_MOST_ENTRIES)
    places = directory + 2 + 12 * entries
    is_here = tf.equal(number(places, 2), _ORIENTATION) & (entries < number(directory, 2))
    value = tf.reduce_max(tf.where(is_here, number(places + 8, 2), 0))
    is_known = tf.reduce_any(found) & (value >= 1) & (value <= 8)
    return tf.where(is_known, value, 1)


def _upright(tf: Any, pixels: Any, orientation: Any) -> Any:  # noqa: ANN401
    """Undo the camera's orientation."""
    turned = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    flip_rows = tf.reduce_any(tf.equal(orientation, [3, 4, 7, 8]))
    flip_columns = tf.reduce_any(tf.equal(orientation, [2, 3, 6, 7]))
    turned = tf.cond(flip_rows, lambda: turned[::-1], lambda: turned)
    return tf.cond(flip_columns, lambda: turned[:, ::-1], lambda: turned)


def _fitted(tf: Any, pixels: Any, contract: Contract) -> Any:  # noqa: ANN401
    """The contract's frame; one antialiased resize with the triangle filter."""
    frame = tf.constant([contract.height, contract.width], tf.int32)
    sides = tf.cast(tf.shape(pixels)[:2], tf.float32)
    scales = tf.cast(frame, tf.float32) / sides
    if contract.fit == "stretch":
        return _resized(tf, pixels, frame, scales, tf.zeros([2]))
    if contract.fit == "crop":
        both = tf.fill([2], tf.reduce_max(scales))
        shift = (tf.cast(frame, tf.float32) - sides * both) / 2.0
        return _resized(tf, pixels, frame, both, shift)
    inner = tf.maximum(tf.cast(tf.round(sides * tf.reduce_min(scales)), tf.int32), 1)
    small = _resized(tf, pixels, inner, tf.cast(inner, tf.float32) / sides, tf.zeros([2]))
    before = (frame - inner) // 2
    around = tf.stack([before, frame - inner - before], axis=1)
    color = tf.constant(contract.pad_color, tf.uint8)
    is_inside = tf.pad(tf.ones(inner, tf.bool), around)[..., None]
    padded = tf.where(is_inside, tf.pad(small, tf.concat([around, [[0, 0]]], 0)), color)
    return tf.ensure_shape(padded, contract.shape)


def _resized(tf: Any, pixels: Any, size: Any, scale: Any, shift: Any) -> Any:  # noqa: ANN401
    """Resize by a scale, and move, in (rows, columns) of the result."""
    values = tf.raw_ops.ScaleAndTranslate(
        images=tf.cast(pixels, tf.float32)[None],
        size=size,
        scale=scale,
        translation=shift,
        kernel_type="triangle",
        antialias=True,
    )
    return _bytes(tf, values[0])
