"""One function from a path to a Book, and the table of formats behind it.

A new format is a line in `READERS`: a suffix, and a function from a file's bytes to its `Contents`.
"""

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from paznja.corpus.cleaning import clean, clean_book
from paznja.corpus.contents import Contents, Reader
from paznja.corpus.epub import read_epub
from paznja.corpus.ledger import Ledger
from paznja.corpus.pdf import read_pdf
from paznja.corpus.plain_text import read_plain_text
from paznja.corpus.tei import read_tei
from paznja.errors import UnreadableBook

__all__ = ["READERS", "Book", "Contents", "Reader", "read_book", "suffixes"]

READERS: dict[str, Reader] = {
    ".txt": read_plain_text,
    ".text": read_plain_text,
    ".md": read_plain_text,
    ".xml": read_tei,
    ".epub": read_epub,
    ".pdf": read_pdf,
}
"""A file's suffix, in small letters, and what reads such a file."""


@dataclass(frozen=True)
class Book:
    """One book as clean text: a paragraph a line, the last one ended by a newline too."""

    title: str
    """The file's name without its suffix where the file names no title."""
    author: str
    """Given name first; several are separated by ", "; empty if unknown."""
    language: str
    """As the file says it ("sr", "sr-Cyrl", ...); empty if unknown."""
    path: Path
    sha256: str
    """Of the file's bytes, in hexadecimal."""
    text: str
    part: str = ""
    """"beginning" or "end" where one book had to be divided into training and held-out; else empty."""


def read_book(path: Path) -> Book:
    """The book in a file.

    Raises:
        UnreadableBook: the file cannot be read; the message is a reason that a person can act on, without the file's name.
    """
    data = _bytes(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        kind = f"a {path.suffix} file" if path.suffix else "a file without an ending such as .txt"
        raise UnreadableBook(f"is {kind}, which cannot be read; save it as one of {suffixes()}")
    if not data.strip():
        raise UnreadableBook("is empty")
    ledger = Ledger()
    contents = reader(data, ledger)
    text = clean_book(contents.text, ledger)
    if not text:
        raise UnreadableBook("holds no text (pictures of pages must go through text recognition first)")
    return Book(
        title=_line(contents.title) or path.stem,
        author=_line(contents.author),
        language=_line(contents.language),
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        text=text,
    )


def suffixes() -> str:
    """The suffixes that can be read, for a message: ".epub, .md, .text, .txt, .xml"."""
    return ", ".join(sorted(READERS))


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                raise PermissionError
            raise UnreadableBook("is a folder, not a file; give the folder itself to read all that is in it")
        if path.exists() and not path.is_file():
            raise UnreadableBook("is not an ordinary file (a pipe or a device); save it as a file first")
        return path.read_bytes()
    except PermissionError:
        raise UnreadableBook("may not be opened (no permission); change its permissions or copy it to a folder of yours") from None
    except FileNotFoundError:
        raise UnreadableBook("does not exist (any more)") from None
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise UnreadableBook(f"cannot be read from the disk ({reason}); copy it again from where it came") from None


def _line(text: str) -> str:
    return " ".join(clean(text).split())
