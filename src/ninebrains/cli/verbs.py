"""All verbs of the command line in one application."""

from __future__ import annotations

import typer

from ninebrains.cli import bench, brain, data, export, feedback, keys, studio, trunk
from ninebrains.cli.demo import demo
from ninebrains.cli.doctor import doctor
from ninebrains.cli.evaluate import evaluate
from ninebrains.cli.predict import predict
from ninebrains.cli.report import report
from ninebrains.cli.run import run
from ninebrains.cli.serve import serve
from ninebrains.cli.train import train
from ninebrains.cli.tune import tune
from ninebrains.cli.words import SeveralWords

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
app.command()(serve)
app.add_typer(studio.app, name="studio")
app.add_typer(bench.app, name="bench")
app.command()(tune)
app.add_typer(export.app, name="export")
app.add_typer(trunk.app, name="trunk")
app.add_typer(brain.app, name="brain")
app.add_typer(data.app, name="data")
app.add_typer(keys.app, name="keys")
app.add_typer(feedback.app, name="feedback")
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
