"""From places (files and folders) to the files that may be books."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from paznja.corpus.fetching import known_shelves
from paznja.corpus.formats import ADVICE, SUFFIXES
from paznja.corpus.printable import printable
from paznja.corpus.readers.archive import HIDDEN
from paznja.errors import NoBooks


def find_files(places: Iterable[Path]) -> list[Path]:
    """The files at the places, each once: a named file whatever its suffix, and from a folder all files with a known suffix.

    Folders are searched recursively, in the order of names. Hidden files and folders are left out, and so are the files that Word
    writes beside an open document (`~$Name.docx`). A folder that is reached twice, by circular links, is searched once. A folder that
    cannot be opened is listed itself, so that reading it gives the reason.

    NoBooks if a place does not exist; the message says so if its name is that of a shelf that can be fetched.
    """
    found: list[Path] = []
    searched: set[Path] = set()
    for place in places:
        if not os.path.exists(place):  # unlike Path.exists, never an error
            if str(place) in known_shelves():
                raise NoBooks(f"{place} is a shelf that can be fetched: run paznja books fetch {place} first")
            raise NoBooks(f"{printable(place)} does not exist, or is in a folder that cannot be opened; give a file or a folder with books")
        if os.path.isdir(place):
            _search(place, found, searched)
        else:
            found.append(place)
    return once(found)


def passed_over(places: Iterable[Path]) -> list[str]:
    """A sentence about the files in these folders that may be books but are in formats that are not read; empty if there are none."""
    folders = [place for place in places if place.is_dir()]
    found = (path.suffix.lower() for folder in folders for path in folder.rglob("*") if not path.name.startswith(HIDDEN))
    kinds = Counter(suffix for suffix in found if suffix in ADVICE)
    if not kinds:
        return []
    files = "; ".join(f"{number:,} {suffix} ({ADVICE[suffix]})" for suffix, number in sorted(kinds.items()))
    return [f"Left out, because files of these kinds are not read: {files}."]


def file_fingerprints(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """Each file's SHA-256 in hexadecimal, in the given order; empty for what cannot be opened or is not a file."""
    return [(path, _sha256(path)) for path in paths]


def _sha256(path: Path) -> str:
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def once(paths: Iterable[Path]) -> list[Path]:
    """The paths in order, each file once."""
    return list({path.resolve(): path for path in reversed(list(paths))}.values())[::-1]


def _search(folder: Path, found: list[Path], searched: set[Path]) -> None:
    if folder.resolve() in searched:
        return
    searched.add(folder.resolve())
    if not os.access(folder, os.R_OK | os.X_OK):
        found.append(folder)
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(HIDDEN):
            continue
        if path.is_dir():
            _search(path, found, searched)
        elif path.suffix.lower() in SUFFIXES and path.is_file():
            found.append(path)
