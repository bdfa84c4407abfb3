"""Photos for the page: read again, compared with what was measured, made small, with their heat."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from ninebrains.brains import Brain
from ninebrains.errors import PhotoError
from ninebrains.explaining import heat_layer, thumbnail
from ninebrains.images import read_photo
from ninebrains.training.record import Outcome, Record
from ninebrains.workers import map_ahead

_SIDE = 208  # shown at 160 and less, so that it is still sharp on dense screens
_HEAT_SIDE = 28  # heat is smooth: browsers enlarge it without loss
_CHUNK = 32


@dataclass(frozen=True)
class Picture:
    """A small photo and the heat to lay over it, as `data:` addresses; its size in pixels."""

    photo: str
    heat: str | None
    width: int
    height: int


@dataclass(frozen=True)
class Pictures:
    """The pictures that could be made.

    Attributes:
        by_path: by the outcome's path.
        num_missing: photos that are gone or can no longer be read.
        num_changed: photos whose bytes are not those that were measured.
    """

    by_path: Mapping[str, Picture] = field(default_factory=dict)
    num_missing: int = 0
    num_changed: int = 0


@dataclass(frozen=True)
class _Reading:
    outcome: Outcome
    data: bytes
    small: Image.Image


def take_pictures(brain: Brain, record: Record, outcomes: Iterable[Outcome]) -> Pictures:
    """Read the photos of some outcomes again and compute their heat maps.

    A photo that is gone, unreadable or not the one that was measured is counted and left out.
    """
    wanted = {outcome.path: outcome for outcome in outcomes}
    read = partial(_read, root=Path(record.root))
    pictures: dict[str, Picture] = {}
    lost = {"missing": 0, "changed": 0}
    # In chunks, so that no more than a few whole files are in memory.
    for chunk in _chunks(wanted.values(), _CHUNK):
        found: list[_Reading] = []
        for reading in map_ahead(read, chunk, ahead=_CHUNK):
            if isinstance(reading, str):
                lost[reading] += 1
            else:
                found.append(reading)
        heats = _heats(brain, found)
        for reading, heat in zip(found, heats, strict=True):
            size = reading.small.size
            photo = _address(reading.small, "jpeg")
            pictures[reading.outcome.path] = Picture(photo, heat, *size)
    return Pictures(pictures, lost["missing"], lost["changed"])


def _read(outcome: Outcome, root: Path) -> _Reading | str:
    try:
        data = read_photo(root / outcome.path)
        if hashlib.sha256(data).hexdigest() != outcome.sha256:
            return "changed"
        return _Reading(outcome, data, thumbnail(data, _SIDE))
    except PhotoError:
        return "missing"


def _heats(brain: Brain, readings: Sequence[_Reading]) -> list[str | None]:
    """Evidence for what was answered in each photo; None from a brain without heat maps."""
    if "heatmap" not in brain.outputs:
        return [None] * len(readings)
    answers = brain.run_many(
        [reading.data for reading in readings], heatmaps=True, on_error="yield", batch=_CHUNK
    )
    heats: list[str | None] = []
    for reading, inference in zip(readings, answers, strict=True):
        if isinstance(inference, PhotoError):
            heats.append(None)
            continue
        width, height = reading.small.size
        scale = min(1.0, _HEAT_SIDE / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        label = reading.outcome.answer or 0
        heats.append(
            _address(heat_layer(inference.heatmap(label), brain.contract, size), "png")
            if label < len(brain.labels)
            else None
        )
    return heats


def _address(image: Image.Image, kind: str) -> str:
    packed = io.BytesIO()
    if kind == "jpeg":
        image.save(packed, "JPEG", quality=78)
    else:
        # What is clear gets one colour, which packs to nothing.
        values = np.array(image)
        values[values[..., 3] == 0] = (255, 244, 130, 0)
        Image.fromarray(values).save(packed, "PNG", optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(packed.getvalue()).decode()}"


def _chunks(items: Iterable[Outcome], size: int) -> Iterator[list[Outcome]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
