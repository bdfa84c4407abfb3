"""A web export read back: its networks, in ONNX Runtime of this machine."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.brains.graph import session_options
from ninebrains.brains.interface import INPUT
from ninebrains.errors import BrainError
from ninebrains.images import Contract, Pixels

_LARGEST_FILE = 2**31


@dataclass(frozen=True)
class Networks:
    """Trunk and head of one brain of an export, as compiled sessions."""

    contract: Contract
    trunk: Any
    head: Any

    @classmethod
    def of(cls, folder: Path, brain: int = 0) -> Networks:
        """Open a brain of an export.

        Raises:
            BrainError: the export is damaged, or has no such brain.
        """
        try:
            site = json.loads((folder / "site.json").read_bytes())
            facts = site["brains"][brain]
            trunk = _unpacked(folder, site["trunks"][facts["trunk"]]["file"]["path"])
            head = _unpacked(folder, facts["head"]["path"])
            contract = Contract(
                **{**facts["contract"], "pad_color": tuple(facts["contract"]["pad_color"])}
            )
        except (OSError, EOFError, ValueError, LookupError, TypeError, zlib.error) as error:
            raise BrainError(
                f"{folder} is no web export, has no brain {brain}, or is damaged: {error}. "
                "Export it again."
            ) from error
        return cls(contract, _session(trunk), _session(head))

    def run(self, pixels: Pixels) -> dict[str, npt.NDArray[np.float32]]:
        """All outputs of `uint8[N, H, W, 3]`, by name."""
        seam = _run(self.trunk, {INPUT: pixels})
        taken = {value.name: seam[value.name] for value in self.head.get_inputs()}
        return {"features": seam["features"], **_run(self.head, taken)}


def _unpacked(folder: Path, path: str) -> bytes:
    target = (folder / path).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise ValueError(f"{path} leads out of the folder")
    with gzip.open(target) as file:
        return file.read(_LARGEST_FILE)


def _session(data: bytes) -> Any:  # noqa: ANN401 - onnxruntime has no types
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(
            data, session_options(), providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:
        raise BrainError(f"ONNX Runtime refuses a network of the export: {error}") from error


def _run(session: Any, inputs: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))
