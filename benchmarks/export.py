"""Exports against what common converters make of the same network: is ours ever slower?

    python -m benchmarks.export [--repeats 9] [--folder KEEP] [--only litert] [--quick]

Each artefact runs in a fresh process, ours and the peer's in turn, the order changing from round
to round; of each process the 10th percentile of its photos counts, since the machine is shared, and
the figure is the median of the rounds' ratios. All outputs are computed: scores, heat
map, features and the distance to what is known. The networks are brains on octo, `mobilenet_v2_100`
and a Keras MobileNetV1 0.25. The converters get the brain's network in ONNX; Keras' own gets the
same MobileNetV1 as a Keras model, with a dense layer in place of the head and only scores to give.

onnx2tf lives in an environment of its own (benchmarks/peers/requirements-onnx2tf.txt), whose
command ONNX2TF names.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.receipts import KERAS_WEIGHTS, TITLES, train, trunks
from benchmarks.running import COMMAND, ROOT, median, need_shared, run, use_home, write_results

SCRIPTS = ROOT / "benchmarks/peers"
FILES = {"onnx": "model.onnx", "litert": "model.tflite", "openvino": "model.xml"}
DATA = "clothing343"
_KERAS = "mobilenet_v1_025"
_NUM_PHOTOS = 8
_UNDISTURBED = 10  # percentile: on a shared machine the slower photos tell of others' work


@dataclass(frozen=True)
class Peer:
    """A common converter, and which of our artefacts does the same.

    Attributes:
        name: for people.
        kind: in `peers/converters.py`, or `onnx2tf`.
        runtime: that both run in, as our target is called.
        precision: of ours.
        opened: kind of artefact in `peers/artefacts.py`, where it is not the runtime's name.
        only: the network that it is for, if it is for one.
    """

    name: str
    kind: str
    runtime: str
    precision: str
    opened: str = ""
    only: str = ""


PEERS = (
    Peer("as trained, numpy before it", "outside", "onnx", "fp32", opened="onnx outside"),
    Peer("quantize_static, defaults", "ort_static", "onnx", "int8"),
    Peer("onnx2tf", "onnx2tf", "litert", "fp32"),
    Peer("Keras' TFLiteConverter", "keras_litert", "litert", "fp32", only=_KERAS),
    Peer("Keras' TFLiteConverter, int8", "keras_litert_int8", "litert", "int8", only=_KERAS),
    Peer("OpenVINO's convert_model", "openvino", "openvino", "fp16"),
    Peer("NNCF's quantize, defaults", "nncf", "openvino", "int8"),
)


@dataclass(frozen=True)
class Pair:
    """Two artefacts of one network that do the same."""

    network: str
    peer: Peer
    ours: Path
    theirs: Path


class Bench:
    """The networks and artefacts in a folder, made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        use_home(folder / "home")

    def pairs(self, only: str) -> Iterator[Pair]:
        """All that can be made here; what cannot is told."""
        for network in trunks(self._folder / "home"):
            for peer in PEERS:
                if peer.only in ("", network) and only in ("", peer.runtime):
                    yield from self._pair(network, peer)

    def _pair(self, network: str, peer: Peer) -> Iterator[Pair]:
        try:
            yield Pair(network, peer, self._ours(network, peer), self._theirs(network, peer))
        except SystemExit as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            what = f"{network} with {peer.name} ({peer.runtime} {peer.precision})"
            print(f"passed over {what}: {lines[-1][:400]}", flush=True)

    def _ours(self, network: str, peer: Peer) -> Path:
        out = self._folder / f"ours-{network}-{peer.runtime}-{peer.precision}"
        if not out.is_dir():
            command = [COMMAND, "export", train(DATA, network, self._folder), "-o", out, "--json"]
            run([*command, "--to", peer.runtime, "--precision", peer.precision])
        return out / FILES[peer.runtime]

    def _theirs(self, network: str, peer: Peer) -> Path:
        suffix = Path(FILES[peer.runtime]).suffix
        out = self._folder / f"theirs-{network}-{peer.kind}{suffix}"
        if out.is_file():
            return out
        graph, calibration, _ = self._inputs(network)
        if peer.kind == "onnx2tf":
            return self._onnx2tf(graph, out)
        source = KERAS_WEIGHTS if peer.only else graph
        run([sys.executable, SCRIPTS / "converters.py", peer.kind, source, out, calibration])
        return out

    def _onnx2tf(self, graph: Path, out: Path) -> Path:
        command = os.environ.get("ONNX2TF")
        if not command:
            raise SystemExit(
                "onnx2tf is not installed: python3 -m venv onnx2tf; onnx2tf/bin/pip install -r "
                "benchmarks/peers/requirements-onnx2tf.txt; then set ONNX2TF=onnx2tf/bin/onnx2tf"
            )
        made = self._folder / "onnx2tf"
        path = f"{Path(command).parent}{os.pathsep}{os.environ['PATH']}"
        run(
            [command, "-i", graph, "-o", made, "-n", "-v", "error"],
            PATH=path,
            PYTHONPATH="",
        )
        shutil.copyfile(made / f"{graph.stem}_float32.tflite", out)
        shutil.rmtree(made)
        return out

    def _inputs(self, network: str) -> tuple[Path, Path, Path]:
        """The network in ONNX, photos to calibrate on, and photos to show."""
        import onnx

        from ninebrains.brains import load
        from ninebrains.brains.graph import unpack
        from ninebrains.exporting.photos import calibration_photos, held_out
        from ninebrains.images import prepare

        names = ("graph.onnx", "calibration.npy", "photos.npy")
        graph, calibration, photos = (self._folder / f"{network}-{name}" for name in names)
        if not photos.is_file():
            brain = load(train(DATA, network, self._folder))
            onnx.save(unpack(brain.graph), graph)
            np.save(calibration, calibration_photos(brain, None, 0))
            shown = held_out(brain).paths[:_NUM_PHOTOS]
            np.save(photos, np.stack([prepare(path, brain.contract) for path in shown]))
        return graph, calibration, photos

    def once(self, network: str, opened: str, file: Path, threads: int, seconds: float) -> Any:  # noqa: ANN401
        """What a fresh process finds: milliseconds of each photo, scores of the first, version."""
        told = {
            "models": [str(file)],
            "pixels": str(self._inputs(network)[2]),
            "setting": opened,
            "threads": threads,
            "pool": 1,
            "seconds": seconds,
        }
        command = [sys.executable, SCRIPTS / "artefacts.py", json.dumps(told)]
        return json.loads(run(command, OMP_NUM_THREADS=str(threads)).output.splitlines()[-1])


