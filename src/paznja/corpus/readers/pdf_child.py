"""The process that reads one PDF: it prints every page's pieces of lines, with their positions and sizes.

    python pdf_child.py PARENT < book.pdf

PDFium is written in C++ and reads files that may be damaged in any way. If it crashes, never ends or takes all memory, only this
process is lost. It prints a line of JSON for the whole book (pages, title, author, or error) and then one for each page.
It ends when the process with the number PARENT is gone, whatever PDFium is doing.
It does not import paznja, which would take time.
"""

import ctypes
import json
import math
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

MOST_BYTES_OF_MEMORY = 2**30
MARK_BEGINS, MARK_ENDS = "\x0e", "\x0f"
"""Put around a number or a star that is smaller than the word beside it, and so is most likely the mark of a note."""

_SECONDS_BETWEEN_LOOKS = 0.5
_SYNCHRONIZE, _FOREVER = 0x00100000, 0xFFFFFFFF  # Windows' SYNCHRONIZE and INFINITE
_GAP = 1.0  # in font sizes; a wider gap may be the space between two columns
_SMALLER = 0.93
_MOST_OBJECTS = 3_000
_WORD = re.compile(r"[^ \x00\r\n\xa0\t]+")
_LINE = re.compile(r"[^\r\n\x02]+\x02?|\x02")  # PDFium gives \x02 for a hyphen at the end of a line
_MAY_BE_MARK = re.compile(r"[\d*†‡§]+")

Piece = tuple[str, float, float, float, float, float]
"""Text, left, right, top, bottom, font size; lengths in points; top and bottom grow down the page."""


def main() -> None:
    """Read standard input and write to standard output."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    _limit_resources()
    import pypdfium2
    import pypdfium2.raw as pdfium

    data = sys.stdin.buffer.read()
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        code = pdfium.FPDF_GetLastError()
        names = {pdfium.FPDF_ERR_PASSWORD: "password", pdfium.FPDF_ERR_SECURITY: "protected"}
        _print({"error": names.get(code, "damaged")})
        return
    about = document.get_metadata_dict()
    _print({"pages": len(document), "title": about.get("Title", ""), "author": about.get("Author", "")})
    for number in range(len(document)):
        page = pdfium.FPDF_LoadPage(document.raw, number)
        _print(_read_page(pdfium, page) if page else {"damaged": True})
        if page:
            pdfium.FPDF_ClosePage(page)


def _end_with(parent: int) -> None:
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        kernel.OpenProcess.restype = ctypes.c_void_p
        process = kernel.OpenProcess(_SYNCHRONIZE, False, parent)
        if process:
            kernel.WaitForSingleObject(ctypes.c_void_p(process), _FOREVER)
    else:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)


def _print(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _limit_resources() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits, only the parent's clock
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES_OF_MEMORY, MOST_BYTES_OF_MEMORY))


def _read_page(pdfium: Any, page: Any) -> dict[str, Any]:
    textpage = pdfium.FPDFText_LoadPage(page)
    if not textpage:
        return {"damaged": True}
    try:
        pieces = list(_pieces(pdfium, page, textpage))
    finally:
        pdfium.FPDFText_ClosePage(textpage)
    if not pieces:
        return {"pieces": [], "picture": any(kind == pdfium.FPDF_PAGEOBJ_IMAGE for kind, _ in _objects(pdfium, page))}
    return {"pieces": pieces, "rules": _rules(pdfium, page) if _has_small_foot(pieces) else []}


def _pieces(pdfium: Any, page: Any, textpage: Any) -> Iterator[Piece]:
    get = pdfium.FPDFText_GetUnicode
    text = "".join([chr(get(textpage, i)) for i in range(pdfium.FPDFText_CountChars(textpage))])
    measure = _Measure(pdfium, page, textpage)
    for line in _LINE.finditer(text):
        begun: Piece | None = None
        for start, end in _words(text, line, measure):
            left, right, top, bottom = measure.box(start)
            last_left, last_right, last_top, last_bottom = measure.box(end - 1)
            left, right, top, bottom = min(left, last_left), max(right, last_right), min(top, last_top), max(bottom, last_bottom)
            size = measure.size(start)
            string = _with_marks(text[start:end], start, begun[5] if begun else size, measure)
            if begun is None:
                begun = (string, left, right, top, bottom, size)
            elif _stands_apart((string, left, right, top, bottom, size), begun):
                yield begun
                begun = (string, left, right, top, bottom, size)
            else:
                text_so_far, first_left, _, first_top, first_bottom, first_size = begun
                begun = (f"{text_so_far} {string}", first_left, max(right, begun[2]), first_top, first_bottom, first_size)
        if begun is not None:
            yield begun


class _Measure:
    """The positions and sizes of characters."""

    def __init__(self, pdfium: Any, page: Any, textpage: Any) -> None:
        self._pdfium, self._textpage = pdfium, textpage
        self._rotation = pdfium.FPDFPage_GetRotation(page)
        self._rect, self._matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        self._rect_pointer, self._matrix_pointer = ctypes.byref(self._rect), ctypes.byref(self._matrix)

    def box(self, index: int) -> tuple[float, float, float, float]:
        """Left, right, top and bottom, with the page turned as it is shown."""
        rect = self._rect
        self._pdfium.FPDFText_GetLooseCharBox(self._textpage, index, self._rect_pointer)
        left, right, top, bottom = rect.left, rect.right, -rect.top, -rect.bottom
        match self._rotation:
            case 1:
                left, right, top, bottom = -bottom, -top, left, right
            case 2:
                left, right, top, bottom = -right, -left, -bottom, -top
            case 3:
                left, right, top, bottom = top, bottom, -right, -left
        return round(left, 2), round(right, 2), round(top, 2), round(bottom, 2)

    def size(self, index: int) -> float:
        """The font's size in points."""
        self._pdfium.FPDFText_GetMatrix(self._textpage, index, self._matrix_pointer)
        scale = math.hypot(self._matrix.c, self._matrix.d) or 1.0
        return round(self._pdfium.FPDFText_GetFontSize(self._textpage, index) * scale, 2)


