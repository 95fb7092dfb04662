"""What every room that writes asks of the disk: whole files or none, links, room, and to remove nothing but what is known.

Knows nothing of runs, books or the cache.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from paznja.errors import TrainingFailed


def remove_known(folder: Path, is_known: Callable[[str], bool]) -> bool:
    """Delete the files in the folder whose names are known, and the folder itself if nothing else is in it; gives whether it is gone.

    What is not known, a folder or a link stays, and the folder around it. A link to a folder is not followed. OSError where
    something known cannot be deleted.
    """
    if folder.is_symlink() or not folder.is_dir():
        return not os.path.lexists(folder)
    strangers = False
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_known(entry.name) and entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)
            else:
                strangers = True
    if strangers:
        return False
    folder.rmdir()
    return True


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system has one, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def writing_to(place: Path, option: str) -> Iterator[None]:
    """TrainingFailed, with what to do, where the operating system lets nothing be written to a place that `option` names."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise TrainingFailed(f"The disk with {place} is full: make room on it, or choose another place with {option}.") from error
        raise TrainingFailed(f"{place} cannot be written to ({error.strerror}): choose another place with {option}.") from error


def is_disk_full(error: OSError) -> bool:
    """Whether there was no room, or no more of it allowed."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def write_atomically(path: Path, content: bytes) -> None:
    """The whole file or, if anything fails, the previous one; on disk when this returns."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """What was renamed in it is on disk when this returns."""
    if os.name != "posix":  # a folder cannot be opened for flushing elsewhere
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
