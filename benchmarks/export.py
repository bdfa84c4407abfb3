"""Exports against what common converters make of the same network: is ours ever slower?

    python -m benchmarks.export [--rounds 4] [--folder KEEP] [--only litert] [--quick]

Each artefact runs in a fresh process, ours and the peer's side by side; they take turns of a few
photos, the order changing from turn to turn. Of a turn the fastest photo counts, since the machine
is shared, and the figure is the median of the turns' ratios, over several rounds of fresh
processes. All outputs are computed: scores, heat map, features and the distance to what is known.
The networks are brains on octo, `mobilenet_v2_100` and a Keras MobileNetV1 0.25. The converters get
the brain's network in ONNX; Keras' own gets the same MobileNetV1 as a Keras model, with a dense
layer in place of the head and only scores to give.

onnx2tf lives in an environment of its own (benchmarks/peers/requirements-onnx2tf.txt), whose
command ONNX2TF names.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.receipts import KERAS_WEIGHTS, TITLES, Cell, measure, train, trunks
from benchmarks.running import ROOT, median, need_shared, run, use_home, write_results

SCRIPTS = ROOT / "benchmarks/peers"
FILES = {"onnx": "model.onnx", "litert": "model.tflite", "openvino": "model.xml"}
DATA = "dogcat"
_KERAS = "mobilenet_v1_025"
THREADS = (1, 2)
_NUM_PHOTOS = 8
_TURNS, _TURN_MS, _LEAST_TURN = 25, 30.0, 4  # a round; the shortest turn holds so many photos


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
    Peer("onnx2tf, numpy before it", "onnx2tf", "litert", "fp32", opened="litert outside"),
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

    def pairs(self, networks: Sequence[str], only: str) -> Iterator[Pair]:
        """All that can be made here; what cannot is told."""
        for network in [one for one in trunks(self._folder / "home") if one in networks]:
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
        cell = Cell(DATA, network, peer.runtime, peer.precision)
        out = self._folder / "exports" / cell.name
        if not out.is_dir():
            row = measure(cell, train(DATA, network, self._folder), self._folder)
            if not out.is_dir():
                raise SystemExit(f"ours was {row['verdict']}: {row['note']}")
        return out / FILES[peer.runtime]

    def _theirs(self, network: str, peer: Peer) -> Path:
        suffix = Path(FILES[peer.runtime]).suffix
        out = self._folder / f"theirs-{network}-{peer.kind}{suffix}"
        if out.is_file():
            return out
        graph, calibration, _ = self._inputs(network)
        if peer.kind == "onnx2tf":
            return self._onnx2tf(graph, out, calibration)
        source = KERAS_WEIGHTS if peer.only else graph
        run([sys.executable, SCRIPTS / "converters.py", peer.kind, source, out, calibration])
        return out

    def _onnx2tf(self, graph: Path, out: Path, calibration: Path) -> Path:
        """With floats and channels first at the entrance, which is what it takes.

        Of uint8 photos with channels last it makes a wrong layout, and with a batch of one it
        stops at octo's strided convolutions; so it gets neither.
        """
        command = os.environ.get("ONNX2TF")
        if not command:
            raise SystemExit(
                "onnx2tf is not installed: python3 -m venv onnx2tf; onnx2tf/bin/pip install -r "
                "benchmarks/peers/requirements-onnx2tf.txt; then set ONNX2TF=onnx2tf/bin/onnx2tf"
            )
        floats, made = out.with_name(f"floats-{graph.name}"), self._folder / "onnx2tf"
        run([sys.executable, SCRIPTS / "converters.py", "outside", graph, floats, calibration])
        path = f"{Path(command).parent}{os.pathsep}{os.environ['PATH']}"
        words = [command, "-i", floats, "-o", made, "-n", "-v", "error"]
        run(words, PATH=path, PYTHONPATH="")
        shutil.copyfile(floats.with_suffix(".npy"), out.with_suffix(".npy"))
        shutil.copyfile(made / f"{floats.stem}_float32.tflite", out)
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

    @contextmanager
    def open(self, network: str, kind: str, file: Path, threads: int) -> Iterator[Runner]:
        """An artefact in a fresh process."""
        pixels = self._inputs(network)[2]
        command = [sys.executable, SCRIPTS / "artefacts.py", kind, file, pixels, threads]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            )
            with process:
                try:
                    yield Runner(process, errors)
                finally:
                    process.kill()


class Runner:
    """An artefact that runs when it is its turn; `told` is what it said when it was opened."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process, self._errors = process, errors
        self.told = self._hear()

    def turn(self, num: int) -> float:
        """Milliseconds of the fastest of so many photos."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"%d\n" % num)
        return float(min(self._hear()))

    def _hear(self) -> Any:  # noqa: ANN401
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise SystemExit(f"an artefact cannot be run: {self._errors.read().decode()[-600:]}")
        return json.loads(line)


def compare(bench: Bench, pair: Pair, threads: int, rounds: int) -> dict[str, object]:
    """A row: ours and theirs in turn."""
    peer = pair.peer
    kinds = {
        "ours": (peer.runtime, pair.ours),
        "theirs": (peer.opened or peer.runtime, pair.theirs),
    }
    took: dict[str, list[float]] = {side: [] for side in kinds}
    for _ in range(rounds):
        with ExitStack() as stack:
            opened = {
                side: stack.enter_context(bench.open(pair.network, *kind, threads))
                for side, kind in kinds.items()
            }
            longest = max(runner.turn(_LEAST_TURN) for runner in opened.values())
            num = max(_LEAST_TURN, round(_TURN_MS / longest))
            for number in range(_TURNS):
                for side in list(opened) if number % 2 else list(opened)[::-1]:
                    took[side].append(opened[side].turn(num))
    ratios = [one / other for one, other in zip(took["theirs"], took["ours"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "network": TITLES[pair.network],
        "runtime": peer.runtime,
        "version": opened["ours"].told["version"],
        "precision": peer.precision,
        "peer": peer.name,
        "threads": threads,
        "turns": len(ratios),
        "ours_ms": round(median(took["ours"]), 3),
        "peer_ms": round(median(took["theirs"]), 3),
        "times_as_fast": round(middle, 3),
        "times_as_fast_25": round(low, 3),
        "times_as_fast_75": round(high, 3),
        "times_as_fast_fastest": round(min(took["theirs"]) / min(took["ours"]), 3),
        "ours_mb": round(size_of(pair.ours) / 1e6, 2),
        "peer_mb": round(size_of(pair.theirs) / 1e6, 2),
        "scores_differ": "" if peer.only else _difference(opened),
    }


def size_of(file: Path) -> int:
    """Bytes of an artefact, with the weights that lie beside OpenVINO's."""
    beside = file.with_suffix(".bin")
    return file.stat().st_size + (beside.stat().st_size if beside.is_file() else 0)


