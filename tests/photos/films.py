"""Small real videos: frame `n` is grey of the value `STEP * n`, up to 250."""

import struct

import numpy as np

STEP, RATE, WIDTH, HEIGHT = 5, 25, 96, 72


def write_film(path, num_frames=50, codec="mp4v", size=(WIDTH, HEIGHT)):
    """A video of two seconds; a red patch in its upper left corner tells which way is up."""
    from ninebrains.photos.videos import opencv

    cv2 = opencv()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), RATE, size)
    for number in range(num_frames):
        frame = np.full((size[1], size[0], 3), min(STEP * number, 250), np.uint8)
        frame[: size[1] // 3, : size[0] // 3] = (0, 0, 255)  # OpenCV's order is blue, green, red
        writer.write(frame)
    writer.release()
    return path


def turn(path):
    """Say in an MP4's header that it is to be shown turned, as a phone held upright does."""
    data = bytearray(path.read_bytes())
    place = data.find(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def grey(frame):
    """The value of the lower right corner."""
    return float(frame[-20:, -20:].mean())
