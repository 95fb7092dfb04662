"""PDF with a text layer: the text of its pages in reading order, as paragraphs, without what the printer added.

PDFium extracts pieces of lines from the file in a separate process (`pdf_child.py`). They are made into pages here, and in
`pages`, `furniture`, `foot` and `paragraphs`.

Source: ISO 32000-1, "Portable document format", 2008, chapters 9 and 14.
"""

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import IO, Any, NamedTuple

from paznja.corpus.cleaning.divided import JOIN, join_divided
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.foot import contents_lines, is_contents_page, notes_at_foot
from paznja.corpus.readers.furniture import Row, find_furniture
from paznja.corpus.readers.pages import Line, columns, joined, rows
from paznja.corpus.readers.paragraphs import Paragraph, paragraphs_of, usual_size
from paznja.corpus.readers.pdf_child import MARK_BEGINS, MARK_ENDS
from paznja.errors import UnreadableBook

MOST_PAGES = 10_000
MOST_CHARACTERS = 20_000_000
MOST_PIECES = 1_500_000
MOST_SECONDS_A_PAGE = 8.0
"""Seconds of computing on one page after which reading is given up; a page usually takes 0.005."""
MOST_SECONDS = 100.0
"""Seconds of computing on the whole book after which reading is given up."""
MOST_SECONDS_OF_SILENCE = 100.0
"""Seconds without a line from a process that does not compute; a busy machine may make it wait, so they are many."""

_CHILD = Path(__file__).with_name("pdf_child.py")
_DAMAGED = "is damaged or cut short (it cannot be read as a PDF); copy or download it again"
_OCR = "put it through text recognition (OCR) first, for example with OCRmyPDF: ocrmypdf -l srp book.pdf readable.pdf"
_FEWEST_LETTERS_A_PAGE = 10
_SMALLER = 0.95
_MARK = re.compile("(?<=[^\\s\x0f]) ?\x0e([^\x0e\x0f]*)\x0f|(?:(?<=[^\\W\\d_]{3})|(?<=[.,;:!?…“”»)]))[¹²³⁰⁴-⁹]{1,3}")
_UNIT = re.compile(r"\b(?:[кдсцм]?м|[kdcm]?m)$")
_UNMAPPED = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x10-\x1f]")
_CAPTION = re.compile(
    r"(?:слика|сл\.|slika|sl\.|figure|fig\.|табела|tabela|table|графикон|grafikon|цртеж|crtež|карта|karta|илустрација|ilustracija|фото|foto)"
    r"\s*(?:\d{1,3}|[IVXLC]{1,6})?\s*[.:)–—-]",
    re.IGNORECASE,
)
_NO_TITLE = re.compile(
    r"(?:microsoft (?:word|powerpoint)\b.*|untitled.*|без наслова.*|document\d*|dokument\d*|\W*"
    r"|.*\.(?:docx?|rtf|odt|indd|qxd|p65|pdf|txt|tex|html?))",
    re.IGNORECASE,
)
_NO_AUTHOR = re.compile(
    r"(?:anonymous|unknown|user\d*|owner|admin(?:istrator)?|korisnik|корисник|pc|xp|home"
    r"|windows(?: user)?|acer|asus|hp|dell|lenovo|author|\W*|.*@.*)",
    re.IGNORECASE,
)


class _Page(NamedTuple):
    pieces: list[Line]
    rules: list[float]


class _File(NamedTuple):
    title: str
    author: str
    pages: list[_Page]
    num_pictures: int
    """How many pages have a picture and no text."""
    num_damaged: int


def read_pdf(data: bytes, ledger: Ledger) -> Contents:
    """A PDF's paragraphs, without running heads, page numbers, notes, captions and pages of contents.

    UnreadableBook if the file is damaged, protected, not a PDF, has only pictures of pages, or is larger than a book can be.
    """
    if b"%PDF-" not in data[:1024]:
        raise UnreadableBook("is not a PDF, whatever its name says")
    file = _extract(data)
    _refuse_without_text(file, ledger)
    pages = _without_furniture(file.pages, ledger)
    size = usual_size([piece for page in pages for piece in page.pieces])
    in_columns = [columns(_without_foot_and_contents(page, size, ledger)) for page in pages]
    paragraphs = _without_captions(paragraphs_of(in_columns), size, ledger)
    text = join_divided("\n".join(paragraph.text for paragraph in paragraphs), ledger)
    return Contents(_without_marks(text, ledger), _sensible(file.title, _NO_TITLE), _sensible(file.author, _NO_AUTHOR))


