"""`export.json`: what an export is, for the programs that run it; and hashes of its files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ninebrains.brains import Brain
from ninebrains.errors import ExportError
from ninebrains.exporting.target import Precision

FACTS, README = "export.json", "README.md"
_RECEIPTS = re.compile(r"receipt(-\d+)?\.json")
_OF_SYSTEMS = (".DS_Store", "Thumbs.db")  # put beside files by whoever looks into a folder
_LARGEST_FACTS = 64 * 1024 * 1024
_TEXTS = ("name", "version", "graph", "target", "precision", "task")


def receipt_name(place: int, suffix: str) -> str:
    """The file of the receipt of the brain at a place, with the suffix `json` or `html`.

    >>> receipt_name(0, "json"), receipt_name(1, "html")
    ('receipt.json', 'receipt-1.html')
    """
    return f"receipt{_number(place)}.{suffix}"


def labels_name(place: int) -> str:
    """The file of the labels of the brain at a place.

    >>> labels_name(0), labels_name(1)
    ('labels.txt', 'labels-1.txt')
    """
    return f"labels{_number(place)}.txt"


def _number(place: int) -> str:
    return f"-{place}" if place else ""


def describe(
    brains: tuple[Brain, ...],
    target: str,
    precision: Precision,
    outputs: tuple[str, ...],
    batch: int | None = None,
) -> dict[str, Any]:
    """The content of `export.json`; of several brains the first, and who they all are.

    Args:
        brains: that are exported.
        target: its name.
        precision: of the artefact.
        outputs: that it gives.
        batch: how many photos it takes at a time; None where that is free.
    """
    brain = brains[0]
    return {
        "schema_version": 1,
        "name": brain.name,
        "version": brain.version,
        "graph": brain.graph.hash,
        "brains": [
            {"name": one.name, "version": one.version, "outputs": list(one.outputs)}
            for one in brains
        ],
        "task": brain.task,
        "target": target,
        "precision": precision,
        "input": {"name": "photos", "dtype": "uint8", "shape": [batch, *brain.contract.shape]},
        "outputs": list(outputs),
        "labels": [{"id": label.id, "name": label.name} for label in brain.labels],
        "contract": asdict(brain.contract),
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """What an export says about itself.

    Raises:
        ExportError: the folder is no export, or its `export.json` is damaged.
    """
    path = folder / FACTS
    if not path.is_file():
        raise ExportError(
            f"{folder} is no export: it has no {FACTS}. Expected a folder made by "
            "`ninebrains export`."
        )
    try:
        with path.open("rb") as file:
            facts = json.loads(file.read(_LARGEST_FACTS))
    except (OSError, ValueError, RecursionError) as error:
        raise ExportError(f"{path} is damaged: {error}") from error
    if not isinstance(facts, dict) or facts.get("schema_version") != 1:
        raise ExportError(f"{path} was written by a newer Ninebrains, or is damaged")
    strange = [key for key in _TEXTS if not isinstance(facts.get(key), str)]
    strange += [] if isinstance(facts.get("brains"), list) else ["brains"]
    if strange:
        raise ExportError(f"{path} is damaged: {strange[0]} is {facts.get(strange[0])!r}")
    return dict(facts)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 (hex) of every file below an export's folder, by relative name.

    Only receipts in JSON, which hold them, are left out, and what systems put into folders.

    Raises:
        ExportError: there is a link or something else that is no plain file.
    """
    found = {}
    for root, folders, names in os.walk(folder):
        for name in (*names, *folders):
            path = Path(root, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise ExportError(f"{path} is a link or device; an export holds plain files only")
        for name in names:
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if not _RECEIPTS.fullmatch(relative) and name not in _OF_SYSTEMS:
                with path.open("rb") as file:
                    found[relative] = hashlib.file_digest(file, "sha256").hexdigest()
    return dict(sorted(found.items()))
