"""The trunks that `ninebrains trunk pull` knows: where each lies, how it is fed, when to take it.

Every fact is somebody's published statement, and what could not be found is None. A digest that is
known makes the download certain; where it is None, the digest that the hub states is used instead.

- Revisions, digests and sizes: the file pages of the hub's repositories, and for
  `mobilenetv3_small`, `mobilenetv4_*` and `dinov2_small` the pins that other public projects
  publish for the same files.
- Input: `preprocessor_config.json` of the same repository or `config.json` of the one it was
  exported from; for `efficientnet_b0` torchvision's transform for these weights.
- Licence: what the repositories state about the weights.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from ninebrains.errors import TrunkError
from ninebrains.trunks.inputs import InputOverrides

Speed = Literal["fastest", "fast", "medium", "slow"]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the hub.

    Attributes:
        path: inside the repository.
        sha256: of its content (hex), or None where it is not known beforehand.
        size_bytes: or None where only the hub knows.
    """

    path: str
    sha256: str | None = None
    size_bytes: int | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class ListedTrunk:
    """One trunk that can be pulled.

    Attributes:
        name: in the list, and of the trunk unless another is asked for.
        repo: `owner/name` on the hub.
        revision: the commit, so that everybody gets the same file.
        files: the model first, then what lies beside it (external data).
        overrides: how the network is fed.
        params_millions: weights of the whole network, its classifier included.
        accuracy: what its authors report on ImageNet, in percent.
        accuracy_kind: what was measured, and at which input size.
        accuracy_source: where that is published.
        licence: SPDX name.
        speed: on a CPU, from multiplications: `fastest` under 0.1 billion, `fast` under 0.5,
            `medium` under 2, `slow` above.
        take_it: when.
    """

    name: str
    repo: str
    revision: str
    files: tuple[HubFile, ...]
    overrides: InputOverrides
    params_millions: float
    accuracy: float
    accuracy_kind: str
    accuracy_source: str
    licence: str
    speed: Speed
    take_it: str

    @property
    def megabytes(self) -> float:
        """Size of the download in units of 10^6 bytes: exact if known, else 4 bytes a weight."""
        sizes = [file.size_bytes for file in self.files]
        known = [size for size in sizes if size is not None]
        return sum(known) / 1e6 if len(known) == len(sizes) else 4 * self.params_millions

    @property
    def is_pinned(self) -> bool:
        """Whether every file's digest is known here and not only on the hub."""
        return all(file.sha256 is not None for file in self.files)


def _imagenet(side: int) -> InputOverrides:
    """Fed as torchvision's and timm's classifiers are."""
    return InputOverrides(
        size=(side, side), mean=_IMAGENET_MEAN, std=_IMAGENET_STD, layout="nchw", color="rgb"
    )


