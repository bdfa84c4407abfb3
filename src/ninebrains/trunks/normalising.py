"""What a network expects its input's values to be: known families, or what the user says.

    y = (x - offset) / divisor, channel by channel, for x of 0 to 255

A wrong guess here costs accuracy silently, so what is not recognised for certain is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ninebrains.errors import TrunkError
from ninebrains.trunks.wiring import Wiring

if TYPE_CHECKING:
    import onnx

Color = Literal["rgb", "bgr"]
Triple = tuple[float, float, float]
Vector = npt.NDArray[np.float64]

_IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
_IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
SETTINGS = """
  torchvision, most of timm:  --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  -1 to 1 (Keras 'tf', some of timm):  --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5
  Keras 'caffe':  --mean 0.48502,0.45796,0.4076 --std 0.00392157,0.00392157,0.00392157 --color bgr
  0 to 1:  --mean 0,0,0 --std 1,1,1"""


class NormalisationError(TrunkError):
    """A network that belongs to no known family, about whose normalisation nothing was said."""


@dataclass(frozen=True)
class Normalisation:
    """How 0 to 255 becomes what the network wants.

    Attributes:
        family: who prescribes it: a family of networks, `inside` the network, or `given`.
        offset: subtracted, in units of 0 to 255, in the order R, G, B.
        divisor: divided by afterwards, R, G, B.
        color: the order of the channels that the network reads.
    """

    family: str
    offset: Triple
    divisor: Triple
    color: Color = "rgb"


_ONE: Triple = (1.0, 1.0, 1.0)
_ZERO: Triple = (0.0, 0.0, 0.0)


def from_mean_std(
    mean: Triple, std: Triple, color: Color = "rgb", family: str = "given"
) -> Normalisation:
    """From mean and standard deviation in units of 0 to 1, R, G, B, as torchvision has them."""
    red, green, blue = zip(mean, std, strict=True)
    return Normalisation(
        family,
        (255.0 * red[0], 255.0 * green[0], 255.0 * blue[0]),
        (255.0 * red[1], 255.0 * green[1], 255.0 * blue[1]),
        color,
    )


# What `preprocess_input` of Keras's applications does, by its own words for it.
KERAS = {
    "caffe": Normalisation("keras-caffe", (123.68, 116.779, 103.939), _ONE, "bgr"),
    "tf": Normalisation("keras-tf", (127.5,) * 3, (127.5,) * 3),
    "torch": from_mean_std(_IMAGENET_MEAN, _IMAGENET_STD, family="keras-torch"),
}


def recognise(model: onnx.ModelProto) -> Normalisation | None:
    """The normalisation of a network whose family is certain, or None.

    The evidence is names that exporters keep: those of weights and nodes.
    """
    from onnx import TensorProto

    if model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8:
        return Normalisation("inside", _ZERO, _ONE)
    steps, is_convolution = _first_steps(model)
    if steps is not None:
        return inside(*steps)
    if not is_convolution:
        return None
    names = [tensor.name for tensor in model.graph.initializer]
    names += [name for node in model.graph.node for name in (node.name, *node.output)]
    if _is_torchvision([tensor.name for tensor in model.graph.initializer], names):
        return from_mean_std(_IMAGENET_MEAN, _IMAGENET_STD, family="torchvision")
    return _keras(" ".join(names)) if model.producer_name in ("tf2onnx", "keras") else None


def _is_torchvision(weights: list[str], names: list[str]) -> bool:
    """Modules called `features` and `classifier.<number>`, or the parts of a ResNet."""
    modules = {
        name.split(".")[0]
        for name in weights
        if re.fullmatch(r"[A-Za-z]\w*(\.\w+)*\.(weight|bias|running_mean|running_var)", name)
    }
    if modules <= {"features", "classifier"}:
        return any(re.match(r"classifier\.\d+\.(weight|bias)$", name) for name in weights)
    parts = {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"}
    blocks = any(re.search(r"(^|/)layer1[./]", name) for name in names)
    return "fc" in modules and modules <= parts and blocks


def _keras(names: str) -> Normalisation | None:
    """By the names of Keras's own layers; architectures that share them are left unknown."""
    tf_style, caffe = KERAS["tf"], KERAS["caffe"]
    if re.search(
        r"conv_dw_1\b|conv_pw_13|expanded_conv_(depthwise|project)|mobilenet_?v?[12]", names, re.I
    ):
        return None if re.search(r"mobilenet_?v?3", names, re.I) else tf_style
    if re.search(r"preact|post_bn|concat", names):
        return tf_style if re.search(r"conv2_block1_preact", names) else None
    if re.search(r"conv2_block1_(add|0_conv)", names):
        return caffe
    if "sepconv" in names:
        return tf_style
    return caffe if re.search(r"block5_conv[34]", names) else None


