"""The least that an answer takes: decoding and the network in a loop, without any server.

As many threads as there are cores, each with `images.prepare` and a session of one thread, which is
faster for many photos than one photo at a time on all cores.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.serving.photos import phone_photos, web_photos
from ninebrains.brains import load
from ninebrains.images import prepare

OUTPUTS = ["scores", "unfamiliar"]


def measure(brain: str, where: str, kind: str, seconds: float) -> dict[str, float]:
    """Photos a second."""
    import onnxruntime

    from benchmarks.mind.brains import write_onnx

    photos = web_photos() if kind == "web" else phone_photos(Path(where))
    (file,) = write_onnx([Path(brain)], Path(where) / "onnx")
    contract = load(brain).contract
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def loop(number: int, counts: list[int], end: float) -> None:
        at = number
        while time.perf_counter() < end:
            pixels = prepare(photos[at % len(photos)], contract)
            session.run(OUTPUTS, {"photos": pixels[None]})
            counts[number] += 1
            at += 1

    _rate(loop, 0.5)
    return {"rate": _rate(loop, seconds)}


def _rate(loop: Callable[[int, list[int], float], None], seconds: float) -> float:
    counts = [0] * (os.cpu_count() or 1)
    began = time.perf_counter()
    threads = [
        threading.Thread(target=loop, args=(number, counts, began + seconds))
        for number in range(len(counts))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)