def _extract(data: bytes) -> _File:
    """What PDFium finds in the file; UnreadableBook if the file cannot be read, or has far more text than a book."""
    lines = _lines_of_child(data)
    about = next(lines, None)
    if about is None:
        raise UnreadableBook(_DAMAGED)
    _refuse(about)
    pages: list[_Page] = []
    characters = num_pieces = num_pictures = num_damaged = 0
    for page in lines:
        # PDFium takes two wide spaces for a word; what follows expects at least one real word in every line.
        pieces = [Line(text.replace("\x02", "-"), *place) for text, *place in page.get("pieces", []) if text.strip()]
        pages.append(_Page(pieces, page.get("rules", [])))
        num_pictures += page.get("picture", False)
        num_damaged += page.get("damaged", False)
        characters += sum(len(piece.text) for piece in pieces)
        num_pieces += len(pieces)
        if characters > MOST_CHARACTERS or num_pieces > MOST_PIECES:
            raise UnreadableBook("holds far more text than a book; divide it")
    return _File(about["title"], about["author"], pages, num_pictures, num_damaged)


def _refuse(about: dict[str, Any]) -> None:
    match about.get("error"):
        case "password":
            raise UnreadableBook("is protected by a password, so its text cannot be read; save a copy without the password")
        case "protected":
            raise UnreadableBook("is protected against copying (DRM, encrypted), so its text cannot be read; use a copy without protection")
        case "damaged":
            raise UnreadableBook(_DAMAGED)
    if about["pages"] > MOST_PAGES:
        raise UnreadableBook(f"has {about['pages']:,} pages, more than the {MOST_PAGES:,} that are read; divide it")


