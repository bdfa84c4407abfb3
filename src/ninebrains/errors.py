"""Everything that Ninebrains raises on purpose.

    NinebrainsError
    ├── PhotoError      a photo that cannot be read, is too large, or is no photo
    ├── DataError       a folder or table of photos that cannot be learnt from
    ├── TrunkError      a backbone that cannot be imported, found or trusted
    ├── BrainError      a brain file that is damaged, hostile, too new or misused
    ├── OutputError     a result that cannot be written where it was asked for
    ├── ExportError     an export that does not answer as its brain does, or was changed since
    ├── OverloadError   a request refused at once, because too many are waiting
    ├── DeadlineError   a request that could not be answered by its deadline
    ├── ClosedError     a request to a mind that is closed or closing
    ├── RequestError    a request to a host that is none: its form, its size, its fields
    ├── MissingError    a brain, version or thing that was asked for by name and is not there
    ├── AccessError     a request without a key, or whose key does not allow it
    ├── SettingsError   a setting of a host that is unknown, or that cannot be kept to
    ├── HostError       a host that cannot be reached, or whose answer is none
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


class ExportError(NinebrainsError):
    """An export that does not answer as its brain does, or is not what its receipt is about."""


class OverloadError(NinebrainsError):
    """A request refused at once: too many are waiting, or its deadline could not be kept.

    Attributes:
        retry_seconds: when it makes sense to ask again, where that is known.
    """

    def __init__(self, message: str, *, retry_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class DeadlineError(NinebrainsError):
    """A request that was not answered by its deadline, or whose deadline makes no sense."""


class ClosedError(NinebrainsError):
    """A request to a mind that was closed before it could answer."""


class RequestError(NinebrainsError):
    """A request to a host that cannot be understood, or is larger or longer than allowed.

    Attributes:
        status: the HTTP status that says so, 400 unless another one is more exact.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class MissingError(NinebrainsError):
    """What was asked for by name is not there: a brain, a version, a prediction."""


class AccessError(NinebrainsError):
    """A request without a key, with an unknown one, or with one that does not allow this.

    Attributes:
        is_known: whether the key is known, and only its scopes do not reach.
    """

    def __init__(self, message: str, *, is_known: bool = False) -> None:
        super().__init__(message)
        self.is_known = is_known


class SettingsError(NinebrainsError):
    """A setting of a host that is unknown, makes no sense, or cannot be kept to here."""


class HostError(NinebrainsError):
    """A host that cannot be reached, or that answers what no host of ours would."""


class ExtraError(NinebrainsError):
    """A feature whose optional packages are missing; the message holds the install command."""


class NinebrainsWarning(RuntimeWarning):
    """Something was left aside and work goes on; the command line shows it as a note."""
