"""What lies beside an ONNX file and says what the file leaves open, so that its path is enough.

    model.onnx   model.toml    fields of `import_model`: mean, std, fit, …
                 labels.txt    the labels, a name a line, in the order of the scores

Beside `yolox.onnx` they are `yolox.toml` and `yolox.labels.txt`; where it is the only network of
its folder, `model.toml` and `labels.txt` are its own as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ninebrains.errors import BrainError
from ninebrains.images import Fit
from ninebrains.mind.guests.guest import Guest, import_model
from ninebrains.mind.guests.scores import LARGEST_LABEL_FILE_BYTES, Activation
from ninebrains.trunks.normalising import Color, NormalisationError, Triple
from ninebrains.trunks.wiring import Layout

_LARGEST_BYTES = 1 << 20
_OPTION = re.compile(
    r"\b(size|layout|activation|scores|outputs)=(\([^)]*\)|\[[^]]*\]|'[^']*'|\"[^\"]*\"|\.\.\.)"
)


class Said(BaseModel):
    """The fields of a `model.toml`: what `import_model` takes, under the same names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    size: int | tuple[int, int] | None = None
    fit: Fit = "crop"
    pad_color: tuple[int, int, int] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    layout: Layout | None = None
    color: Color | None = None
    labels: list[str] | None = None
    activation: Activation | None = None
    scores: str | None = None
    outputs: list[str] | None = None


def files_beside(path: Path) -> tuple[Path, ...]:
    """The files that say something about an ONNX file: those that are there.

    Raises:
        OSError: the folder cannot be read.
    """
    return tuple(file for kind in _beside(path) for file in kind)


def import_beside(path: str | os.PathLike[str]) -> Guest:
    """Make an ONNX file ready for a mind with what is said beside it; see `import_model`.

    Its version, and its source, are of all these files.

    Raises:
        BrainError: as `import_model`, with what to write into which file; or one of these files
            cannot be used.
    """
    path = Path(path)
    try:
        settings, names = _beside(path)
    except OSError as error:
        raise BrainError(f"cannot read {path.parent}: {error.strerror or error}") from error
    said = _read(_one_of(settings)) if settings else Said()
    labels = _labels(said, names, path)
    options = {name: getattr(said, name) for name in Said.model_fields if name != "labels"}
    digests = [hashlib.sha256(_bytes(file)).hexdigest() for file in (*settings, *names)]
    try:
        guest = import_model(path, **options, labels=labels)
    except BrainError as error:
        raise BrainError(_told(error, path, [*settings, *names])) from error
    source = guest.source
    for file, digest in zip((*settings, *names), digests, strict=True):
        source += f", {file.name} sha256:{digest}"
    return replace(guest, source=source, version=digest_of_source(source)[:12])


def digest_of_source(source: str) -> str:
    """Stands for all files that a guest was made from: the SHA-256 of the one, or one of all."""
    digests = re.findall(r" sha256:([0-9a-f]{64})(?=,|$)", source)
    return digests[0] if len(digests) == 1 else hashlib.sha256(source.encode()).hexdigest()


def _beside(path: Path) -> tuple[list[Path], list[Path]]:
    """Settings and labels that are there, those with the file's own name first."""
    settings, labels = [path.with_suffix(".toml")], [path.with_suffix(".labels.txt")]
    # A folder of versions may hold what is not about this one: Triton's labels.txt.
    if path.stem == "model" or (not path.stem.isdecimal() and _is_alone(path)):
        settings.append(path.with_name("model.toml"))
        labels.append(path.with_name("labels.txt"))
    first, second = (
        [file for file in dict.fromkeys(files) if os.path.lexists(file)]
        for files in (settings, labels)
    )
    return first, second


def _is_alone(path: Path) -> bool:
    return not any(
        other.suffix.lower() == ".onnx" and other.name != path.name
        for other in path.parent.iterdir()
        if not other.name.startswith(".")
    )


def _one_of(files: list[Path]) -> Path:
    if len(files) > 1:
        raise BrainError(f"there are both {files[0]} and {files[1].name}; expected one of them")
    return files[0]


def _labels(said: Said, files: list[Path], path: Path) -> list[str] | Path | None:
    if not files:
        return said.labels
    file = _one_of(files)
    if said.labels is not None:
        raise BrainError(
            f"{path.name} has labels in {file} and in a .toml beside it; expected one of them"
        )
    return file


def _read(file: Path) -> Said:
    """Read what is said.

    Raises:
        BrainError: it cannot be read, or a field is unknown or of no use.
    """
    data = _bytes(file, _LARGEST_BYTES)
    try:
        told = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not UTF-8, no TOML, absurd numbers
        raise BrainError(f"{file} is no TOML file: {error}. {_example()}") from error
    strange = sorted(told.keys() - Said.model_fields.keys())
    if strange:
        raise BrainError(
            f"{file}: there is no field {strange[0]!r}; expected some of "
            f"{', '.join(Said.model_fields)}"
        )
    try:
        # As JSON, since strict lists are no tuples otherwise; dates become texts.
        return Said.model_validate_json(json.dumps(told, default=str))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        field = str(fault["loc"][0])
        received = repr(told[field])
        received = received if len(received) <= 80 else received[:77] + "..."
        raise BrainError(
            f"{file}: {field}: {fault['msg'][:1].lower()}{fault['msg'][1:]}; received {received}"
        ) from error


def _bytes(file: Path, limit: int = LARGEST_LABEL_FILE_BYTES) -> bytes:
    try:
        if file.exists() and not file.is_file():  # reading a pipe might wait for ever
            raise BrainError(f"{file} is no file. {_example()}")
        if file.stat().st_size > limit:
            raise BrainError(f"{file} has more than {limit:,} bytes. {_example()}")
        return file.read_bytes()
    except OSError as error:
        raise BrainError(f"cannot read {file}: {error.strerror or error}") from error


def _example() -> str:
    return "Expected text: lines such as `mean = [0.485, 0.456, 0.406]` in .toml, names in .txt"


def _told(error: BrainError, path: Path, beside: list[Path]) -> str:
    """The error with what to write into which file, where that helps."""
    file = next((file for file in beside if file.suffix == ".toml"), path.with_suffix(".toml"))
    names = next((str(file) for file in beside if file.suffix == ".txt"), f"labels in {file}")
    if isinstance(error.__cause__, NormalisationError):
        return (
            f"how {path} wants its input normalised cannot be told for certain. Write it into "
            f"{file}, as its authors did in training, R, G, B in units of 0 to 1 (in Python: "
            "nb.import_model(path, mean=..., std=...)):\n"
            "  mean = [0.485, 0.456, 0.406]\n"
            "  std = [0.229, 0.224, 0.225]\n"
            "These are torchvision's and most of timm's. Where the network takes -1 to 1 (Keras "
            "'tf'), all six are 0.5; where 0 to 1, mean 0 and std 1; where 0 to 255, mean 0 and "
            "std 0.00392157."
        )
    option = _OPTION.search(str(error))
    if option is None:
        return f"{names}: {error}" if "labels were given" in str(error) else str(error)
    value = option[2].replace("(", "[").replace(")", "]")
    return f"{error} For a file that is read by its path, write into {file}: {option[1]} = {value}"
