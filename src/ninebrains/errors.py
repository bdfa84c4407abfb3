"""Everything that Ninebrains raises on purpose.

    NinebrainsError
    ├── PhotoError      a photo that cannot be read, is too large, or is no photo
    ├── DataError       a folder or table of photos that cannot be learnt from
    ├── TrunkError      a backbone that cannot be imported, found or trusted
    ├── BrainError      a brain file that is damaged, hostile, too new or misused
    ├── OutputError     a result that cannot be written where it was asked for
    ├── OverloadError   a request refused at once, because too many are waiting
    ├── DeadlineError   a request that could not be answered by its deadline
    ├── ClosedError     a request to a mind that is closed or closing
    └── ExtraError      a feature whose optional packages are not installed

Every message says what was received, what was expected and what to do about it. The command line
turns each of these into one line and exit code 2.
"""

from __future__ import annotations


class NinebrainsError(Exception):
    """The root: catch this to catch every mistake that a user can make."""


class PhotoError(NinebrainsError):
    """A photo that cannot be read, is over a limit, or is not a photo at all."""


class DataError(NinebrainsError):
    """A data set that cannot be learnt from or measured on."""


class TrunkError(NinebrainsError):
    """A backbone that cannot be imported, found or trusted."""


class BrainError(NinebrainsError):
    """A brain that is damaged, hostile, of an unknown version, or asked for what it cannot do."""


class OutputError(NinebrainsError):
    """A result that cannot be written where it was asked for."""


class OverloadError(NinebrainsError):
    """A request refused at once: too many are waiting, or its deadline could not be kept."""


class DeadlineError(NinebrainsError):
    """A request that was not answered by its deadline, or whose deadline makes no sense."""


class ClosedError(NinebrainsError):
    """A request to a mind that was closed before it could answer."""


class ExtraError(NinebrainsError):
    """A feature whose optional packages are missing; the message holds the install command."""


class NinebrainsWarning(RuntimeWarning):
    """Something was left aside and work goes on; the command line shows it as a note."""
