"""Processes that run the same networks share the pages of their weights.

ONNX Runtime copies weights, and most of them into another order that its kernels like better; so
what processes read from one file becomes memory of each of them. But what it has made of a network
it can also write to files, and the weights in such a file it only maps. The first process that
needs a network writes it, and all of them, that one too, use the file: its pages are there once.
The numbers are the same, as the same kernels get the same weights. Measured with the weights of
octo and mobilenet_v2_100 (21 MB): 103 MB that a worker has alone become 80 MB.

The files are for one run on one machine: made after the weights were checked, in a folder of the
host's own, and good for nothing later, as what ONNX Runtime makes of a network depends on the
processor and its own version.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninebrains.brains.graph import session_options
from ninebrains.errors import BrainError, OutputError
from ninebrains.places import holding

if TYPE_CHECKING:
    from ninebrains.brains.graph import Graph

_GRAPH, _WEIGHTS = "graph.onnx", "weights.bin"
_SMALLEST_BYTES = "1024"  # smaller weights stay in the graph

_folder: Path | None = None


def share_weights(folder: Path | None) -> None:
    """Share weights with all processes that name the same folder, from now on; None: no more.

    The folder must be the caller's own, and local. On Windows nothing is shared.
    """
    global _folder  # noqa: PLW0603 - of the whole process, as its memory is
    _folder = folder if sys.platform != "win32" else None


def shared_session(
    graph: Graph, threads: int | None, configure: Callable[[Any], None], kind: str
) -> Any | None:  # noqa: ANN401 - onnxruntime has no types
    """A session for a network whose weights are shared; None where they are not.

    Args:
        graph: the network.
        threads: for one run.
        configure: sets further options.
        kind: tells apart what is configured otherwise.

    """
    if _folder is None or not graph.weights:
        return None
    place = _folder / _key(graph, kind)
    try:
        with holding(place.with_suffix(".lock")):
            if not place.is_dir():
                _write(graph, place, configure)
        return _open(place, threads, configure)
    except (OSError, OutputError, BrainError):
        # No room, or it cannot be written down. Compiled alone it goes on, or says what is wrong.
        return None


def _write(graph: Graph, place: Path, configure: Callable[[Any], None]) -> None:
    draft = place.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
    draft.mkdir()

    def writing(options: Any) -> None:  # noqa: ANN401 - onnxruntime has no types
        configure(options)
        options.optimized_model_filepath = str(draft / _GRAPH)
        for name, value in (("file_name", _WEIGHTS), ("min_size_in_bytes", _SMALLEST_BYTES)):
            options.add_session_config_entry(
                f"session.optimized_model_external_initializers_{name}", value
            )

    try:
        graph.session(1, configure=writing)
        draft.rename(place)
    except (BrainError, OSError):
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _open(place: Path, threads: int | None, configure: Callable[[Any], None]) -> Any:  # noqa: ANN401
    import onnxruntime

    options = session_options(threads)
    configure(options)
    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # that has been done
    options.graph_optimization_level = level
    try:
        return onnxruntime.InferenceSession(
            str(place / _GRAPH), options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:
        raise OSError(f"{place}: {error}") from error


def _key(graph: Graph, kind: str) -> str:
    import onnxruntime

    seen = hashlib.sha256(f"{onnxruntime.__version__} {kind} ".encode())
    seen.update(hashlib.sha256(graph.data).digest())
    for name in sorted(graph.weights):  # which are their hashes
        seen.update(name.encode())
    return seen.hexdigest()
