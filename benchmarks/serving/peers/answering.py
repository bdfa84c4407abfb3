"""What every peer does with a photo: the usual decoding, one ONNX Runtime session a model.

Settings come from the environment: PEER_MODELS, a JSON list of files `[name, path]`; PEER_CONTRACT,
the contract as JSON; PEER_THREADS, of one session's run; PEER_LABELS, names by index;
PEER_DECODING, `pillow` for what the peers' own image examples do, `ours` for `images.prepare`.
"""

from __future__ import annotations

import io
import json
import os

import numpy as np
import onnxruntime
from PIL import Image

from ninebrains.images import Contract, prepare


class Models:
    """Models by name, each in a session of its own."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["PEER_THREADS"])
        contract = json.loads(os.environ["PEER_CONTRACT"])
        self._contract = Contract(**{**contract, "pad_color": tuple(contract["pad_color"])})
        self._decode = prepare if os.environ["PEER_DECODING"] == "ours" else by_pillow
        self._labels = json.loads(os.environ["PEER_LABELS"])
        self._sessions = {
            name: onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            for name, path in json.loads(os.environ["PEER_MODELS"])
        }

    def ask(self, photo: bytes, names: str) -> dict[str, dict[str, object]]:
        """The best label of each model named (`a,b`), or of all (``)."""
        pixels = self._decode(photo, self._contract)[None]
        chosen = names.split(",") if names else self._sessions
        return {name: self._answer(name, pixels) for name in chosen}

    def _answer(self, name: str, pixels: np.ndarray) -> dict[str, object]:
        scores, unfamiliar = self._sessions[name].run(["scores", "unfamiliar"], {"photos": pixels})
        best = int(scores[0].argmax())
        return {
            "label": self._labels[best],
            "score": float(scores[0, best]),
            "unfamiliar": float(unfamiliar[0]),
        }


def by_pillow(photo: bytes, contract: Contract) -> np.ndarray:
    """Decode in full, shrink until the frame is filled, cut the middle out."""
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    scale = max(contract.width / image.width, contract.height / image.height)
    size = (round(image.width * scale), round(image.height * scale))
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (image.width - contract.width) // 2, (image.height - contract.height) // 2
    return np.asarray(image.crop((left, top, left + contract.width, top + contract.height)))