def inside(slope: Vector, shift: Vector) -> Normalisation | None:
    """Normalisation by the network's own first steps, y = a x + b, if it is plain what x is.

    Args:
        slope: a, for R, G and B.
        shift: b, for R, G and B.
    """
    fits = []
    for largest in (1.0, 255.0):
        spread, top = slope * largest, slope * largest + shift
        scaled = bool(np.all((spread >= 0.9) & (spread <= 9.0) & (shift < 0.0)))
        # Division by 255 alone is a whole normalisation; any other lone factor may be half of one.
        scaled |= bool(np.allclose(slope, 1 / 255)) and largest == 255.0
        # Means subtracted and nothing else: only then do values stay in the hundreds.
        centred = bool(np.all((spread > 200.0) & (spread < 256.0) & (shift < -50.0)))
        if np.all(shift <= 0.0) and np.all(top > 0.0) and (scaled or centred):
            fits.append(largest)
    if len(fits) != 1:
        return None
    # A mean that falls from red to blue is ImageNet's; one that rises is the same in BGR.
    means = -shift / slope / fits[0]
    color: Color = "bgr" if means[0] < means[1] < means[2] else "rgb"
    divisor = 255.0 / fits[0]
    return Normalisation("inside", _ZERO, (divisor,) * 3, color)


def _first_steps(model: onnx.ModelProto) -> tuple[tuple[Vector, Vector] | None, bool]:
    """The affine steps that the input goes through first, and whether a convolution comes next.

    Returns:
        Slope[3] and shift[3], or None where there is no such step; whether it is a Conv that
        follows.
    """
    wiring = Wiring(model)
    name = model.graph.input[0].name
    slope, shift, steps = np.ones(3), np.zeros(3), 0
    while (node := wiring.only_reader(name)) is not None:
        if node.op_type not in ("Sub", "Add", "Mul", "Div", "Cast", "Transpose", "Identity", "Pad"):
            break
        if node.op_type in ("Sub", "Add", "Mul", "Div"):
            is_first = node.input[0] == name
            constant = wiring.constant(node.input[1] if is_first else node.input[0])
            if constant is None or constant.size not in (1, 3):
                break
            if not is_first and node.op_type in ("Sub", "Div"):
                break
            value = np.broadcast_to(constant.reshape(-1).astype(np.float64), 3)
            if node.op_type in ("Mul", "Div"):
                factor = value if node.op_type == "Mul" else 1.0 / value
                slope, shift = slope * factor, shift * factor
            else:
                shift = shift + value if node.op_type == "Add" else shift - value
            steps += 1
        name = node.output[0]
    return (slope, shift) if steps else None, node is not None and node.op_type == "Conv"


def ask(file_name: str) -> NormalisationError:
    """The error for a network whose normalisation is not known."""
    return NormalisationError(
        f"how {file_name} wants its input normalised cannot be told for certain. Say it as its "
        "authors did in training, R,G,B in units of 0 to 1: to `ninebrains trunk add` with --mean "
        "and --std, to nb.import_trunk and nb.import_model in Python mean=(0.485, 0.456, 0.406) "
        f"and so on:{SETTINGS}"
    )
