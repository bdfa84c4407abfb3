"""A listed trunk from the public hub into the store, only when somebody asks for it by name.

What is being downloaded lies in `cache_folder()/downloads`, a folder a trunk and hub, and goes when
the trunk is kept. Two pulls of one trunk wait for each other, and the second finds it there.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ninebrains.errors import TrunkError
from ninebrains.places import cache_folder, holding
from ninebrains.trunks.catalog import ListedTrunk, listed_trunk
from ninebrains.trunks.downloading import Patience, Progress, download
from ninebrains.trunks.hub import Hub, check_online, hub_from_environment
from ninebrains.trunks.importing import import_trunk
from ninebrains.trunks.inputs import InputOverrides
from ninebrains.trunks.parts import sha256_of
from ninebrains.trunks.store import (
    TrunkSummary,
    add_trunk,
    check_own_name,
    list_trunks,
    summarise,
)


def pull_trunk(
    wanted: str | ListedTrunk,
    *,
    name: str | None = None,
    endpoint: str | None = None,
    replace: bool = False,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> TrunkSummary:
    """Download a trunk, check it, turn it into one of ours and keep it.

    One that was pulled before is left as it is, without asking the hub.

    Args:
        wanted: a name of the list, or an entry of your own.
        name: under which it is kept; the listed one if None.
        endpoint: the hub's address; `HF_ENDPOINT` or the public hub if None.
        replace: pull it again, and whatever has its name may go.
        patience: how long to wait and how often to try.
        progress: called with (bytes that are here, bytes of the file or 0 where unknown).

    Raises:
        TrunkError: no such trunk, no network, not the file that is listed, or no network that can
            be a trunk; the message says how to do without.
        OutputError: the disk is full, or cannot be written.

    Example:
        >>> pull_trunk("mobilenetv4_small").record.num_features  # doctest: +SKIP
        960
    """
    entry = listed_trunk(wanted) if isinstance(wanted, str) else wanted
    name = entry.name if name is None else name
    check_own_name(name)
    try:
        hub = hub_from_environment(endpoint)
    except TrunkError as error:
        raise TrunkError(f"{error}\n{by_hand(Hub(), entry, name)}") from error
    kept = None if replace else _kept(entry, name)
    if kept is not None:
        return kept
    folder = _folder(hub, entry)
    with holding(folder.with_name(folder.name + ".lock")):
        kept = None if replace else _kept(entry, name)
        if kept is not None:
            return kept  # somebody else pulled it while we waited
        model = _fetch(hub, entry, name, folder, patience, progress)
        try:
            add_trunk(import_trunk(model, name, entry.overrides), replace=replace)
        except TrunkError as error:
            raise TrunkError(f"{error} The file is kept at {model}.") from error
        shutil.rmtree(folder, ignore_errors=True)  # a leftover costs space and nothing else
    return summarise(name)


def _kept(entry: ListedTrunk, name: str) -> TrunkSummary | None:
    """The trunk as it was pulled before, or None where there is none or it is damaged.

    Raises:
        TrunkError: the name belongs to another one.
    """
    summary = next((trunk for trunk in list_trunks() if trunk.name == name), None)
    if summary is None or summary.record is None or summary.problem is not None:
        return None
    first = entry.files[0]
    digest = first.sha256 if len(entry.files) == 1 and first.sha256 else ""
    if not summary.record.source.startswith(f"{_model_name(entry)} sha256:{digest}"):
        raise TrunkError(
            f"there is another trunk {name!r}, from {summary.record.source}. Keep this one under "
            "another name (--as NAME), or replace that one (--replace)."
        )
    return summary


def _fetch(
    hub: Hub,
    entry: ListedTrunk,
    name: str,
    folder: Path,
    patience: Patience | None,
    progress: Progress | None,
) -> Path:
    """Have every file of the trunk in the folder; return the model's path."""
    targets = [folder / _model_name(entry), *(folder / file.name for file in entry.files[1:])]
    for file, target in zip(entry.files, targets, strict=True):
        if target.is_file() and file.sha256 is not None and sha256_of(target) == file.sha256:
            continue  # left by a run whose import failed
        url = hub.url(entry.repo, entry.revision, file.path)
        try:
            check_online()
            download(hub, url, file, target, patience=patience, progress=progress)
        except TrunkError as error:
            raise TrunkError(f"{error}\n{by_hand(hub, entry, name)}") from error
    return targets[0]


def by_hand(hub: Hub, entry: ListedTrunk, name: str) -> str:
    """How to get a listed trunk onto a machine that cannot reach the hub."""
    urls = " and ".join(hub.url(entry.repo, entry.revision, file.path) for file in entry.files)
    return (
        f"To do without: fetch {urls} on another machine, bring it here, and run "
        f"`ninebrains trunk add {entry.files[0].name} --name {name}{_options(entry.overrides)}`."
    )


def _options(overrides: InputOverrides) -> str:
    """The command line's spelling of what a network does not say about its input."""
    given = {
        "size": "x".join(map(str, overrides.size)) if overrides.size else None,
        "fit": overrides.fit if overrides.fit != "crop" else None,
        "mean": ",".join(map(str, overrides.mean)) if overrides.mean else None,
        "std": ",".join(map(str, overrides.std)) if overrides.std else None,
        "layout": overrides.layout,
        "color": overrides.color,
    }
    return "".join(f" --{option} {value}" for option, value in given.items() if value)


def _model_name(entry: ListedTrunk) -> str:
    """What the model's file is called here: on the hub nearly all are called model.onnx."""
    return f"{entry.name}.onnx"


def _folder(hub: Hub, entry: ListedTrunk) -> Path:
    source = "\n".join((hub.endpoint, entry.repo, entry.revision))
    key = hashlib.sha256(source.encode()).hexdigest()[:12]
    return cache_folder() / "downloads" / f"{entry.name}-{key}"
