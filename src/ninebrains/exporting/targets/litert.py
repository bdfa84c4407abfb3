"""LiteRT (TensorFlow Lite): phones, small boards, Edge TPUs and microcontrollers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.brains import Brain
from ninebrains.brains.graph import unpack
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.describing import contract_in_words
from ninebrains.exporting.litert.mending import EFFORTS, mend
from ninebrains.exporting.litert.metadata import Model, Tensor
from ninebrains.exporting.requiring import require_package
from ninebrains.exporting.running import ask_runner
from ninebrains.exporting.target import Built, Job, Precision, Target
from ninebrains.places import write_bytes

if TYPE_CHECKING:
    import onnx

_FILE = "model.tflite"
_ORDER = ("scores", "values", "heatmap", "unfamiliar", "features")
_WHOLE_NUMBERS = ("scores", "values", "heatmap")
_TOLD = {
    "scores": "a calibrated score of 0 to 1 for each label",
    "values": "the number that was measured",
    "heatmap": "where the evidence for each label lies, [1, labels, h, w]",
    "unfamiliar": "how unlike the training photos it is; above 1 it is none of the labels",
    "features": "the trunk's description of the photo",
}
_FP16 = "Weights are kept in 16 bits. Processors compute in 32 bits, GPUs in 16."
_DYNAMIC = (
    "Weights are kept in 8 bits and activations are quantised as they come (dynamic range). "
    "Depthwise convolutions are slow so: for trunks like MobileNet take fp32, fp16 or int8."
)
_WHOLE = (
    "Whole numbers from the photo (uint8) to the answers (uint8), as Edge TPUs and "
    "microcontrollers need; an answer's float is (number - zero point) * scale."
)
_LEFT_OUT = (
    "The outputs features and unfamiliar are left out: their small differences are lost in 8 bits. "
    'So it never says "none of these", as the brain does of photos unlike all it learnt from.'
)
_NOTES: dict[Precision, tuple[str, ...]] = {
    "fp32": (),
    "fp16": (_FP16,),
    "int8-weights": (_DYNAMIC,),
    "int8": (_WHOLE, _LEFT_OUT),
}


@dataclass(frozen=True)
class LitertTarget:
    """See `Target`."""

    name: str = "litert"
    title: str = "LiteRT (TensorFlow Lite)"
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8-weights", "int8")
    efforts: tuple[str, ...] = EFFORTS
    runtime: str | None = "litert"
    opsets: range = range(0)
    batch: int | None = 1
    takes_several: bool = False

    def require(self, precision: Precision) -> None:  # noqa: ARG002
        """TensorFlow converts, whatever the precision."""
        require_package("tensorflow", "keras", "an export to LiteRT")

    def build(self, job: Job, folder: Path) -> Built:
        """One flatbuffer with metadata and labels inside."""
        from ninebrains.exporting.litert.converting import convert
        from ninebrains.exporting.litert.finishing import check_integers, finish, read

        brain = job.brain
        model = unpack(brain.graph.held())
        calibration = job.calibration
        if job.precision == "int8":
            model, calibration = mend(model, calibration, job.effort)
        outputs = _wanted(model, job.precision)
        data = convert(model, job.precision, calibration)
        if job.precision == "int8":
            check_integers(read(data))
        names = [label.name for label in brain.labels]
        write_bytes(folder / _FILE, finish(data, describe(brain, outputs), names))
        return Built(outputs, ("tensorflow", "keras"), _NOTES[job.precision])

    def ask(self, folder: Path, brain: int, photos: Sequence[Path]) -> Answers | None:  # noqa: ARG002
        """See `Target.ask`."""
        return ask_runner(folder, "litert", photos)

    def usage(self, outputs: tuple[str, ...], precision: Precision) -> str:
        """See `Target.usage`."""
        python, kotlin, swift = _BYTES_READ if precision == "int8" else _FLOATS_READ
        text = _USAGE.replace("PYTHON", python).replace("KOTLIN", kotlin).replace("SWIFT", swift)
        return text.replace("ANSWER", outputs[0])


def _wanted(model: onnx.ModelProto, precision: Precision) -> tuple[str, ...]:
    """Leave the outputs that stay sound in this precision, in the file's order."""
    known = _WHOLE_NUMBERS if precision == "int8" else _ORDER
    given = {output.name: output for output in model.graph.output}
    names = tuple(name for name in _ORDER if name in known and name in given)
    kept = [given[name] for name in names]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return names


def describe(brain: Brain, outputs: Sequence[str]) -> Model:
    """What the metadata say of a brain."""
    ranges = {"scores": (0.0, 1.0), "unfamiliar": (0.0, None)}
    tensors = []
    for name in outputs:
        low, high = ranges.get(name, (None, None))
        tensors.append(
            Tensor(name, _TOLD[name], low, high, has_labels=name in ("scores", "values"))
        )
    return Model(
        name=brain.name,
        version=brain.version,
        description=f"{brain.task} with {len(brain.labels)} labels, made by Ninebrains",
        contract=contract_in_words(brain.contract),
        size=(brain.contract.width, brain.contract.height),
        outputs=tuple(tensors),
    )


_FLOATS_READ = (
    'ANSWER = run(photos=pixels)["ANSWER"]',
    "val answer = FloatArray(tensor.numElements()) { bytes.getFloat(4 * it) }",
    "let answer = output.data.withUnsafeBytes { Array($0.bindMemory(to: Float32.self)) }",
)
_BYTES_READ = (
    """numbers = run(photos=pixels)["ANSWER"].astype("float32")  # uint8, 0 to 255
scale, zero_point = run.get_output_details()["ANSWER"]["quantization"]
ANSWER = (numbers - zero_point) * scale""",
    """val kind = tensor.quantizationParams()
val answer = FloatArray(tensor.numElements()) { // whole numbers of 0 to 255 to what they stand for
    ((bytes.get(it).toInt() and 0xFF) - kind.zeroPoint) * kind.scale
}""",
    """let kind = output.quantizationParameters!
let answer = output.data.map { Float(Int($0) - kind.zeroPoint) * kind.scale } // of 0 to 255""",
)

_USAGE = """Python:

```python
import json
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter
from contract import prepare  # beside this file; needs Pillow

run = Interpreter("model.tflite").get_signature_runner()
contract = json.loads(Path("export.json").read_text())["contract"]
pixels = prepare("photo.jpg", contract)[None]  # uint8 [1, H, W, 3]
PYTHON
```

Kotlin (`com.google.ai.edge.litert:litert`), with a bitmap already in the contract's frame:

```kotlin
val interpreter = Interpreter(File(path))
val photos = ByteBuffer.allocateDirect(width * height * 3)
for (pixel in pixels) { // IntArray from bitmap.getPixels
    photos.put((pixel shr 16).toByte()).put((pixel shr 8).toByte()).put(pixel.toByte())
}
val tensor = interpreter.getOutputTensorFromSignature("ANSWER", "serving_default")
val bytes = ByteBuffer.allocateDirect(tensor.numBytes()).order(ByteOrder.nativeOrder())
photos.rewind()
interpreter.runSignature(mapOf("photos" to photos), mapOf("ANSWER" to bytes), "serving_default")
KOTLIN
```

Swift (`TensorFlowLiteSwift`), with the same bytes:

```swift
let interpreter = try Interpreter(modelPath: path)
try interpreter.allocateTensors()
try interpreter.copy(photos, toInputAt: 0)
try interpreter.invoke()
let output = try interpreter.output(at: 0) // ANSWER
SWIFT
```
"""

TARGET: Target = LitertTarget()
