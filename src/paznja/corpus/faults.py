"""What to do when a reader fails unexpectedly: one sentence for the user, and the traceback in a log for whoever fixes paznja.

The log is `reading-errors.log` in the cache, or in the user's folder for logs if nothing is cached. A training that must leave nothing
behind has none.
"""

import importlib.metadata
import os
import platform
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import platformdirs

from paznja.corpus.book import Unreadable
from paznja.corpus.printable import printable
from paznja.corpus.store import Store
from paznja.errors import PaznjaError, UnreadableBook

LOG = "reading-errors.log"
MOST_LOG_BYTES = 1_000_000
"""Above this size the log starts over."""

_MOST_ENTRY_CHARACTERS = 100_000
_BEGINS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  paznja |\Z")
"""How an entry begins; a log may also be empty, if paznja was killed when it had just started one."""
_FRAMES = 60  # enough to show an endless recursion


@contextmanager
def faults_as(reason: str) -> Iterator[None]:
    """Turns every error that is not paznja's own into an UnreadableBook with this reason, and makes that error its cause.

    MemoryError passes through: it is not a fault.
    """
    try:
        yield
    except (PaznjaError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableBook(reason) from error


def unreadable(path: Path, error: UnreadableBook) -> Unreadable:
    """An Unreadable for this error, with the traceback of its cause if there is one."""
    cause = error.__cause__
    trace = "".join(traceback.format_exception(cause, limit=-_FRAMES)) if cause is not None else ""
    return Unreadable(path, printable(error), trace)


def log_for(store: Store | None) -> Path | None:
    """Where faults are logged; None for nowhere."""
    return store.log if store is not None else Path(platformdirs.user_log_dir("paznja")) / LOG


def logged(bad: Unreadable, log: Path | None) -> Unreadable:
    """The same with its traceback moved to the log, if there is one, and with a reason that says where the log is."""
    if not bad.fault:
        return bad
    if log is None:
        return replace(bad, fault="", passing=True)
    try:
        _append(log, bad)
    except OSError as error:
        where = f"the details could not be written to {printable(log)} ({error.strerror})"
    else:
        where = f"the details are in {printable(log)}"
    return replace(bad, reason=f"{bad.reason}; {where}", fault="", passing=True)


def is_log(path: Path) -> bool:
    """Whether this is such a log, judged by how it begins."""
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, "rb") as file:
        return _BEGINS.match(file.read(80)) is not None


def _append(log: Path, bad: Unreadable) -> None:
    versions = f"paznja {importlib.metadata.version('paznja')}, Python {platform.python_version()}, {platform.platform()}"
    entry = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {versions}\n{printable(bad.path)}\n{bad.fault[-_MOST_ENTRY_CHARACTERS:]}\n"
    log.parent.mkdir(parents=True, exist_ok=True)
    # Only its owner may read it: an error can quote a book.
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "ab") as file:
        if os.fstat(descriptor).st_size > MOST_LOG_BYTES:
            file.truncate(0)
        file.write(entry.encode("utf-8", "backslashreplace"))
