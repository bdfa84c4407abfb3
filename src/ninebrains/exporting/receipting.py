"""Putting a receipt together from what both sides gave, and reading one back."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from ninebrains.brains import Brain
from ninebrains.brains.file import contents_of
from ninebrains.errors import ExportError
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.facts import README, receipt_name
from ninebrains.exporting.judging import Gate
from ninebrains.exporting.measuring import bring_together, measure_agreement, measure_quality
from ninebrains.exporting.photos import Proof
from ninebrains.exporting.receipt import Cost, Photos, Receipt, Subject
from ninebrains.exporting.target import Built, Precision
from ninebrains.mind.tuning.processor import model as processor
from ninebrains.workers import usable_cores

_LARGEST_RECEIPT = 64 * 1024 * 1024
_STAND_INS: Mapping[str, Sequence[str]] = {"tensorflow": ("tensorflow-cpu",)}


@dataclass(frozen=True)
class Artefact:
    """What a receipt is about.

    Attributes:
        target: name of the target.
        precision: that it was built in.
        built: what the target said of it.
        folder: where it lies now.
        steps: what was tried for int8 so far, this one last; empty for other precisions.
        failures: how each step before this one did.
    """

    target: str
    precision: Precision
    built: Built
    folder: Path
    steps: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def make_receipt(
    brain: Brain,
    artefact: Artefact,
    proof: Proof,
    ours: Answers,
    theirs: Answers | None,
    gate: Gate,
) -> Receipt:
    """The receipt of an artefact, still without the hashes of its files.

    Args:
        brain: the original.
        artefact: what was built of it.
        proof: the photos.
        ours: the brain's answers on them.
        theirs: the artefact's answers, or None where nothing here can run it.
        gate: decides the verdict.

    Raises:
        ExportError: the artefact's answers are no numbers, or no photo could be read by both.
    """
    draft = _draft(brain, artefact, proof, _cost(brain, artefact.folder, ours, theirs))
    if theirs is None:
        return draft
    compared = bring_together(proof, ours, theirs)
    agreement = measure_agreement(brain, proof, compared)
    tries = len(artefact.failures) + 1
    quality = measure_quality(brain, proof, compared, tries)
    verdict, reasons = gate.judge(artefact.precision, agreement, quality, len(compared.places))
    return draft.model_copy(
        update={
            "runner": theirs.runner,
            "packages": {**draft.packages, **theirs.packages},
            "not_run": [*draft.not_run, *theirs.not_run],
            "photos": compared.photos,
            "agreement": agreement,
            "quality": quality,
            "verdict": verdict,
            "reasons": [*reasons, *_tries(tries)],
        }
    )


def _draft(brain: Brain, artefact: Artefact, proof: Proof, cost: Cost) -> Receipt:
    """What is known before anything was compared."""
    built = artefact.built
    return Receipt(
        brain=Subject(
            name=brain.name,
            version=brain.version,
            graph=brain.graph.hash,
            task=brain.task,
            num_labels=len(brain.labels),
        ),
        target=artefact.target,
        precision=artefact.precision,
        step=artefact.steps[-1] if artefact.steps else None,
        steps=list(artefact.failures),
        outputs=list(built.outputs),
        runner="nothing on this machine can run it",
        packages=dict(_versions(built.packages)),
        machine=machine(),
        photos=Photos(
            source=proof.source,
            asked=len(proof.paths),
            compared=0,
            fingerprint=proof.fingerprint,
        ),
        cost=cost,
        verdict="not run here",
        reasons=["No runtime for it is on this machine, so how it answers was not measured."],
        notes=[*built.notes, *proof.notes],
        not_run=list(built.not_run),
    )


def _versions(packages: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The versions of what built it, under the names of what is installed."""
    for package in packages:
        for name in (package, *_STAND_INS.get(package, ())):
            with suppress(PackageNotFoundError):
                yield name, version(name)
                break


def _tries(tries: int) -> Iterator[str]:
    if tries > 1:
        yield (
            f"{tries} ways of making it were held against these photos, this one last; the "
            "intervals are wider for that."
        )


def _cost(brain: Brain, folder: Path, ours: Answers, theirs: Answers | None) -> Cost:
    timed = theirs is not None and len(theirs.ms) > 0
    told = {README, *(path.name for path in folder.glob("receipt*.*"))}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in told]
    return Cost(
        brain_ms=float(np.median(ours.ms)) if len(ours.ms) else None,
        export_ms=float(np.median(theirs.ms)) if timed and theirs else None,
        export_ms_90=float(np.percentile(theirs.ms, 90)) if timed and theirs else None,
        memory_mib=theirs.memory_mib if theirs else None,
        model_bytes=sum(path.stat().st_size for path in files),
        brain_bytes=sum(len(data) for data in contents_of(brain).values()),
    )


def machine() -> dict[str, str]:
    """What the receipt was made on."""
    return {
        "processor": processor()[:200],
        "cores": str(usable_cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def read_receipts(folder: Path) -> tuple[Receipt, ...]:
    """The receipts in an export's folder, one for each brain.

    Raises:
        ExportError: there is none, or one is damaged.
    """
    found: list[Receipt] = []
    while (path := folder / receipt_name(len(found), "json")).is_file():
        try:
            with path.open("rb") as file:
                found.append(Receipt.model_validate_json(file.read(_LARGEST_RECEIPT), strict=True))
        except (OSError, ValueError) as error:
            raise ExportError(f"{path} is damaged: {_what(error)}") from error
    if not found:
        raise ExportError(f"{folder} holds no receipt.json; export again")
    return tuple(found)


def _what(error: Exception) -> str:
    """The error in a line, with the field at fault."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join(lines[:3])[:300] or type(error).__name__
