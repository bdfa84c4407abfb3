"""The unlabelled photos, and random views of them."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

_LONGEST = 1.75  # times the short side: what lies further out of a panorama is cut off


@dataclass(frozen=True)
class Views:
    """How a photo is cropped and changed before the teacher and the student see it.

    Attributes:
        least_area: of the photo that a crop covers.
        low_resolution: share of views made coarse first, down to 24 pixels a side.
        grey: share of views without colour.
        flat: share of views shown whole, squeezed into a square.
    """

    least_area: float = 0.3
    low_resolution: float = 0.1
    grey: float = 0.05
    flat: float = 0.1


def read(folder: Path, limit: int | None = None) -> list[Image.Image]:
    """Every photo of the gzipped tar shards of a folder, decoded, in the order of their names."""
    photos = {}
    for shard in sorted(folder.glob("*.tar.gz")):
        with tarfile.open(shard, "r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None and member.name.endswith(".jpg"):
                    photos[member.name] = _square_enough(Image.open(io.BytesIO(file.read())))
                if limit is not None and len(photos) >= limit:
                    break
    return [photos[name] for name in sorted(photos)]


def _square_enough(photo: Image.Image) -> Image.Image:
    photo = photo.convert("RGB")
    width, height = photo.size
    longest = int(_LONGEST * min(width, height))
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return photo.crop((left, top, width - left, height - top))


def view(photo: Image.Image, size: int, how: Views, rng: np.random.Generator) -> np.ndarray:
    """A random crop of random form, uint8 [size,size,3], perhaps mirrored or coarse."""
    width, height = photo.size
    box = (0.0, 0.0, float(width), float(height))
    if rng.random() >= how.flat:
        area = width * height * rng.uniform(how.least_area, 1.0)
        form = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        across, down = min(width, (area * form) ** 0.5), min(height, (area / form) ** 0.5)
        left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
        box = (left, top, left + across, top + down)
    if rng.random() < how.low_resolution:
        coarse = int(rng.integers(24, max(25, size * 3 // 4)))
        photo = photo.resize((coarse, coarse), Image.Resampling.BILINEAR, box=box)
        box = (0.0, 0.0, float(coarse), float(coarse))
    cut = photo.resize((size, size), Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(cut)
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def recolor(pixels: Tensor, how: Views, random: torch.Generator) -> Tensor:
    """Change light, contrast, saturation and tint of each view at random.

    Args:
        pixels: [N,H,W,3], 0 to 255, float.
        how: the share of views to make grey.
        random: where chance comes from.

    Returns:
        The same form, rounded to whole numbers, 0 to 255.
    """
    count = len(pixels)

    def amount(spread: float) -> Tensor:
        return 1 + spread * (2 * torch.rand(count, 1, 1, 1, generator=random) - 1)

    grey = pixels @ torch.tensor([0.299, 0.587, 0.114])
    saturation = amount(0.3) * (torch.rand(count, 1, 1, 1, generator=random) >= how.grey)
    pixels = grey[..., None] + saturation * (pixels - grey[..., None])
    tint = 1 + 0.05 * torch.randn(count, 1, 1, 3, generator=random).clamp(-2, 2) * (saturation > 0)
    middle = grey.mean((1, 2))[:, None, None, None]
    pixels = (middle + amount(0.3) * (pixels - middle)) * amount(0.3) * tint
    return pixels.round().clamp(0, 255)


def views(
    photos: list[Image.Image], chosen: np.ndarray, size: int, how: Views, seed: int
) -> Tensor:
    """Views [N,size,size,3], uint8, of the chosen photos; the same for the same seed."""
    rng = np.random.default_rng(seed)
    cut = np.stack([view(photos[index], size, how, rng) for index in chosen])
    random = torch.Generator().manual_seed(seed)
    return recolor(torch.from_numpy(cut).float(), how, random).to(torch.uint8)
