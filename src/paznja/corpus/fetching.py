"""Shelves of free books that can be downloaded: each file is verified, and an interrupted download is continued.

A file gets its name only when it is complete and its SHA-256 is right. Until then it is called `.NAME.paznja-part`. Only files with
such names are ever removed: everything else in the folder stays, even a file with the name of a book and other contents.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import platformdirs
from filelock import FileLock, Timeout

from paznja.disk import remove, rename
from paznja.errors import FetchFailed, WrongUse

if TYPE_CHECKING:
    from pooch import HTTPDownloader

LOCK = ".paznja-fetch.lock"
"""Held while books are fetched into a folder."""

_AT_A_TIME = 4
_TIMEOUT = 30.0  # seconds in which a server must begin to answer, and then send more
_PAUSES = (0.0, 1.0, 3.0)  # seconds before each try
_MOST_FAILURES = 8
_NAMED = 3
_NO_CONNECTION = "cannot be asked for"

OnProgress = Callable[[int, int, str], None]
"""Called after each file with the number of files that are there, the number of all files, and the file's name."""


@dataclass(frozen=True)
class Shelf:
    """Books that are fetched together."""

    name: str
    title: str
    source: str
    """The address that comes before a file's name."""
    licence: str
    citation: str
    sha256: Mapping[str, str]
    """Each file's SHA-256, in hexadecimal, by the file's name."""


def fetch(name: str, *, base: str | None = None, folder: Path | None = None, on_progress: OnProgress | None = None) -> Path:
    """Download those of the shelf's books that are not there yet; returns the folder.

    `base`: the address to fetch from; None: the shelf's own. `folder`: where to put the books; None: `shelf_folder(name)`. `on_progress` is
    called after each file, including those that were already there.

    WrongUse if there is no such shelf, or the address is not one. FetchFailed if a book could not be fetched, or another file has its name;
    the books that are there stay, and the next call continues from there.
    """
    shelf = known_shelf(name)
    base = _address(base or shelf.source)
    folder = folder or shelf_folder(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK, timeout=0):
            _remove_unfinished(folder, shelf)
            _fetch_all(shelf, base, folder, on_progress)
    except Timeout:
        raise FetchFailed(f"another paznja is fetching {name} into {folder} just now; wait until it is done") from None
    except OSError as error:
        raise FetchFailed(_disk(error, folder)) from None
    return folder


def fetched_folder(name: str) -> Path | None:
    """The folder of the shelf with this name, if all of it has been fetched; None if not, or if there is no such shelf."""
    if name not in known_shelves():
        return None
    folder = shelf_folder(name)
    return folder if all((folder / file).is_file() for file in known_shelf(name).sha256) else None


def shelf_folder(name: str) -> Path:
    """Where the shelf with this name is kept, in the user's data folder."""
    return Path(platformdirs.user_data_dir("paznja")) / "books" / name


def known_shelves() -> tuple[str, ...]:
    """The names of the shelves that can be fetched."""
    files = (Path(file.name) for file in (resources.files("paznja.corpus") / "shelves").iterdir())
    return tuple(sorted(file.stem for file in files if file.suffix == ".toml"))


def known_shelf(name: str) -> Shelf:
    """The shelf with this name; WrongUse if there is none."""
    if name not in known_shelves():
        raise WrongUse(f"there is no shelf {name} to fetch; there is: {', '.join(known_shelves())}")
    about = tomllib.loads((resources.files("paznja.corpus") / "shelves" / f"{name}.toml").read_text(encoding="utf-8"))
    return Shelf(name, about["title"], about["source"], about["licence"], about["citation"].strip(), about["sha256"])


def _address(base: str) -> str:
    try:
        parts = urlsplit(base)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as an unclosed bracket, or an impossible port
        is_one = False
    if not is_one:
        raise WrongUse(f"{base} is not an address to fetch books from; give one that begins with https://")
    return base.rstrip("/") + "/"


def _unfinished(folder: Path, file: str) -> Path:
    """The file that a book is written to until it is complete."""
    return folder / f".{file}.paznja-part"


