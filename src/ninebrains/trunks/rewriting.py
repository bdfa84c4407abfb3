"""A foreign network to a trunk's graph: uint8 photos in, features and feature map out.

    photos ─► float ─► minus offset ─► channels first ─► network ─► feature_map ─► mean ─► features

The division by the standard deviation costs nothing: it is folded into the first convolution's
weights, exactly. The subtraction cannot be folded, because the convolution's border is zero after
normalisation, not before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import TrunkError
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
    body = _folded(body)
    _rename(body)
    _write_entrance(body, f"trunk/{form.name}", form, normalisation)
    if isinstance(place, Pooling):
        _write_map(body, f"trunk/{source}", place)
    else:
        _write_map_of_patches(body, f"trunk/{source}", place)
    _write_exit(body)
    for text in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        body.ClearField(text)
    body.graph.name = "trunk"
    return body


def set_outputs(model: onnx.ModelProto, num_features: int, map_size: tuple[int, int]) -> None:
    """Say the shapes of what a rewritten network gives."""
    shapes: dict[str, list[str | int]] = {
        "features": ["N", num_features],
        "feature_map": ["N", num_features, *map_size],
    }
    del model.graph.output[:]
    model.graph.output.extend(_value(name, shape) for name, shape in shapes.items())


def _value(name: str, shape: list[str | int] | None, kind: int = 1) -> onnx.ValueInfoProto:
    """A value's description; its kind is float32 unless said otherwise."""
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, shape)


def _cut(body: onnx.ModelProto, source: str) -> None:
    """Keep what makes the value `source`."""
    del body.graph.output[:]
    body.graph.output.append(_value(source, None))
    keep_only(body, [source])


def _folded(body: onnx.ModelProto) -> onnx.ModelProto:
    """Let ONNX Runtime fold constants, batch normalisation and padding into their neighbours."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        try:
            onnxruntime.InferenceSession(
                body.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            folded = onnx.load_model(path)
        except Exception as error:
            raise TrunkError(f"ONNX Runtime refuses the network: {error}") from error
    if any(node.domain not in ("", "ai.onnx") for node in folded.graph.node):
        return body  # other runtimes know the default operators only
    version = next(entry.version for entry in folded.opset_import if entry.domain == "")
    del folded.opset_import[:]
    folded.opset_import.add(domain="", version=version)
    del folded.metadata_props[:]
    folded.graph.ClearField("metadata_props")
    return folded


def _rename(body: onnx.ModelProto) -> None:
    """Put every name of the network under `trunk/`, so that ours cannot collide with them."""
    graph = body.graph
    for node in graph.node:
        node.input[:] = [f"trunk/{name}" if name else "" for name in node.input]
        node.output[:] = [f"trunk/{name}" if name else "" for name in node.output]
        for text in ("name", "doc_string", "metadata_props"):
            node.ClearField(text)
    for tensor in graph.initializer:
        tensor.name = f"trunk/{tensor.name}"
        tensor.ClearField("metadata_props")
    del graph.value_info[:]


class _Steps:
    """Collects the nodes between the photos and the network."""

    def __init__(self, body: onnx.ModelProto) -> None:
        self.tensors = body.graph.initializer
        self.nodes: list[onnx.NodeProto] = []
        self.value = "photos"

    def add(
        self,
        operator: str,
        output: str,
        constant: npt.NDArray[np.generic] | None = None,
        **attributes: Any,  # noqa: ANN401 - whatever ONNX allows
    ) -> None:
        """One more operator on the value so far, with a constant as its second input."""
        from onnx import helper, numpy_helper

        inputs = [self.value]
        if constant is not None:
            inputs.append(f"photos/{output}_by")
            self.tensors.append(numpy_helper.from_array(constant, inputs[-1]))
        self.value = f"photos/{output}"
        self.nodes.append(helper.make_node(operator, inputs, [self.value], **attributes))


def _write_entrance(
    body: onnx.ModelProto, entry: str, form: InputForm, normalisation: Normalisation
) -> None:
    """From `photos` to what the network reads, before its first node."""
    from onnx import TensorProto

    steps = _Steps(body)
    entry, channels_first = _skip_transpose(body, entry, form)
    folded = not form.is_uint8 and channels_first and _fold_scale(body, entry, normalisation)
    if not form.is_uint8:
        steps.add("Cast", "float", to=TensorProto.FLOAT)
    # Turned first: a constant per channel is ten times faster on planes than on single pixels.
    shape = (3, 1, 1) if channels_first else (3,)
    if channels_first:
        steps.add("Transpose", "channels_first", perm=_TO_NCHW)
    if not form.is_uint8:
        if any(normalisation.offset):
            offset = np.array(normalisation.offset, np.float32).reshape(shape)
            steps.add("Sub", "centred", offset)
        if not folded and normalisation.divisor != (1.0, 1.0, 1.0):
            factors = 1.0 / np.array(normalisation.divisor).reshape(shape)
            steps.add("Mul", "scaled", factors.astype(np.float32))
    if not folded and normalisation.color == "bgr":
        axis = 1 if channels_first else 3
        steps.add("Gather", "bgr", np.array([2, 1, 0], np.int64), axis=axis)
    for node in body.graph.node:
        node.input[:] = [steps.value if name == entry else name for name in node.input]
    nodes = [*steps.nodes, *body.graph.node]
    del body.graph.node[:]
    body.graph.node.extend(nodes)
    del body.graph.input[:]
    body.graph.input.append(_value("photos", ["N", *form.contract.shape], TensorProto.UINT8))


def _skip_transpose(body: onnx.ModelProto, entry: str, form: InputForm) -> tuple[str, bool]:
    """The value to feed, and whether it has its channels first.

    A network that takes NHWC and turns it round at once is spared its own Transpose.
    """
    if form.layout == "nchw":
        return entry, True
    node = Wiring(body).only_reader(entry)
    if node is not None and node.op_type == "Transpose" and int_list(node, "perm") == _TO_NCHW:
        body.graph.node.remove(node)
        return str(node.output[0]), True
    return entry, False


def _fold_scale(body: onnx.ModelProto, entry: str, normalisation: Normalisation) -> bool:
    """Move division and channel order into the first convolution; False if there is none."""
    from onnx import numpy_helper

    wiring = Wiring(body)
    node = wiring.only_reader(entry)
    if node is None or node.op_type != "Conv" or node.input[0] != entry:
        return False
    weights = wiring.constant(node.input[1])
    if weights is None or weights.ndim != 4 or weights.shape[1] != 3:
        return False
    in_rgb = weights[:, ::-1] if normalisation.color == "bgr" else weights
    divisor = np.array(normalisation.divisor).reshape(1, 3, 1, 1)
    scaled = (in_rgb.astype(np.float64) / divisor).astype(np.float32)
    name = "photos/first_weights"
    body.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(scaled), name))
    node.input[1] = name
    return True


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
