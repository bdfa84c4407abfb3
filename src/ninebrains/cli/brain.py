"""`ninebrains brain`: look at brains, check, sign and store them, rename their labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from ninebrains.brains import Brain

app = typer.Typer(no_args_is_help=True, help="Look at brains; check, sign, store and compare them.")
labels = typer.Typer(no_args_is_help=True, help="See and rename what a brain can say.")
app.add_typer(labels, name="labels")

_Source = Annotated[str, typer.Argument(help="Brain file, folder, or name in the store.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an older brain.")]


@app.command()
def show(
    brain: _Source,
    as_json: _Json = False,
    card: Annotated[bool, typer.Option("--card", help="Print its card instead.")] = False,
) -> None:
    """Say what a brain is, how good it is and where it comes from."""
    from ninebrains.brains import load
    from ninebrains.cli.console import print_json
    from ninebrains.cli.measures import print_metrics

    found = load(brain)
    if as_json:
        signer = f"ed25519:{found.signature.public_key}" if found.signature else None
        manifest = found.manifest.model_dump(mode="json")
        print_json({"hash": found.hash, "signed_by": signer, "manifest": manifest})
        return
    if card:
        typer.echo(found.card)
        return
    for name, value in _facts(found):
        typer.echo(f"{name:<10} {value}")
    if found.metrics is not None:
        typer.echo("")
        print_metrics(found.metrics, list(found.labels))


def _facts(brain: Brain) -> list[tuple[str, str]]:
    trained, contract = brain.manifest.training, brain.contract
    names = ", ".join(label.name for label in brain.labels[:12])
    more = f" and {len(brain.labels) - 12} more" if len(brain.labels) > 12 else ""
    weight_bytes = sum(map(len, brain.graph.weights.values()))
    facts = [
        ("brain", f"{brain.name}@{brain.version}"),
        ("task", brain.task),
        ("labels", f"{len(brain.labels)}: {names}{more}"),
        ("photos", f"{contract.width} x {contract.height}, {contract.fit}"),
        ("trunk", f"{brain.manifest.trunk.name} ({brain.manifest.trunk.hash[:12]})"),
        ("size", f"{(weight_bytes + len(brain.graph.data)) / 1e6:.1f} MB"),
        ("hash", brain.hash),
        ("signed by", f"ed25519:{brain.signature.public_key}" if brain.signature else "nobody"),
    ]
    if trained is not None:
        facts.insert(5, ("trained on", f"{trained.num_train} photos, seed {trained.seed}"))
    return facts


@app.command()
def verify(
    brain: _Source,
    key: Annotated[
        Optional[list[str]],
        typer.Option(help="Public key, or a file with one, that must have signed it; repeatable."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Check every hash, the graph and the signature; compile it and run it on a blank photo."""
    import numpy as np

    from ninebrains.brains import load
    from ninebrains.cli.console import print_json

    found = load(brain, trusted=key or None)
    answer = found.run(np.full(found.contract.shape, 128, np.uint8))
    checked = [
        "brain.json is valid and belongs to the files beside it",
        f"graph.onnx, card.md and {len(found.graph.weights)} weights have the right SHA-256",
        "the graph has plain operators only, no paths, no custom code, and bounded sizes",
        f"input and outputs ({', '.join(found.outputs)}) fit {len(found.labels)} labels",
        f"it compiles and answers a blank photo in {answer.timings['run_ms']:.0f} ms",
    ]
    if found.signature:
        by = "a trusted key" if key else "a key that nobody was asked to trust (--key)"
        checked.append(f"signed by ed25519:{found.signature.public_key}, {by}")
    else:
        checked.append("not signed")
    if as_json:
        print_json({"brain": brain, "hash": found.hash, "checked": checked})
        return
    for line in checked:
        typer.echo(f"ok  {line}")


@labels.command("list")
def list_labels(brain: _Source, as_json: _Json = False) -> None:
    """List a brain's labels: index and id, which stay, and name, which may change."""
    from ninebrains.brains import load
    from ninebrains.cli.console import print_json, print_table

    found = load(brain).labels
    if as_json:
        print_json([label.model_dump() for label in found])
    else:
        print_table(
            ("index", "id", "name"), [(str(item.index), item.id, item.name) for item in found]
        )


