"""Other tools that hold N models of the same brains, and the settings at which each is fastest."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mind.brains import write_onnx
from benchmarks.mind.measuring import Measured
from benchmarks.running import ROOT, median, peer_python, run
from ninebrains.workers import usable_cores

SCRIPTS = ROOT / "benchmarks/peers"


@dataclass(frozen=True)
class Peer:
    """Another tool.

    Attributes:
        name: for the results.
        script: in `benchmarks/peers`.
        python: finds the interpreter that has it.
        kinds: of compilation, to choose among at N = 1, since some take minutes to compile.
        counts: the N that it is run at.
        converts: whether the script has to be asked to convert models first.
    """

    name: str
    script: str
    python: Callable[[], Path]
    kinds: tuple[str, ...]
    counts: tuple[int, ...]
    converts: bool = False


@dataclass(frozen=True)
class Setting:
    """How a peer runs: kind of compilation, threads inside a model, models side by side."""

    kind: str
    threads: int
    pool: int

    def __str__(self) -> str:
        kind = [] if self.kind == "plain" else [self.kind]
        side = [f"{self.pool} models side by side"] if self.pool > 1 else []
        return ", ".join([*kind, f"threads {self.threads}", *side])


PEERS = (
    Peer(
        "onnxruntime",
        "onnx_sessions.py",
        lambda: Path(sys.executable),
        kinds=("plain",),
        counts=(4, 16, 64),
    ),
    Peer(
        "keras",
        "keras_brains.py",
        peer_python,
        kinds=("function", "frozen", "xla"),
        counts=(1, 16),
        converts=True,
    ),
    Peer(
        "pytorch",
        "torch_brains.py",
        lambda: peer_python("torch"),
        kinds=("eager", "frozen", "compiled"),
        counts=(1, 16),
    ),
)


def thread_counts() -> list[int]:
    """Those worth trying inside one model."""
    return sorted({1, usable_cores()})


class PeerBench:
    """The brains of one trunk as files for peers, and how a peer is measured on them.

    Args:
        brains: folders of brains.
        pixels: .npy file of what is shown.
        folder: for the files.
        seconds: that one measurement takes.
    """

    def __init__(self, brains: Sequence[Path], pixels: Path, folder: Path, seconds: float) -> None:
        self._brains, self._pixels = brains, pixels
        self._folder, self._seconds = folder, seconds

    def tune(self, counts: Sequence[int]) -> dict[tuple[Peer, int], Setting]:
        """The fastest setting of every peer that is installed, at every N of it and of `counts`."""
        chosen = {}
        for peer in PEERS:
            try:
                peer.python()
            except SystemExit as error:
                print(f"passed over {peer.name}: {error}")
                continue
            kinds = [Setting(kind, some, 1) for kind in peer.kinds for some in thread_counts()]
            best = self._best(peer, 1, kinds)
            for count in [count for count in peer.counts if count in counts]:
                tried = [Setting(best.kind, threads, 1) for threads in thread_counts()]
                if count > 1:
                    tried.append(Setting(best.kind, 1, usable_cores()))
                chosen[peer, count] = self._best(peer, count, tried) if count > 1 else best
        return chosen

    def _best(self, peer: Peer, count: int, tried: Sequence[Setting]) -> Setting:
        took = {setting: self._try(peer, count, setting) for setting in tried}
        shown = "; ".join(f"{setting}: {took[setting]:.1f} ms" for setting in tried)
        print(f"{peer.name}, {count} brains: {shown}", flush=True)
        return min(took, key=lambda setting: took[setting])

    def _try(self, peer: Peer, count: int, setting: Setting) -> float:
        try:
            return float(self.once(peer, count, setting)["pixels_ms"])
        except SystemExit as error:
            if setting.kind == peer.kinds[0]:
                raise
            print(f"{peer.name} cannot run {setting}: {str(error)[-300:]}", flush=True)
            return float("inf")

    def once(self, peer: Peer, count: int, setting: Setting) -> Measured:
        """One photo through `count` models of a peer, in a fresh process."""
        files = write_onnx(self._brains[:count], self._folder)
        script = SCRIPTS / peer.script
        new = [file for file in files if not file.with_suffix(".keras").is_file()]
        if peer.converts and new:
            run([peer.python(), script, "convert", *new])
        told = {
            "models": [str(file) for file in files],
            "pixels": str(self._pixels),
            "setting": setting.kind,
            "threads": setting.threads,
            "pool": setting.pool,
            "seconds": self._seconds,
        }
        command = [peer.python(), script, json.dumps(told)]
        done = run(command, OMP_NUM_THREADS=str(setting.threads))
        printed = json.loads(done.output.splitlines()[-1])
        return {
            "pixels_ms": median(printed["ms"]),
            "scores": printed["scores"],
            "version": printed["version"],
        }
