"""The teacher: what it sees in a view, computed once a view by OpenVINO in half the precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import openvino
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional

_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class Teacher:
    """Feature maps of an ImageNet classifier that ends in average pooling and one linear layer.

    Attributes:
        size: the side of its input in pixels.
        weight, bias: its linear layer, [D,C] and [C]; they serve the loss and nothing else.
    """

    def __init__(self, path: Path, size: int, batch: int) -> None:
        self.size, self._batch = size, batch
        model = onnx.load(path)
        pooling = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
        tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        last = next(node for node in reversed(model.graph.node) if node.op_type == "MatMul")
        add = next(node for node in reversed(model.graph.node) if node.op_type == "Add")
        self.weight = torch.from_numpy(tensors[last.input[1]].copy())
        self.bias = torch.from_numpy(next(tensors[n] for n in add.input if n in tensors).copy())
        core = openvino.Core()
        whole = core.read_model(path)
        trunk = openvino.Model(
            [_producer(whole, pooling.input[0])], whole.get_parameters(), "teacher"
        )
        trunk.reshape([batch, 3, size, size])
        settings = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1}
        self._run = core.compile_model(trunk, "CPU", settings)

    def maps(self, views: Tensor) -> Tensor:
        """Feature maps [N,D,h,w], float32, of views [N,H,W,3], uint8."""
        return torch.cat([self._maps(part) for part in views.split(self._batch)])

    def _maps(self, views: Tensor) -> Tensor:
        pixels = views.permute(0, 3, 1, 2).float() / 255
        pixels = functional.interpolate(
            pixels, size=(self.size, self.size), mode="bicubic", align_corners=False
        )
        pixels = (pixels.clamp(0, 1) - _MEAN) / _STD
        padded = np.zeros((self._batch, *pixels.shape[1:]), np.float32)
        padded[: len(pixels)] = pixels.numpy()
        return torch.from_numpy(self._run(padded)[0][: len(views)].copy())


def _producer(model: openvino.Model, tensor: str) -> openvino.Output:
    for operation in model.get_ordered_ops():
        for output in operation.outputs():
            if tensor in output.get_names():
                return output
    raise ValueError(f"the teacher has no tensor {tensor!r}")