@labels.command()
def rename(
    brain: Annotated[Path, typer.Argument(help="Brain file or folder.")],
    old: Annotated[str, typer.Argument(help="The label's name or id now.")],
    new: Annotated[str, typer.Argument(help="Its new name.")],
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="Write here and leave the old one alone.")
    ] = None,
) -> None:
    """Rename a label. Its id and index stay, so other systems notice nothing."""
    from ninebrains.brains import load
    from ninebrains.errors import BrainError

    if not brain.exists():
        raise BrainError(
            f"there is no file or folder {brain}. To rename a label of a stored brain: export it, "
            "rename, and add it with --replace."
        )
    before = load(brain)
    after = before.rename_label(old, new)
    written = after.save(out or brain, overwrite=out is None)
    typer.echo(f"renamed {old} to {new} in {written}")
    if before.signature:
        typer.echo("the signature was dropped, as the brain has changed: sign it again", err=True)


@app.command()
def diff(before: _Source, after: _Source, as_json: _Json = False) -> None:
    """Show what differs between two brains."""
    from ninebrains.brains import diff as compare
    from ninebrains.brains import load
    from ninebrains.cli.console import print_json

    found = compare(load(before), load(after))
    if as_json:
        print_json(found.to_dict())
        return
    for change in found.changes:
        typer.echo(str(change))
    if not found.changes:
        typer.echo("no differences")
    typer.echo(
        f"weights: {found.shared_bytes:,} bytes shared, {found.before_bytes:,} only in the first, "
        f"{found.after_bytes:,} only in the second"
    )


@app.command()
def key(
    path: Annotated[Path, typer.Argument(help="New file for the private key.", metavar="NEW_FILE")],
) -> None:
    """Make a key pair for signing: NEW_FILE, to be kept secret, and NEW_FILE.pub."""
    from ninebrains.brains import new_key

    public = new_key(path)
    typer.echo(f"private key: {path} (keep it secret)\npublic key:  {public} (in {path}.pub)")


@app.command()
def sign(
    brain: Annotated[Path, typer.Argument(help="Brain file or folder; rewritten in place.")],
    private_key: Annotated[Path, typer.Option("--key", help="File with the private key.")],
) -> None:
    """Sign a brain, so that others can insist on where it comes from."""
    from ninebrains.brains import load
    from ninebrains.brains import sign as add_signature
    from ninebrains.errors import BrainError

    if not brain.exists():
        raise BrainError(f"there is no file or folder {brain}; export a stored brain first")
    signed = add_signature(load(brain), private_key)
    signed.save(brain, overwrite=True)
    assert signed.signature is not None
    typer.echo(f"signed {brain} by ed25519:{signed.signature.public_key}")


@app.command("list")
def list_brains(as_json: _Json = False) -> None:
    """List the brains in the store."""
    from ninebrains.brains import stored_brains
    from ninebrains.cli.console import print_json, print_table

    found = stored_brains()
    if as_json:
        print_json([item.to_dict() for item in found])
        return
    if not found:
        typer.echo("the store is empty; `ninebrains brain add FILE` keeps a brain")
        return
    rows = []
    for item in found:
        task = item.manifest.task if item.manifest else f"damaged: {item.fault}"
        trunk = item.manifest.trunk.name if item.manifest else "?"
        num_labels = str(len(item.manifest.labels)) if item.manifest else "?"
        sizes = [f"{size / 1e6:.2f}" for size in (item.weight_bytes, item.own_bytes)]
        rows.append((f"{item.name}@{item.version}", task, num_labels, trunk, *sizes))
    print_table(("brain", "task", "labels", "trunk", "weights MB", "own MB"), rows)


@app.command()
def add(
    brain: Annotated[Path, typer.Argument(help="Brain file or folder.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of another of its name and version.")
    ] = False,
) -> None:
    """Keep a brain in the store; weights that are there already are not stored again."""
    from ninebrains.brains import add_brain, load
    from ninebrains.errors import BrainError

    if not brain.exists():
        raise BrainError(f"there is no file or folder {brain}")
    found = load(brain)
    add_brain(found, replace=replace)
    typer.echo(f"added {found.name}@{found.version}")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="name (all versions) or name@version.")],
) -> None:
    """Delete a brain from the store, and the weights that nothing else uses."""
    from ninebrains.brains import remove_brain

    plain, _, version = name.partition("@")
    freed = remove_brain(plain, version or None)
    typer.echo(f"removed {name}; {freed:,} bytes freed")


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="name or name@version in the store.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Brain file or folder to write.")],
    overwrite: _Overwrite = False,
) -> None:
    """Write a stored brain to a file or folder."""
    from ninebrains.brains import load_stored

    typer.echo(f"wrote {load_stored(name).save(out, overwrite=overwrite)}")
