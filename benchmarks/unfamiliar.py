"""How many unrelated photos does a brain answer with "none of these"?

    python -m benchmarks.unfamiliar

A brain for cats and dogs sees clothes, everyday scenes and other things; one for clothes sees
cats, dogs and the rest. Photos of its own kind that it was not trained on should pass, about 99 of
100.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import ninebrains as nb
from benchmarks.running import SHARED, fresh_home, need_shared, use_home, write_results

SETS = {
    "dogcat": "classification/dogcat",
    "clothing343": "classification/clothing343",
    "imagenet50": "classification/imagenet_one_a_class",
    "coco128": "detection/coco128_train/images",
    "faces": "retrieval/att_faces",
}


def photos_of(name: str) -> list[Path]:
    """Every photo of a set."""
    folder = SHARED / "data" / SETS[name]
    endings = {".jpg", ".jpeg", ".png", ".pgm"}
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)


def main() -> None:
    need_shared()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        use_home(fresh_home(Path(name)))
        for trained_on in ("dogcat", "clothing343"):
            brain = nb.train(SHARED / "data" / SETS[trained_on], trunk="mobilenet_v2_100")
            familiarity = brain.metrics.familiarity
            for shown in SETS:
                if shown == trained_on:
                    share, num = familiarity.rejected_test, brain.metrics.num_test
                else:
                    found = [
                        item
                        for item in brain.run_many(photos_of(shown), on_error="yield")
                        if isinstance(item, nb.Inference)
                    ]
                    num = len(found)
                    if not num:
                        continue
                    share = sum(not item.is_familiar for item in found) / num
                rows.append(
                    {
                        "trained_on": trained_on,
                        "shown": f"{shown} (its own test photos)" if shown == trained_on else shown,
                        "photos": num,
                        "none_of_these": round(share, 4),
                    }
                )
    write_results("unfamiliar", rows)


if __name__ == "__main__":
    main()
