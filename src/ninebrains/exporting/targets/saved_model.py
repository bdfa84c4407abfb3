"""SavedModel: a version folder that TensorFlow Serving loads as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ninebrains.brains.graph import unpack
from ninebrains.errors import BrainError
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.requiring import require_package
from ninebrains.exporting.running import ask_runner
from ninebrains.exporting.target import Built, Job, Precision, Target

VERSION = "1"
_LARGEST_GRAPH = 2**31 - 1 - 2**20  # what protobuf can hold, less the graph itself
_SIGNATURES = (
    "Two signatures: serving_default takes photos as arrays, made as the contract says; "
    "serving_bytes takes the bytes of JPEG and PNG files and makes them so itself."
)
_DIFFERS = (
    "serving_bytes prepares photos in TensorFlow's own operations: pixels differ by rounding from "
    "those of the contract's code. It refuses other files than JPEG and PNG, and turns JPEG files "
    "upright only."
)
_FP16 = "Weights are kept in 16 bits and widened to 32 as the model is loaded."
_NOT_RUN = "TensorFlow Serving itself was not run; the model was loaded and asked in TensorFlow."


@dataclass(frozen=True)
class SavedModelTarget:
    """See `Target`."""

    name: str = "saved_model"
    title: str = "TensorFlow SavedModel"
    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    efforts: tuple[str, ...] = ()
    runtime: str | None = "saved_model"
    opsets: range = range(0)
    batch: int | None = None
    takes_several: bool = False

    def require(self, precision: Precision) -> None:  # noqa: ARG002
        """TensorFlow writes it, whatever the precision."""
        require_package("tensorflow", "keras", "an export to TensorFlow")

    def build(self, job: Job, folder: Path) -> Built:
        """The folder `1`, a version as TensorFlow Serving wants it."""
        from ninebrains.exporting.saved_model.writing import write

        model = unpack(job.brain.graph.held())
        if model.ByteSize() > _LARGEST_GRAPH:
            raise BrainError(
                f"{job.brain.name} takes {model.ByteSize():,} bytes; a SavedModel with its weights "
                f"inside holds {_LARGEST_GRAPH:,} at most. Export to another target."
            )
        write(model, job.brain.contract, job.precision, folder / VERSION)
        notes = (_SIGNATURES, _DIFFERS, *((_FP16,) if job.precision == "fp16" else ()))
        outputs = tuple(output.name for output in model.graph.output)
        return Built(outputs, ("tensorflow", "keras"), notes, (_NOT_RUN,))

    def ask(self, folder: Path, brain: int, photos: Sequence[Path]) -> Answers | None:  # noqa: ARG002
        """See `Target.ask`."""
        return ask_runner(folder, "saved_model", photos)

    def usage(self, outputs: tuple[str, ...], precision: Precision) -> str:  # noqa: ARG002
        """See `Target.usage`."""
        return _USAGE.replace("ANSWER", outputs[0])


_USAGE = """TensorFlow Serving, and a photo file as it is:

```sh
docker run -p 8501:8501 -v "$PWD:/models/brain" -e MODEL_NAME=brain tensorflow/serving
echo "{\\"signature_name\\": \\"serving_bytes\\",
  \\"instances\\": [{\\"photo_bytes\\": {\\"b64\\": \\"$(base64 -w0 photo.jpg)\\"}}]}" |
  curl -d @- http://localhost:8501/v1/models/brain:predict
```

Python:

```python
import tensorflow

model = tensorflow.saved_model.load("1")
run = model.signatures["serving_bytes"]
photos = tensorflow.constant([open("photo.jpg", "rb").read()])
run(photo_bytes=photos)["ANSWER"]
```
"""

TARGET: Target = SavedModelTarget()
