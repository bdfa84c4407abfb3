"""A web export read back: its networks, in ONNX Runtime of this machine."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.brains.graph import session_options
from ninebrains.brains.interface import INPUT
from ninebrains.errors import ExportError
from ninebrains.exporting.web.runtime import BUILDS
from ninebrains.images import Contract, Pixels

PAGE = Path(__file__).parent / "page"

_LARGEST_FILE = 2**31
_LARGEST_SITE = 256 * 1024 * 1024
_DAMAGE = (OSError, ValueError, LookupError, TypeError)  # what reading a damaged file raises


@dataclass(frozen=True)
class Networks:
    """Trunk and head of one brain of an export, as compiled sessions."""

    contract: Contract
    outputs: tuple[str, ...]
    trunk: Any
    head: Any

    @classmethod
    def of(cls, folder: Path, brain: int = 0) -> Networks:
        """Open a brain of an export.

        Raises:
            ExportError: the export is damaged, or has no such brain.
        """
        try:
            site = read_site(folder)
            facts = site["brains"][brain]
            outputs = tuple(map(str, facts["outputs"]))
            trunk = _unpacked(folder, site["trunks"][facts["trunk"]]["file"]["path"])
            head = _unpacked(folder, facts["head"]["path"])
            contract = Contract(
                **{**facts["contract"], "pad_color": tuple(facts["contract"]["pad_color"])}
            )
        except (*_DAMAGE, EOFError, zlib.error) as error:
            raise _damaged(folder, f"brain {brain}: {error}") from error
        return cls(contract, outputs, _session(trunk), _session(head))

    def run(self, pixels: Pixels) -> dict[str, npt.NDArray[np.float32]]:
        """All outputs of `uint8[N, H, W, 3]`, by name."""
        seam = _run(self.trunk, {INPUT: pixels})
        taken = {value.name: seam[value.name] for value in self.head.get_inputs()}
        return {"features": seam["features"], **_run(self.head, taken)}


def read_site(folder: Path) -> dict[str, Any]:
    """The content of an export's site.json.

    Raises:
        ExportError: there is none, or it is damaged.
    """
    try:
        with (folder / "site.json").open("rb") as file:
            site = json.loads(file.read(_LARGEST_SITE))
    except (*_DAMAGE, RecursionError) as error:
        raise _damaged(folder, str(error)) from error
    if not isinstance(site, dict) or not isinstance(site.get("brains"), list):
        raise _damaged(folder, "site.json lists no brains")
    return site


def outputs_of(folder: Path, brain: int) -> tuple[str, ...]:
    """What a brain of an export gives.

    Raises:
        ExportError: the export is damaged, or has no such brain.
    """
    try:
        return tuple(map(str, read_site(folder)["brains"][brain]["outputs"]))
    except _DAMAGE as error:
        raise _damaged(folder, f"brain {brain}: {error}") from error


def check_code(folder: Path) -> None:
    """Make sure that all code in an export is what this version of Ninebrains writes.

    A browser keeps pages away from the machine, but not every browser that is started without a
    window does so as well: code from elsewhere is not run to check what it says.

    Raises:
        ExportError: a script or a program is another one.
    """
    wanted = {f"app/{path.name}": path.read_bytes() for path in PAGE.glob("app/*.mjs")}
    found = {f"app/{path.name}" for path in folder.glob("app/*")}
    for name in sorted(found | set(wanted)):
        if name not in wanted or _bytes(folder / name) != wanted[name]:
            raise _foreign(folder / name)
    runtimes: Any = read_site(folder).get("runtimes")
    for kind, build in BUILDS.items():
        try:
            module, wasm = runtimes[kind]["module"], runtimes[kind]["wasm"]["path"]
            data = _unpacked(folder, wasm)
        except (*_DAMAGE, EOFError, zlib.error) as error:
            raise _damaged(folder, f"the runtime {kind}: {error}") from error
        code = _bytes(folder / f"runtime/{kind}/{build.module}"), data
        hashes = tuple(hashlib.sha256(item).hexdigest() for item in code)
        if module != f"runtime/{kind}/{build.module}" or hashes != build.hashes:
            raise _foreign(folder / "runtime" / kind)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _foreign(path: Path) -> ExportError:
    return ExportError(
        f"{path} is not what this version of Ninebrains writes, so it is not run here. "
        "Export again."
    )


def _damaged(folder: Path, reason: str) -> ExportError:
    return ExportError(f"{folder} is no web export, or is damaged ({reason}). Export it again.")


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
        raise ExportError(f"ONNX Runtime refuses a network of the export: {error}") from error


def _run(session: Any, inputs: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))
