"""`ninebrains studio`: label, train, understand and deploy in the browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from ninebrains.cli.groups import WithDefault
from ninebrains.cli.hosts import needing_serving

_VARIABLE = "NINEBRAINS_STUDIO_PASSWORD"

app = typer.Typer(
    cls=WithDefault, help="Label, train, look at errors and put brains to work in the browser."
)


@app.command(WithDefault.DEFAULT)
def studio(
    project: Annotated[
        Path, typer.Argument(help="Folder of the project; made where there is none.")
    ] = Path("studio"),
    add: Annotated[
        Optional[list[Path]],
        typer.Option(
            help="Folder of photos, or a table, to begin with; it stays where it is. May be "
            "repeated."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback need a password.")
    ] = "127.0.0.1",
    port: Annotated[
        Optional[int], typer.Option(min=0, max=65535, help="0: any; default 8765, or any.")
    ] = None,
    password: Annotated[
        bool,
        typer.Option(
            "--password", help=f"Ask for a password to share it ({_VARIABLE} may hold it)."
        ),
    ] = False,
    tls_cert: Annotated[Optional[Path], typer.Option(help="PEM file.")] = None,
    tls_key: Annotated[Optional[Path], typer.Option(help="PEM file.")] = None,
    name: Annotated[
        Optional[list[str]],
        typer.Option(help="Name by which others reach this machine. May be repeated."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Open a page to label photos, train on them, look at errors, and put brains to work."""
    with needing_serving("studio"):
        import granian  # noqa: F401 - named here, so that it is missed here
        import httpx  # noqa: F401
        import orjson  # noqa: F401
        import python_multipart  # noqa: F401
        import starlette  # noqa: F401

        from ninebrains.studio.serving import Access, run_studio
    access = Access(
        host=host,
        port=port,
        password=_password() if password else os.environ.get(_VARIABLE) or None,
        certificate=tls_cert,
        key=tls_key,
        names=tuple(name or ()),
    )

    def ready(url: str, link: str) -> None:
        typer.echo(f"project {project} is at {url}")
        typer.echo(f"open this address, which works once: {link}")
        typer.echo("Ctrl-C ends it; everything is kept.")
        if not no_open:
            _open(link)

    run_studio(project, access, ready, add or ())


@app.command("labels")
def labels(
    project: Annotated[Path, typer.Argument(help="Folder of the project.")],
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="CSV file; default PROJECT/labels.csv.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an older table.")] = False,
) -> None:
    """Write the labels of a project as a table that `train` and `data audit` take."""
    from ninebrains.errors import OutputError
    from ninebrains.studio.tables import write_labels

    table = out or project / "labels.csv"
    if table.exists() and not force:
        raise OutputError(f"{table} exists. Choose another --out, or add --force to replace it.")
    typer.echo(f"wrote {table}: {write_labels(project, table):,} photos")


def _password() -> str:
    known = os.environ.get(_VARIABLE)
    if known:
        return known
    chosen: str = typer.prompt("Password for the studio", hide_input=True, confirmation_prompt=True)
    return chosen


def _open(link: str) -> None:
    """Show the page, where there is a browser with a screen to show it on."""
    import sys
    import webbrowser

    has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not has_screen:
        return
    webbrowser.open(link)
