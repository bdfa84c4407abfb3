"""Which photos an export is held against, and which it is calibrated on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ninebrains.brains import Brain
from ninebrains.errors import DataError, PhotoError
from ninebrains.exporting.receipt import shown
from ninebrains.images import Contract, Pixels, prepare, read_photo
from ninebrains.photos import Dataset, Photo, find_photos, printable, read_dataset
from ninebrains.training.evaluating import matched
from ninebrains.training.record import Outcome, Record, load_record
from ninebrains.training.targets import make_targets
from ninebrains.workers import map_ahead

Targets = npt.NDArray[np.float64]
LEAST_CALIBRATION = 16
MOST_CALIBRATION = 256
_HOW = "Give a folder of photos with --photos (in Python photos=...)"


@dataclass(frozen=True)
class Proof:
    """Photos that an export is held against.

    Attributes:
        source: what they are, for people; follows "measured on n photos".
        paths: of the files.
        names: as people know them, one for each path.
        targets: [n, K], what people said they show, as training has it; None if nobody did.
        notes: what must be known about them.
    """

    source: str
    paths: tuple[Path, ...]
    names: tuple[str, ...]
    targets: Targets | None
    notes: tuple[str, ...] = field(default=())

    def take(self, places: npt.NDArray[np.int64]) -> Targets | None:
        """The targets of some of the photos."""
        return None if self.targets is None else self.targets[places]

    @cached_property  # all photos are read for it
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the photos' contents, in their order; those that are gone are left out.

        Tells whether two receipts are about the same photos.
        """
        digest = hashlib.sha256()
        for path in self.paths:
            try:
                digest.update(hashlib.sha256(read_photo(path)).digest())
            except PhotoError:
                continue
        return digest.hexdigest()


def held_out(brain: Brain) -> Proof:
    """The test photos of the brain's training, as far as they are still there and unchanged.

    Raises:
        DataError: the brain was trained elsewhere, or had no test photos, or they are gone.
    """
    record = load_record(brain.graph.hash)
    if record is None:
        raise DataError(
            f"{brain.name} was not trained on this machine, so its held-out photos are not known "
            f"here. {_HOW}, best with labels and not those that it learnt from."
        )
    outcomes = [outcome for outcome in record.outcomes if outcome.split == "test"]
    if not outcomes:
        raise DataError(f"no photos were held out when {brain.name} was trained. {_HOW}.")
    present = [outcome for outcome in outcomes if is_unchanged(record, outcome)]
    if not present:
        raise DataError(
            f"the {len(outcomes)} held-out photos of {brain.name} are gone from {record.root}, or "
            f"were changed. {_HOW}."
        )
    gone = len(outcomes) - len(present)
    return Proof(
        source="held out when it was trained",
        paths=tuple(Path(record.root, outcome.path) for outcome in present),
        names=tuple(outcome.path for outcome in present),
        targets=_targets_of(brain, present),
        notes=(f"{gone} held-out photos are gone or were changed since.",) if gone else (),
    )


def is_unchanged(record: Record, outcome: Outcome) -> bool:
    """Whether a photo that training saw is still there, and the same to the byte."""
    try:
        data = read_photo(Path(record.root, outcome.path))
    except PhotoError:
        return False
    return hashlib.sha256(data).hexdigest() == outcome.sha256


def _targets_of(brain: Brain, outcomes: Sequence[Outcome]) -> Targets:
    if brain.task == "regress":
        return np.array([[outcome.target] for outcome in outcomes], np.float64)
    matrix = np.zeros((len(outcomes), len(brain.labels)))
    for row, outcome in enumerate(outcomes):
        matrix[row, list(outcome.given)] = 1.0
    return matrix


