"""Core ML: iPhone, iPad and Mac."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninebrains.brains import Brain
from ninebrains.brains.graph import unpack
from ninebrains.errors import ExportError
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.describing import contract_in_words
from ninebrains.exporting.requiring import require_package
from ninebrains.exporting.running import ask_runner
from ninebrains.exporting.target import Built, Job, Precision, Target
from ninebrains.images import Pixels

if TYPE_CHECKING:
    import onnx

_PACKAGE = "model.mlpackage"
_NUM_CHECKED = 4
_FARTHEST: dict[Precision, float] = {"fp32": 1e-3, "fp16": 0.05, "int8-weights": 0.3}
_SMALLEST_WEIGHTS = 16_384  # as `storing`: smaller ones are little of the file, most of the damage
_NOTES: dict[Precision, tuple[str, ...]] = {
    "fp16": ("The trunk computes in 16 bits, the head in 32.",),
    "fp32": ("Core ML runs programs in 32 bits on the CPU and GPU, not on the Neural Engine.",),
    "int8-weights": ("Weights are kept in 8 bits; the trunk computes in 16 bits, the head in 32.",),
}


@dataclass(frozen=True)
class CoreMlTarget:
    """See `Target`."""

    name: str = "coreml"
    title: str = "Core ML"
    precisions: tuple[Precision, ...] = ("fp16", "fp32", "int8-weights")
    efforts: tuple[str, ...] = ()
    runtime: str | None = "coreml"
    opsets: range = range(0)
    batch: int | None = 1
    takes_several: bool = False

    def require(self, precision: Precision) -> None:  # noqa: ARG002
        """Core ML tools write programs on any system but Windows."""
        require_package("coremltools", "coreml", "an export to Core ML")

    def build(self, job: Job, folder: Path) -> Built:
        """`model.mlpackage`, a folder that Xcode takes as it is."""
        from ninebrains.exporting.coreml.tools import coremltools

        brain = job.brain
        model = unpack(brain.graph.held())
        outputs = tuple(output.name for output in model.graph.output)
        with coremltools() as ct:
            _save(model, brain, job.precision, folder / _PACKAGE, ct)
            farthest = _check(brain, folder / _PACKAGE, outputs, job.precision)
        notes = (
            "The input is an image of one photo; feed photos one by one.",
            *_NOTES[job.precision],
        )
        return Built(outputs, ("coremltools",), notes, _not_run(farthest))

    def ask(self, folder: Path, brain: int, photos: Sequence[Path]) -> Answers | None:  # noqa: ARG002
        """See `Target.ask`. Core ML is a part of macOS."""
        return ask_runner(folder, "coreml", photos) if sys.platform == "darwin" else None

    def usage(self, outputs: tuple[str, ...], precision: Precision) -> str:  # noqa: ARG002
        """See `Target.usage`."""
        return _USAGE.replace("ANSWER", outputs[0])


_USAGE = """Drag `model.mlpackage` into an Xcode project (iOS 16, macOS 13 or later).

```swift
import CoreML
import Vision

let place = Bundle.main.url(forResource: "model", withExtension: "mlmodelc")!
let network = try VNCoreMLModel(for: MLModel(contentsOf: place))
let request = VNCoreMLRequest(model: network) { request, _ in
    for case let found as VNCoreMLFeatureValueObservation in request.results ?? []
    where found.featureName == "ANSWER" {
        print(found.featureValue.multiArrayValue!)  // in the order of labels.txt
    }
}
// .scaleFit where the contract's fit is "pad", .scaleFill where it is "stretch"
request.imageCropAndScaleOption = .centerCrop
try VNImageRequestHandler(cgImage: photo, orientation: orientation).perform([request])
```

