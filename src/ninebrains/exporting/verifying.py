"""`verify`: is an export still what its receipt is about, and does it still answer the same?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ninebrains.brains import Brain, load, stored_brains
from ninebrains.errors import ExportError, NinebrainsError
from ninebrains.exporting.answers import ask_brain
from ninebrains.exporting.facts import file_hashes, read_facts, receipt_name
from ninebrains.exporting.judging import Gate
from ninebrains.exporting.photos import Proof, from_folder, held_out
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
    facts, receipts = read_facts(folder), read_receipts(folder)
    found, wanted = file_hashes(folder), receipts[0].files
    own = {receipt_name(place, "json") for place in range(len(receipts))}
    found |= {path.name: "" for path in folder.glob("receipt*.json") if path.name not in own}
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
    if len(receipts) != len(facts["brains"]) or any(one.files != wanted for one in receipts):
        raise ExportError(
            f"{folder} holds {len(receipts)} receipts of its {len(facts['brains'])} brains, or one "
            "is of another export: they were tampered with; export again."
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
        photos: folder or table; without it, the photos held out in training if a brain is given,
            and otherwise only the files are checked.
        brain: what it was made from, or one of those; others are looked for in the present folder,
            beside the export and in the store.
        gate: decides the new verdict, which may be "differs".

    Raises:
        ExportError: a file was changed, or the export cannot be run or was made from other brains.
        DataError: there are no photos.
    """
    folder = Path(folder)
    stored = check_files(folder)
    if photos is None and brain is None:
        return Verified(stored)
    graphs = [receipt.brain.graph for receipt in stored]
    if brain is not None and brain.graph.hash not in graphs:
        raise ExportError(
            f"the export was made from another brain: its graph is "
            f"{' or '.join(graph[:12] for graph in graphs)}, that of {brain.name} is "
            f"{brain.graph.hash[:12]}"
        )
    again = []
    for place, receipt in enumerate(stored):
        is_given = brain is not None and brain.graph.hash == receipt.brain.graph
        original = brain if brain is not None and is_given else find(folder, receipt)
        proof = held_out(original) if photos is None else from_folder(original, Path(photos))
        made = _measure(folder, place, receipt, original, proof, gate or Gate())
        again.append(made)
    return Verified(stored, tuple(again))


def _measure(
    folder: Path, place: int, receipt: Receipt, brain: Brain, proof: Proof, gate: Gate
) -> Receipt:
    """The receipt of one brain anew."""
    made = make_receipt(
        brain,
        Artefact(receipt.target, receipt.precision, Built(tuple(receipt.outputs)), folder),
        proof,
        ask_brain(brain, proof.paths),
        find_target(receipt.target).ask(folder, place, proof.paths),
        gate,
    )
    return made.model_copy(update={"files": receipt.files})


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
