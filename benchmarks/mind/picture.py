"""Draw the tree of a mind with eight real models, for docs/mind.md.

    python -m benchmarks.mind.picture

Brains are trained on the shared photos. The fine-tuned ones are made as in `partial`. Run times in
the picture are those of the machine that drew it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import ninebrains as nb
from benchmarks.mind.brains import derive_upper
from benchmarks.mind.partial import find_cut
from benchmarks.running import COMMAND, ROOT, SHARED, TRUNK_FILE, need_shared, run
from ninebrains.brains.graph import unpack

SETS = {
    "pets": SHARED / "data/classification/dogcat",
    "clothes": SHARED / "data/classification/clothing343",
    "faces": SHARED / "data/retrieval/att_faces",
}
TRAINED = {
    "pets": ("pets", "octo"),
    "clothes": ("clothes", "octo"),
    "faces": ("faces", "octo"),
    "pets-large": ("pets", "mobilenet_v2_100"),
    "clothes-large": ("clothes", "mobilenet_v2_100"),
}
NUM_PHOTOS = 100


def main() -> None:
    need_shared()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = {"NINEBRAINS_HOME": str(folder / "home")}
        run([COMMAND, "trunk", "add", TRUNK_FILE, "--name", "mobilenet_v2_100"], **home)
        for brain, (photos, trunk) in TRAINED.items():
            path = folder / f"{brain}.brain"
            run([COMMAND, "train", SETS[photos], "--trunk", trunk, "-o", path, "--json"], **home)
        large = nb.load(folder / "pets-large.brain")
        above = set(find_cut(unpack(large.graph)).above)
        detector = nb.import_model(
            SHARED / "models/yolox_nano.onnx",
            "detector",
            fit="pad",
            pad_color=(114, 114, 114),
            mean=(0, 0, 0),
            std=(1 / 255,) * 3,
            color="bgr",
        )
        namer = nb.import_model(
            TRUNK_FILE, "imagenet", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
        )
        paths = [folder / f"{brain}.brain" for brain in TRAINED]
        tuned = derive_upper(large, "pets-tuned", above, seed=1)
        with nb.Mind([*paths, namer, tuned, detector]) as mind:
            for photo in sorted(SETS["pets"].rglob("*.jpg"))[:NUM_PHOTOS]:
                mind.run(photo)
            print(mind.explain())
            (ROOT / "docs/mind.svg").write_text(mind.explain().to_svg())


if __name__ == "__main__":
    main()
