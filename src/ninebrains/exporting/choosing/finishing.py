"""The export of what was chosen: a brain on the chosen network, and its receipt."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ninebrains.brains import Brain
from ninebrains.errors import ExportError, OutputError
from ninebrains.exporting.choosing.choosing import Choice
from ninebrains.exporting.exporting import Export, ExportRecipe, check_room, export
from ninebrains.training.card import write_card
from ninebrains.training.training import fit_dataset


def brain_beside(folder: Path) -> Path:
    """Where the brain of an export lies if it is not the user's own.

    >>> brain_beside(Path("out/pets-onnx")).name
    'pets-onnx.brain'
    """
    return folder.with_name(f"{folder.name}.brain")


def check_both(folder: Path, *, force: bool) -> None:
    """Make sure that neither the export nor the brain beside it overwrites anything.

    Raises:
        OutputError: something is there.
    """
    check_room(folder, force=force)
    beside = brain_beside(folder)
    if os.path.lexists(beside) and not force:
        raise OutputError(
            f"{beside} exists, where the brain of the export may have to go. Choose another name "
            "with -o, or add --force (in Python force=True) to replace it."
        )


def export_choice(
    choice: Choice,
    folder: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    force: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Export:
    """Export what was chosen, with its receipt on the held-out photos, which nothing was chosen by.

    Where the choice is another network than the brain's own, the brain that is made on it is kept
    beside the export as `FOLDER.brain`, so that `verify` finds it.

    Args:
        choice: from `choose`.
        folder: to be made.
        source: where the brain came from, to keep the receipt there too if it stays the same.
        force: replace an older export in `folder`, and a brain beside it.
        tell: called with a line on what is done now.

    Raises:
        ExportError: the receipt refuses it; nothing is left in `folder`.
        OutputError: something is there already, or cannot be written.
    """
    folder = Path(folder)
    check_both(folder, force=force)
    if tell is not None:
        tell(f"training {choice.brain.name} on {choice.trunk.name}")
    brain = _brain_of(choice)
    is_same = brain.graph.hash == choice.brain.graph.hash
    recipe = choice.recipe
    if choice.chosen.precision != "int8":  # which alone is calibrated
        recipe = replace(recipe, calibrate=None)
    given = source if is_same and source is not None else choice.brain if is_same else brain
    made = _export(choice, given, folder, recipe, force=force, tell=tell)
    notes = [*made.notes, *_over(choice, made)]
    if not is_same:
        beside = brain.save(brain_beside(folder), overwrite=force)
        notes.append(
            f"The export stands on another network than {choice.brain.name} itself: "
            f"{choice.trunk.name}. Its own brain is in {beside}."
        )
    return Export(made.folder, made.receipts, tuple(notes))


def _export(
    choice: Choice,
    source: Brain | str | os.PathLike[str],
    folder: Path,
    recipe: ExportRecipe,
    *,
    force: bool,
    tell: Callable[[str], None] | None,
) -> Export:
    chosen = choice.chosen
    try:
        return export(
            source,
            choice.scope.runtime,
            folder,
            precision=chosen.precision,
            recipe=recipe,
            force=force,
            tell=tell,
        )
    except ExportError as error:
        raise ExportError(
            f"{error}\nThis was {chosen.name}, the best that fits the budget. The held-out photos "
            "are not for choosing, so no other was tried on them; leave it out with --precision "
            "or --trunk, which take what may be chosen."
        ) from error


def _brain_of(choice: Choice) -> Brain:
    """The brain on the chosen network, trained and measured like the original.

    For the original's own network on the same photos that is the original's graph, bit for bit.
    """
    original, lesson = choice.brain, choice.lesson
    trained = fit_dataset(
        lesson.dataset,
        choice.trunk,
        recipe=lesson.recipe,
        name=original.name,
        labels=original.labels,
    )
    brain, before = trained.brain, original.manifest.training
    training = brain.manifest.training
    is_same_split = choice.scope.photos is None and before is not None
    if training is not None:
        split = before.split if before is not None and is_same_split else "random"
        training = training.model_copy(update={"split": split})
    manifest = brain.manifest.model_copy(update={"training": training, "version": original.version})
    return Brain.assemble(manifest, brain.graph, write_card(manifest))


def _over(choice: Choice, made: Export) -> tuple[str, ...]:
    """A note where the finished export is larger than what was measured and than allowed."""
    limit, found = choice.rules.budget.max_mb, made.receipt.cost.model_bytes / 1e6
    if limit is None or found <= limit:
        return ()
    step = made.receipt.step
    why = f", as int8 needed this step: {step}" if step else ""
    return (f"The finished export has {found:.2f} MB, over {limit:g} MB{why}.",)
