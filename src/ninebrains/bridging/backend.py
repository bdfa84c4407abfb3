"""Keras as it is here: imported without chatter, on whichever backend the user has chosen."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ninebrains.errors import ExtraError

INSTALL = "pip install 'ninebrains[keras]'"


@contextmanager
def quietly() -> Iterator[None]:
    """Keep to ourselves what TensorFlow's libraries write to the terminal, warnings included.

    Their C++ parts write to the process's standard error, past Python's. What goes wrong is raised,
    so nothing is lost.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings(), tempfile.TemporaryFile() as sink:
        warnings.simplefilter("ignore")
        try:
            kept = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def import_keras() -> Any:  # noqa: ANN401 - keras has no types
    """The module `keras`.

    Raises:
        ExtraError: it is not installed.
    """
    try:
        with quietly():
            import keras
    except ImportError as error:
        raise ExtraError(f"this needs Keras 3: {INSTALL}") from error
    return keras


def import_tensorflow() -> Any:  # noqa: ANN401 - tensorflow has no types
    """The module `tensorflow`, which Keras runs on too.

    Raises:
        ExtraError: it is not installed, or Keras runs on something else.
    """
    try:
        with quietly():
            import tensorflow
    except ImportError as error:
        raise ExtraError(f"this needs TensorFlow: {INSTALL}") from error
    backend = import_keras().config.backend()
    if backend != "tensorflow":
        raise ExtraError(
            f"Keras runs on {backend!r} here; this needs it on TensorFlow. Set the environment "
            "variable KERAS_BACKEND=tensorflow and start again."
        )
    return tensorflow