def compare(
    bench: Bench, pair: Pair, threads: int, repeats: int, seconds: float
) -> dict[str, object]:
    """A row: ours and theirs in turn, so often."""
    peer = pair.peer
    files = {
        "ours": (peer.runtime, pair.ours),
        "theirs": (peer.opened or peer.runtime, pair.theirs),
    }
    took: dict[str, list[float]] = {side: [] for side in files}
    told: dict[str, Any] = {}
    for number in range(repeats):
        for side in list(files) if number % 2 else list(files)[::-1]:
            opened, file = files[side]
            told[side] = bench.once(pair.network, opened, file, threads, seconds)
            took[side].append(float(np.percentile(told[side]["ms"], _UNDISTURBED)))
    ratios = sorted(one / other for one, other in zip(took["theirs"], took["ours"], strict=True))
    low, _, high = statistics.quantiles(ratios, n=4) if repeats > 1 else ratios * 3
    return {
        "network": TITLES[pair.network],
        "runtime": peer.runtime,
        "version": told["ours"]["version"],
        "precision": peer.precision,
        "peer": peer.name,
        "threads": threads,
        "repeats": repeats,
        "ours_ms": round(median(took["ours"]), 3),
        "peer_ms": round(median(took["theirs"]), 3),
        "times_as_fast": round(median(ratios), 3),
        "times_as_fast_25": round(low, 3),
        "times_as_fast_75": round(high, 3),
        "ours_mb": round(size_of(pair.ours) / 1e6, 2),
        "peer_mb": round(size_of(pair.theirs) / 1e6, 2),
        "scores_differ": "" if peer.only else _difference(told),
    }


def size_of(file: Path) -> int:
    """Bytes of an artefact, with the weights that lie beside OpenVINO's."""
    beside = file.with_suffix(".bin")
    return file.stat().st_size + (beside.stat().st_size if beside.is_file() else 0)


def _difference(told: dict[str, Any]) -> float:
    """How far the scores of one photo differ: both must have computed the same thing."""
    ours, theirs = (np.array(told[side]["scores"][0]) for side in ("ours", "theirs"))
    return round(float(np.abs(ours - theirs).max()), 5)


def main(words: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=9)
    options.add_argument("--seconds", type=float, default=0.4)
    options.add_argument("--folder", type=Path, help="keep brains and artefacts for the next run")
    options.add_argument("--only", default="", choices=("", *FILES), help="one runtime")
    options.add_argument("--quick", action="store_true", help="see that it runs; writes no CSV")
    told = options.parse_args(words)
    need_shared()
    repeats = 2 if told.quick else told.repeats
    with tempfile.TemporaryDirectory() as scratch:
        folder = told.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder)
        rows = []
        for pair in bench.pairs(told.only):
            for threads in (1, 2):
                row = compare(bench, pair, threads, repeats, told.seconds)
                rows.append(row)
                print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    if not (told.quick or told.only):
        write_results("export", rows)


if __name__ == "__main__":
    main()
