"""What a process with N brains holds in memory.

    python -m benchmarks.mind.memory [--quick] [--trunks ...] [--folder ...]

Fresh processes for N = 1, 16, 64 and 256, each loading the brains from files: what the process
holds with everything imported, after loading, and after traffic (each photo through all brains,
then 8 callers asking for random brains). Pages that a system library shares with other processes
count in RSS; `private` leaves them out. The heads' own size is that of their tensors, each once.
`over` is what more than one brain adds beyond the heads, as a share of one brain's process:
(N's - heads) / one's; `net` is the same without what an empty process holds.

The peer is one ONNX Runtime session a brain, for N = 1, 4 and 16.
"""

from __future__ import annotations

import random

from benchmarks.mind.brains import head_bytes, make_brains, write_onnx
from benchmarks.mind.callers import closed_loop
from benchmarks.mind.holding import held
from benchmarks.mind.measuring import (
    Asked,
    Measured,
    in_process,
    photo_files,
    read_photos,
    rounded,
    start,
)
from benchmarks.running import median

COUNTS = (1, 16, 64, 256)
PEER_COUNTS = (1, 4, 16)
MB = 1e6


def main(asked: Asked) -> None:
    rows = []
    for trunk in asked.trunks:
        counts = COUNTS[:2] if asked.quick else COUNTS
        brains = make_brains(trunk, counts[-1], asked.folder)
        files = write_onnx(brains[: PEER_COUNTS[-1]], asked.folder / "onnx")
        photos = photo_files(asked.folder, 32)
        tried = [("ninebrains", count, brains[:count]) for count in counts]
        tried += [("onnxruntime", count, files[:count]) for count in PEER_COUNTS]
        found: dict[tuple[str, int], list[Measured]] = {}
        for _ in range(int(asked.quickly(2, 1))):
            for what, count, models in tried:
                seconds = asked.quickly(3, 1)
                told = {"what": what, "models": models, "photos": photos, "seconds": seconds}
                found.setdefault((what, count), []).append(
                    in_process("memory", asked.folder, **told)
                )
        for what, count, _ in tried:
            rows.append(_row(trunk, what, count, found, head_bytes(brains[:count])))
    asked.report("mind_memory", rows)


def _row(
    trunk: str, what: str, count: int, found: dict[tuple[str, int], list[Measured]], heads: int
) -> dict[str, object]:
    def middle(name: str, of: int = count) -> float:
        return median(once[name] for once in found[what, of])

    ours = what == "ninebrains"
    own = heads / MB if ours and count > 1 else 0.0
    empty, one, here = middle("empty_rss"), middle("used_rss", 1), middle("used_rss")
    return rounded(
        {
            "trunk": trunk,
            "what": what,
            "brains": count,
            "repeats": len(found[what, count]),
            "heads_mb": own,
            "empty_rss_mb": empty,
            "loaded_rss_mb": middle("loaded_rss"),
            "loaded_peak_mb": middle("loaded_peak"),
            "used_rss_mb": here,
            "used_pss_mb": middle("used_pss"),
            "used_private_mb": middle("used_private"),
            "used_peak_mb": middle("used_peak"),
            "over": (here - own) / one,
            "over_private": (middle("used_private") - own) / middle("used_private", 1),
            "over_net": (here - empty - own) / (one - middle("empty_rss", 1)),
        },
        2,
    )


def measure(what: str, models: list[str], photos: str, seconds: float) -> Measured:
    """Megabytes of this process with nothing loaded, after loading and after traffic."""
    import onnx  # noqa: F401 - what is imported anyway is not a brain's
    import onnxruntime  # noqa: F401

    import ninebrains as nb

    shown = read_photos(photos)
    nb.prepare(shown[0], nb.Contract(96, 96))
    nb.Mind([]).close()
    found = _held("empty")
    if what == "onnxruntime":
        return {**found, **_measure_sessions(models, shown, seconds)}
    with nb.Mind(models) as mind:
        mind.run(shown[0])
        found |= _held("loaded")
        names = mind.names

        def ask(draw: random.Random) -> None:
            mind.run(draw.choice(shown), [draw.choice(names)])

        for photo in shown:
            mind.run(photo)
        closed_loop(ask, 8, seconds)
        return {**found, **_held("used")}


def _measure_sessions(models: list[str], shown: list[bytes], seconds: float) -> Measured:
    import onnxruntime

    from ninebrains.images import Contract, prepare
    from ninebrains.workers import usable_cores

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    sessions = [onnxruntime.InferenceSession(path, options, providers) for path in models]
    _, side, _, _ = sessions[0].get_inputs()[0].shape
    pixels = [prepare(photo, Contract(side, side))[None] for photo in shown]
    wanted = ["scores", "features", "unfamiliar"]
    for session in sessions:
        session.run(wanted, {"photos": pixels[0]})
    found = _held("loaded")

    def ask(draw: random.Random) -> None:
        draw.choice(sessions).run(wanted, {"photos": draw.choice(pixels)})

    for session in sessions:
        for photo in pixels:
            session.run(wanted, {"photos": photo})
    closed_loop(ask, 8, seconds)
    return {**found, **_held("used")}


def _held(when: str) -> Measured:
    now = held()
    return {
        f"{when}_rss": now.resident / MB,
        f"{when}_pss": now.proportional / MB,
        f"{when}_private": now.private / MB,
        f"{when}_peak": now.peak / MB,
    }


if __name__ == "__main__":
    start(main, measure)
