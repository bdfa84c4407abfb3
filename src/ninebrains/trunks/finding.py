"""Where in a classifier the pooled features and the feature map are.

    ... ─► feature map ─► global average pooling ─► (hidden layers) ─► linear layer ─► (softmax)

The pooled value is taken even where hidden layers follow (as in MobileNetV3): only then is the mean
of a head's map over all places its score, which is what makes heat maps exact. For the same reason
the value before a normalisation is taken where one follows the pooling (as in ConvNeXt).

Vision transformers have no such pooling: see `patches`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninebrains.errors import TrunkError
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.patches import Patches, find_patches, is_transformer
from ninebrains.trunks.sizing import Shapes, work_out_sizes
from ninebrains.trunks.wiring import Layout, Wiring, int_list

if TYPE_CHECKING:
    import onnx

_SHAPE_ONLY = frozenset(
    {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose", "Cast", "Dropout"}
)
_LAST_STEPS = _SHAPE_ONLY | {"Softmax", "LogSoftmax", "Sigmoid"}


@dataclass(frozen=True)
class Pooling:
    """The last global pooling of a network.

    Attributes:
        pooled: name of the value that it makes.
        feature_map: name of the value that it reads.
        layout: of the feature map.
    """

    pooled: str
    feature_map: str
    layout: Layout


def find_features(model: onnx.ModelProto, form: InputForm, file_name: str) -> Pooling | Patches:
    """Find the pooling above the final linear layer, or a vision transformer's patches.

    Args:
        model: the network, with its sizes worked out.
        form: its input.
        file_name: for messages.

    Raises:
        TrunkError: the network is no transformer and does not end in a linear layer, or has no
            global pooling that everything passes through; or a transformer without a grid.
    """
    wiring = Wiring(model)
    varying = wiring.computed_from(form.name)
    ends = [_above_last_layer(wiring, output.name, varying) for output in model.graph.output]
    found = [end for end in ends if end is not None]
    attends = is_transformer(model)
    if not found and not attends:
        output = model.graph.output[0].name
        maker = wiring.makers.get(output)
        raise TrunkError(
            f"{file_name} does not end in a linear layer (Gemm, MatMul or 1x1 Conv with fixed "
            f"weights): its output {output!r} comes from {maker.op_type if maker else 'nothing'}. "
            "Expected an image classifier; detectors and segmenters cannot be trunks."
        )
    shapes = work_out_sizes(model, 1, file_name)[1]
    pooling = _find_pooling(wiring, form.name, found, shapes)
    if pooling is not None:
        return pooling
    if attends:
        return find_patches(model, form, shapes, file_name)
    raise TrunkError(
        f"{file_name} has no global average pooling that leads to its final layer (VGG and AlexNet "
        "have none), so there is no feature map whose mean are the features. Use a convolutional "
        "network such as MobileNet, ResNet, EfficientNet or ConvNeXt, or a vision transformer."
    )


def _find_pooling(wiring: Wiring, photos: str, ends: list[str], shapes: Shapes) -> Pooling | None:
    for node in reversed(wiring.graph.node):
        pooling = _as_pooling(node, wiring, shapes)
        # A squeeze-and-excitation block has a way around its pooling; the last one has none.
        if pooling is None or not _is_convolved(wiring, pooling.feature_map):
            continue
        if any(
            pooling.pooled in wiring.needed_for([end])
            and not wiring.bypasses(pooling.pooled, photos, end)
            for end in ends
        ):
            return pooling
    return None


def _above_last_layer(wiring: Wiring, output: str, varying: set[str]) -> str | None:
    """What the final linear layer reads; for a network without one its pooled output."""
    name = output
    while name in wiring.makers and wiring.makers[name].op_type in _LAST_STEPS:
        name = wiring.makers[name].input[0]
    node = wiring.makers.get(name)
    if node is not None and node.op_type == "Add":
        terms = [entry for entry in node.input if entry in varying]
        node = wiring.makers.get(terms[0]) if len(terms) == 1 else None
    if node is None:
        return None
    if node.op_type in ("GlobalAveragePool", "ReduceMean"):
        return str(node.output[0])
    if node.op_type not in ("Gemm", "MatMul", "Conv") or node.input[1] in varying:
        return None
    kernel = int_list(node, "kernel_shape") if node.op_type == "Conv" else None
    return str(node.input[0]) if math.prod(kernel or [1]) == 1 else None


def _as_pooling(node: onnx.NodeProto, wiring: Wiring, shapes: Shapes) -> Pooling | None:
    """The node as a mean over all places of a map, or None if it is no such thing."""
    if node.op_type not in ("GlobalAveragePool", "ReduceMean", "AveragePool"):
        return None
    source, output = str(node.input[0]), str(node.output[0])
    shape = shapes.get(source, [])
    if node.op_type == "GlobalAveragePool" and len(shape) in (0, 4):
        return Pooling(output, source, "nchw")
    if len(shape) != 4:
        return None
    if node.op_type == "AveragePool":
        # A kernel may be larger than the map: what is outside does not count.
        kernel, sides = int_list(node, "kernel_shape") or [], shape[2:]
        whole = len(kernel) == 2 and all(k >= s > 0 for k, s in zip(kernel, sides, strict=True))
        return Pooling(output, source, "nchw") if whole and _is_single(shapes, output) else None
    axes = int_list(node, "axes")
    if axes is None and len(node.input) > 1:
        values = wiring.constant(node.input[1])
        axes = None if values is None else [int(axis) for axis in values.reshape(-1)]
    spatial = sorted(axis % 4 for axis in axes or [])
    if spatial == [2, 3]:
        return Pooling(output, source, "nchw")
    return Pooling(output, source, "nhwc") if spatial == [1, 2] else None


def _is_convolved(wiring: Wiring, name: str) -> bool:
    """Whether a value comes from convolutions, as a feature map does."""
    makers = (wiring.makers.get(entry) for entry in wiring.needed_for([name]))
    return any(node is not None and node.op_type == "Conv" for node in makers)


def _is_single(shapes: Shapes, name: str) -> bool:
    return shapes.get(name, [])[2:] == [1, 1]
