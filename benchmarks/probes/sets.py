"""The five sets that trunks are probed with: photos, what they show, and what belongs together.

Every set is as it lies in ../shared, with these choices, the same for every model:

- cifar10: the published labels; where at least three of five people chose the other label alone,
  that one; the photos for which no label found three voices are left out.
- coco_crops: one square around each box, as wide as its longer side and a tenth; boxes whose longer
  side is under 16 pixels are left out, then classes with fewer than 20 crops; of a class with more
  than 60 (people) 60 are drawn, because otherwise "a person" would be right for half of them.
- Copies and near copies, as our own audit finds them, are one group, and so are the crops of one
  photo. A group is never on both sides of a split.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.probes.scratch import Scratch, digest
from ninebrains.images import PhotoSource, decode
from ninebrains.photos import duplicate_groups, examine, read_dataset

LEAST_SIDE, MARGIN = 16, 0.05
LEAST_CROPS, MOST_CROPS = 20, 60
_CONFIRMED = 3  # of five people


@dataclass(frozen=True)
class ProbeSet:
    """Labelled photos.

    Attributes:
        name: of the set.
        photos: n paths or pixels.
        classes: K names.
        labels: [n], the index of each photo's class.
        groups: [n], photos with the same number stay together.
        test_share: of the photos of a class, held out.
        left_out: what of the set takes no part, in words; "" if nothing.
        digest: stands for photos and labels.
    """

    name: str
    photos: Sequence[PhotoSource]
    classes: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    test_share: float
    left_out: str
    digest: str


def _folder_set(name: str, folder: Path, share: float, scratch: Scratch) -> ProbeSet:
    """A folder per class, as the recipe reads it."""
    dataset = read_dataset(folder, "classify")
    paths = [photo.path for photo in dataset.photos]
    return _make(name, paths, [photo.labels[0] for photo in dataset.photos], share, "", scratch)


def _make(
    name: str, paths: list[Path], names: list[str], share: float, left_out: str, scratch: Scratch
) -> ProbeSet:
    contents = [path.read_bytes() for path in paths]
    key = digest(*contents, *names)
    groups = scratch.array(digest("groups", key), lambda: _groups(contents))
    classes, labels = np.unique(names, return_inverse=True)
    return ProbeSet(
        name, paths, tuple(map(str, classes)), labels.astype(np.int64), groups, share, left_out, key
    )


def _groups(contents: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """[n]; copies and near copies have the same number."""
    facts = []
    for data in contents:
        pixels, info = decode(data, None, (128, 128))
        facts.append(examine(data, pixels, info))
    groups = np.arange(len(contents))
    for members in duplicate_groups(facts).near:
        groups[members] = members[0]
    return groups


def dogcat(data: Path, scratch: Scratch) -> ProbeSet:
    """Web photos of cats and dogs."""
    return _folder_set("dogcat", data / "classification/dogcat", 0.2, scratch)


def clothing343(data: Path, scratch: Scratch) -> ProbeSet:
    """Ten kinds of clothing, from 12 to 81 photos."""
    return _folder_set("clothing343", data / "classification/clothing343", 0.2, scratch)


def att_faces(data: Path, scratch: Scratch) -> ProbeSet:
    """Forty people, ten grey photos each: five to learn from and five to test on."""
    return _folder_set("att_faces", data / "retrieval/att_faces", 0.5, scratch)


def cifar10(data: Path, scratch: Scratch) -> ProbeSet:
    """Photos of 32 by 32 pixels with the labels that people agree with."""
    folder = data / "labelerrors/cifar10"
    asked = {
        int(entry["id"]): entry for entry in json.loads((folder / "cifar10_mturk.json").read_text())
    }
    paths, names, corrected, unclear = [], [], 0, 0
    for photo in read_dataset(folder / "images", "classify").photos:
        name = photo.labels[0]
        entry = asked.get(int(photo.path.stem))
        if entry is not None and entry["mturk"]["given"] < _CONFIRMED:
            if entry["mturk"]["guessed"] < _CONFIRMED:
                unclear += 1
                continue
            name = entry["our_guessed_label_name"]
            corrected += 1
        paths.append(photo.path)
        names.append(name)
    note = f"{unclear} photos that people did not agree on; {corrected} labels corrected by them"
    return _make("cifar10", paths, names, 0.2, note, scratch)


@dataclass(frozen=True)
class _Crop:
    """A square of a photo around one box."""

    photo: int
    name: int
    pixels: npt.NDArray[np.uint8]


def coco_crops(data: Path, scratch: Scratch) -> ProbeSet:  # noqa: ARG001 - like the other sets
    """Things in everyday scenes, cut out along their boxes."""
    folder = data / "detection/coco128_train"
    class_names = _class_names(folder / "config.yaml")
    crops, small = _read_crops(folder)
    counts = Counter(crop.name for crop in crops)
    rng = np.random.default_rng(0)
    chosen: list[_Crop] = []
    rare = capped = 0
    for name, count in sorted(counts.items()):
        own = [crop for crop in crops if crop.name == name]
        if count < LEAST_CROPS:
            rare += count
            continue
        drawn = np.sort(rng.permutation(count)[:MOST_CROPS])
        capped += count - len(drawn)
        chosen += [own[place] for place in drawn]
    kept = sorted({crop.name for crop in chosen})
    return ProbeSet(
        "coco_crops",
        [crop.pixels for crop in chosen],
        tuple(class_names[name] for name in kept),
        np.array([kept.index(crop.name) for crop in chosen]),
        np.array([crop.photo for crop in chosen]),
        0.3,
        f"{small} boxes under {LEAST_SIDE} pixels; {rare} crops of classes with fewer than "
        f"{LEAST_CROPS}; {capped} beyond {MOST_CROPS} a class",
        digest(*(f"{crop.name} {crop.pixels.shape}" for crop in chosen))
        + digest(*(crop.pixels.tobytes() for crop in chosen)),
    )


def _read_crops(folder: Path) -> tuple[list[_Crop], int]:
    """Crops of all boxes that are large enough, and the number of those that are not.

    Two label files have no photo beside them and are passed over.
    """
    crops: list[_Crop] = []
    small = 0
    for number, path in enumerate(sorted((folder / "images").rglob("*.jpg"))):
        boxes = folder / "labels" / path.parent.name / f"{path.stem}.txt"
        if not boxes.exists():
            continue
        pixels, _ = decode(path.read_bytes())
        for line in boxes.read_text().splitlines():
            name, *box = line.split()[:5]
            square = square_around(pixels, *map(float, box))
            if square is None:
                small += 1
            else:
                crops.append(_Crop(number, int(name), square))
    return crops, small


def square_around(
    pixels: npt.NDArray[np.uint8], x: float, y: float, width: float, height: float
) -> npt.NDArray[np.uint8] | None:
    """The square around a YOLO box (centre and size as shares of the photo); None if too small.

    It is moved into the photo where it sticks out, and no larger than the photo allows.
    """
    down, across = pixels.shape[:2]
    longer = max(width * across, height * down)
    if longer < LEAST_SIDE:
        return None
    side = round(longer * (1 + 2 * MARGIN))
    rows, columns = min(side, down), min(side, across)
    top = min(max(round(y * down - rows / 2), 0), down - rows)
    left = min(max(round(x * across - columns / 2), 0), across - columns)
    return np.ascontiguousarray(pixels[top : top + rows, left : left + columns])


def _class_names(path: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for line in path.read_text().splitlines():
        number, _, name = line.strip().partition(": ")
        if number.isdecimal():
            names[int(number)] = name
    return names


SETS: dict[str, Callable[[Path, Scratch], ProbeSet]] = {
    "dogcat": dogcat,
    "clothing343": clothing343,
    "cifar10": cifar10,
    "att_faces": att_faces,
    "coco_crops": coco_crops,
}
