"""A checkpoint as a plain ONNX file: `python -m tools.trunk.export CHECKPOINT OUT.onnx --size 96`.

Convolutions with their batch normalisation folded in, ReLU, additions and the mean over the map.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from tools.trunk.network import MEAN, STD, Entry, Octo, Residual
from tools.trunk.recipe import Recipe

_OPSET = 17


class _Writer:
    """Collects nodes and weights."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, **attributes: list[int]) -> str:
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def convolve(self, value: str, part: nn.Sequential) -> str:
        """A convolution with its normalisation in it, computed in double precision."""
        convolution, norm = part[0], part[1]
        factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        weight = convolution.weight.double() * factor[:, None, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * factor
        names = []
        for name, tensor in (("weight", weight), ("bias", bias)):
            names.append(f"{name}_{len(self.nodes)}")
            array = tensor.detach().numpy().astype(np.float32)
            self.weights.append(numpy_helper.from_array(array, names[-1]))
        return self.add(
            "Conv",
            value,
            *names,
            kernel_shape=list(convolution.kernel_size),
            strides=list(convolution.stride),
            pads=[*convolution.padding, *convolution.padding],
        )


def export(net: Octo, size: int) -> onnx.ModelProto:
    """The network with normalised pixels [N,3,size,size] in and features [N,num_features] out."""
    writer = _Writer()
    value = "input"
    for block in net.blocks:
        if isinstance(block, Entry):
            value = writer.add("Relu", writer.convolve(value, block.only))
        elif isinstance(block, Residual):
            inner = writer.add("Relu", writer.convolve(value, block.first))
            changed = writer.add("Add", value, writer.convolve(inner, block.second))
            value = writer.add("Relu", changed)
    features = writer.add("Flatten", writer.add("GlobalAveragePool", value))
    channels = net.blocks[-1].only[0].out_channels
    graph = helper.make_graph(
        writer.nodes,
        "octo",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, size, size])],
        [helper.make_tensor_value_info(features, TensorProto.FLOAT, ["N", channels])],
        writer.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Export, and say how the input is to be normalised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="or 'untrained'")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, required=True, help="side of the input in pixels")
    parser.add_argument("--recipe", type=Path, default=Path(__file__).with_name("recipe.toml"))
    told = parser.parse_args()
    recipe = Recipe.read(told.recipe)
    torch.manual_seed(recipe.seed)
    net = Octo(recipe.widths, recipe.depths, recipe.num_features)
    if str(told.checkpoint) != "untrained":
        net.load_state_dict(torch.load(told.checkpoint, weights_only=True)["average"])
    onnx.save(export(net, told.size), told.out)
    mean, std = f"{MEAN / 255:.6f}", f"{STD / 255:.6f}"
    print(f"--mean {mean},{mean},{mean} --std {std},{std},{std}")


if __name__ == "__main__":
    main()
