"""The command line: one small file a verb; errors become one line and an exit code here.

Exit codes: 0 all well; 2 a mistake that the user can mend; 1 a fault of ours; 130 stopped by
Ctrl-C.
"""

from __future__ import annotations

import os
import sys

import typer

from ninebrains.cli import brain, data, trunk
from ninebrains.cli.bench import bench
from ninebrains.cli.demo import demo
from ninebrains.cli.doctor import doctor
from ninebrains.cli.evaluate import evaluate
from ninebrains.cli.predict import predict
from ninebrains.cli.report import report
from ninebrains.cli.run import run
from ninebrains.cli.train import train
from ninebrains.cli.tune import tune
from ninebrains.cli.words import SeveralWords
from ninebrains.errors import NinebrainsError

_STOPPED = 130

app = typer.Typer(
    help="From a folder of photos to a tested vision model in seconds.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (train, predict, evaluate, report):
    app.command()(verb)
app.command(cls=SeveralWords)(run)
app.command()(bench)
app.command()(tune)
app.add_typer(trunk.app, name="trunk")
app.add_typer(brain.app, name="brain")
app.add_typer(data.app, name="data")
app.command()(demo)
app.command()(doctor)


def _version(wanted: bool) -> None:
    if wanted:
        from ninebrains import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and leave."
    ),
) -> None:
    """From a folder of photos to a tested vision model in seconds."""


def main() -> None:
    """Run the command line; the entry point of `ninebrains`."""
    for stream in (sys.stdout, sys.stderr):
        # File names may hold bytes that are no text; show them escaped instead of failing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except NinebrainsError as error:
        _leave(f"error: {error}", 2)
    except SystemExit as stop:
        # Typer turns Ctrl-C into this code without a word.
        if stop.code == _STOPPED:
            _leave("stopped. What was finished is kept; run the same command again.", _STOPPED)
        raise
    except BrokenPipeError:
        # The reader of our output has left, as `head` does. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("NINEBRAINS_DEBUG"):
            raise
        _leave(
            f"internal error: {type(error).__name__}: {error}\n"
            "This is a fault in Ninebrains. Set NINEBRAINS_DEBUG=1 to see where, and report it "
            "with the output of `ninebrains doctor`.",
            1,
        )


def _leave(message: str, code: int) -> None:
    from ninebrains.photos.dataset import printable

    # It may quote what a hostile file says; that must not reach the terminal as it is.
    typer.echo("\n".join(printable(line) for line in message.split("\n")), err=True)
    sys.exit(code)
