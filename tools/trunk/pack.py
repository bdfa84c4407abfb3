"""Put an exported network into the package as `octo`: `python -m tools.trunk.pack FILE.onnx ...`.

    python -m tools.trunk.pack octo.onnx --mean M --std S [--out FOLDER]

Weights of convolutions become 8-bit numbers with a factor for each output channel.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import numpy_helper

from ninebrains.brains.graph import pack, unpack
from ninebrains.trunks import InputOverrides, import_trunk
from ninebrains.trunks.embedded import FACTOR, FILES, NAME, multiplied
from ninebrains.trunks.record import TrunkRecord

_LEAST_NUMBERS = 10_000  # of a weight worth making smaller
_CANDIDATES = np.linspace(0.7, 1.0, 31)

Floats = npt.NDArray[np.float32]


def rounded(weight: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """8-bit numbers and factors [O] for a weight [O, ...].

    The largest number of a channel stands for somewhat less than its largest weight where that
    makes the squared error of the whole channel smaller.
    """
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    largest = np.maximum(np.abs(rows).max(1), 1e-12)
    best = np.full(len(rows), np.inf)
    factors = largest / 127
    for share in _CANDIDATES:
        tried = largest * share / 127
        back = np.clip(np.rint(rows / tried[:, None]), -127, 127) * tried[:, None]
        error = ((back - rows) ** 2).sum(1)
        factors = np.where(error < best, tried, factors)
        best = np.minimum(error, best)
    factors = factors.astype(np.float32)
    numbers = np.clip(np.rint(rows / factors[:, None]), -127, 127).astype(np.int8)
    return numbers.reshape(weight.shape), factors


def main() -> None:
    """Import, make small, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--mean", type=float, required=True, help="units of 0 to 1")
    parser.add_argument("--std", type=float, required=True, help="units of 0 to 1")
    parser.add_argument("--source", required=True, help="one line: data, views, date")
    parser.add_argument("--out", type=Path, default=Path("src/ninebrains/trunks") / NAME)
    told = parser.parse_args()
    overrides = InputOverrides(mean=(told.mean,) * 3, std=(told.std,) * 3)
    trunk = import_trunk(told.file, NAME, overrides)
    model = unpack(trunk.graph)
    kept: dict[str, npt.NDArray[np.generic]] = {}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.size < _LEAST_NUMBERS:
            continue
        numbers, factors = rounded(array)
        tensor.raw_data = bytes(multiplied(numbers, factors))
        digest = hashlib.sha256(tensor.raw_data).hexdigest()
        kept |= {digest: numbers, f"{digest}.{FACTOR}": factors}
    graph = pack(model)
    for name, raw in graph.weights.items():
        if name not in kept:
            kept[name] = np.frombuffer(raw, np.float32)
    record = TrunkRecord.of(trunk).model_copy(
        update={"hash": graph.hash, "family": "ninebrains", "source": told.source}
    )
    told.out.mkdir(parents=True, exist_ok=True)
    json, data, weights = (told.out / name for name in FILES)
    json.write_text(record.model_dump_json(indent=2) + "\n")
    data.write_bytes(graph.data)
    np.savez(weights, **kept)
    print(f"{weights}: {weights.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
