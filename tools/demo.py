"""`make demo`: the whole way once, with the commands that a user would type.

With a real trunk and real photos where they are (TRUNK_FILE and PHOTOS name them). Elsewhere with
drawn pictures and a small network of random filters: that shows the way, not the quality.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "demo-out"
COMMAND = Path(sys.executable).parent / "ninebrains"


def say(*words: object) -> None:
    """Print a command and run it."""
    print("\n$ ninebrains", " ".join(shlex.quote(str(word)) for word in words), flush=True)
    home = {"NINEBRAINS_HOME": str(OUT / "home")}
    subprocess.run([COMMAND, *map(str, words)], check=True, cwd=OUT, env={**os.environ, **home})


def materials() -> tuple[Path, Path, Path]:
    """An ONNX classifier, a folder per label, and a folder of other photos."""
    trunk, photos = Path(os.environ["TRUNK_FILE"]), Path(os.environ["PHOTOS"])
    if trunk.is_file() and photos.is_dir():
        others = photos.parent / "imagenet_one_a_class"
        return trunk.resolve(), photos.resolve(), others.resolve()
    sys.path.insert(0, str(ROOT))
    from tests.making import write_model, write_photos

    print(
        f"There is no {trunk} or no {photos}: drawn pictures and random filters take their place.\n"
        "For the real thing: make demo TRUNK_FILE=mobilenet_v2.onnx PHOTOS=my_photos/"
    )
    drawn = write_photos(OUT / "photos", {"cat": 60, "dog": 60, "bird": 60, "fish": 60})
    others = write_photos(OUT / "others", {"cat": 3, "dog": 3}, start=900)
    return write_model(OUT / "small.onnx"), drawn, others


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    trunk, photos, others = materials()
    say("trunk", "add", trunk, "--name", "demo")
    say("data", "audit", photos)
    say("train", photos, "--trunk", "demo", "-o", "demo.brain")
    say("report", "demo.brain")
    found = sorted(path for path in others.rglob("*") if path.is_file())
    new = found[:: max(1, len(found) // 8)][:8]
    say("predict", "demo.brain", *new, "--heatmap", "heatmaps")
    print(f"\nThe brain, its report and heat maps are in {OUT.name}/.")
    print("Your own photos: ninebrains train photos/ --trunk NAME, with a folder per label.")


if __name__ == "__main__":
    main()
