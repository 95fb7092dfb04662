"""From a path to the books in it, and the table of formats behind that.

A new format is a line in `READERS`: a suffix, and a function from a file's bytes to its `Contents`. A file's bytes say what it is;
only where they do not, its suffix decides.
"""

import errno
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from paznja.corpus.book import Book, Unreadable
from paznja.corpus.cleaning.cleaning import clean, clean_book
from paznja.corpus.duplicates import sketch_of
from paznja.corpus.encodings.mojibake import mend_mojibake
from paznja.corpus.faults import faults_as, unreadable
from paznja.corpus.ledger import Ledger
from paznja.corpus.printable import printable
from paznja.corpus.readers.archive import members
from paznja.corpus.readers.contents import Contents, Reader
from paznja.corpus.readers.docx import read_docx
from paznja.corpus.readers.epub import read_epub
from paznja.corpus.readers.fb2 import read_fb2
from paznja.corpus.readers.html_page import read_html
from paznja.corpus.readers.markdown import read_markdown
from paznja.corpus.readers.odt import read_odt
from paznja.corpus.readers.pdf import read_pdf
from paznja.corpus.readers.plain_text import read_plain_text
from paznja.corpus.readers.rtf import read_rtf
from paznja.corpus.readers.sniffing import kind_of
from paznja.corpus.readers.tei import read_tei
from paznja.corpus.scripts.archaic import modernise
from paznja.corpus.scripts.homoglyphs import mend_homoglyphs
from paznja.corpus.scripts.language import is_serbian
from paznja.corpus.scripts.script import cyrillic_share, script_of
from paznja.errors import UnreadableBook

__all__ = ["ADVICE", "READERS", "SUFFIXES", "Book", "Contents", "Reader", "books_in", "read_book", "read_contents", "suffixes"]

READERS: dict[str, Reader] = {
    ".txt": read_plain_text,
    ".text": read_plain_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".xml": read_tei,
    ".fb2": read_fb2,
    ".epub": read_epub,
    ".docx": read_docx,
    ".odt": read_odt,
    ".rtf": read_rtf,
    ".pdf": read_pdf,
}
"""A file's suffix, in lower case, and the reader of such files."""
ARCHIVES = frozenset({".zip"})
"""The suffixes of files that contain other files."""
SUFFIXES = frozenset(READERS) | ARCHIVES
"""The suffixes of all files that can be read."""
MOST_TEXT_BYTES = 100 * 2**20
"""The largest file of text or markup: fifty thick novels. Reading one takes at most about 1.4 GB of memory."""
MOST_BYTES = 500 * 2**20
"""The largest file of any other format: a thick book of scanned pages."""
_ZIPPED = frozenset({".epub", ".docx", ".odt"})
ADVICE = {
    ".doc": "open it in LibreOffice or Word and save it as .docx or .odt",
    ".pages": "export it from Pages as EPUB or Word",
    ".wps": "open it in LibreOffice and save it as .docx or .odt",
    ".djvu": "if it has a text layer, save that with djvutxt as plain text",
    ".djv": "if it has a text layer, save that with djvutxt as plain text",
    ".rar": "unpack it",
    ".7z": "unpack it",
    **dict.fromkeys((".mobi", ".azw", ".azw3", ".kfx", ".prc", ".pdb", ".lit", ".lrf", ".chm"), "convert it to EPUB with Calibre"),
}
"""Formats that books come in but that are not read, and what to do with them."""

_FAULT = "could not be read, because of a fault in paznja"


def read_book(path: Path, off: Iterable[str] = ()) -> Book:
    """The one book in a file.

    `off`: names of rules that are switched off. UnreadableBook if the file cannot be read, or is an archive with several books; the message
    is a reason that a person can act on, without the file's name.
    """
    results = books_in(path, off)
    if len(results) > 1:
        raise UnreadableBook(f"is an archive with {len(results):,} books in it; unpack it and give one of them")
    result = results[0]
    if isinstance(result, Unreadable):
        raise UnreadableBook(f"holds {result.path.relative_to(path)}, which {result.reason}")
    return result


def books_in(path: Path, off: Iterable[str] = ()) -> list[Book | Unreadable]:
    """The book in a file, or the books in an archive by name, together with the members that could not be read.

    UnreadableBook if the file cannot be read, or is an archive without a book; the message is a reason as in `read_book`, and an unexpected
    error of a reader is its `__cause__`.
    """
    with faults_as(_FAULT):
        return _books_in(path, frozenset(off))


