"""The command line: one small file a verb; errors become one line and an exit code here.

Exit codes: 0 all well; 2 a mistake that the user can mend; 1 a fault of ours; 130 stopped by
Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import TextIO

from ninebrains.cli.output import Output, silence
from ninebrains.errors import NinebrainsError, NinebrainsWarning

_STOPPED = 130


def main() -> None:
    """Run the command line; the entry point of `ninebrains`."""
    try:
        _run()
    except NinebrainsError as error:
        _leave(f"error: {error}", 2)
    except KeyboardInterrupt:
        _stop()
    except SystemExit as stop:
        # Typer turns Ctrl-C into this code without a word.
        if stop.code == _STOPPED:
            _stop()
        raise
    except BrokenPipeError:
        # The reader of our output has left, as `head` does.
        silence(sys.stdout)
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


def _run() -> None:
    sys.stdout, sys.stderr = Output.of(sys.stdout), Output.of(sys.stderr)
    warnings.showwarning = _note
    # Here, so that Ctrl-C while this is read ends as it does later.
    from ninebrains.cli.verbs import app

    app()


_show_warning = warnings.showwarning


def _note(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning of ours as a line for people, without the place in the code."""
    if issubclass(category, NinebrainsWarning):
        _tell(f"note: {message}")
    else:
        _show_warning(message, category, filename, lineno, file, line)


def _stop() -> None:
    # Without an import, which may be what was stopped.
    sys.stderr.write("stopped. What was finished is kept; run the same command again.\n")
    sys.stderr.flush()
    sys.exit(_STOPPED)


def _leave(message: str, code: int) -> None:
    _tell(message)
    sys.exit(code)


def _tell(message: str) -> None:
    import typer

    from ninebrains.photos.dataset import printable

    # It may quote what a hostile file says; that must not reach the terminal as it is.
    typer.echo("\n".join(printable(line) for line in message.split("\n")), err=True)