In Python, on a Mac: `python run.py photo.jpg`.
"""


def _save(
    model: onnx.ModelProto,
    brain: Brain,
    precision: Precision,
    path: Path,
    ct: Any,  # noqa: ANN401 - coremltools has no types
) -> None:
    """Convert and write."""
    from ninebrains.exporting.coreml.writing import write_program
    from ninebrains.trunks.wiring import Wiring

    program, names = write_program(model, ct)
    trunk = {names[name] for name in Wiring(model).needed_for(["feature_map"]) & names.keys()}

    def is_half(operation: Any) -> bool:  # noqa: ANN401
        """Familiarity is a small difference of large numbers, which 16 bits cannot hold."""
        return any(output.name in trunk for output in operation.outputs)

    exact = precision == "fp32"
    high, wide, _ = brain.contract.shape
    image = ct.ImageType(name="photos", shape=(1, 3, high, wide), color_layout=ct.colorlayout.RGB)
    made = ct.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        inputs=[image],
        outputs=[ct.TensorType(name=output.name) for output in model.graph.output],
        compute_precision=ct.precision.FLOAT32
        if exact
        else ct.transform.FP16ComputePrecision(op_selector=is_half),
        minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    )
    if precision == "int8-weights":
        made = _with_small_weights(made, ct)
    _describe(made, brain)
    made.save(str(path))


def _with_small_weights(made: Any, ct: Any) -> Any:  # noqa: ANN401
    """Weights in 8 bits, with a scale for each channel."""
    optimize = ct.optimize.coreml
    how = optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", weight_threshold=_SMALLEST_WEIGHTS
    )
    config = optimize.OptimizationConfig(global_config=how)
    return optimize.linear_quantize_weights(made, config=config)


def _describe(made: Any, brain: Brain) -> None:  # noqa: ANN401
    """What Xcode shows, and the labels for programs."""
    made.short_description = f"{brain.name}: {brain.task} with {len(brain.labels)} labels"
    made.author = "Ninebrains"
    made.version = brain.version
    made.input_description["photos"] = contract_in_words(brain.contract)
    labels = [{"id": label.id, "name": label.name} for label in brain.labels]
    made.user_defined_metadata["labels"] = json.dumps(labels, ensure_ascii=False)
    made.user_defined_metadata["task"] = brain.task


def _check(brain: Brain, path: Path, outputs: tuple[str, ...], precision: Precision) -> float:
    """How far the saved program is from the brain, as a share of each output; the largest.

    Raises:
        ExportError: farther than the precision explains.
    """
    from ninebrains.exporting.coreml.checking import compute, read_back

    pixels = _patches(brain.contract.shape)
    wanted = brain.compute(pixels, list(outputs))
    given = compute(read_back(path), pixels)
    shares = {
        name: float(np.linalg.norm(given[name] - wanted[name]) / np.linalg.norm(wanted[name]))
        for name in outputs
    }
    worst = max(shares, key=lambda name: shares[name])
    if not shares[worst] <= _FARTHEST[precision]:
        raise ExportError(
            f"the saved program's output {worst!r} is {shares[worst]:.1%} off the brain's; "
            f"expected {_FARTHEST[precision]:.1%} at most in {precision}"
        )
    return shares[worst]


def _patches(shape: tuple[int, int, int]) -> Pixels:
    """A few pictures, uint8[n, H, W, 3], with edges, areas and grain."""
    high, wide, _ = shape
    rng = np.random.default_rng(0)
    colors = rng.integers(20, 236, (_NUM_CHECKED, 6, 6, 3))
    rows, columns = np.arange(high) * 6 // high, np.arange(wide) * 6 // wide
    grain = rng.integers(-20, 20, (_NUM_CHECKED, *shape))
    return np.asarray(colors[:, rows][:, :, columns] + grain, np.uint8)


def _not_run(farthest: float) -> tuple[str, ...]:
    if sys.platform == "darwin":
        return ()
    seen = (
        "Core ML runs on Apple's systems only, so the model was not run. The saved program was "
        f"read back and computed with ONNX Runtime on {_NUM_CHECKED} pictures of coloured "
        f"patches: its outputs are at most {farthest:.2%} off the brain's."
    )
    return (seen,)


TARGET: Target = CoreMlTarget()
