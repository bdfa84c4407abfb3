"""The photos that are sent: web photos of 50 to 400 KB, and phone photos of 24 megapixels."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageFilter

from benchmarks.mind.photos import drawn_photos
from benchmarks.running import SHARED

NUM_WEB = 24
NUM_PHONE = 4
_LEAST, _MOST = 50_000, 400_000
_PHONE = (6000, 4000)


def web_photos(count: int = NUM_WEB) -> list[bytes]:
    """JPEG of 50 to 400 KB, every so many of all by size, so that the mix is that of the folder."""
    folder = SHARED / "data/detection/coco128_train"
    sized = sorted((path.stat().st_size, path) for path in folder.rglob("*.jpg"))
    fitting = [path for size, path in sized if _LEAST <= size <= _MOST]
    step = len(fitting) / count
    return [fitting[int(number * step)].read_bytes() for number in range(count)]


def phone_photos(folder: Path, count: int = NUM_PHONE) -> list[bytes]:
    """JPEG of 6000 x 4000 pixels and several MB, made once from web photos and sensor noise."""
    files = [folder / f"phone-{number}.jpg" for number in range(count)]
    for file, photo in zip(files, web_photos(count) or drawn_photos(count), strict=True):
        if not file.is_file():
            file.write_bytes(_enlarged(photo))
    return [file.read_bytes() for file in files]


def _enlarged(photo: bytes) -> bytes:
    image = Image.open(io.BytesIO(photo)).convert("RGB").resize(_PHONE, Image.Resampling.BICUBIC)
    noise = Image.effect_noise(_PHONE, 24).filter(ImageFilter.GaussianBlur(0.7))
    grainy = Image.blend(image, Image.merge("RGB", (noise, noise, noise)), 0.08)
    out = io.BytesIO()
    grainy.save(out, "JPEG", quality=94)
    return out.getvalue()
