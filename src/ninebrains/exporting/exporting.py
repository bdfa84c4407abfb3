"""`export`: from a brain to a folder that runs on its target, with the proof that it does.

build ─► runner, README ─► the artefact's answers ─► receipt ─► gate ─► the folder's name
  ▲                                                               │
  └──────────────── int8 that loses too much: mend more ◄─────────┘
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ninebrains.brains import Brain, load
from ninebrains.errors import BrainError, ExportError, OutputError
from ninebrains.exporting.answers import ask_brain
from ninebrains.exporting.facts import FACTS, file_hashes
from ninebrains.exporting.judging import Gate
from ninebrains.exporting.making import Work, make
from ninebrains.exporting.photos import Proof, calibration_photos, from_folder, held_out
from ninebrains.exporting.receipt import Receipt
from ninebrains.exporting.receipting import read_receipts
from ninebrains.exporting.recording import record
from ninebrains.exporting.target import Precision, Target
from ninebrains.exporting.targets import target as find_target
from ninebrains.places import replacing_folder

Source = Brain | str | os.PathLike[str]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class ExportRecipe:
    """The choices of an export that most people leave as they are.

    Attributes:
        calibrate: folder of photos to calibrate int8 on, instead of the training photos.
        opset: version of ONNX's operator set, for targets in ONNX.
        gate: what the export has to keep to.
        seed: decides which photos are calibrated on.
        keeps_receipt: whether a short form of the receipt also goes into the brain's own file.
    """

    calibrate: Path | None = None
    opset: int | None = None
    gate: Gate = field(default_factory=Gate)
    seed: int = 0
    keeps_receipt: bool = True


@dataclass(frozen=True)
class Export:
    """What was made.

    Attributes:
        folder: where it lies.
        receipts: one for each brain in it.
        notes: sentences for those who asked for it.
    """

    folder: Path
    receipts: tuple[Receipt, ...]
    notes: tuple[str, ...] = ()

    @property
    def receipt(self) -> Receipt:
        """Of the first brain."""
        return self.receipts[0]


def export(
    brain: Source | Sequence[Source],
    to: str,
    folder: str | os.PathLike[str],
    *,
    precision: Precision | None = None,
    photos: str | os.PathLike[str] | None = None,
    recipe: ExportRecipe | None = None,
    force: bool = False,
    tell: Tell | None = None,
) -> Export:
    """Export a brain to another runtime, and prove on photos that the artefact answers the same.

    Args:
        brain: a brain, or what `load` takes; several on one page for the target `web`.
        to: `onnx`, `litert`, `saved_model`, `openvino`, `coreml` or `web`.
        folder: to be made.
        precision: `fp32`, `fp16`, `int8-weights` or `int8`; the target's usual one by default.
        photos: folder or table to prove it on, instead of the photos held out in training.
        recipe: calibration, gate and the few other choices.
        force: replace an older export in `folder`, unless something else is in it too.
        tell: called with a line on what is done now.

    Returns:
        Where it lies, and the receipts.

    Raises:
        ExportError: the artefact does not answer as the brain; nothing is left in `folder`.
        ExtraError: what the target needs is not installed; the message says what is.
        BrainError: the brain holds what the target cannot take.
        DataError: there are no photos to prove it on, or too few to calibrate.
        OutputError: `folder` is there already, or cannot be written.

    Example:
        >>> made = export("pets.brain", "litert", "pets-litert")  # doctest: +SKIP
        >>> made.receipt.agreement.same.value  # doctest: +SKIP
        1.0
    """
    recipe, folder, tell = recipe or ExportRecipe(), Path(folder), tell or _say_nothing
    target = find_target(to)
    chosen = _precision(target, precision)
    check_opset(target, recipe.opset)
    _check_calibration(recipe, chosen)
    check_room(folder, force=force)
    target.require(chosen)
    brains = tuple(one if isinstance(one, Brain) else load(one) for one in sources(brain))
    _check_brains(brains, target)
    # First, to know that it can be written.
    with replacing_folder(folder, overwrite=force) as temporary:
        proofs = tuple(_proof(one, photos) for one in brains)
        calibration = None
        if chosen == "int8":
            calibration = calibration_photos(brains[0], recipe.calibrate, recipe.seed)
        tell(f"asking {brains[0].name} about {len(proofs[0].paths)} photos")
        work = Work(
            brains=brains,
            target=target,
            precision=chosen,
            proofs=proofs,
            originals=tuple(
                ask_brain(one, proof.paths) for one, proof in zip(brains, proofs, strict=True)
            ),
            gate=recipe.gate,
            calibration=calibration,
            opset=recipe.opset,
            tell=tell,
        )
        receipts = make(work, temporary)
    notes = list(_record(brain, receipts)) if recipe.keeps_receipt else []
    return Export(folder, receipts, tuple(notes))


def _say_nothing(_line: str) -> None:
    """For those who did not ask to be told."""


def check_opset(target: Target, opset: int | None) -> None:
    """Refuse a version of ONNX's operator set that the target cannot be built in.

    Raises:
        BrainError: it has none, or it is too old or too new.
    """
    if opset is None:
        return
    versions = target.opsets
    if opset in versions:
        return
    if not versions:
        raise BrainError(f"an operator set is for the target onnx, not for {target.name}")
    raise BrainError(f"got the ONNX operator set {opset}; expected {versions[0]} to {versions[-1]}")


def _check_calibration(recipe: ExportRecipe, precision: Precision) -> None:
    """Refuse photos to calibrate on that would do nothing.

    Raises:
        BrainError: saying so.
    """
    if recipe.calibrate is not None and precision != "int8":
        raise BrainError(f"only int8 is calibrated, and this is {precision}; leave --calibrate out")


def _check_brains(brains: Sequence[Brain], target: Target) -> None:
    """Refuse no brain, several where one is taken, and the same one twice.

    Raises:
        BrainError: with what was got.
    """
    if not brains or (len(brains) > 1 and not target.takes_several):
        raise BrainError(
            f"got {len(brains)} brains; {target.name} takes one. Export them one by one, or "
            "several on one page with --to web."
        )
    if len({brain.hash for brain in brains}) < len(brains):
        raise BrainError("the same brain was given twice; name each once")


def _precision(target: Target, wanted: str | None) -> Precision:
    for precision in target.precisions:
        if wanted in (None, precision):
            return precision
    raise BrainError(
        f"{target.name} cannot be exported in {wanted!r}; expected one of "
        f"{', '.join(target.precisions)}"
    )


def sources(brain: Source | Sequence[Source]) -> list[Source]:
    """One brain, or several, as a list."""
    if isinstance(brain, (Brain, str, os.PathLike)):
        return [brain]
    return list(brain)


def check_room(folder: Path, *, force: bool) -> None:
    """Refuse to write where something is that must not be lost.

    Raises:
        OutputError: something is there, and it is no export or `force` is off.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise OutputError(f"{folder} is there and is no folder; choose another name.")
    if next(folder.iterdir(), None) is None:
        return
    if force:
        _check_replaceable(folder)
        return
    raise OutputError(
        f"{folder} exists. Choose another name, or add --force (in Python force=True) to replace "
        "an older export."
    )


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace what is no export, or holds something of the user's beside it.

    Raises:
        OutputError: naming it.
    """
    if not (folder / FACTS).is_file():
        raise OutputError(
            f"{folder} is a folder and no export; it is left alone. Choose another name."
        )
    try:
        known, found = read_receipts(folder)[0].files, file_hashes(folder)
    except ExportError as error:
        raise OutputError(
            f"{folder} is no export that can be read, so what else is in it is not known; it is "
            f"left alone. Remove it yourself, or choose another name. ({error})"
        ) from error
    strange = sorted(set(found) - set(known))
    if strange:
        raise OutputError(
            f"{folder} holds {len(strange)} files that are not of the export, such as "
            f"{strange[0]!r}; it is left alone. Move them away, or choose another name."
        )


def _proof(brain: Brain, photos: str | os.PathLike[str] | None) -> Proof:
    return held_out(brain) if photos is None else from_folder(brain, Path(photos))


def _record(brain: Source | Sequence[Source], receipts: Sequence[Receipt]) -> Iterator[str]:
    """Put short receipts into the brains that came from files; notes where that cannot be."""
    for source, receipt in zip(sources(brain), receipts, strict=True):
        if not isinstance(source, Brain):
            yield from record(source, receipt)
