"""The peer: N PyTorch models in one process. See `timing` for the argument.

Each is built from a brain's ONNX file as one straight-line module (torch.fx) of ordinary layers
with the same weights, batch normalisation folded in, channels last, in inference mode. `setting`:
`eager`, `frozen` (TorchScript, frozen and optimised for inference) or `compiled` (torch.compile,
where the machine has a C++ compiler).
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from layers import OUTPUTS, Step, side, steps
from timing import Answer, measure, told
from torch import fx, nn


def build(path: str) -> nn.Module:
    """The network of one file."""
    root, graph = nn.Module(), fx.Graph()
    pixels = graph.placeholder("pixels")
    made: dict[str, fx.Node] = {"photos": pixels}
    for number, step in enumerate(steps(path)):
        made[step.output] = _add(root, graph, step, f"step{number}", made)
    graph.output(tuple(made[name] for name in OUTPUTS))
    graph.lint()
    module = fx.GraphModule(root, graph).eval()
    return module.to(memory_format=torch.channels_last)


def _add(
    root: nn.Module, graph: fx.Graph, step: Step, name: str, made: dict[str, fx.Node]
) -> fx.Node:
    """One step in the graph."""
    read = [made[value] for value in step.values]
    weights = [torch.from_numpy(np.array(value)) for value in step.weights]
    if step.kind == "Conv":
        root.add_module(name, _convolution(step, weights))
        return graph.call_module(name, (read[0],))
    if step.kind == "Gemm":
        layer = nn.Linear(weights[0].shape[1], weights[0].shape[0])
        layer.weight.data, layer.bias.data = weights
        root.add_module(name, layer)
        return graph.call_module(name, (read[0],))
    arguments = list(read)
    for place, weight in enumerate(weights):
        root.register_buffer(f"{name}_{place}", weight)
        arguments.append(graph.get_attr(f"{name}_{place}"))
    if step.kind == "Transpose":
        # A view: NHWC bytes are channels last already.
        return graph.call_method("permute", (read[0], 0, 3, 1, 2))
    if step.kind in _METHODS:
        method, extra = _METHODS[step.kind]
        return graph.call_method(method, (arguments[0], *extra))
    return graph.call_function(_FUNCTIONS[step.kind], tuple(arguments))


def _convolution(step: Step, weights: list[torch.Tensor]) -> nn.Conv2d:
    kernel = weights[0]
    groups = int(step.facts.get("group", 1))
    layer = nn.Conv2d(
        kernel.shape[1] * groups,
        kernel.shape[0],
        kernel.shape[2],
        stride=step.facts.get("strides", [1])[0],
        padding=step.facts.get("pads", [0])[0],
        groups=groups,
    )
    layer.weight.data, layer.bias.data = weights
    return layer


_METHODS = {
    "Cast": ("float", ()),
    "Relu": ("relu", ()),
    "Clip": ("clamp", (0.0, 6.0)),
    "GlobalAveragePool": ("mean", ((2, 3),)),
    "Flatten": ("flatten", (1,)),
    "Softmax": ("softmax", (1,)),
    "ReduceMin": ("amin", (1, True)),
    "Sqrt": ("sqrt", ()),
    "Reshape": ("flatten", ()),
}
_FUNCTIONS = {
    "Sub": torch.sub,
    "Add": torch.add,
    "Mul": torch.mul,
    "Div": torch.div,
    "Max": torch.maximum,
    "MatMul": torch.matmul,
    "ReduceL2": lambda value: torch.linalg.vector_norm(value, dim=1, keepdim=True),
}


def _prepared(module: nn.Module, setting: str, example: torch.Tensor) -> nn.Module:
    if setting == "eager":
        return module
    if setting == "compiled":
        return torch.compile(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.optimize_for_inference(
            torch.jit.freeze(torch.jit.trace(module, example, check_trace=False))
        )


def open_model(path: str, setting: str) -> Answer:
    """One model, ready to answer."""
    high = side(path)
    with torch.inference_mode():
        module = build(path)
        module = _prepared(module, setting, torch.zeros(1, high, high, 3, dtype=torch.uint8))

    def answer(pixels: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            scores, features, unfamiliar = module(torch.from_numpy(pixels))
            return [scores[0].numpy(), features.numpy(), unfamiliar.numpy()]

    return answer


if __name__ == "__main__":
    asked = told()
    torch.set_num_threads(asked.threads)
    torch.set_num_interop_threads(1)
    measure(
        [open_model(path, asked.setting) for path in asked.models], asked, str(torch.__version__)
    )
