"""Sets books as a printer would: justified lines, divided words, columns, running heads, page numbers, footnotes below a rule."""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
for name in ("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSans"):
    pdfmetrics.registerFont(TTFont(name, FONTS / f"{name}.ttf"))

_VOWELS = "аеиоуaeiouАЕИОУAEIOU"
_MARK = re.compile(r"\{(\d+|\*)\}")


@dataclass
class Layout:
    """How a book looks; lengths in points."""

    font: str = "DejaVuSerif"
    size: float = 10
    width: float = 420
    height: float = 595
    margin: float = 55
    leading: float = 13
    columns: int = 1
    gutter: float = 20
    indent: float = 14
    gap: float = 0
    """The space above a paragraph."""
    justified: bool = True
    hyphenated: bool = True
    head: str = ""
    """The text above every page; {n} is its number. Odd pages have `odd_head`, if there is one."""
    odd_head: str = ""
    foot: str = ""
    first_number: int = 1
    footnotes: dict[str, str] = field(default_factory=dict)
    """The notes by their marks; in the text, a mark is written {1}."""
    rule: bool = True
    by_rows: bool = False
    """Whether to write the two columns line by line, as some programs do."""
    turned: bool = False
    """Whether the pages are stored on their side and turned by the reader."""
    packed: bool = True
    """Whether the pages' contents are compressed."""


def make_pdf(paragraphs: Sequence[str], layout: Layout | None = None, *, title: str = "", author: str = "", password: str = "") -> bytes:
    """A PDF of the paragraphs; one that begins with "# " is a chapter's title, centred and larger."""
    return _Setter(layout or Layout(), title, author, password).set(paragraphs)


