"""Every error that a person can cause or meet, by name.

Each message is one sentence or two that says what happened, to which file or setting, and what to do next.
`exit_code` is what the command line exits with: 1 for a failure, 2 for wrong use.
"""


class PaznjaError(Exception):
    """The base class: catch this to catch everything that is not a bug."""

    exit_code = 1


class WrongUse(PaznjaError):
    """A setting or an argument that makes no sense: an unknown preset, an empty prompt, both budgets given."""

    exit_code = 2


class NameTaken(WrongUse):
    """The name for a new run is already taken by another folder."""


class UnreadableBook(PaznjaError):
    """A file could not be read as a book; the message is only the reason, without the file's name."""


class NoBooks(PaznjaError):
    """Nothing to read at the given places, or too little text to learn from."""


class FetchFailed(PaznjaError):
    """Books could not be downloaded: no connection, not on the server, damaged on the way, no room. What was fetched stays valid."""


class CacheInUse(PaznjaError):
    """The cache cannot be cleared or used, because another process is using it."""


class RunError(PaznjaError):
    """A run is missing, in use, damaged, or of a version that this program does not know."""


class BooksChanged(RunError):
    """The books are not those that the run began with."""


class TrainingFailed(PaznjaError):
    """Training cannot go on: a loss that is not finite, no memory, no room on the disk. The last checkpoint stays valid."""