def _difference(opened: Mapping[str, Runner]) -> float:
    """How far the scores of one photo differ: both must have computed the same thing."""
    ours, theirs = (np.array(opened[side].told["scores"]) for side in ("ours", "theirs"))
    return round(float(np.abs(ours - theirs).max()), 5)


def main(words: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=4, help="of fresh processes")
    options.add_argument("--folder", type=Path, help="keep what is made; that of receipts will do")
    options.add_argument("--only", default="", choices=("", *FILES), help="one runtime")
    options.add_argument("--networks", default=",".join(TITLES), help="only brains on these trunks")
    options.add_argument("--quick", action="store_true", help="see that it runs; writes no CSV")
    told = options.parse_args(words)
    need_shared()
    with tempfile.TemporaryDirectory() as scratch:
        folder = told.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder)
        for pair in bench.pairs(told.networks.split(","), told.only):
            for threads in THREADS:
                try:
                    row = compare(bench, pair, threads, 1 if told.quick else told.rounds)
                except SystemExit as error:
                    print(f"passed over {pair.network} with {pair.peer.name}: {error}", flush=True)
                    continue
                print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
                if not told.quick:
                    row_file(folder, pair.network, pair.peer, threads).write_text(json.dumps(row))
        files = (row_file(folder, *kind) for kind in itertools.product(TITLES, PEERS, THREADS))
        rows = [json.loads(file.read_text()) for file in files if file.is_file()]
        if rows and not told.quick:
            write_results("export", rows)


def row_file(folder: Path, network: str, peer: Peer, threads: int) -> Path:
    """Where a row is kept, so that a run may measure some of them only."""
    kept = folder / "rows"
    kept.mkdir(exist_ok=True)
    return kept / f"{network}-{peer.kind}-{threads}.json"


if __name__ == "__main__":
    main()
