"""Photos made on the spot: textured, so that each is unlike the others, and real files."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ninebrains.photos import Dataset, Photo, examine_all


def picture(seed, size=(96, 72)):
    """A smooth random scene with a little grain; equal seeds give equal scenes at any size."""
    rng = np.random.default_rng(seed)
    scene = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((256, 192))
    grain = rng.integers(-20, 21, (192, 256, 1))
    pixels = np.clip(np.asarray(scene, np.int16) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize(size)


def jpeg(seed, size=(96, 72), quality=90):
    packed = io.BytesIO()
    picture(seed, size).save(packed, "JPEG", quality=quality)
    return packed.getvalue()


def write(path, seed, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(seed, **how))
    return path


def classes(root, **sizes):
    """A folder for each class with so many different photos."""
    for place, (label, size) in enumerate(sizes.items()):
        for number in range(size):
            write(root / label / f"{number:03d}.jpg", 1000 * place + number)
    return root


def names(dataset):
    return [photo.name for photo in dataset.photos]


def reasons(dataset):
    return {problem.name: problem.reason for problem in dataset.problems}


def looked(dataset):
    facts, problems = examine_all(dataset.photos)
    assert not problems
    return facts


def table(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def made(task, labels, targets=None, splits=None):
    """A data set of photos that exist only as values."""
    photos = tuple(
        Photo(
            Path(f"{i}.jpg"),
            f"{i}.jpg",
            tuple(labels[i]) if labels else (),
            targets[i] if targets else None,
            splits[i] if splits else None,
        )
        for i in range(len(labels or targets))
    )
    every = sorted({label for photo in photos for label in photo.labels})
    return Dataset(Path(), task, photos, tuple(every))