def _books_in(path: Path, off: frozenset[str]) -> list[Book | Unreadable]:
    data = _bytes(path)
    kind = _kind(data, path.name)
    if kind not in ARCHIVES:
        return [_book(path, data, path.name, kind, "", off)]
    results: list[Book | Unreadable] = []
    for member in members(data, SUFFIXES | ADVICE.keys()):
        try:
            if member.reason:
                raise UnreadableBook(member.reason)
            with faults_as(_FAULT):
                results.append(_book(path, *_only_member(member.data, member.name), member.name, off))
        except UnreadableBook as error:
            results.append(unreadable(path / member.name, error))
    if not results:
        raise UnreadableBook(f"is an archive without a book in it; books end in {suffixes()}")
    return results


def read_contents(data: bytes, name: str, ledger: Ledger) -> Contents:
    """The contents of a file that is not an archive, in the format that its bytes show or, if they do not, in that of its suffix.

    UnreadableBook if it cannot be read; the message is the reason, without the file's name.
    """
    return _contents(data, _kind(data, name), ledger)


def suffixes() -> str:
    """The suffixes that can be read, for a message: ".epub, .md, .text, .txt, .xml"."""
    return ", ".join(sorted(SUFFIXES))


def _contents(data: bytes, kind: str, ledger: Ledger) -> Contents:
    reader = READERS.get(kind)
    if reader is None:
        what = f"a {kind} file" if kind else "a file without an ending such as .txt"
        raise UnreadableBook(f"is {what}, which cannot be read; {ADVICE.get(kind, f'save it as one of {suffixes()}')}")
    return reader(data, ledger)


def _book(path: Path, data: bytes, name: str, kind: str, member: str, off: frozenset[str]) -> Book:
    ledger = Ledger(off)
    contents = _contents(data, kind, ledger)
    mended = mend_mojibake(contents.text, ledger)  # some comes out of markup: XML that no `decode` saw, letters written as &#281;
    text = clean_book(mended, ledger)
    text = modernise(mend_homoglyphs(text, ledger), ledger)
    if not text:
        raise UnreadableBook("holds no text (pictures of pages must go through text recognition first)")
    return Book(
        title=_line(contents.title) or printable(PurePosixPath(name).stem),
        author=_line(contents.author),
        language=_line(contents.language),
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        text_or_path=text,
        characters=len(text),
        script=script_of(text),
        cyrillic=cyrillic_share(text),
        serbian=is_serbian(text),
        format=kind.removeprefix("."),
        member=member,
        notices=tuple(ledger.notices),
        changes=ledger.changes,
        sketch=sketch_of(text),
    )


def _kind(data: bytes, name: str) -> str:
    """The suffix of a file's format: what its bytes show or, if they do not, its name; for a book in a zip, its name decides.

    UnreadableBook if the file is empty, or its bytes show that it is not a book.
    """
    if not data.strip():
        raise UnreadableBook("is empty")
    kind, suffix = kind_of(data), _suffix(name)
    return suffix if kind is None or (kind in ARCHIVES and suffix in _ZIPPED) else kind  # the reader will say what is missing


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _only_member(data: bytes, name: str) -> tuple[bytes, str, str]:
    """A book in an archive with its name and format; one that is zipped again (FB2.ZIP) is unpacked, an archive of several books is not."""
    kind = _kind(data, name)
    if kind not in ARCHIVES:
        return data, name, kind
    inside = list(members(data, frozenset({".fb2"})))
    if len(inside) != 1:
        raise UnreadableBook("is an archive inside the archive; unpack it and give the folder")
    if inside[0].reason:
        raise UnreadableBook(inside[0].reason)
    return inside[0].data, inside[0].name, _kind(inside[0].data, inside[0].name)


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                raise PermissionError
            raise UnreadableBook("is a folder, not a file; give the folder itself to read all that is in it")
        if path.exists() and not path.is_file():
            raise UnreadableBook("is not an ordinary file (a pipe or a device); save it as a file first")
        most = MOST_BYTES if _suffix(path.name) in {".pdf", *ARCHIVES, *_ZIPPED} else MOST_TEXT_BYTES
        if path.stat().st_size > most:
            raise UnreadableBook(
                f"is larger than a book: {path.stat().st_size / 2**20:,.0f} MB, and paznja reads at most {most / 2**20:,.0f} MB; "
                "split it into several files"
            )
        return path.read_bytes()
    except PermissionError:
        raise UnreadableBook("cannot be opened (no permission); change its permissions or copy it to a folder of your own") from None
    except FileNotFoundError:
        raise UnreadableBook("does not exist (any more)") from None
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise UnreadableBook(f"cannot be read from the disk ({reason}); copy it again from where it came") from None


def _line(text: str) -> str:
    return " ".join(clean(text).split())
