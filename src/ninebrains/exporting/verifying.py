"""`verify`: is an export still what its receipt is about, and does it still answer the same?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ninebrains.brains import Brain, load, stored_brains
from ninebrains.errors import ExportError, NinebrainsError
from ninebrains.exporting.answers import ask_brain
from ninebrains.exporting.facts import file_hashes, read_facts
from ninebrains.exporting.judging import Gate
from ninebrains.exporting.photos import from_folder, held_out
from ninebrains.exporting.receipt import Receipt
from ninebrains.exporting.receipting import Artefact, make_receipt, read_receipts
from ninebrains.exporting.target import Built
from ninebrains.exporting.targets import target as find_target


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        stored: the receipts that lie in the export.
        again: the same measured anew, or nothing where it was not asked for.
    """

    stored: tuple[Receipt, ...]
    again: tuple[Receipt, ...] = ()


def check_files(folder: Path) -> tuple[Receipt, ...]:
    """Compare every file of an export with its receipt.

    Raises:
        ExportError: a file was changed, is missing or was added since the receipt was written.
    """
    read_facts(folder)
    receipts = read_receipts(folder)
    found = file_hashes(folder)
    wanted = receipts[0].files
    for name in sorted(set(found) | set(wanted)):
        if found.get(name) != wanted.get(name):
            what = (
                "is missing"
                if name not in found
                else "is not in its receipt"
                if name not in wanted
                else f"has the SHA-256 {found[name]}; the receipt says {wanted[name]}"
            )
            raise ExportError(
                f"{folder / name} {what}. The export was damaged or tampered with since it was "
                "proven; export again."
            )
    if any(one.verdict == "differs" for one in receipts):
        raise ExportError(
            f"the receipt in {folder} says that the export differs from its brain. None is written "
            "so: the receipt was tampered with; export again."
        )
    return receipts


def verify(
    folder: str | os.PathLike[str],
    photos: str | os.PathLike[str] | None = None,
    *,
    brain: Brain | None = None,
    gate: Gate | None = None,
) -> Verified:
    """Check an export's files, and compare it with its brain again on photos.

    Args:
        folder: of the export.
        photos: folder or table; without it, the photos held out in training if a brain is given or
            found, and otherwise only the files are checked.
        brain: what it was made from; by default one with its graph is looked for in the store, in
            the present folder and beside the export.
        gate: decides the new verdict.

    Raises:
        ExportError: a file was changed, or the export does not answer as its brain.
        DataError: there are no photos.
    """
    folder = Path(folder)
    stored = check_files(folder)
    facts = read_facts(folder)
    if photos is None and brain is None:
        return Verified(stored)
    again = []
    for place, receipt in enumerate(stored):
        original = brain if brain is not None and len(stored) == 1 else find(folder, receipt)
        if original.graph.hash != receipt.brain.graph:
            raise ExportError(
                f"the export was made from another brain: its graph is {receipt.brain.graph[:12]}, "
                f"that of {original.name} is {original.graph.hash[:12]}"
            )
        proof = held_out(original) if photos is None else from_folder(original, Path(photos))
        target = find_target(facts["target"])
        outputs = [name for name in original.outputs if name != "features"]
        made = make_receipt(
            original,
            Artefact(receipt.target, receipt.precision, Built(tuple(receipt.outputs)), folder),
            proof,
            ask_brain(original, proof.paths, outputs),
            target.ask(folder, place, proof.paths),
            gate or Gate(),
        )
        again.append(made.model_copy(update={"files": receipt.files}))
    return Verified(stored, tuple(again))


def find(folder: Path, receipt: Receipt) -> Brain:
    """The brain that an export was made from: in the present folder, beside the export, stored.

    Raises:
        ExportError: none of those has its graph.
    """
    wanted = receipt.brain
    places: list[str | Path] = [
        *sorted(Path().glob("*.brain")),
        *sorted(folder.absolute().parent.glob("*.brain")),
        *(f"{one.name}@{one.version}" for one in stored_brains() if one.name == wanted.name),
    ]
    for place in places:
        try:
            brain = load(place)
        except NinebrainsError:
            continue  # another brain's damage is not what was asked about
        if brain.graph.hash == wanted.graph:
            return brain
    raise ExportError(
        f"the brain {wanted.name}@{wanted.version} that {folder} was made from was found neither "
        "in this folder, nor beside the export, nor in the store. Say where it is with --brain (in "
        "Python brain=...)."
    )