CATALOG: tuple[ListedTrunk, ...] = (
    ListedTrunk(
        name="mobilenetv3_small",
        repo="onnx-community/mobilenetv3_small_100.lamb_in1k",
        revision="4569847969d3038b642f3385c9e515272e90dde2",
        files=(
            HubFile(
                "onnx/model.onnx",
                sha256="d36eea8c3298d339c232581dff18beed6651eacd607d0a531b7bdb100f8dc713",
            ),
        ),
        overrides=_imagenet(224),
        params_millions=2.54,
        accuracy=67.7,
        accuracy_kind="top-1, 224 px",
        accuracy_source="timm results-imagenet.csv, mobilenetv3_small_100.lamb_in1k",
        licence="Apache-2.0",
        speed="fastest",
        take_it="every millisecond counts and the classes are easy to tell apart",
    ),
    ListedTrunk(
        name="mobilenetv3_large",
        repo="onnx-community/mobilenetv3_large_100.ra_in1k",
        revision="5d2a48c332a69c55c9ac3ad081fa0db74b6aa608",
        files=(HubFile("onnx/model.onnx"),),
        overrides=_imagenet(224),
        params_millions=5.48,
        accuracy=75.8,
        accuracy_kind="top-1, 224 px",
        accuracy_source="timm results-imagenet.csv, mobilenetv3_large_100.ra_in1k",
        licence="Apache-2.0",
        speed="fast",
        take_it="phones that have run this family for years",
    ),
    ListedTrunk(
        name="mobilenetv4_small",
        repo="onnx-community/mobilenetv4_conv_small.e2400_r224_in1k",
        revision="3ba07f12712fa58fd6b3d661f9909c9e332c5005",
        files=(
            HubFile(
                "onnx/model.onnx",
                sha256="ca5b8dbf490f54e83c5d72f787821565447ea94347935f6b834cf0a4af0e8d37",
                size_bytes=15_086_122,
            ),
        ),
        overrides=_imagenet(224),
        params_millions=3.77,
        accuracy=73.8,
        accuracy_kind="top-1, 224 px",
        accuracy_source="timm README, mobilenetv4_conv_small.e2400_r224_in1k",
        licence="Apache-2.0",
        speed="fast",
        take_it="the first one to try: plain convolutions, quick on every runtime",
    ),
    ListedTrunk(
        name="mobilenetv4_medium",
        repo="onnx-community/mobilenetv4_conv_medium.e500_r256_in1k",
        revision="46483fa826d2e19a097d182e35d1988f51c2180b",
        files=(
            HubFile(
                "onnx/model.onnx",
                sha256="f67257da6f91c00cd1d063a61a377718f004305c1299360a5c077e4c2b02b67a",
                size_bytes=38_790_007,
            ),
        ),
        overrides=_imagenet(256),
        params_millions=9.72,
        accuracy=79.9,
        accuracy_kind="top-1, 256 px",
        accuracy_source="timm README, mobilenetv4_conv_medium.e500_r256_in1k",
        licence="Apache-2.0",
        speed="medium",
        take_it="small things in the photo matter and a few milliseconds more do not",
    ),
    ListedTrunk(
        name="efficientnet_b0",
        repo="Kalray/efficientnet-b0",
        revision="c7cdbbfc4eda1e43e3577a583135c1af05a80081",
        files=(
            HubFile(
                "efficientNet-b0.onnx",
                sha256="0fb1e040635c36fb710abd6c07ff5448654a16eeeaf5a75134f83021e1c33a7c",
                size_bytes=21_144_194,
            ),
        ),
        overrides=_imagenet(224),
        params_millions=5.29,
        accuracy=77.7,
        accuracy_kind="top-1, 224 px",
        accuracy_source="torchvision docs, EfficientNet_B0_Weights, which the repository names",
        licence="Apache-2.0",
        speed="fast",
        take_it="more accuracy than MobileNet at the same number of multiplications",
    ),
    ListedTrunk(
        name="convnext_tiny",
        repo="Xenova/convnext-tiny-224",
        revision="2d989c0a31d7ed2c87186ca6396eda0cf62e523a",
        files=(HubFile("onnx/model.onnx"),),
        overrides=_imagenet(224),
        params_millions=28.59,
        accuracy=82.1,
        accuracy_kind="top-1, 224 px",
        accuracy_source="facebookresearch/ConvNeXt README, ConvNeXt-T",
        licence="Apache-2.0",
        speed="slow",
        take_it="the strongest convolutional one here, on a server or for few photos a minute",
    ),
    ListedTrunk(
        name="dinov2_small",
        repo="Xenova/dinov2-small",
        revision="c2bb04a51fab207c420665f1946016107bffc701",
        files=(
            HubFile(
                "onnx/model.onnx",
                sha256="83141175ec78b4ff9a2bb58a4c7c264ba0054d1c2e122e5a8114b79a8d4179ea",
                size_bytes=88_459_888,
            ),
        ),
        overrides=_imagenet(224),
        params_millions=21.0,
        accuracy=81.1,
        accuracy_kind="linear probe",
        accuracy_source="facebookresearch/dinov2 README, ViT-S/14 distilled",
        licence="Apache-2.0",
        speed="slow",
        take_it="photos unlike ImageNet's: it learnt without labels and carries over best",
    ),
)


def listed_trunk(name: str) -> ListedTrunk:
    """The listed trunk of that name.

    Raises:
        TrunkError: there is none; the message names those there are.

    Example:
        >>> listed_trunk("mobilenetv4_small").megabytes
        15.086122
    """
    for entry in CATALOG:
        if entry.name == name:
            return entry
    names = [entry.name for entry in CATALOG]
    close = difflib.get_close_matches(name, names, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise TrunkError(
        f"{name!r} is not among the trunks that can be pulled: {', '.join(names)}.{meant} Any "
        "other ONNX classifier can be fetched by hand: `ninebrains trunk add FILE --name NAME`."
    )
