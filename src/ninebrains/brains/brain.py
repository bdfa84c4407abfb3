"""`Brain`: one deployable model in memory, and how it answers."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ninebrains.brains.encoding import canonical
from ninebrains.brains.fields import is_unsafe
from ninebrains.brains.graph import Graph
from ninebrains.brains.inference import Floats, Inference, make_inference
from ninebrains.brains.interface import INPUT, answer_output, check_interface
from ninebrains.brains.manifest import Label, Manifest, Metrics, Part, Sha256, Task
from ninebrains.errors import BrainError, PhotoError
from ninebrains.images import Contract, Limits, PhotoSource, Pixels, fit_pixels
from ninebrains.images.preparing import is_one_photo, pixels_of
from ninebrains.workers import map_ahead

if TYPE_CHECKING:
    from pathlib import Path


class Signature(Part):
    """Who vouches for a brain: an Ed25519 signature (hex) over its canonical `brain.json`."""

    algorithm: Literal["ed25519"] = "ed25519"
    public_key: Sha256
    signature: str


class _Compiled:
    """A session that the first to ask for it creates, once, whichever thread that is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: Any = None

    def get(self, graph: Graph) -> Any:  # noqa: ANN401 - onnxruntime has no types
        with self._lock:
            if self._session is None:
                self._session = graph.session()
            return self._session