def _remove_unfinished(folder: Path, shelf: Shelf) -> None:
    """Remove what an earlier fetch left behind when it was killed."""
    for file in shelf.sha256:
        remove(_unfinished(folder, file))


def _fetch_all(shelf: Shelf, base: str, folder: Path, on_progress: OnProgress | None) -> None:
    from pooch import HTTPDownloader

    downloader = HTTPDownloader(timeout=_TIMEOUT)
    there = {file for file in shelf.sha256 if os.path.lexists(folder / file)}
    others = sorted(file for file in there if _sha256(folder / file) != shelf.sha256[file])
    failures: list[str] = []
    done = 0

    def tell(file: str) -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, len(shelf.sha256), file)

    for file in sorted(there.difference(others)):
        tell(file)
    pool = ThreadPoolExecutor(_AT_A_TIME)
    try:
        files: dict[Future[str | None], str] = {
            pool.submit(_fetch_file, downloader, base, folder, file, shelf.sha256[file]): file
            for file in sorted(shelf.sha256)
            if file not in there
        }
        for future in as_completed(files):
            failure = future.result()
            if failure is None:
                tell(files[future])
                continue
            failures.append(f"{files[future]} {failure}")
            if len(failures) == _MOST_FAILURES:
                break
    finally:
        pool.shutdown(cancel_futures=True)
    missing: list[str] = []
    if failures:
        missing.append(f"{_named(failures, '; ')}; run it again later, and it goes on where it stopped")
    if others:
        one = len(others) == 1
        missing.append(
            f"{_named(others, ', ')} in {folder} {'has' if one else 'have'} other contents than the {'book' if one else 'books'} of that "
            f"name, and {'stays' if one else 'stay'} as {'it is' if one else 'they are'}; move {'it' if one else 'them'} away and run it "
            f"again to fetch the {'book' if one else 'books'}"
        )
    if missing:
        raise FetchFailed(f"{done:,} of {len(shelf.sha256):,} books have been fetched from {base}, but not all: {'. '.join(missing)}")


def _named(items: Sequence[str], separator: str) -> str:
    return separator.join(sorted(items)[:_NAMED]) + (f"{separator}and others" if len(items) > _NAMED else "")


def _sha256(path: Path) -> str:
    """In hexadecimal; empty for what is not a file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_file(downloader: HTTPDownloader, base: str, folder: Path, file: str, sha256: str) -> str | None:
    """Fetch one file; returns None if it is there and complete, otherwise what is wrong with it.

    FetchFailed if no other file can be fetched either, OSError if the disk failed.
    """
    import requests
    import urllib3

    unfinished = _unfinished(folder, file)
    failure = None
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            with unfinished.open("xb") as written:
                downloader(base + file, written, None)
            if os.path.lexists(folder / file):
                return "was put into the folder meanwhile by something else"
            if _sha256(unfinished) == sha256:
                rename(unfinished, folder / file)
                return None
            failure = "arrived damaged (its SHA-256 is different)"
        except requests.HTTPError as error:
            status = error.response.status_code  # pyright: ignore[reportOptionalMemberAccess]  (an answer is what raised it)
            if status < 500:
                return "is not there (the server answers 404)" if status == 404 else f"is refused (the server answers {status})"
            failure = f"is not available just now (the server answers {status})"
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            failure = "broke off on its way"
        except requests.ConnectionError as error:
            never_made = isinstance(error.args[0], urllib3.exceptions.MaxRetryError)
            failure = _NO_CONNECTION if never_made else "broke off on its way"
        except requests.Timeout:
            failure = "does not arrive (the server is silent)"
        except requests.RequestException as error:
            return f"cannot be fetched ({type(error).__name__})"
        finally:
            remove(unfinished)
    if failure == _NO_CONNECTION:
        raise FetchFailed(
            f"there is no connection to {urlsplit(base).hostname}; check that this computer is online and run it again: "
            "what has been fetched stays"
        )
    return failure


def _disk(error: OSError, folder: Path) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk is full; make room on the disk with {folder} and run it again: what has been fetched stays"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"there is no permission to write to {folder}; choose another folder or change its permissions"
    return f"{folder} cannot be written to ({os.strerror(error.errno or errno.EIO)}); choose another folder"
