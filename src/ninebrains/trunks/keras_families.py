"""How Keras's applications want their input, told by the names of their layers.

Whoever builds on an application keeps its layers' names, whatever the whole is called.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninebrains.trunks.normalising import KERAS, Normalisation, inside

if TYPE_CHECKING:
    from ninebrains.bridging.from_keras import Converted


@dataclass(frozen=True)
class _Family:
    """Applications that share an architecture.

    Attributes:
        style: of their `preprocess_input`, in Keras's words.
        first: pattern of the layer that looks at the photos first.
        names: layers that all of them have.
        others: layers that none of them has.
    """

    style: str
    first: str
    names: frozenset[str]
    others: frozenset[str] = frozenset()


def _family(style: str, first: str, names: str, others: str = "") -> _Family:
    return _Family(style, first, frozenset(names.split()), frozenset(others.split()))


# From the source of keras.applications 3.15. EfficientNet, MobileNetV3 and ConvNeXt normalise
# inside; without those steps nobody knows what they were trained on.
_FAMILIES = (
    _family("tf", "conv1", "conv_dw_1 conv_pw_1 conv_dw_13 conv_pw_13_relu"),
    _family("tf", "Conv1", "bn_Conv1 expanded_conv_depthwise block_16_project"),
    _family("tf", "block1_conv1", "block1_conv1_bn block14_sepconv2"),
    _family("tf", r"conv2d(_\d+)?", "mixed0 mixed8 mixed10"),
    _family("tf", r"conv2d(_\d+)?", "mixed_5b block35_1_mixed conv_7b_bn"),
    _family("tf", "stem_conv1", "stem_bn1 reduction_conv_1_stem_1 normal_concat_12"),
    _family("tf", "conv1_conv", "conv1_pad conv2_block1_preact_bn post_bn"),
    _family("caffe", "conv1_conv", "conv1_bn conv2_block1_0_conv conv5_block3_out", "post_bn"),
    _family("caffe", "block1_conv1", "block1_conv2 block5_conv3 block5_pool", "block1_conv1_bn"),
    _family("torch", "conv1_conv", "conv2_block1_concat pool4_conv"),
)


def keras_normalisation(network: Converted) -> Normalisation | None:
    """What a Keras network expects of its input, or None where it is not certain.

    Its own first steps count most: they say what they begin with. Without any, the application
    that looks at the photos first says it.
    """
    if network.entry is not None:
        slope, shift = network.entry
        return inside(slope, shift) if slope.size == 3 else None
    for level in network.levels:
        first = network.first.removeprefix(level.prefix)
        if not network.first.startswith(level.prefix) or first not in level.names:
            continue
        for family in _FAMILIES:
            if (
                re.fullmatch(family.first, first)
                and family.names <= level.names
                and not family.others & level.names
            ):
                return KERAS[family.style]
    return None
