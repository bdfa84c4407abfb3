"""Keras files to networks, with everything refused that could run code or reach elsewhere."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninebrains.bridging.backend import import_keras, quietly
from ninebrains.bridging.files import LARGEST_FILE_BYTES, read_file
from ninebrains.bridging.from_keras.cleaning import FRESH, Config, clean
from ninebrains.bridging.from_keras.hdf5 import Weights, read_weights
from ninebrains.errors import TrunkError

if TYPE_CHECKING:
    import keras

KERAS_FILE = "a Keras model (.keras or .h5)"
SUFFIXES = (".keras", ".h5", ".hdf5")
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_LARGEST_CONFIG_BYTES = 64 * 1024**2
_SPARE_VALUES = 1_000_000  # more than a network's weights that its file need not hold


def read_keras(path: str | os.PathLike[str]) -> keras.Model:
    """Read a Keras network from a `.keras` file, or from a whole model in HDF5 (`.h5`).

    Nothing in the file is run: the network is made anew of the listed layers (`LAYERS`), from a
    configuration that holds plain values only, and the file's weights are put into it.

    Args:
        path: the file.

    Raises:
        TrunkError: it is damaged, too large, holds weights alone, names a layer that is not of the
            list, or leads to anything outside itself.
        ExtraError: Keras is not installed.

    Example:
        >>> read_keras("pets.keras").name  # doctest: +SKIP
        'functional'
    """
    path = Path(path)
    return read_network(read_file(path, KERAS_FILE), path.name)


def read_network(data: bytes, file_name: str) -> keras.Model:
    """As `read_keras`, from the file's bytes.

    Raises:
        TrunkError: as there.
        ExtraError: as there.
    """
    if data.startswith(b"PK"):
        config, weights = _unzipped(data, file_name)
        suffix = ".weights.h5"
    else:
        weights, suffix = read_weights(data, file_name), ".h5"
        if weights.config is None:
            raise TrunkError(
                f"{file_name} holds weights alone, no network; expected a whole model. If it is "
                "one of Keras's applications, name it: keras:MobileNet?alpha=0.25 --weights "
                f"{file_name} (in Python weights={file_name!r})."
            )
        config = weights.config
    cleaned = clean(config, file_name)
    import_keras()  # long, so only once there is something to make
    model = _made(cleaned, weights, file_name)
    put_weights(model, weights, suffix, file_name)
    return model


def _unzipped(data: bytes, file_name: str) -> tuple[str, Weights]:
    """The configuration and the weights inside a `.keras` file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if len(entries) != len(archive.infolist()) or len(entries) > 16:
                raise TrunkError(f"{file_name} is refused: it holds a part twice, or too many.")
            for name in entries.keys() - {_CONFIG, _METADATA, _WEIGHTS}:
                raise TrunkError(
                    f"{file_name} is refused: it holds {name[:80]!r}; expected {_CONFIG}, "
                    f"{_METADATA} and {_WEIGHTS} alone."
                )
            if _CONFIG not in entries or _WEIGHTS not in entries:
                raise TrunkError(
                    f"{file_name} is not a whole Keras model: it holds {sorted(entries)}; expected "
                    f"{_CONFIG} and {_WEIGHTS}. Save it with model.save('name.keras')."
                )
            config = _part(archive, entries[_CONFIG], _LARGEST_CONFIG_BYTES, file_name)
            weights = _part(archive, entries[_WEIGHTS], LARGEST_FILE_BYTES, file_name)
        return config.decode(), read_weights(weights, file_name)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise TrunkError(
            f"{file_name} is a damaged Keras file: {error}. Save or copy it again."
        ) from error


def _part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int, file_name: str) -> bytes:
    """One part of the archive, never more than allowed."""
    with archive.open(entry) as file:
        data = file.read(most + 1)
    if len(data) > most or entry.file_size != len(data):
        raise TrunkError(
            f"{file_name} is refused: its part {entry.filename!r} unpacks to {entry.file_size:,} "
            f"bytes or more; the limit is {most:,}."
        )
    return data


def _made(config: Config, weights: Weights, file_name: str) -> Any:  # noqa: ANN401
    """The network of a cleaned configuration, with no more weights than the file has."""
    import keras

    budget = weights.num_values + _SPARE_VALUES

    class Fresh(keras.initializers.Initializer):  # type: ignore[misc]
        """Zeros, counted before they take memory: a layer may claim any size."""

        def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:  # noqa: ANN401
            nonlocal budget
            for_all = 1
            for side in shape:
                for_all *= int(side)
            budget -= for_all
            if budget < 0:
                raise TrunkError(
                    f"{file_name} is refused: its layers claim more weights than the "
                    f"{weights.num_values:,} that it holds."
                )
            return keras.ops.zeros(shape, dtype)

        def get_config(self) -> dict[str, Any]:
            return {}

    try:
        with quietly():
            return keras.saving.deserialize_keras_object(
                config, custom_objects={FRESH: Fresh}, safe_mode=True
            )
    except TrunkError:
        raise
    except Exception as error:
        raise TrunkError(
            f"Keras cannot make the network of {file_name}: {_first_line(error)} Save it again "
            "with the Keras that is installed here."
        ) from error


def put_weights(model: Any, weights: Weights, suffix: str, file_name: str) -> None:  # noqa: ANN401
    """Put a file's weights into a network.

    Args:
        model: the network.
        weights: looked over.
        suffix: `.h5` for whole models and older weights, `.weights.h5` for those of Keras 3.
        file_name: for messages.

    Raises:
        TrunkError: they are of another network.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        path.write_bytes(weights.data)
        try:
            with quietly():
                model.load_weights(path)
        except Exception as error:
            raise TrunkError(
                f"the weights in {file_name} are not those of the network {model.name!r}: "
                f"{_first_line(error)}"
            ) from error


def _first_line(error: Exception) -> str:
    """What an error says, in short and with a full stop."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return f"{lines[0][:300].rstrip().removesuffix('.')}."
