"""The way into a foreign network: uint8 photos to what its first operator reads.

    photos ─► float ─► channels first ─► minus offset ─► network

The division by the standard deviation costs nothing: it is folded into the first convolution's
weights, exactly. The subtraction cannot be folded, because the convolution's border is zero after
normalisation, not before.

Trunks and guests of a mind go through the same steps, so that equal layers stay equal bytes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import TrunkError
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.normalising import Normalisation
from ninebrains.trunks.wiring import Wiring, int_list

if TYPE_CHECKING:
    import onnx

_TO_NCHW = [0, 3, 1, 2]


def put_behind_entrance(
    model: onnx.ModelProto, form: InputForm, normalisation: Normalisation, prefix: str
) -> onnx.ModelProto:
    """Fold a network's constants and move the preparation of its input inside.

    Args:
        model: the network, its batch axis free; it is left as it is.
        form: its input.
        normalisation: what it expects of its input.
        prefix: every name of the network comes under `prefix/`, its outputs' as well, so that ours
            cannot collide with them.

    Returns:
        The same network, which reads `photos` uint8[N, H, W, 3].

    Raises:
        TrunkError: ONNX Runtime refuses the network.
    """
    body = _folded(model)
    _rename(body, prefix)
    _write_entrance(body, f"{prefix}/{form.name}", form, normalisation)
    for text in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        body.ClearField(text)
    body.graph.name = prefix
    return body


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
        plain = onnx.ModelProto()
        plain.CopyFrom(body)
        return plain  # other runtimes know the default operators only
    version = next(entry.version for entry in folded.opset_import if entry.domain == "")
    del folded.opset_import[:]
    folded.opset_import.add(domain="", version=version)
    del folded.metadata_props[:]
    folded.graph.ClearField("metadata_props")
    return folded


def _rename(body: onnx.ModelProto, prefix: str) -> None:
    """Put every name of the network under the prefix."""
    graph = body.graph
    for node in graph.node:
        node.input[:] = [f"{prefix}/{name}" if name else "" for name in node.input]
        node.output[:] = [f"{prefix}/{name}" if name else "" for name in node.output]
        for text in ("name", "doc_string", "metadata_props"):
            node.ClearField(text)
    for tensor in graph.initializer:
        tensor.name = f"{prefix}/{tensor.name}"
        tensor.ClearField("metadata_props")
    for output in graph.output:
        output.name = f"{prefix}/{output.name}"
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
    from onnx import TensorProto, helper

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
    body.graph.input.append(
        helper.make_tensor_value_info("photos", TensorProto.UINT8, ["N", *form.contract.shape])
    )


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
