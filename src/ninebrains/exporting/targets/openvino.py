"""OpenVINO: Intel's processors, graphics and neural units, and ARM processors."""

from __future__ import annotations

import contextlib
import io
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninebrains.brains.graph import unpack
from ninebrains.errors import BrainError
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.quantising import (
    EFFORTS,
    check_pixels,
    choose_photos,
    find_layers,
    quantise_with,
    spread_photos,
)
from ninebrains.exporting.requiring import require_package
from ninebrains.exporting.running import ask_runner
from ninebrains.exporting.target import Built, Job, Precision, Target
from ninebrains.images import Pixels
from ninebrains.mind.backends.openvino import import_openvino

if TYPE_CHECKING:
    import onnx

_FILE = "model.xml"
_USUAL_PHOTOS, _CHOSEN_PHOTOS = 100, 200
_OUR_EFFORT = 2
_NOTES: dict[Precision, tuple[str, ...]] = {
    "fp16": ("Weights are kept in 16 bits; run.py computes in 32.",),
    "fp32": (),
    "int8-weights": ("Weights are kept in 8 bits; run.py computes in 32.",),
    "int8": (),
}
_BY_NNCF = "The trunk computes in 8 bits, quantised by NNCF; the head, which is tiny, in float."


@dataclass(frozen=True)
class OpenVinoTarget:
    """See `Target`."""

    name: str = "openvino"
    title: str = "OpenVINO"
    precisions: tuple[Precision, ...] = ("fp16", "fp32", "int8-weights", "int8")
    efforts: tuple[str, ...] = EFFORTS
    runtime: str | None = "openvino"
    opsets: range = range(0)
    batch: int | None = None
    takes_several: bool = False

    def require(self, precision: Precision) -> None:
        """Int8 needs its quantiser as well."""
        require_package("openvino", "openvino", "an export to OpenVINO")
        if precision.startswith("int8"):
            require_package("nncf", "openvino-int8", f"an export to OpenVINO in {precision}")

    def build(self, job: Job, folder: Path) -> Built:
        """`model.xml`, and the weights in `model.bin`."""
        model = unpack(job.brain.graph.held())
        outputs = tuple(output.name for output in model.graph.output)
        notes = _NOTES[job.precision]
        if job.precision == "int8":
            network, notes = _quantised(model, job.calibration, job.effort)
        else:
            network = _converted(model)
        if job.precision == "int8-weights":
            network = _with_small_weights(network)
        is_half = job.precision == "fp16"
        import_openvino().save_model(network, str(folder / _FILE), compress_to_fp16=is_half)
        packages = ("nncf",) if job.precision.startswith("int8") else ()
        return Built(outputs, packages, notes)

    def ask(self, folder: Path, brain: int, photos: Sequence[Path]) -> Answers | None:  # noqa: ARG002
        """See `Target.ask`."""
        return ask_runner(folder, "openvino", photos)

    def usage(self, outputs: tuple[str, ...], precision: Precision) -> str:  # noqa: ARG002
        """See `Target.usage`."""
        return _USAGE.replace("ANSWER", outputs[0])


_USAGE = """```python
import json
from pathlib import Path

import openvino
from contract import prepare  # beside this file; needs Pillow

options = {"INFERENCE_PRECISION_HINT": "f32"}  # or it may compute in bfloat16
model = openvino.Core().compile_model("model.xml", "CPU", options)
contract = json.loads(Path("export.json").read_text())["contract"]
pixels = prepare("photo.jpg", contract)[None]  # uint8 [1, H, W, 3]
answer = model(pixels)["ANSWER"][0]
```

```cpp
#include <openvino/openvino.hpp>

ov::Core core;
auto exact = ov::hint::inference_precision(ov::element::f32);
auto model = core.compile_model("model.xml", "CPU", {exact});
auto request = model.create_infer_request();
// uint8, RGB, row by row, in the contract's size
request.set_tensor("photos", ov::Tensor(ov::element::u8, {1, height, width, 3}, rgb));
request.infer();
const float* answer = request.get_tensor("ANSWER").data<float>();
```
"""


def _converted(model: onnx.ModelProto) -> Any:  # noqa: ANN401 - openvino's types need openvino
    """The network as OpenVINO has it; its operators are named by what they give."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        node.name = node.output[0]
    try:
        return import_openvino().Core().read_model(copy.SerializeToString())
    except Exception as error:
        raise BrainError(f"OpenVINO refuses the graph: {error}") from error


def _quantised(
    model: onnx.ModelProto, pixels: Pixels | None, effort: int
) -> tuple[Any, tuple[str, ...]]:
    """The network in 8 bits, and what to tell of it.

    OpenVINO's own quantiser comes first. What goes beyond it is done here, in ONNX, and converted.
    """
    pixels = check_pixels(model, pixels)
    find_layers(model)  # refuses what would gain little
    if effort >= _OUR_EFFORT:
        quantised = quantise_with(model, pixels, effort)
        return _converted(quantised.model), quantised.notes
    if effort == 0:
        pixels = spread_photos(pixels, _USUAL_PHOTOS)
    else:
        pixels = choose_photos(model, pixels, _CHOSEN_PHOTOS)
    network = _with_ready_weights(_converted(model))
    names = [f"{re.escape(name)}(/.*)?" for name in _head(model)]
    with _quietly() as nncf:
        scope = nncf.IgnoredScope(patterns=names, validate=False)
        photos = nncf.Dataset([one[None] for one in pixels])
        done = nncf.quantize(network, photos, subset_size=len(pixels), ignored_scope=scope)
    return done, (_BY_NNCF,)


def _with_ready_weights(network: Any) -> Any:  # noqa: ANN401 - openvino's types need openvino
    """The network with its constants folded.

    As it is read, a grouped convolution has weights that are still to be reshaped. The quantiser
    leaves those in floats, and OpenVINO then computes that layer in floats, each of MobileNet's
    depthwise ones between two conversions.
    """
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(network)
    return network


def _head(model: onnx.ModelProto) -> list[str]:
    """What the operators give that do not make the feature map."""
    from ninebrains.trunks.wiring import Wiring

    trunk = Wiring(model).needed_for(["feature_map"])
    return [node.output[0] for node in model.graph.node if node.output[0] not in trunk]


def _with_small_weights(network: Any) -> Any:  # noqa: ANN401 - openvino's types need openvino
    with _quietly() as nncf:
        return nncf.compress_weights(network, mode=nncf.CompressWeightsMode.INT8_SYM)


@contextlib.contextmanager
def _quietly() -> Iterator[Any]:
    """NNCF, whose progress and advice would go to standard output, which is for results.

    Its own way to be quiet silences handlers of the whole process too, and it makes later loggers
    of everybody its own kind.
    """
    import_openvino()
    kind, logger = logging.getLoggerClass(), logging.getLogger("nncf")
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            import nncf
        finally:
            logging.setLoggerClass(kind)
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield nncf
        finally:
            logger.setLevel(level)


TARGET: Target = OpenVinoTarget()
