"""Keras networks on ONNX Runtime: written by Ninebrains, and by Keras's own export (tf2onnx).

    python -m benchmarks.keras_to_onnx [--rounds 7] [--seconds 2]

Each of Keras's applications is made once, with statistics in its normalisations that show whether
they were folded right, and saved. The peer exports the saved file in its own environment, we read
the same file. Then both models run in fresh processes, one photo on one core, in turns; what counts
is the ratio of the medians. Beside it stands how far each answer is from Keras's own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.running import median, peer_python, run, write_results

PEER = Path(__file__).parent / "peers/keras_export.py"
NETWORKS = {
    "MobileNet": {"alpha": 0.25},
    "MobileNetV2": {},
    "MobileNetV3Small": {"input_shape": [224, 224, 3]},
    "EfficientNetB0": {},
    "ResNet50V2": {},
    "DenseNet121": {},
}
OURS = (
    "import sys, onnx\n"
    "from ninebrains.bridging import read_keras, to_onnx\n"
    "onnx.save(to_onnx(read_keras(sys.argv[1])), sys.argv[2])\n"
)
TIMED = """
import json, sys, time
import numpy as np, onnxruntime
path, photos, seconds = sys.argv[1], np.load(sys.argv[2]), float(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
answers = np.concatenate([session.run(None, {name: photo[None]})[0] for photo in photos])
took, end = [], time.perf_counter() + seconds
while time.perf_counter() < end or len(took) < 5:
    before = time.perf_counter()
    session.run(None, {name: photos[:1]})
    took.append(1000 * (time.perf_counter() - before))
print(json.dumps({"ms": float(np.median(took)), "answers": answers.tolist()}))
"""


def timed(model: Path, photos: Path, seconds: float) -> dict[str, object]:
    """Milliseconds of a photo, the median of a fresh process, and the answers."""
    done = run([sys.executable, "-c", TIMED, model, photos, str(seconds)])
    return dict(json.loads(done.output.splitlines()[-1]))


def furthest(answers: object, expected: list[list[float]]) -> float:
    """The largest difference, of the largest answer."""
    largest = max(abs(value) for row in expected for value in row)
    pairs = zip(answers, expected, strict=True)  # type: ignore[call-overload]
    return max(abs(a - b) for one, row in pairs for a, b in zip(one, row, strict=True)) / largest


def measure(folder: Path, name: str, rounds: int, seconds: float) -> dict[str, object]:
    """Both models of a network in turns."""
    saved, photos = folder / f"{name}.keras", folder / f"{name}.npy"
    models = {"ours": folder / f"{name}.ours.onnx", "peer": folder / f"{name}.peer.onnx"}
    made = run([peer_python(), PEER, name, json.dumps(NETWORKS[name]), saved, photos])
    expected = json.loads(made.output.splitlines()[-1])
    run([sys.executable, "-c", OURS, saved, models["ours"]])
    exported = json.loads(
        run([peer_python(), PEER, "export", saved, models["peer"]]).output.splitlines()[-1]
    )
    runs: dict[str, list[dict[str, object]]] = {"ours": [], "peer": []}
    for turn in range(rounds):
        # Whoever is first in one turn is second in the next.
        for kind in ("ours", "peer") if turn % 2 else ("peer", "ours"):
            if kind == "ours" or not exported["fault"]:
                runs[kind].append(timed(models[kind], photos, seconds))
    row: dict[str, object] = {"network": name, "rounds": rounds}
    for kind, found in runs.items():
        row[f"{kind}_ms"] = round(median(float(str(r["ms"])) for r in found), 3) if found else ""
    ratios = [
        float(str(b["ms"])) / float(str(a["ms"]))
        for a, b in zip(runs["ours"], runs["peer"], strict=False)
    ]
    row["times_faster"] = round(median(ratios), 3) if ratios else ""
    for kind, found in runs.items():
        error = furthest(found[0]["answers"], expected["answers"]) if found else None
        row[f"{kind}_error"] = "" if error is None else f"{error:.1e}"
    return {**row, "peer_fault": exported["fault"], "peer": exported["version"]}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--seconds", type=float, default=2.0)
    asked = options.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            rows.append(measure(Path(folder), name, asked.rounds, asked.seconds))
            print(rows[-1], flush=True)
    write_results("keras_to_onnx", rows)


if __name__ == "__main__":
    main()
