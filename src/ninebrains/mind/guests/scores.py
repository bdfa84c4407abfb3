"""The labels of a network from elsewhere, and which of its outputs holds their scores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ninebrains.errors import BrainError

if TYPE_CHECKING:
    import onnx

    from ninebrains.brains.checking import Shape

Activation = Literal["softmax", "sigmoid"]
Rows = Mapping[str, npt.NDArray[Any]]

LARGEST_LABEL_FILE_BYTES = 1 << 24
_LARGEST_SUM_ERROR = 1e-3


@dataclass(frozen=True)
class Scoring:
    """How a network's output becomes one score a label.

    Attributes:
        source: the network's output.
        activation: what makes scores of it, or None where it holds scores.
        output: name of the result; the same as `source` where nothing needs to be done.
        is_flat: whether the output is [N, C], not [N, C, 1, 1] or the like.
    """

    source: str
    activation: Activation | None
    output: str
    is_flat: bool


def read_names(labels: Sequence[str] | str | os.PathLike[str] | None) -> list[str]:
    """The labels' names, in the order of the network's output: given, or one a line of a file.

    Raises:
        BrainError: the file cannot be read or is no text, or a name is none.
    """
    if labels is None:
        return []
    if not isinstance(labels, str | os.PathLike):
        names = list(labels)
        if not names or not all(isinstance(name, str) for name in names):
            raise BrainError(f"labels are names or the path of a text file, not {labels!r}")
        return names
    path = Path(labels)
    try:
        if path.stat().st_size > LARGEST_LABEL_FILE_BYTES:
            raise BrainError(f"{path} is too large for a list of labels; expected a name a line")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BrainError(
            f"cannot read the labels in {path}: {error.strerror or error}. Expected a text file "
            "with a name a line, or a list of names."
        ) from error
    except UnicodeDecodeError as error:
        raise BrainError(f"{path} is not UTF-8 text; expected a label's name a line") from error
    names = text.rstrip().split("\n")
    if names == [""]:
        raise BrainError(f"{path} is empty; expected a label's name a line")
    return [name.strip() for name in names]


def choose_scoring(
    shapes: Mapping[str, Shape],
    num_labels: int,
    wanted: str | None,
    activation: Activation | None,
    file_name: str,
) -> Scoring | None:
    """Find the output with one value a label; None where there are no labels.

    Args:
        shapes: of the network's outputs for one photo.
        num_labels: how many names were given.
        wanted: the output that the user names.
        activation: what the user says of it.
        file_name: for messages.

    Raises:
        BrainError: there is no such output, or several.
    """
    if activation not in (None, "softmax", "sigmoid"):
        raise BrainError(f"activation is 'softmax' or 'sigmoid', not {activation!r}")
    if not num_labels:
        if wanted is not None or activation is not None:
            raise BrainError(
                "scores and activation say where the labels' scores come from: give labels as well"
            )
        return None
    shown = ", ".join(f"{name!r} {['N', *shape[1:]]}" for name, shape in shapes.items())
    if wanted is not None and wanted not in shapes:
        raise BrainError(f"{file_name} has no output {wanted!r}; it gives {shown}")
    fitting = [
        name
        for name, shape in shapes.items()
        if wanted in (None, name) and shape.count(num_labels) and np.prod(shape) == num_labels
    ]
    if not fitting:
        raise BrainError(
            f"{num_labels:,} labels were given, and {file_name} gives {shown}; expected "
            f"{'an output' if wanted is None else repr(wanted)} with one value a label. Give "
            "exactly as many labels, in the network's order."
        )
    if len(fitting) > 1:
        raise BrainError(
            f"{file_name} gives {num_labels:,} values a photo in {' and '.join(fitting)}; say "
            f"which one the labels belong to: scores={fitting[0]!r}"
        )
    source, is_flat = fitting[0], len(shapes[fitting[0]]) == 2
    if activation is None and is_flat:
        return Scoring(source, None, source, is_flat)
    made = "scores" if "scores" not in shapes else f"{source}/{activation or 'flat'}"
    return Scoring(source, activation, made, is_flat)


def add_scores(model: onnx.ModelProto, scoring: Scoring) -> None:
    """Compute the scores at the end of a network, whose own outputs stay as they are."""
    from onnx import helper

    if scoring.output == scoring.source:
        return
    value = scoring.source
    if not scoring.is_flat:
        flat = scoring.output if scoring.activation is None else f"{scoring.output}/flat"
        model.graph.node.append(helper.make_node("Flatten", [value], [flat], axis=1))
        value = flat
    if scoring.activation == "softmax":
        model.graph.node.append(helper.make_node("Softmax", [value], [scoring.output], axis=1))
    elif scoring.activation == "sigmoid":
        model.graph.node.append(helper.make_node("Sigmoid", [value], [scoring.output]))


def check_scores(scoring: Scoring, rows: Sequence[Rows], file_name: str) -> None:
    """Refuse what are no scores, or would be turned into scores twice.

    Args:
        scoring: the choice.
        rows: what the network itself gives, photo by photo.
        file_name: for messages.

    Raises:
        BrainError: saying which activation is wrong or missing.
    """
    values = np.concatenate([row[scoring.source].reshape(1, -1) for row in rows])
    if values.dtype != np.float32:
        raise BrainError(
            f"the output {scoring.source!r} of {file_name} holds {values.dtype} values; scores are "
            "float32. Leave labels out, or export the model with float32 outputs."
        )
    is_share = bool(values.min() >= 0.0 and values.max() <= 1.0)
    if scoring.activation is None and not is_share:
        raise BrainError(
            f"the output {scoring.source!r} of {file_name} holds values from {values.min():.3g} to "
            f"{values.max():.3g}, which are no scores of 0 to 1. Say activation='softmax' (one "
            "label a photo) or activation='sigmoid' (any number of them)."
        )
    sums = values.sum(axis=1, dtype=np.float64)
    adds_up = is_share and bool(np.all(np.abs(sums - 1.0) <= _LARGEST_SUM_ERROR))
    if scoring.activation is not None and adds_up and values.shape[1] > 1:
        raise BrainError(
            f"the output {scoring.source!r} of {file_name} holds scores that add up to 1 already; "
            f"leave activation={scoring.activation!r} out."
        )
