"""The runtime of this export: Core ML, on a Mac."""

import numpy as np

PACKAGES = ("coremltools",)


def open_model(folder, facts, threads=None):  # noqa: ARG001 - Core ML decides by itself
    """A function from pixels uint8[N, H, W, 3] to the outputs by name."""
    import coremltools
    from PIL import Image

    model = coremltools.models.MLModel(str(folder / "model.mlpackage"))
    names = facts["outputs"]

    def run(pixels):
        rows = [model.predict({"photos": Image.fromarray(photo)}) for photo in pixels]
        return {name: np.concatenate([np.asarray(row[name]) for row in rows]) for name in names}

    return run