def _words(text: str, line: re.Match[str], measure: _Measure) -> Iterator[tuple[int, int]]:
    """Where the words of a line begin and end; on rotated pages PDFium may have missed that a new line begins."""
    for word in _WORD.finditer(text, line.start(), line.end()):
        start, end = word.span()
        tops = measure.box(start)[2], measure.box(end - 1)[2]
        if abs(tops[1] - tops[0]) > measure.size(start):
            for index in range(start + 1, end):
                if abs(measure.box(index)[2] - measure.box(index - 1)[2]) > measure.size(index) / 2:
                    yield start, index
                    start = index
        yield start, end


def _with_marks(word: str, place: int, size_of_line: float, measure: _Measure) -> str:
    pieces: list[str] = []
    end = 0
    for mark in _MAY_BE_MARK.finditer(word):
        if measure.size(place + mark.start()) < _SMALLER * size_of_line:
            pieces += word[end : mark.start()], MARK_BEGINS, mark[0], MARK_ENDS
            end = mark.end()
    return "".join(pieces) + word[end:]


def _is_mark(string: str) -> bool:
    return string.startswith(MARK_BEGINS) and string.rstrip(".,;:!?)").endswith(MARK_ENDS)


def _stands_apart(piece: Piece, before: Piece) -> bool:
    string, left, _, top, _, size = piece
    _, its_left, its_right, its_top, _, its_size = before
    larger = max(size, its_size)
    if left - its_right > _GAP * larger or left < its_left or abs(top - its_top) > larger:
        return True
    return min(size, its_size) < 0.6 * larger and not _is_mark(string)


def _has_small_foot(pieces: list[Piece]) -> bool:
    sizes: Counter[float] = Counter()
    for piece in pieces:
        sizes[piece[5]] += len(piece[0])
    usual = sizes.most_common(1)[0][0]
    middle = (min(piece[3] for piece in pieces) + max(piece[4] for piece in pieces)) / 2
    return any(piece[5] < _SMALLER * usual and piece[3] > middle for piece in pieces)


def _rules(pdfium: Any, page: Any) -> list[float]:
    """The positions of thin horizontal lines, as distances down the page."""
    if pdfium.FPDFPage_GetRotation(page):
        return []
    found: list[float] = []
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    for kind, drawn in _objects(pdfium, page):
        if kind != pdfium.FPDF_PAGEOBJ_PATH or not pdfium.FPDFPageObj_GetBounds(drawn, left, bottom, right, top):
            continue
        if top.value - bottom.value < 3 and right.value - left.value > 20:
            found.append(round(-top.value, 2))
    return found


def _objects(pdfium: Any, page: Any) -> Iterator[tuple[int, Any]]:
    for index in islice(range(pdfium.FPDFPage_CountObjects(page)), _MOST_OBJECTS):
        drawn = pdfium.FPDFPage_GetObject(page, index)
        yield pdfium.FPDFPageObj_GetType(drawn), drawn


if __name__ == "__main__":
    main()