def _lines_of_child(data: bytes) -> Iterator[dict[str, Any]]:
    """The lines that the child prints, parsed, as long as it shows signs of life."""
    command = [sys.executable, "-P", str(_CHILD), str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        printed: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=_feed, args=(child.stdin, data), daemon=True),
            threading.Thread(target=_drain, args=(child.stdout, printed), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield from _parsed(printed, child)
        finally:
            child.kill()
            for thread in threads:
                thread.join()


def _parsed(printed: queue.SimpleQueue[bytes], child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    watch = _Watch(child.pid)
    left: int | None = None  # lines still to come
    done = 0
    while left != 0:
        line = watch.next(printed)
        if line is None:
            raise UnreadableBook(f"cannot be read: reading its page {max(done, 1):,} never ends; open it and print it to a new PDF")
        if not line.endswith(b"\n"):
            _explain_end(child, done)
        value = json.loads(line)
        left = value.get("pages", 0) if left is None else left - 1
        done += 1
        yield value


class _Watch:
    """Watches how long the child computes."""

    def __init__(self, pid: int) -> None:
        import psutil

        self._process = psutil.Process(pid)
        self._gone = psutil.Error
        self._num_lines = 0

    def next(self, printed: queue.SimpleQueue[bytes]) -> bytes | None:
        """The next line; None if it takes too long."""
        started, used_before = time.monotonic(), None
        while True:
            try:
                line = printed.get(timeout=0.2)
            except queue.Empty:
                used = self._seconds()
                used_before = used if used_before is None else used_before
                if used - used_before > MOST_SECONDS_A_PAGE or time.monotonic() - started > MOST_SECONDS_OF_SILENCE:
                    return None
                continue
            self._num_lines += 1
            return None if self._num_lines % 64 == 0 and self._seconds() > MOST_SECONDS else line

    def _seconds(self) -> float:
        try:
            times = self._process.cpu_times()
        except self._gone:
            return 0.0
        return times.user + times.system


def _explain_end(child: subprocess.Popen[bytes], done: int) -> None:
    code = child.wait()
    if done == 0:
        raise UnreadableBook(_DAMAGED)
    # An error in the child's Python, where memory is what runs out, ends it with 1; a crash ends it otherwise on every system.
    broke = "it needs over 1 GB of memory" if code == 1 else "PDFium crashed"
    raise UnreadableBook(f"is damaged at its page {done:,} ({broke}); open it and print it to a new PDF")


def _feed(pipe: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError), pipe:  # the child may be gone
        pipe.write(data)


def _drain(pipe: IO[bytes], printed: queue.SimpleQueue[bytes]) -> None:
    for line in pipe:
        printed.put(line)
    printed.put(b"")


def _refuse_without_text(file: _File, ledger: Ledger) -> None:
    text = "".join(piece.text for page in file.pages for piece in page.pieces)
    num_pages = len(file.pages)
    if file.num_damaged > num_pages / 2:
        raise UnreadableBook(f"is damaged: {file.num_damaged:,} of its {num_pages:,} pages cannot be read; copy or download it again")
    if len(text) < _FEWEST_LETTERS_A_PAGE * num_pages and file.num_pictures >= num_pages / 2:
        raise UnreadableBook(f"holds pictures of pages and no text; {_OCR}")
    if not text:
        raise UnreadableBook("is a PDF without any text")
    if len(_UNMAPPED.findall(text)) > len(text) / 4:
        raise UnreadableBook(f"does not say which letters its signs stand for, so its text cannot be read; {_OCR} --force-ocr")
    if file.num_pictures:
        ledger.say(
            f"{file.num_pictures:,} of its {num_pages:,} pages are pictures without text; text recognition (OCRmyPDF) would add them."
        )
    if file.num_damaged:
        ledger.say(f"{file.num_damaged:,} of its {num_pages:,} pages are damaged and left out.")


def _without_furniture(pages: Sequence[_Page], ledger: Ledger) -> list[_Page]:
    in_rows = [rows(page.pieces) for page in pages]
    lines = [[joined(row) for row in page] for page in in_rows]
    step = median([after.top - line.top for page in lines for line, after in pairwise(page)] or [0.0])
    found = find_furniture([[_row(page, index, step) for index in range(len(page))] for page in lines])
    result: list[_Page] = []
    for page, its_rows, its_lines, furniture in zip(pages, in_rows, lines, found, strict=True):
        out = {index for index, kind in furniture.items() if ledger.applies(kind)}
        for index in sorted(out):
            around = [its_lines[other].text if 0 <= other < len(its_lines) else "" for other in (index - 1, index + 1)]
            ledger.note(furniture[index], its_lines[index].text, left=around[0] + "\n", right="\n" + around[1])
        result.append(_Page([piece for index, row in enumerate(its_rows) if index not in out for piece in row], page.rules))
    return result


def _row(page: Sequence[Line], index: int, step: float) -> Row:
    line = page[index]
    beside = [page[other] for other in (index - 1, index + 1) if 0 <= other < len(page)]
    nearest = min(beside, key=lambda other: abs(other.top - line.top), default=line)
    apart = abs(nearest.top - line.top) > 1.2 * step or abs(nearest.size - line.size) > 0.04 * line.size
    return Row(line.text, line.top, line.size, apart)


def _without_foot_and_contents(page: _Page, size: float, ledger: Ledger) -> list[Line]:
    in_rows = rows(page.pieces)
    if ledger.applies("notes"):
        start = notes_at_foot(in_rows, page.rules, size)
        texts = [joined(row).text for row in in_rows]
        if start < len(in_rows):
            ledger.note("notes", "\n".join(texts[start:]), left="\n".join(texts[max(start - 1, 0) : start]))
        in_rows = in_rows[:start]
    if ledger.applies("contents-pages"):
        texts = [joined(row).text for row in in_rows]
        out = set(range(len(texts))) if is_contents_page(texts) else contents_lines(texts)
        for index in sorted(out):
            ledger.note("contents-pages", texts[index])
        in_rows = [row for index, row in enumerate(in_rows) if index not in out]
    return [piece for row in in_rows for piece in row]


def _without_captions(paragraphs: Sequence[Paragraph], size: float, ledger: Ledger) -> list[Paragraph]:
    left: list[Paragraph] = []
    for paragraph in paragraphs:
        if paragraph.size < _SMALLER * size and _CAPTION.match(paragraph.text) and ledger.applies("captions"):
            ledger.note("captions", paragraph.text.replace(JOIN, ""), left=left[-1].text if left else "")
        else:
            left.append(paragraph)
    return left


def _without_marks(text: str, ledger: Ledger) -> str:
    if ledger.applies("notes"):

        def leave_out(mark: re.Match[str]) -> str:
            if _UNIT.search(text[max(mark.start() - 30, 0) : mark.start()]):  # m²
                return mark[0]
            ledger.note_in("notes", text, mark.span(), before=mark[1] or mark[0])
            return ""

        text = _MARK.sub(leave_out, text)
    return text.replace(MARK_BEGINS, "").replace(MARK_ENDS, "")


def _sensible(said: str, nonsense: re.Pattern[str]) -> str:
    said = " ".join(said.split())
    # Letters of an old code page that were taken for Western European ones (Íà Äðèíè) are worse than nothing.
    strange = sum("\x80" <= character <= "\xff" for character in said)
    return "" if nonsense.fullmatch(said) or 3 * strange > len(said) or "\ufffd" in said else said
