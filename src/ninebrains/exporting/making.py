"""Building an artefact and holding it against its brain, in a folder that has no name yet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ninebrains.brains import Brain
from ninebrains.errors import ExportError, NinebrainsError
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.describing import write_labels, write_readme, write_runner
from ninebrains.exporting.facts import FACTS, describe, file_hashes, receipt_name
from ninebrains.exporting.judging import Gate
from ninebrains.exporting.page import receipt_page
from ninebrains.exporting.photos import Proof
from ninebrains.exporting.receipt import Receipt
from ninebrains.exporting.receipting import Artefact, make_receipt
from ninebrains.exporting.target import Built, Job, Precision, Target
from ninebrains.images import Pixels
from ninebrains.places import write_bytes


@dataclass(frozen=True)
class Work:
    """What is to be done.

    Attributes:
        brains: to be exported.
        target: where to.
        precision: of the artefact.
        proofs: for each brain, the photos that it is proven on.
        originals: for each brain, its own answers on them.
        gate: what the artefact has to keep to.
        calibration: as in `Job`.
        opset: as in `Job`.
        tell: called with a line on what is done now.
    """

    brains: tuple[Brain, ...]
    target: Target
    precision: Precision
    proofs: tuple[Proof, ...]
    originals: tuple[Answers, ...]
    gate: Gate
    calibration: Pixels | None
    opset: int | None
    tell: Callable[[str], None]


def make(work: Work, folder: Path) -> tuple[Receipt, ...]:
    """Build the artefact, mending more for as long as int8 loses too much.

    Raises:
        ExportError: it does not answer as the brain, whatever was tried.
    """
    failures: list[str] = []
    efforts = work.target.efforts if work.precision == "int8" else ("",)
    for effort, step in enumerate(efforts):
        doing = f"{work.target.title} in {work.precision}{f', {step}' if step else ''}"
        work.tell(f"building {doing}")
        built = _build(work, folder, effort)
        work.tell(f"comparing {doing} on {len(work.proofs[0].paths)} photos")
        steps = efforts[: effort + 1] if step else ()
        receipts = tuple(
            _receive(work, folder, built, place, steps, failures)
            for place in range(len(work.brains))
        )
        refused = [one for one in receipts if not work.gate.passes(one.verdict)]
        if not refused:
            break
        failures.append(f"{step}: {refused[0].reasons[0]}")
    else:
        raise ExportError(_refusal(work, refused[0], failures))
    write_readme(work.target, tuple(zip(work.brains, receipts, strict=True)), folder)
    for place, receipt in enumerate(receipts):
        write_bytes(folder / receipt_name(place, "html"), receipt_page(receipt).encode())
    files = file_hashes(folder)
    receipts = tuple(one.model_copy(update={"files": files}) for one in receipts)
    for place, receipt in enumerate(receipts):
        data = json.dumps(receipt.model_dump(mode="json", exclude_none=True), indent=1)
        write_bytes(folder / receipt_name(place, "json"), data.encode())
    return receipts


def build_artefact(target: Target, job: Job, folder: Path) -> Built:
    """Build an artefact into an empty folder, with its facts and its runner beside it.

    Raises:
        BrainError: the brain holds what the target cannot take.
        ExportError: the target failed in another way.
    """
    try:
        built = target.build(job, folder)
    except (NinebrainsError, OSError, MemoryError):
        raise
    except Exception as error:
        raise ExportError(
            f"{target.title} could not be made from {job.brains[0].name}: "
            f"{type(error).__name__}: {error}"
        ) from error
    facts = describe(job.brains, target.name, job.precision, built.outputs, target.batch)
    write_bytes(folder / FACTS, json.dumps(facts, indent=1).encode())
    write_labels(job.brains, folder)
    write_runner(target.runtime, folder)
    return built


def _build(work: Work, folder: Path, effort: int) -> Built:
    for entry in folder.iterdir():  # of the step before
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    job = Job(work.brains, work.precision, work.calibration, work.opset, effort)
    return build_artefact(work.target, job, folder)


def _receive(
    work: Work,
    folder: Path,
    built: Built,
    place: int,
    steps: Sequence[str],
    failures: Sequence[str],
) -> Receipt:
    """The receipt of one brain."""
    brain, proof = work.brains[place], work.proofs[place]
    theirs = work.target.ask(folder, place, proof.paths)
    artefact = Artefact(
        work.target.name, work.precision, built.of(place), folder, tuple(steps), tuple(failures)
    )
    return make_receipt(brain, artefact, proof, work.originals[place], theirs, work.gate)


def _refusal(work: Work, receipt: Receipt, failures: Sequence[str]) -> str:
    what = f"{work.target.title} in {work.precision}"
    reasons = " ".join(receipt.reasons)
    lines = [f"{what} of {receipt.brain.name} was refused. {reasons} Nothing was written."]
    if len(failures) > 1:
        lines += [f"  tried {line}" for line in failures]
    agreement = receipt.agreement
    for one in agreement.disagreements[:5] if agreement else ():
        lines.append(
            f"  {one.photo}: {one.brain} ({one.brain_score:.2f}) became {one.export} "
            f"({one.export_score:.2f})"
        )
    if receipt.verdict == "differs":
        lines.append("Try --precision fp16 or int8-weights, which change less.")
    elif receipt.verdict == "not run here":
        lines.append("Export it on a machine that can run it, or leave --strict out.")
    else:
        lines.append("Give more photos with --photos, or leave --strict out.")
    return "\n".join(lines)
