"""Reads many files side by side, in processes of their own, and keeps them in the store, so that their texts do not fill the memory.

If a file crashes the process that reads it, that file is reported, and the others are read as usual.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import connection
from pathlib import Path
from types import FrameType
from typing import TypeVar

from paznja.cores import allowed_cores
from paznja.corpus.book import Book, Unreadable
from paznja.corpus.faults import log_for, logged, unreadable
from paznja.corpus.finding import file_fingerprints
from paznja.corpus.formats import books_in
from paznja.corpus.printable import printable
from paznja.corpus.store import Store
from paznja.errors import NoBooks, UnreadableBook

LARGE_FILE = 16_000_000
"""Files of at least this many bytes are read one at a time, so that the memory of two of them is never needed at once."""

_BYTES_WORTH_A_PROCESS = 4_000_000  # a process takes about 0.2 s to start, in which this process reads as much
_SECONDS_BETWEEN_LOOKS = 0.5

Result = list[Book | Unreadable]
"""What one file gave: its books, and what could not be read in it."""

OnRead = Callable[[int, int, Path], None]
"""Called after each file with the number of files done, the number of all files, and the file."""

T = TypeVar("T")
Item = TypeVar("Item")


def read_files(
    files: Sequence[Path],
    *,
    off: Iterable[str] = (),
    store: Store | None = None,
    workers: int | None = None,
    strict: bool = False,
    on_read: OnRead | None = None,
) -> Result:
    """The books in all these files, in any order; with a store, their texts are in it and not in memory.

    `off`: names of rules that are switched off. `workers`: how many processes may read at once; None: as many as there are cores. `on_read`
    is called after each file. NoBooks if `strict` is true and a file cannot be read.
    """
    sizes = {path: path.stat().st_size if os.path.isfile(path) else 0 for path in files}
    read = partial(_read, off=frozenset(off), store=store, log=log_for(store))
    results: Result = []
    done = 0

    def take(path: Path, result: Result) -> None:
        nonlocal done
        done += 1
        results.extend(result)
        if strict:
            refuse([it for it in result if isinstance(it, Unreadable)])
        if on_read is not None:
            on_read(done, len(files), path)

    small = sorted((path for path in files if sizes[path] < LARGE_FILE), key=lambda path: -sizes[path])  # so that no process ends late
    large = [path for path in files if sizes[path] >= LARGE_FILE]
    for group, most in ((small, workers or allowed_cores()), (large, 1)):
        processes = min(most, len(group), sum(sizes[path] for path in group) // _BYTES_WORTH_A_PROCESS)
        side_by_side(read, group, processes, take, _crashed)
    return results


def refuse(unreadable: Sequence[Unreadable]) -> None:
    """Raises NoBooks for the first of these files, if there is one."""
    for bad in unreadable[:1]:
        raise NoBooks(f"{printable(bad.path)} {printable(bad.reason)} (--strict stops at the first such file)")


def side_by_side(
    work: Callable[[Item], T], items: Sequence[Item], processes: int, take: Callable[[Item, T], None], crashed: Callable[[Item], T]
) -> None:
    """Call `take(item, work(item))` for every item, in the order in which they are done.

    An item that crashes its process is tried again in a process of its own; if that crashes too, `take(item, crashed(item))` is
    called. All work is done in this process if `processes` is below 1, or if no process can be started.
    """
    if processes < 1 or not _may_start_processes():
        for item in items:
            take(item, work(item))
        return
    left = list(items)
    for alone in (False, True):
        for batch in [[item] for item in left] if alone else [left]:
            try:
                with _pool(min(processes, len(batch))) as pool:
                    futures: dict[Future[T], Item] = {pool.submit(work, item): item for item in batch}
                    for future in as_completed(futures):
                        take(futures[future], future.result())
                        left.remove(futures[future])
            except BrokenProcessPool:
                if alone:
                    take(batch[0], crashed(batch[0]))
        if not left:
            return


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes that ends with the `with` block, whatever happens in it: each finishes its current item, and no more."""
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context(_start_method()), _begin)
    with _one_interrupt():
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Lets only the first Ctrl-C interrupt: a second one, during the pool's shutdown, would leave this process waiting forever."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        before(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _read(path: Path, *, off: frozenset[str], store: Store | None, log: Path | None) -> Result:
    try:
        results = books_in(path, off) if store is None else _kept(path, off, store)
    except UnreadableBook as error:
        results = [unreadable(path, error)]
    except MemoryError:
        results = [Unreadable(path, "needs more memory than there is; split it into several files", passing=True)]
    return [logged(it, log) if isinstance(it, Unreadable) else it for it in results]


def _kept(path: Path, off: frozenset[str], store: Store) -> Result:
    """What is in the file: from the store, or read and put there, but not if a reader failed, since a later version may succeed."""
    before, sha256 = _state(path), file_fingerprints([path])[0][1]
    if before is None or not sha256:
        return books_in(path, off)
    key = store.key(sha256, path.suffix.lower(), off)
    found = store.find(key, path)
    if found is not None:
        return found
    results = books_in(path, off)
    if _state(path) != before:
        raise UnreadableBook("changed while it was being read; wait until the program that writes it is done, then try again")
    if any(isinstance(it, Unreadable) and it.fault for it in results):
        return results
    return store.keep(key, results, path)


def _state(path: Path) -> tuple[int, int] | None:
    """The file's size and the time of its last change; None if it is not a file or the system does not tell."""
    try:
        return (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else None
    except OSError:
        return None


def _crashed(path: Path) -> Result:
    reason = "is so damaged that the program reading it crashed; get another copy, or save it in another format"
    return [Unreadable(path, reason)]


def _start_method() -> str:
    """How processes start: forked, which is quicker, where that is safe and the program around this one has not chosen otherwise."""
    chosen = multiprocessing.get_start_method(allow_none=True)
    return "fork" if sys.platform == "linux" and chosen in (None, "fork") else "spawn"


def _may_start_processes() -> bool:
    """Whether starting a process is safe: a spawned process runs the user's script again unless it has a `__name__` guard."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    if _start_method() == "fork" or script is None:
        return True
    try:
        return "__name__" in Path(script).read_text(encoding="utf-8", errors="ignore")
    except OSError:
        return False


def _begin() -> None:
    """What each process of a pool does first: it leaves Ctrl-C to its parent, and makes sure that it ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    # A forked process also holds its elder siblings' ends of the sentinel's pipe, so on POSIX the parent's number is looked at instead.
    while not connection.wait([parent.sentinel], _SECONDS_BETWEEN_LOOKS) and (os.name != "posix" or os.getppid() == parent.pid):
        pass
    os._exit(1)