def from_folder(brain: Brain, folder: Path) -> Proof:
    """All photos of a folder or table; with targets if they are labelled as the brain knows them.

    Raises:
        DataError: there are none.
    """
    notes: list[str] = []
    try:
        dataset = labelled(brain, folder)
        names = [label.name for label in brain.labels]
        targets: Targets | None = np.asarray(
            make_targets(brain.task, dataset.photos, names).matrix, np.float64
        )
    except DataError as error:
        dataset, targets = find_photos([folder]), None
        notes.append(shown(f"Accuracy was not measured: {error}"))
    if not dataset.photos:
        raise DataError(f"there are no photos in {printable(str(folder))}")
    return Proof(
        source=shown(f"in {folder.name or folder}"),
        paths=tuple(photo.path for photo in dataset.photos),
        names=tuple(photo.name for photo in dataset.photos),
        targets=targets,
        notes=(*notes, *_known(brain, dataset.photos)),
    )


def labelled(brain: Brain, folder: Path) -> Dataset:
    """The photos of a folder or table, in the brain's own labels.

    Raises:
        DataError: they have no labels, or none that the brain knows.
    """
    dataset = read_dataset(folder)
    if dataset.task not in (None, brain.task):
        dataset = read_dataset(folder, brain.task)
    return matched(brain, dataset)


def _known(brain: Brain, photos: Sequence[Photo]) -> Iterator[str]:
    """A sentence about photos that the brain learnt from, if there are any."""
    record = load_record(brain.graph.hash)
    learnt = {o.sha256 for o in record.outcomes if o.split == "train"} if record else set()
    seen = 0
    for photo in photos if learnt else ():
        try:
            seen += hashlib.sha256(read_photo(photo.path)).hexdigest() in learnt
        except PhotoError:
            continue
    if seen:
        yield f"The brain learnt from {seen} of these photos, so accuracies are too good."


def calibration_photos(brain: Brain, folder: Path | None, seed: int) -> Pixels:
    """Photos to calibrate on, as the network sees them, uint8[n, H, W, 3].

    Args:
        brain: whose training photos are taken.
        folder: take the photos in it instead.
        seed: decides which are taken of more than `MOST_CALIBRATION`.

    Raises:
        DataError: there are fewer than `LEAST_CALIBRATION` that can be read.
    """
    if folder is not None:
        paths = calibration_paths(folder)
        where = f"in {folder}"
    else:
        record = load_record(brain.graph.hash)
        outcomes = record.outcomes if record else ()
        root = record.root if record else ""
        paths = [Path(root, outcome.path) for outcome in outcomes if outcome.split == "train"]
        where = f"that {brain.name} was trained on and that are still here"
    return read_calibration(paths, brain.contract, seed, where)


def calibration_paths(folder: Path) -> list[Path]:
    """The photos of a folder that was given to calibrate on."""
    return [photo.path for photo in find_photos([folder]).photos]


def read_calibration(paths: Sequence[Path], contract: Contract, seed: int, where: str) -> Pixels:
    """Some of these photos as the network sees them, uint8[n, H, W, 3].

    Args:
        paths: of the photos.
        contract: of the network.
        seed: decides which are taken of more than `MOST_CALIBRATION`.
        where: what they are, for the error; follows "got n readable photos".

    Raises:
        DataError: there are fewer than `LEAST_CALIBRATION` that can be read.
    """
    order = np.random.default_rng(seed).permutation(len(paths))[:MOST_CALIBRATION]
    pixels = list(_prepared([paths[row] for row in order], contract))
    if len(pixels) < LEAST_CALIBRATION:
        raise DataError(
            f"got {len(pixels)} readable photos {where}; calibration for int8 needs "
            f"{LEAST_CALIBRATION} at least, better 100 or more, of what the brain will see. Give a "
            "folder with --calibrate (in Python calibrate=...), or use --precision fp16 or "
            "int8-weights, which need none."
        )
    return np.stack(pixels)


def _prepared(paths: Sequence[Path], contract: Contract) -> Iterator[Pixels]:
    def prepare_or_none(path: Path) -> Pixels | None:
        try:
            return prepare(path, contract)
        except PhotoError:
            return None  # told as too few, should they be

    for pixels in map_ahead(prepare_or_none, paths, ahead=64):
        if pixels is not None:
            yield pixels