class _Setter:
    def __init__(self, layout: Layout, title: str, author: str, password: str) -> None:
        self.layout = layout
        self.out = io.BytesIO()
        size = (layout.height, layout.width) if layout.turned else (layout.width, layout.height)
        self.canvas = Canvas(self.out, pagesize=size, invariant=1, pageCompression=int(layout.packed), encrypt=password or None)
        if title:
            self.canvas.setTitle(title)
        if author:
            self.canvas.setAuthor(author)
        self.page = layout.first_number - 1
        self.pending: list[tuple[float, float, list[tuple[float, str, float, float]], str]] = []

    def set(self, paragraphs: Sequence[str]) -> bytes:
        layout = self.layout
        self._new_page()
        for paragraph in paragraphs:
            title = paragraph.startswith("# ")
            if title:
                size = layout.size * 1.5
                self._room(size * 3)
                self.y -= size * 1.5
                self._draw([(self._left() + (self._column_width() - self._width(paragraph[2:], size)) / 2, paragraph[2:], size, 0)])
                self.y -= size
                continue
            lines = list(self._lines(paragraph))
            self.y -= layout.gap
            for number, (words, last) in enumerate(lines):
                notes = [mark for word in words for mark in _MARK.findall(word)]
                self._room(layout.leading + sum(self._note_height(mark) for mark in notes))
                for mark in notes:
                    self.notes.append(mark)
                    self.bottom += self._note_height(mark)
                self._set_line(words, layout.indent if number == 0 else 0, stretch=layout.justified and not last)
        self._end_page()
        self.canvas.save()
        return self.out.getvalue()

    def _column_width(self) -> float:
        layout = self.layout
        return (layout.width - 2 * layout.margin - (layout.columns - 1) * layout.gutter) / layout.columns

    def _left(self) -> float:
        return self.layout.margin + self.column * (self._column_width() + self.layout.gutter)

    def _width(self, text: str, size: float) -> float:
        return pdfmetrics.stringWidth(text, self.layout.font, size)

    def _lines(self, paragraph: str) -> Iterator[tuple[list[str], bool]]:
        words = paragraph.split(" ")
        line: list[str] = []
        room = self._column_width() - self.layout.indent
        while words:
            word = words.pop(0)
            plain = _MARK.sub(r"\1", " ".join([*line, word]))
            if self._width(plain, self.layout.size) <= room:
                line.append(word)
                continue
            if self.layout.hyphenated and "{" not in word:
                for cut in reversed(_cuts(word)):
                    beginning = word[:cut] if word[cut - 1] == "-" else word[:cut] + "-"
                    if self._width(" ".join([*line, beginning]), self.layout.size) <= room:
                        line.append(beginning)
                        word = word[cut:]
                        break
            words.insert(0, word)
            yield line, False
            line, room = [], self._column_width()
        yield line, True

    def _set_line(self, words: list[str], indent: float, *, stretch: bool) -> None:
        size = self.layout.size
        widths = [sum(self._width(part, size * (0.6 if n % 2 else 1)) for n, part in enumerate(_MARK.split(word))) for word in words]
        space = self._width(" ", size)
        if stretch and len(words) > 1:
            space = (self._column_width() - indent - sum(widths)) / (len(words) - 1)
        x = self._left() + indent
        drawn: list[tuple[float, str, float, float]] = []
        for word, width in zip(words, widths, strict=True):
            end = x
            for number, part in enumerate(_MARK.split(word)):
                if part:
                    drawn.append((end, part, size * 0.6, size * 0.35) if number % 2 else (end, part, size, 0))
                    end += self._width(part, size * 0.6 if number % 2 else size)
            x += width + space
        self._draw(drawn)
        self.y -= self.layout.leading

    def _draw(self, parts: list[tuple[float, str, float, float]], font: str = "") -> None:
        self.pending.append((self.y, self.column, parts, font or self.layout.font))

    def _note_height(self, mark: str) -> float:
        return 9 * len(self._wrapped(f"{mark} {self.layout.footnotes[mark]}", 7)) + 1

    def _wrapped(self, text: str, size: float) -> list[str]:
        lines = [""]
        for word in text.split():
            if self._width(f"{lines[-1]} {word}", size) > self.layout.width - 2 * self.layout.margin:
                lines.append("")
            lines[-1] = f"{lines[-1]} {word}".strip()
        return lines

    def _room(self, needed: float) -> None:
        if self.y - needed < self.bottom:
            if self.column + 1 < self.layout.columns:
                self.column += 1
                self.y = self.layout.height - self.layout.margin - self.layout.leading
            else:
                self._end_page()
                self._new_page()

    def _new_page(self) -> None:
        self.page += 1
        self.column = 0
        self.y = self.layout.height - self.layout.margin - self.layout.leading
        self.bottom = self.layout.margin + 10
        self.notes: list[str] = []
        if self.layout.turned:
            self.canvas.setPageRotation(90)
            self.canvas.rotate(90)
            self.canvas.translate(0, -self.layout.height)

    def _end_page(self) -> None:
        layout, canvas = self.layout, self.canvas
        head = layout.odd_head if self.page % 2 and layout.odd_head else layout.head
        if head:
            self._centred(head, layout.height - layout.margin + 8)
        self.pending.sort(key=lambda line: (-line[0], line[1]) if layout.by_rows else 0)
        for y, _, parts, font in self.pending:
            for x, text, size, rise in parts:
                canvas.setFont(font, size)
                canvas.drawString(x, y + rise, text)
        self.pending.clear()
        if self.notes:
            y = layout.margin + sum(self._note_height(mark) for mark in self.notes)
            if layout.rule:
                canvas.line(layout.margin, y + 9, layout.margin + 80, y + 9)
            for mark in self.notes:
                for line in self._wrapped(f"{mark} {layout.footnotes[mark]}", 7):
                    canvas.setFont(layout.font, 7)
                    canvas.drawString(layout.margin, y, line)
                    y -= 9
                y -= 1
        if layout.foot:
            self._centred(layout.foot, layout.margin - 25)
        canvas.showPage()

    def _centred(self, text: str, y: float) -> None:
        text = text.replace("{n}", str(self.page))
        self.canvas.setFont(self.layout.font, self.layout.size - 1)
        self.canvas.drawCentredString(self.layout.width / 2, y, text)


def _cuts(word: str) -> list[int]:
    """Where a Serbian word may be divided, roughly: before a consonant that is followed by a vowel, and after a hyphen."""
    cuts = [
        cut
        for cut in range(2, len(word) - 2)
        if word[cut - 2 : cut + 2].isalpha() and word[cut - 1] in _VOWELS and word[cut] not in _VOWELS and word[cut + 1] in _VOWELS
    ]
    hyphen = word.find("-")
    return sorted([*cuts, hyphen + 1]) if 0 < hyphen < len(word) - 1 else cuts
