"""The cache, a folder with what was read and prepared: used by several processes at once, kept below a size, and cleared.

What was used longest ago is removed first. Only what is recognised, by its name and its contents, as made by paznja is ever removed.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from paznja.corpus.faults import LOG, is_log
from paznja.corpus.store import Store, is_kept, is_store_file
from paznja.disk import remove_known, write_atomically, writing_to
from paznja.errors import CacheInUse
from paznja.prepared import is_prepared, is_prepared_file
from paznja.processes import is_running
from paznja.sharing import gate, is_sharing_file, is_used_by_others, remove_gate, used

CACHE_BYTES = 2_000_000_000
"""The cache is kept below this size."""

BOOKS = "books"
"""The folder in the cache with the books that were read, one entry per file."""

_TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886e3d96b0\n# Made by paznja: what is in this folder can be made again from the books.\n"
"""Backup programs skip a folder with this file (https://bford.info/cachedir/); it also shows that paznja made the folder."""

_NAME = re.compile(r"[0-9a-f]{32}")
_LEFT_OVER = re.compile(r"\.[0-9a-f]{32}\.(\d+)\.new")
_PASSING = re.compile(r"\.passing\.(\d+)\.[0-9a-f]{8}\.new")


def default_cache() -> Path:
    """The user's cache folder for prepared books."""
    return Path(platformdirs.user_cache_dir("paznja")) / "prepared"


@contextmanager
def using(cache: Path | None) -> Iterator[None]:
    """Until this ends, no other process removes anything from the cache. Needed as long as what `prepare` returned is used.

    TrainingFailed if the cache cannot be written to.
    """
    cache = cache or default_cache()
    with ExitStack() as stack:
        with writing_to(cache, "--cache"):
            made_here = not cache.exists() or _is_made_here(cache)
            _make_private(cache)
            stack.enter_context(used(cache))
            if made_here and not _is_made_here(cache):  # another process cleared it at this moment, and locking made it again
                cache.chmod(0o700)
                _tag(cache)
        yield


def store_in(cache: Path) -> Store:
    """The store in which the cache keeps the books that were read."""
    _make_private(cache)
    folder = cache / BOOKS
    folder.mkdir(mode=0o700, exist_ok=True)
    return Store(folder, log=None if is_passing(cache) else cache / LOG)


@dataclass(frozen=True)
class Entry:
    """A folder in the cache that is recognised, by its name and its contents, as one that paznja made."""

    folder: Path
    is_file: Callable[[str], bool]
    left_over: bool
    """Whether a dead process left it unfinished."""

    @property
    def is_book(self) -> bool:
        return self.is_file is is_store_file

    # Another paznja may remove the same folder at the same moment: then it has no size and does not have to be removed.

    def size(self) -> int:
        with suppress(FileNotFoundError):
            return sum(path.stat().st_size for path in self.folder.iterdir())
        return 0

    def used(self) -> float:
        with suppress(FileNotFoundError):
            return self.folder.stat().st_mtime
        return 0.0

    def remove(self) -> None:
        """Rename the folder, then remove it, so that no half of it is left under its name if this process is killed."""
        going = self.folder
        with suppress(FileNotFoundError, PermissionError):  # the second one on Windows, for a file that another process has mapped
            if not self.left_over:
                going = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.new")
                os.replace(self.folder, going)
            remove_known(going, self.is_file)


def cache_entries(cache: Path) -> list[Entry]:
    """The folders in the cache that paznja made, those used longest ago first."""
    found: list[Entry] = []
    for place, is_own, is_file in ((cache, is_prepared, is_prepared_file), (cache / BOOKS, is_kept, is_store_file)):
        if (place.is_symlink() and place != cache) or not place.is_dir():
            continue
        for folder in place.iterdir():
            if folder.is_symlink() or not folder.is_dir():
                continue
            with suppress(OSError):  # removed meanwhile, or somebody else's folder that this user cannot open
                left = _LEFT_OVER.fullmatch(folder.name)
                if left and not is_running(int(left[1]), folder) and all(map(is_file, os.listdir(folder))):
                    found.append(Entry(folder, is_file, left_over=True))
                elif _NAME.fullmatch(folder.name) and is_own(folder):
                    found.append(Entry(folder, is_file, left_over=False))
    return sorted(found, key=Entry.used)


def trim_cache(cache: Path, limit: int, keep: Path | None = None) -> None:
    """Remove what was used longest ago until the cache has at most `limit` bytes; `keep` stays, and so does what paznja did not make.

    What killed processes left is removed in any case. Runs keep their own data. Nothing is removed while another process uses the
    cache: that process trims it itself, or the next one does.
    """
    if not cache.is_dir():
        return
    with gate(cache):
        if not is_used_by_others(cache):
            _trim(cache, limit, keep)


def _trim(cache: Path, limit: int, keep: Path | None) -> None:
    """Call it while holding the gate."""
    for folder in passing_left(cache):
        with suppress(CacheInUse):  # used by a process on another machine or in a container, whose number means nothing here
            clear_cache(folder)
    entries = cache_entries(cache)
    size = sum(entry.size() for entry in entries)
    for entry in entries:  # an older version let everybody read them
        if entry.folder.stat().st_mode & 0o077:
            entry.folder.chmod(0o700)
    for entry in sorted(entries, key=lambda entry: not entry.left_over):
        if (size > limit or entry.left_over) and entry.folder != keep:
            size -= entry.size()
            entry.remove()


def clear_cache(cache: Path) -> list[Path]:
    """Remove all that paznja made, and the folder if paznja made it and nothing else is in it; returns what stays.

    Raises CacheInUse, and removes nothing, while another process uses the cache.
    """
    if not cache.is_dir():
        return []
    made_here = _is_made_here(cache)  # before the gate as well, because another process may clear the cache while this one waits
    with gate(cache):
        if is_used_by_others(cache):
            raise CacheInUse(f"Another paznja is using {cache}, and nothing was deleted: wait until it is done or stop it, then try again.")
        _trim(cache, -1, None)
        if is_log(cache / LOG):
            (cache / LOG).unlink()
        books = cache / BOOKS
        made_here = made_here or _is_made_here(cache)
        if made_here and books.is_dir() and not books.is_symlink() and not any(books.iterdir()):
            books.rmdir()
        emptied = made_here and all(name == _TAG or is_sharing_file(cache / name) for name in os.listdir(cache))
        if emptied:
            (cache / _TAG).unlink(missing_ok=True)
        stays = [path for path in cache.iterdir() if path.name not in (_TAG, BOOKS) and not is_sharing_file(path)]
        stays += books.iterdir() if books.is_dir() else ()
        remove_gate(cache)
    if emptied:
        with suppress(FileNotFoundError):  # another process removed it
            try:
                cache.rmdir()
            except OSError:  # another process began to use it at this moment
                _tag(cache)
    return sorted(stays)


@contextmanager
def passing_cache(cache: Path | None) -> Iterator[Path]:
    """A cache inside the cache, for a training that keeps no text of the books; it is removed at the end, even after an error.

    Its name has the number of the process: what a killed process leaves is removed when the cache is next trimmed or cleared.
    """
    cache = cache or default_cache()
    folder = cache / f".passing.{os.getpid()}.{secrets.token_hex(4)}.new"
    with writing_to(cache, "--cache"):
        _make_private(cache)
    try:
        with using(folder):
            yield folder
    finally:
        clear_cache(folder)
        trim_cache(cache, CACHE_BYTES)


def is_passing(folder: Path) -> bool:
    """Whether this is the passing cache of a training, judged by its name and its tag."""
    return _PASSING.fullmatch(folder.name) is not None and folder.is_dir() and not folder.is_symlink() and _is_made_here(folder)


def passing_left(cache: Path) -> list[Path]:
    """The passing caches that killed trainings left in the cache."""
    folders = [folder for folder in cache.iterdir() if is_passing(folder)] if cache.is_dir() else []
    return [folder for folder in folders if not is_running(int(folder.name.split(".")[2]), folder)]


def _make_private(cache: Path) -> None:
    """Make a cache that nobody else on the machine can read, because it has books in it. An existing folder keeps its mode."""
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.mkdir(mode=0o700, exist_ok=True)
        _tag(cache)


def _tag(cache: Path) -> None:
    write_atomically(cache / _TAG, _TAG_TEXT.encode())


def _is_made_here(cache: Path) -> bool:
    tag = cache / _TAG
    try:
        return not tag.is_symlink() and tag.read_bytes() == _TAG_TEXT.encode()
    except OSError:
        return False
