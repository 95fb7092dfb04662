"""Writing to the disk: whole files and folders or none, links, a full disk, names; and removing nothing but what is known.

Knows nothing about runs, books or the cache.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from paznja.errors import TrainingFailed

MOST_BYTES_IN_A_NAME = 200
"""File systems allow 255 bytes; the rest is for what may be put before or behind a name."""

_FORBIDDEN = '<>:"/\\|?*'
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(port + number for port in ("COM", "LPT") for number in "123456789¹²³")}
_OPEN_ELSEWHERE = (5, 32)  # Windows: access denied, sharing violation
_WAITS = (0.01, 0.03, 0.1, 0.3, 0.6)

Sleep = Callable[[float], object]
"""Waits for so many seconds."""


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
                remove(Path(entry.path))
            else:
                strangers = True
    if strangers:
        return False
    remove_folder(folder)
    return True


def put_in_place(
    making: Path, place: Path, option: str, *, is_whole: Callable[[], bool], is_own: Callable[[Path], bool], is_known: Callable[[str], bool]
) -> None:
    """Rename a finished folder to the place where it belongs, unless another process was quicker; what is damaged there is replaced.

    `option`: the option with which the user chose the folder around it. `is_whole`: whether the place has what the folder has.
    `is_own`: whether a folder, whole or damaged, is one that paznja made. `is_known`: whether a file's name is one that such a folder has.

    TrainingFailed if something that paznja did not make is there; the place then stays as it is.
    """
    try:
        os.replace(making, place)
    except OSError:
        if is_whole():  # what another process put there is the same, and may be in use
            return
        if not os.path.lexists(place):
            return rename(making, place)
        if place.is_symlink() or not place.is_dir() or not is_own(place) or not remove_known(place, is_known):
            raise TrainingFailed(f"paznja did not make {place}: move it, or choose another folder with {option}.") from None
        put_in_place(making, place, option, is_whole=is_whole, is_own=is_own, is_known=is_known)


def rename(source: Path, target: Path, *, sleep: Sleep = time.sleep) -> None:
    """Rename a file or folder, as `os.replace` does; on Windows, wait up to a second for other processes to close it."""
    _once_closed(partial(os.replace, source, target), sleep)


def remove(path: Path, *, sleep: Sleep = time.sleep) -> None:
    """Delete a file if it is there; on Windows, wait up to a second for other processes to close it."""
    with suppress(FileNotFoundError):
        _once_closed(partial(os.unlink, path), sleep)


def remove_folder(path: Path, *, sleep: Sleep = time.sleep) -> None:
    """Delete an empty folder; on Windows, wait up to a second for other processes to close it."""
    _once_closed(partial(os.rmdir, path), sleep)


def _once_closed(act: Callable[[], None], sleep: Sleep) -> None:
    for seconds in _WAITS:
        try:
            return act()
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _OPEN_ELSEWHERE:
                raise
        sleep(seconds)
    return act()


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


def write_atomically(path: Path, content: bytes, *, durable: bool = True, sleep: Sleep = time.sleep) -> None:
    """Write the whole file or, if anything fails, keep the previous one; if `durable`, it is on disk when this returns."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        rename(beside, path, sleep=sleep)
    except BaseException:
        with suppress(OSError):  # what went wrong first is what is reported
            remove(beside, sleep=sleep)
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


def why_not_a_name(name: str) -> str:
    """Why no file or folder should be called so, as the end of a sentence; empty if the name is good on Linux, macOS and Windows.

    A run or a table may be copied to another machine, so every system's rules hold on each.
    """
    if name in ("", ".", ".."):
        return "it is no name" if name else "it is empty"
    if any(unicodedata.category(character) == "Cs" for character in name):
        return "it has a part that is no text"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "it has a control character in it"
    if found := next((character for character in name if character in _FORBIDDEN), ""):
        return f"it has {found} in it, which Windows does not allow" if found != "/" else "it has / in it, which separates folders"
    if name.endswith((".", " ")):
        return f"it ends with a {'dot' if name.endswith('.') else 'space'}, which Windows leaves out"
    if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        return f"Windows keeps {name.partition('.')[0].rstrip(' ')} for a device"
    if len(name.encode()) > MOST_BYTES_IN_A_NAME:
        return f"it is longer than {MOST_BYTES_IN_A_NAME} bytes"
    return ""
