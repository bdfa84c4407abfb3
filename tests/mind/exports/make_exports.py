"""Export one small network in many ways, each as another user might have.

    python tests/mind/exports/make_exports.py

Needs torch 2.13, onnxscript 0.7 and onnx; the tests do not.
"""

import tempfile
from pathlib import Path

import onnx
import torch
from torch import nn

FOLDER = Path(__file__).parent


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Conv2d(channels, 4, 1)
        self.excite = nn.Conv2d(4, channels, 1)

    def forward(self, x):
        gate = self.excite(torch.relu(self.squeeze(self.pool(x))))
        return x * nn.functional.hardsigmoid(gate)


class Block(nn.Module):
    """Wide, by channel, gated, narrow again, with a way around."""

    def __init__(self, channels, inner):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.Hardswish(),
            nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.SiLU(),
            SqueezeExcite(inner),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return x + self.layers(x)


class Small(nn.Module):
    """A residual network with two outputs, as classifiers for phones are."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), nn.MaxPool2d(2)
        )
        self.blocks = nn.Sequential(Block(8, 16), nn.GELU(), Block(8, 24))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, pixels):
        plane = self.blocks(self.stem(pixels))
        features = torch.flatten(nn.functional.adaptive_avg_pool2d(plane, 1), 1)
        scores = self.head(nn.functional.dropout(self.norm(features), 0.1, self.training))
        return torch.softmax(scores, 1), plane


def make():
    torch.manual_seed(0)
    network = Small().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network


def export(name, opset, dynamo, **options):
    network, example = make(), torch.randn(2, 3, 32, 32)
    common = {"input_names": ["pixels"], "output_names": ["scores", "plane"]}
    if dynamo:
        shapes = {"pixels": {0: torch.export.Dim("batch")}}
        options = {"dynamic_shapes": shapes, "external_data": False, "verbose": False, **options}
    else:
        axes = {key: {0: "batch"} for key in ("pixels", "scores", "plane")}
        options = {"dynamic_axes": axes, **options}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.onnx"
        torch.onnx.export(
            network, (example,), path, opset_version=opset, dynamo=dynamo, **common, **options
        )
        model = onnx.load(path)
    strip(model)
    onnx.save(model, FOLDER / f"{name}.onnx")


def strip(model):
    """Drop what the exporter noted about its own run: traces with paths of the machine."""
    for node in model.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]


if __name__ == "__main__":
    kept = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    for version in (13, 17, 20):
        export(f"torchscript-{version}", version, dynamo=False)
        export(f"torchscript-{version}-unfolded", version, dynamo=False, **kept)
    for version in (18, 20):
        export(f"dynamo-{version}", version, dynamo=True)
        export(f"dynamo-{version}-unfolded", version, dynamo=True, optimize=False)
