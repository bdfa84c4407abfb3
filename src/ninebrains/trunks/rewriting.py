"""A foreign network to a trunk's graph: uint8 photos in, features and feature map out.

    photos ─► float ─► minus offset ─► channels first ─► network ─► feature_map ─► mean ─► features

What comes before the network is written by `entrance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ninebrains.trunks.entrance import put_behind_entrance
from ninebrains.trunks.finding import Pooling
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.normalising import Normalisation
from ninebrains.trunks.patches import Patches
from ninebrains.trunks.wiring import Wiring, int_list, keep_only

if TYPE_CHECKING:
    import onnx

_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def rewrite(
    model: onnx.ModelProto, form: InputForm, place: Pooling | Patches, normalisation: Normalisation
) -> onnx.ModelProto:
    """Cut the network at its features, fold it, and move the input's preparation inside.

    Args:
        model: the network as read; it is left as it is.
        form: its input.
        place: where its features are.
        normalisation: what it expects of its input.

    Raises:
        TrunkError: ONNX Runtime refuses the network.
    """
    import onnx

    body = onnx.ModelProto()
    body.CopyFrom(model)
    source = place.feature_map if isinstance(place, Pooling) else place.tokens
    _cut(body, source)
    body = put_behind_entrance(body, form, normalisation, "trunk")
    if isinstance(place, Pooling):
        _write_map(body, f"trunk/{source}", place)
    else:
        _write_map_of_patches(body, f"trunk/{source}", place)
    _write_exit(body)
    return body


def set_outputs(model: onnx.ModelProto, num_features: int, map_size: tuple[int, int]) -> None:
    """Say the shapes of what a rewritten network gives."""
    shapes: dict[str, list[str | int]] = {
        "features": ["N", num_features],
        "feature_map": ["N", num_features, *map_size],
    }
    del model.graph.output[:]
    model.graph.output.extend(_value(name, shape) for name, shape in shapes.items())


def _value(name: str, shape: list[str | int] | None) -> onnx.ValueInfoProto:
    """The description of a float32 value."""
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _cut(body: onnx.ModelProto, source: str) -> None:
    """Keep what makes the value `source`."""
    del body.graph.output[:]
    body.graph.output.append(_value(source, None))
    keep_only(body, [source])


def _write_map(body: onnx.ModelProto, feature_map: str, pooling: Pooling) -> None:
    """Call the feature map so, with its channels first."""
    from onnx import helper

    node = Wiring(body).makers[feature_map]
    if pooling.layout == "nchw":
        _rename_value(body, feature_map, "feature_map")
    elif node.op_type == "Transpose" and int_list(node, "perm") == _TO_NHWC:
        _rename_value(body, str(node.input[0]), "feature_map")
    else:
        body.graph.node.append(
            helper.make_node("Transpose", [feature_map], ["feature_map"], perm=_TO_NCHW)
        )


def _write_map_of_patches(body: onnx.ModelProto, tokens: str, patches: Patches) -> None:
    """From the tokens [N, T, D] to the feature map: the patches' tokens, where they lie."""
    from onnx import helper, numpy_helper

    ends = {"first": [patches.first], "end": [patches.end], "axis": [1]}
    constants = {**ends, "sizes": [0, 0, *patches.grid]}
    body.graph.initializer.extend(
        numpy_helper.from_array(np.array(values, np.int64), f"patches/{name}")
        for name, values in constants.items()
    )
    bounds = [f"patches/{name}" for name in ends]
    body.graph.node.extend(
        [
            helper.make_node("Slice", [tokens, *bounds], ["patches/tokens"]),
            helper.make_node("Transpose", ["patches/tokens"], ["patches/turned"], perm=[0, 2, 1]),
            helper.make_node("Reshape", ["patches/turned", "patches/sizes"], ["feature_map"]),
        ]
    )


def _write_exit(body: onnx.ModelProto) -> None:
    """From the feature map to the outputs, in one form whatever the network's own pooling was."""
    from onnx import helper

    body.graph.node.extend(
        [
            helper.make_node("GlobalAveragePool", ["feature_map"], ["features/pooled"]),
            helper.make_node("Flatten", ["features/pooled"], ["features"], axis=1),
        ]
    )
    del body.graph.output[:]
    body.graph.output.extend([_value("features", None), _value("feature_map", None)])
    keep_only(body, ["features", "feature_map"])


def _rename_value(body: onnx.ModelProto, old: str, new: str) -> None:
    for node in body.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
