"""Networks from elsewhere that join a mind beside brains: detectors, segmenters, classifiers.

    model.onnx ── import_model ──► Guest(graph: photos uint8[N,H,W,3] ─► the network's own outputs)

The way in is the one that trunks take (`trunks.entrance`), so a classifier shares its layers with
the brains on a trunk that was made from the same file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ninebrains.brains.graph import Graph, pack
from ninebrains.brains.labelling import labels_from
from ninebrains.brains.manifest import NAME_PATTERN, Label, name_from
from ninebrains.errors import BrainError, TrunkError
from ninebrains.images import Contract, Fit
from ninebrains.mind.guests.checks import prove, proving_photos
from ninebrains.mind.guests.network import Network, read_network
from ninebrains.mind.guests.scores import (
    Activation,
    Rows,
    Scoring,
    add_scores,
    check_scores,
    choose_scoring,
    read_names,
)
from ninebrains.trunks.comparing import prepared
from ninebrains.trunks.inputs import InputOverrides
from ninebrains.trunks.normalising import Color, Triple
from ninebrains.trunks.probing import probe_all
from ninebrains.trunks.wiring import Layout


@dataclass(frozen=True)
class Output:
    """One thing that a guest gives.

    Attributes:
        name: as the network calls it.
        dtype: numpy's name.
        shape: for one photo, without the axis of the photos.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Guest:
    """An ONNX model from elsewhere that joins a mind beside brains.

    Attributes:
        name: under which the mind answers for it.
        version: the first 12 hex digits of the file's SHA-256.
        graph: from `photos` uint8[N, H, W, 3] to `outputs`; normalisation is inside.
        contract: how a photo becomes its input.
        outputs: what it gives: the network's own outputs, and scores where they had to be made.
        source: name and SHA-256 of each file that it was made from.
        labels: what the values in `scores` belong to, by index; empty where nothing was said.
        scores: name of the output float32[N, C] that holds one score of 0 to 1 a label, or None.
        at_once: 1 where the network can answer for one photo at a time only, because it was made
            for one or its answers would depend on the others in the batch; else None.
    """

    name: str
    version: str
    graph: Graph = field(repr=False)
    contract: Contract
    outputs: tuple[Output, ...]
    source: str
    labels: tuple[Label, ...] = field(default=(), repr=False)
    scores: str | None = None
    at_once: int | None = None


def import_model(  # noqa: PLR0913 - each says one thing that a network may leave open
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    fit: Fit = "crop",
    pad_color: tuple[int, int, int] | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    layout: Layout | None = None,
    color: Color | None = None,
    labels: Sequence[str] | str | os.PathLike[str] | None = None,
    activation: Activation | None = None,
    scores: str | None = None,
    outputs: Sequence[str] | None = None,
) -> Guest:
    """Make any ONNX network that looks at photos ready for a mind, and prove that it still is it.

    The file is read without trust, as a trunk's is: operators of the default ONNX domain alone, no
    control flow, no paths out of its folder, bounded sizes. The network is kept whole.

    Args:
        path: the ONNX file; weights in other files lie in its folder.
        name: under which the mind answers for it; by default the file's.
        size: of the photos in pixels, (height, width), for networks that leave it open.
        fit: how photos of other proportions are fitted: `crop`, `pad` or `stretch`.
        pad_color: R, G, B of the bars for `pad`.
        mean: subtracted from the photos, R, G, B in units of 0 to 1, as torchvision's.
        std: divided by afterwards; (1/255,) * 3 for networks that take 0 to 255.
        layout: `nchw` or `nhwc`.
        color: the order of the channels that the network reads, `rgb` or `bgr`.
        labels: names in the order of the network's scores, or a text file with a name a line.
        activation: what makes scores of the network's values, if it does not end in them.
        scores: the output that the labels belong to, where several could be it.
        outputs: of the network that are kept; all by default.

    Raises:
        BrainError: it is no such network, or something about it has to be said.

    Example:
        >>> import ninebrains as nb
        >>> detector = nb.import_model(  # doctest: +SKIP
        ...     "yolox_nano.onnx", fit="pad", pad_color=(114, 114, 114),
        ...     mean=(0, 0, 0), std=(1 / 255,) * 3, color="bgr",
        ... )
        >>> mind = nb.Mind(["pets.brain", detector])  # doctest: +SKIP
    """
    path = Path(path)
    name = name_from(path.stem) if name is None else name
    if not re.fullmatch(NAME_PATTERN, name):
        raise BrainError(
            f"{name!r} cannot be a model's name; expected 1 to 100 letters, digits, '.', '_' or "
            "'-', beginning with a letter or digit"
        )
    names = read_names(labels)
    sides = (size, size) if isinstance(size, int) else size
    try:
        overrides = InputOverrides(sides, fit, pad_color, mean, std, layout, color)
        network = read_network(path, overrides, outputs)
        scoring = choose_scoring(network.shapes, len(names), scores, activation, path.name)
        return _guest(name, network, names, scoring)
    except TrunkError as error:
        raise BrainError(str(error)) from error


def _guest(name: str, network: Network, names: Sequence[str], scoring: Scoring | None) -> Guest:
    """Finish the network's graph, and prove that it answers as the original does."""
    photos = proving_photos(network.form)
    values = prepared(photos, network.form, network.normalisation)
    original = probe_all(network.original, network.form, list(network.shapes), values)
    outputs = [_output(output, original[0], network) for output in network.shapes]
    if scoring is not None:
        check_scores(scoring, original, network.file_name)
        add_scores(network.body, scoring)
        if scoring.output != scoring.source:
            outputs.append(Output(scoring.output, "float32", (len(names),)))
    _declare(network, outputs)
    graph = pack(network.body)
    return Guest(
        name=name,
        version=network.digest[:12],
        graph=graph,
        contract=network.form.contract,
        outputs=tuple(outputs),
        source=f"{network.file_name} sha256:{network.digest}",
        labels=tuple(labels_from(names)),
        scores=None if scoring is None else scoring.output,
        at_once=prove(network.body, graph, photos, original, network.file_name),
    )


def _output(name: str, rows: Rows, network: Network) -> Output:
    """Type and shape of an output, as it came out and as it was told beforehand."""
    found, expected = rows[name], tuple(network.shapes[name])
    if found.shape != expected:
        raise BrainError(
            f"the output {name!r} of {network.file_name} has the shape {list(found.shape)}; its "
            f"graph says {list(expected)}. Export the model with fixed shapes."
        )
    if found.dtype.kind not in "fiub":
        raise BrainError(
            f"the output {name!r} of {network.file_name} holds {found.dtype} values; expected "
            "numbers. Leave it out (outputs=...)."
        )
    return Output(name, found.dtype.name, expected[1:])


def _declare(network: Network, outputs: Sequence[Output]) -> None:
    """Say the types and shapes of what the graph gives."""
    import numpy as np
    from onnx import helper

    del network.body.graph.output[:]
    network.body.graph.output.extend(
        helper.make_tensor_value_info(
            output.name,
            helper.np_dtype_to_tensor_dtype(np.dtype(output.dtype)),
            ["N", *output.shape],
        )
        for output in outputs
    )
