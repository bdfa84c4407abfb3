"""Keras networks on their way to trunks: read or built, written as ONNX, and compared with that."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninebrains.bridging.backend import quietly
from ninebrains.bridging.files import read_file
from ninebrains.bridging.from_keras import convert
from ninebrains.bridging.from_keras.applications import PREFIX, build, read_name
from ninebrains.bridging.from_keras.reading import KERAS_FILE, SUFFIXES, read_network
from ninebrains.errors import TrunkError
from ninebrains.trunks.comparing import LARGEST_ERROR, Floats, largest_error
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.keras_families import keras_normalisation
from ninebrains.trunks.normalising import Normalisation
from ninebrains.trunks.probing import probe
from ninebrains.trunks.reading import take_model

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class KerasNetwork:
    """A Keras network as ONNX.

    Attributes:
        network: the Keras model.
        model: the same as ONNX, as `reading.read_model` gives it.
        file_name: for messages.
        source: what it was made from, with its SHA-256.
        normalisation: what it expects of its input, if that is certain.
    """

    network: Any
    model: onnx.ModelProto
    file_name: str
    source: str
    normalisation: Normalisation | None


def is_keras(path: str | os.PathLike[str]) -> bool:
    """Whether this names a Keras file, or one of Keras's applications."""
    text = os.fspath(path)
    return text.startswith(PREFIX) or text.lower().endswith(SUFFIXES)


def read_keras_network(
    path: str | os.PathLike[str],
    size: tuple[int, int] | None,
    weights: str | os.PathLike[str] | None,
) -> KerasNetwork:
    """Read a Keras file, or build one of Keras's applications, and write it as ONNX.

    Args:
        path: a `.keras` or `.h5` file, or `keras:NAME` with options.
        size: (height, width) of the photos, where the network leaves it open.
        weights: a file of weights for the application; without one Keras downloads ImageNet's.

    Raises:
        TrunkError: it cannot be read or built, or holds a layer that is not of the list.
        ExtraError: Keras is not installed.
    """
    text = os.fspath(path)
    if text.startswith(PREFIX):
        file_name = text
        network = build(read_name(text, size), None if weights is None else Path(weights))
        told = f"{text} ImageNet" if weights is None else f"{text} {Path(weights).name}"
        digest = None if weights is None else _digest(read_file(Path(weights), KERAS_FILE))
    else:
        if weights is not None:
            raise TrunkError(
                f"{text} is a file that has its own weights; --weights (in Python weights) goes "
                "with an application such as keras:MobileNet."
            )
        file_name = told = Path(text).name
        data = read_file(Path(text), KERAS_FILE)
        network, digest = read_network(data, file_name), _digest(data)
    converted = convert(network, size=size)
    model, written = take_model(converted.model.SerializeToString(), Path(file_name))
    return KerasNetwork(
        network=network,
        model=model,
        file_name=file_name,
        source=f"{told} sha256:{digest or written}",
        normalisation=keras_normalisation(converted),
    )


def check_answers(found: KerasNetwork, form: InputForm, values: Floats) -> None:
    """Compare what Keras answers with what the ONNX model answers.

    Args:
        found: the network.
        form: its input.
        values: photos as the network reads them, float32 [P, H, W, 3].

    Raises:
        TrunkError: the answers differ.
    """
    with quietly():
        expected = np.asarray(found.network(values, training=False))
    answers = np.concatenate(probe(found.model, form, found.model.graph.output[0].name, values))
    error = largest_error(expected.reshape(len(values), -1), answers.reshape(len(values), -1))
    if not error <= LARGEST_ERROR:
        raise TrunkError(
            f"the network of {found.file_name} answers otherwise as ONNX than in Keras: largest "
            f"error {error:.2g} of the largest answer (at most {LARGEST_ERROR}). It cannot be used "
            "as a trunk."
        )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