@dataclass(frozen=True, eq=False)
class Brain:
    """One deployable model: graph, weights, labels, contract, measured quality, provenance.

    A brain never changes; what changes one gives a new one. It may be used by many threads at once.

    Attributes:
        manifest: what the brain says about itself (`brain.json`).
        graph: the network, from pixels to answers.
        card: for people: what it was trained on, how good it is, what it is for (Markdown).
        signature: who vouches for it, if anyone does.

    Example:
        >>> import ninebrains as nb
        >>> brain = nb.load("pets.brain")  # doctest: +SKIP
        >>> brain.run("cat.jpg").top.label  # doctest: +SKIP
        'cat'
    """

    manifest: Manifest
    graph: Graph = field(repr=False)
    card: str = field(repr=False)
    signature: Signature | None = field(default=None, repr=False)
    _compiled: _Compiled = field(default_factory=_Compiled, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together.

        Raises:
            BrainError: the manifest's hashes are those of another graph or card, or the card holds
                characters that could garble a terminal.
        """
        strange = next((item for item in self.card if item not in "\n\t" and is_unsafe(item)), None)
        if strange is not None:
            raise BrainError(
                f"card.md holds the control or format character U+{ord(strange):04X}; expected "
                "plain text with lines ending in a line feed"
            )
        for name, digest in _digests(self.graph, self.card).items():
            wanted = self.manifest.files.get(name)
            if wanted != digest:
                raise BrainError(
                    f"{name} has the SHA-256 {digest}; brain.json says {wanted}. "
                    "The brain is damaged or was tampered with; get it again from its source."
                )

    @classmethod
    def assemble(cls, manifest: Manifest, graph: Graph, card: str) -> Brain:
        """Make a brain from parts that were just made; fills in `manifest.files`.

        Raises:
            BrainError: the graph is none that a brain may have, or does not fit the manifest.
        """
        from ninebrains.brains.checking import check

        sizes = {name: len(data) for name, data in graph.weights.items()}
        check_interface(check(graph.data, sizes), manifest)
        facts = manifest.model_copy(update={"files": _digests(graph, card)})
        return cls(facts, graph, card)

    def __eq__(self, other: object) -> bool:
        """Whether two brains consist of the same bytes."""
        if not isinstance(other, Brain):
            return NotImplemented
        return (self.hash, self.signature) == (other.hash, other.signature)

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[object, ...]:
        """Copies, and brains sent to another process, compile for themselves."""
        return (Brain, (self.manifest, self.graph, self.card, self.signature))

    @property
    def name(self) -> str:
        """The name it is stored and served under."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """Tells brains of one name apart."""
        return self.manifest.version

    @property
    def task(self) -> Task:
        """`classify`, `multilabel` or `regress`."""
        return self.manifest.task

    @property
    def labels(self) -> Sequence[Label]:
        """What it can say, by index."""
        return self.manifest.labels

    @property
    def contract(self) -> Contract:
        """How a photo becomes its input."""
        return self.manifest.contract

    @property
    def metrics(self) -> Metrics | None:
        """How good it was on photos that training had not seen."""
        return self.manifest.metrics

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of its canonical `brain.json`, which holds the hashes of everything else.

        It stands for the whole brain; the signature is not part of it.
        """
        return hashlib.sha256(canonical(self.manifest)).hexdigest()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what its graph computes (see `interface`)."""
        return tuple(output.name for output in self.session.get_outputs())

    @property
    def session(self) -> Any:  # noqa: ANN401 - onnxruntime has no types
        """The compiled graph, an `onnxruntime.InferenceSession`; the first use compiles it.

        Raises:
            BrainError: ONNX Runtime refuses the graph.
        """
        return self._compiled.get(self.graph)

    def run(
        self,
        photo: PhotoSource,
        *,
        heatmaps: bool = True,
        top: int | None = None,
        limits: Limits | None = None,
    ) -> Inference:
        """Answer one photo.

        Args:
            photo: a path, a file's bytes, a file opened for bytes, a PIL image, or RGB pixels
                `uint8[h, w, 3]`.
            heatmaps: also compute where the evidence lies, a little more work.
            top: keep only that many instances.
            limits: bytes and pixels that the photo may have.

        Raises:
            PhotoError: the photo cannot be read.
            BrainError: the network fails, or gives what no brain may give.
        """
        seen = _see(photo, self.contract, limits)
        return self._answer([seen], heatmaps=heatmaps, top=top)[0]

    def run_many(
        self,
        photos: Iterable[PhotoSource],
        *,
        batch: int = 32,
        on_error: Literal["raise", "yield"] = "raise",
        heatmaps: bool = False,
        top: int | None = None,
        limits: Limits | None = None,
    ) -> Iterator[Inference | PhotoError]:
        """Answer many photos, in their order, decoding some while the network runs on others.

        Memory is bounded: photos are taken from the iterable only as they are needed.

        Args:
            photos: as in `run`; may be endless.
            batch: photos that the network sees at once.
            on_error: a photo that cannot be read raises its PhotoError after the answers before it
                (`raise`), or gives it in the answer's place and the rest goes on (`yield`).
            heatmaps: as in `run`.
            top: as in `run`.
            limits: as in `run`.

        Raises:
            PhotoError: a photo cannot be read and `on_error` is `raise`; or `photos` is one photo.
            BrainError: the network fails.
            ValueError: `batch` or `on_error` is out of range.
        """
        if batch < 1 or on_error not in ("raise", "yield"):
            raise ValueError(
                f"batch is 1 or more and on_error 'raise' or 'yield', not {batch} and {on_error!r}"
            )
        if is_one_photo(photos) or not isinstance(photos, Iterable):
            raise PhotoError(
                f"run_many got one {type(photos).__name__}; expected a list of photos, or another "
                "iterable of them. Put it into a list, or use run."
            )
        reader = partial(_see_or_error, contract=self.contract, limits=limits)
        return self._stream(
            map_ahead(reader, photos, ahead=3 * batch), batch, on_error, heatmaps, top
        )

    def _stream(
        self,
        seen: Generator[_Seen | PhotoError],
        batch: int,
        on_error: str,
        heatmaps: bool,
        top: int | None,
    ) -> Iterator[Inference | PhotoError]:
        waiting: list[_Seen] = []
        # Closed here, not by the garbage collector, which might do it in a thread of its own pool.
        with closing(seen):
            for item in seen:
                if isinstance(item, PhotoError):
                    yield from self._answer(waiting, heatmaps=heatmaps, top=top)
                    waiting = []
                    if on_error == "raise":
                        raise item
                    yield item
                    continue
                waiting.append(item)
                if len(waiting) == batch:
                    yield from self._answer(waiting, heatmaps=heatmaps, top=top)
                    waiting = []
            yield from self._answer(waiting, heatmaps=heatmaps, top=top)

    def compute(self, pixels: Pixels, outputs: Sequence[str]) -> dict[str, Floats]:
        """Run the network on prepared pixels.

        Args:
            pixels: `uint8[N, H, W, 3]`, made by `images.prepare` with this brain's contract.
            outputs: which of `Brain.outputs` to give.

        Returns:
            float32 arrays by output name, N rows each.

        Raises:
            BrainError: the pixels do not fit the contract, or the network fails or gives values
                that are not numbers.
        """
        if pixels.dtype != np.uint8 or pixels.shape[1:] != self.contract.shape:
            raise BrainError(
                f"got pixels {pixels.dtype}{list(pixels.shape)}; {self.name} takes "
                f"uint8{['N', *self.contract.shape]}. Use images.prepare with its contract."
            )
        try:
            values = self.session.run(list(outputs), {INPUT: pixels})
        except BrainError:
            raise
        except Exception as error:
            raise BrainError(f"the network of {self.name} failed: {error}") from error
        found = dict(zip(outputs, values, strict=True))
        for name, value in found.items():
            self._check_values(name, value, len(pixels))
        return found

    def _check_values(self, name: str, value: npt.NDArray[np.generic], num_photos: int) -> None:
        if value.dtype != np.float32 or value.shape[:1] != (num_photos,):
            raise BrainError(
                f"the network of {self.name} gave {name} as {value.dtype}{list(value.shape)} for "
                f"{num_photos} photos; expected float32 with a row for each"
            )
        if name in ("scores", "values") and value.shape[1:] != (len(self.labels),):
            raise BrainError(
                f"the network of {self.name} gave {name} {list(value.shape)}; expected "
                f"{[num_photos, len(self.labels)]}, a column for each label"
            )
        if not np.isfinite(value).all():
            raise BrainError(
                f"the network of {self.name} gave {name} that are not numbers (NaN or infinite); "
                "its weights are damaged or do not suit this photo. Train it again."
            )

    def _answer(self, seen: Sequence[_Seen], *, heatmaps: bool, top: int | None) -> list[Inference]:
        if not seen:
            return []
        wanted = {answer_output(self.task), "features", "unfamiliar"} | (
            {"heatmap"} if heatmaps else set()
        )
        start = time.perf_counter()
        values = self.compute(
            np.stack([item.pixels for item in seen]),
            [name for name in self.outputs if name in wanted],
        )
        run_ms = (time.perf_counter() - start) * 1000 / len(seen)
        return [
            make_inference(
                self.manifest,
                {name: value[row] for name, value in values.items()},
                photo_size=item.size,
                timings={"decode_ms": round(item.decode_ms, 3), "run_ms": round(run_ms, 3)},
                top=top,
            )
            for row, item in enumerate(seen)
        ]

    def rename_label(self, label: str | int, name: str) -> Brain:
        """The same brain with another name for one label; its id and index stay.

        A signature does not survive this: what was signed is no longer what it says. Sign again.

        Args:
            label: its present name, its id or its index.
            name: the new name.

        Raises:
            BrainError: no such label, or a name that is empty, too long or taken.
        """
        from pydantic import ValidationError

        try:
            index = self.manifest.label(label).index
            plain = self.manifest.model_dump(mode="json")
            plain["labels"][index]["name"] = name
            return replace(self, manifest=Manifest.model_validate(plain), signature=None)
        except KeyError as error:
            raise BrainError(str(error.args[0])) from error
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            raise BrainError(f"label {label!r} cannot be named {name!r}: {reason}") from error

    def to_keras(self) -> Any:  # noqa: ANN401 - keras has no types
        """The same network as a functional Keras 3 model, for those who want to go on there.

        It takes photos as this brain's contract makes them, `uint8[N, H, W, 3]`, and gives a
        dictionary of the brain's outputs. Labels and contract stay with the brain. What its `save`
        writes holds no code, so `keras.saving.load_model` reads it in safe mode.

        Returns:
            A `keras.Model`.

        Raises:
            BrainError: the network has operators that cannot be turned into Keras; see
                `bridging.to_keras`.
            ExtraError: Keras is not installed.

        Example:
            >>> model = brain.to_keras()  # doctest: +SKIP
            >>> model(nb.prepare("cat.jpg", brain.contract)[None])["scores"]  # doctest: +SKIP
        """
        from ninebrains.brains.graph import unpack
        from ninebrains.bridging import to_keras

        return to_keras(unpack(self.graph.held()))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the brain: to one file if the name ends in `.brain`, else to a folder.

        The same brain gives the same bytes. A killed or failed writer leaves what was there.

        Raises:
            OutputError: something is there already and `overwrite` is off, or it is no brain, or it
                cannot be written.
        """
        from ninebrains.brains.file import save

        return save(self, path, overwrite=overwrite)


def _digests(graph: Graph, card: str) -> dict[Literal["graph.onnx", "card.md"], str]:
    return {"graph.onnx": graph.hash, "card.md": hashlib.sha256(card.encode()).hexdigest()}


@dataclass(frozen=True)
class _Seen:
    """A photo as the network sees it: `uint8[H, W, 3]`, the upright (width, height), the time."""

    pixels: Pixels
    size: tuple[int, int]
    decode_ms: float


def _see(photo: PhotoSource, contract: Contract, limits: Limits | None) -> _Seen:
    start = time.perf_counter()
    pixels, size = pixels_of(photo, contract, limits)
    fitted = fit_pixels(pixels, contract)
    return _Seen(fitted, size, (time.perf_counter() - start) * 1000)


def _see_or_error(
    photo: PhotoSource, contract: Contract, limits: Limits | None
) -> _Seen | PhotoError:
    try:
        return _see(photo, contract, limits)
    except PhotoError as error:
        return error
