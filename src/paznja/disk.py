"""Writing to the disk: whole files and folders or none, links, a full disk; and removing nothing but what is known.

Knows nothing about runs, books or the cache.
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
    """Delete the files with known names, and the folder if nothing else is in it; returns whether the folder is gone.

    Unknown files, folders and links stay, and so does the folder around them. A link to a folder is not followed. OSError if
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


def put_in_place(
    making: Path, place: Path, option: str, *, is_whole: Callable[[], bool], is_own: Callable[[Path], bool], is_known: Callable[[str], bool]
) -> None:
    """Rename a finished folder to the place where it belongs, unless another process was quicker; what is damaged there is replaced.

    Raises TrainingFailed, and leaves the place as it is, if something that paznja did not make is there.

    Args:
        option: the option with which the user chose the folder around it.
        is_whole: whether the place has what the folder has.
        is_own: whether a folder, whole or damaged, is one that paznja made.
        is_known: whether a file's name is one that such a folder has.
    """
    try:
        os.replace(making, place)
    except OSError:
        if is_whole():  # what another process put there is the same, and may be in use
            return
        if not os.path.lexists(place):
            raise
        if place.is_symlink() or not place.is_dir() or not is_own(place) or not remove_known(place, is_known):
            raise TrainingFailed(f"paznja did not make {place}: move it, or choose another folder with {option}.") from None
        put_in_place(making, place, option, is_whole=is_whole, is_own=is_own, is_known=is_known)


def link_or_copy(source: Path, target: Path) -> None:
    """Make a hard link, or a copy if the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def writing_to(place: Path, option: str) -> Iterator[None]:
    """Raise TrainingFailed, saying what to do, if `place`, which the user chose with `option`, cannot be written to."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise TrainingFailed(f"The disk with {place} is full: make room on it, or choose another place with {option}.") from error
        raise TrainingFailed(f"{place} cannot be written to ({error.strerror}): choose another place with {option}.") from error


def is_disk_full(error: OSError) -> bool:
    """Whether the disk was full, or the user's quota used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write the whole file or, if anything fails, keep the previous one; if `durable`, it is on disk when this returns."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make sure that what was renamed in this folder is on disk."""
    if os.name != "posix":  # other systems cannot flush a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
