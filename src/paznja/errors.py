"""Every error that a person can cause or meet, by name.

Each message is one sentence or two that says what happened, to which file or setting, and what to do next.
`exit_code` is what the command line ends with: 1 failed, 2 wrong use.
"""


class PaznjaError(Exception):
    """The root of all of them: catch this to catch what is not a bug."""

    exit_code = 1


class WrongUse(PaznjaError):
    """A setting or an argument that cannot be: an unknown preset, an empty prompt, both budgets given."""

    exit_code = 2


class NameTaken(WrongUse):
    """A name for a new run that another folder has."""


class UnreadableBook(PaznjaError):
    """One file that could not be read as a book; the message is the reason alone, without the file's name."""


class NoBooks(PaznjaError):
    """Nothing to read at the given places, or too little text to learn from."""


class FetchFailed(PaznjaError):
    """Books that could not be downloaded: no connection, not on the server, damaged on the way, no room; what was fetched stays good."""


class CacheInUse(PaznjaError):
    """The cache cannot be cleared while another process uses what is in it."""


class RunError(PaznjaError):
    """A run that is missing, taken, in use, damaged, or of a version this program does not know."""


class BooksChanged(RunError):
    """The books are not the ones that the run was begun with."""


class TrainingFailed(PaznjaError):
    """Training stopped by itself: a loss that is not finite, no memory, no disk; the last checkpoint stays good."""
