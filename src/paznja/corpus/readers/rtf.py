"""Rich Text Format (RTF), written by Word and WordPad since 1987.

Source: Microsoft, "Word 2007: Rich Text Format (RTF) Specification, version 1.9.1", 2008.
"""

import codecs
import re
from dataclasses import dataclass, replace

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import words
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.front_matter import without_publishers_pages
from paznja.corpus.readers.markup import PAGE
from paznja.corpus.readers.office import PAGE_FIELD, real_author, real_title
from paznja.errors import UnreadableBook

# A run of characters outside ASCII is one token, so that a book in Cyrillic is not read letter by letter.
_TOKEN = re.compile(
    rb"(?P<unicode>(?:\\u-?\d{1,6} ?(?:\\'[0-9a-fA-F]{2}|\?))+)"
    rb"|(?P<hex>(?:\\'[0-9a-fA-F]{2})+)"
    rb"|\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?"
    rb"|\\(?P<symbol>[^a-zA-Z])"
    rb"|(?P<brace>[{}])"
    rb"|(?P<text>[^\\{}\r\n]+)",
    re.DOTALL,
)
_UNICODE = re.compile(rb"\\u(-?\d+)")
_TOKEN_OF_UNICODE = re.compile(rb"\\u(-?\d{1,10}) ?")
_HEX = re.compile(rb"\\'")

_CHARACTERS = {
    "par": "\n",
    "sect": f"\n{PAGE}\n",
    "page": f"\n{PAGE}\n",
    "line": "\n",
    "row": "\n",
    "nestrow": "\n",
    "tab": " ",
    "cell": " ",
    "nestcell": " ",
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
}
_SYMBOLS = {b"~": " ", b"_": "-", b"-": "", b"\n": "\n", b"\r": "\n", b"\\": "\\", b"{": "{", b"}": "}", b"\t": " "}
_RULES = {
    word: rule
    for rule, those in {
        "notes": "footnote ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn",
        "page-frames": "header headerl headerr headerf footer footerl footerr footerf",
        "apparatus": "annotation atnid atnauthor atntime atnicn atndate atnref atnparent",
        "contents-pages": "xe tc rxe txe",
    }.items()
    for word in words(those)
}
# Destinations that may occur without "\\*", which would say itself that they are not text.
_NOT_TEXT = words(
    "colortbl pict object objdata listtable listoverridetable revtbl filetbl nonshppict shprslt bkmkstart bkmkend pntext sp "
    "pntxta pntxtb panose falt userprops listtext fontemb comment"
)
_STARRED_TEXT = frozenset({"ud", "fldinst", "shptxt", "shpinst", "do"})
_CODE_PAGES = {
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    134: "cp936",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    255: "cp437",
}
_CONTENTS_FIELD = re.compile(r"\s*(?:TOC|INDEX|TOA)\b")
_CONTENTS_STYLE = re.compile(r"toc \d|toc heading|table of figures|index (?:\d|heading)|contents (?:\d|heading)", re.IGNORECASE)
_CAPTION_STYLE = re.compile(r"caption|illustration|image caption|table caption", re.IGNORECASE)
_ONE_CHARACTER = re.compile(rb"[\r\n]*(?:\\'[0-9a-fA-F]{2}|[^\\{}\r\n])")
_DEEPEST = 10_000


class _Sink:
    """A destination for text: the book, its title, or something that a rule leaves out."""

    def __init__(self, rule: str | None = None, *, of_the_book: bool = False) -> None:
        self.pieces: list[str] = []
        self.rule = rule
        self.of_the_book = of_the_book

    def line(self) -> str:
        return " ".join("".join(self.pieces).split())


@dataclass
class _State:
    """What a group inherits from the group around it."""

    sink: _Sink
    codec: str
    skipped: int = 1
    """How many characters follow \\u as a replacement for older programs."""
    style: int = 0
    hidden: bool = False
    deleted: bool = False
    begins: bool = False
    """Whether only the group's opening brace, or "\\*", has been read so far."""
    starred: bool = False
    first_is_for_older_programs: bool = False


def read_rtf(data: bytes, ledger: Ledger) -> Contents:
    """An RTF document's text without notes, comments, deleted and hidden text, captions, contents, headers and footers.

    UnreadableBook if the data is not RTF, or its groups are nested ten thousand deep.
    """
    data = data.removeprefix(codecs.BOM_UTF8).lstrip()
    if not data.startswith(b"{\\rtf"):
        raise UnreadableBook("is not an RTF document (it does not begin with {\\rtf), whatever its name says")
    reader = _Reader(ledger)
    reader.read(data)
    lines = "".join(reader.book.pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore").split("\n")
    text = "\n".join(line.strip(" ") for line in lines)
    contents = Contents(text, title=real_title(reader.title.line()), author=real_author(reader.author.line()))
    return without_publishers_pages(contents, ledger)


class _Reader:
    """One pass over the tokens, with a stack of the states of all open groups."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.book = _Sink(of_the_book=True)
        self.info, self.title, self.author = _Sink(), _Sink(), _Sink()
        self.nowhere, self.font_table, self.style_sheet = _Sink(), _Sink(), _Sink()
        self.instruction = _Sink()
        self.aside = _Sink()
        """Receives hidden text, and paragraphs whose style is left out."""
        self.boxes: list[_Sink] = []
        """Text boxes that wait for the end of the paragraph that they are attached to."""
        self.default_codec = "cp1252"
        self.default_font = self.font = 0
        self.fonts: dict[int, str] = {}
        self.rules_of_styles: dict[int, str] = {}
        self.state = _State(self.book, self.default_codec)
        self.stack: list[_State] = []

    def read(self, data: bytes) -> None:
        position = 0
        while match := _TOKEN.search(data, position):
            position = match.end()
            match match.lastgroup:
                case "text":
                    self._put(match[0].decode(self.state.codec, "replace"))
                case "hex":
                    self._put(bytes.fromhex(_HEX.sub(b"", match[0]).decode("ascii")).decode(self.state.codec, "replace"))
                case "unicode" if self.state.skipped == 1:
                    self._put("".join(chr(int(code) & 0xFFFF) for code in _UNICODE.findall(match[0])))
                case "unicode":
                    position = self._unicode(data, match.start())
                case "brace" if match[0] == b"{":
                    self._open()
                case "brace":
                    self._close()
                    if not self.stack:
                        break
                case "symbol":
                    self._symbol(match["symbol"])
                case _:
                    number = int(match["number"]) if match["number"] else None
                    position = self._word(match["word"].decode("ascii"), number, data, match)
        if self.stack:
            self.ledger.say("The file is cut short, or damaged: the end of the document is missing.")
        while self.stack:
            self._close()
        self._end(self.aside)
        self._put_boxes()

    def _open(self) -> None:
        if len(self.stack) >= _DEEPEST:
            raise UnreadableBook("is not a book: its groups are nested too deep; get another copy")
        self.stack.append(self.state)
        self.state = replace(self.state, begins=True, starred=False, first_is_for_older_programs=False)
        if self.stack[-1].first_is_for_older_programs:
            self.stack[-1].first_is_for_older_programs = False
            self.state.sink = self.nowhere

    def _close(self) -> None:
        if self.stack:
            ended, self.state = self.state.sink, self.stack.pop()
            if ended is not self.state.sink:
                self._end(ended)

    def _end(self, sink: _Sink) -> None:
        if sink.rule and sink.line():
            self.ledger.note(sink.rule, sink.line(), left="".join(self.book.pieces[-8:]).rpartition("\n")[2])

    def _put(self, text: str) -> None:
        state = self.state
        state.begins = False
        sink = state.sink
        if sink.of_the_book:
            rule = "apparatus" if state.hidden or state.deleted else self.rules_of_styles.get(state.style)
            if rule and not self.ledger.applies(rule):
                rule = None
            if rule != self.aside.rule:
                self._end(self.aside)
                self.aside = _Sink(rule)
            if rule:
                sink = self.aside
        elif sink is self.style_sheet:
            self._name_style(text)
        sink.pieces.append(text)
        if text == "\n" and sink is self.book:
            self._put_boxes()

    def _put_boxes(self) -> None:
        for box in self.boxes:
            self.book.pieces += "\n", *box.pieces, "\n"
        self.boxes = []

    def _unicode(self, data: bytes, start: int) -> int:
        """Read a character given by its number, and skip its replacements for older programs; returns where reading continues."""
        match = _TOKEN_OF_UNICODE.match(data, start)
        assert match is not None
        self._put(chr(int(match[1]) & 0xFFFF))
        position = match.end()
        for _ in range(self.state.skipped):
            replacement = _ONE_CHARACTER.match(data, position)
            if replacement is None:
                break
            position = replacement.end()
        return position

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self.state.starred = True
        elif symbol in _SYMBOLS:
            self._put(_SYMBOLS[symbol])

    def _word(self, word: str, number: int | None, data: bytes, match: re.Match[bytes]) -> int:
        """Do what a control word says; returns where reading continues."""
        state = self.state
        begins, state.begins = state.begins, False
        match word:
            case _ if word in _CHARACTERS:
                self._put(_CHARACTERS[word])
            case "u" if number is not None:
                return self._unicode(data, match.start())
            case "bin" if number is not None:
                return match.end() + max(0, number)
            case "uc":
                state.skipped = min(max(0, number or 0), 100)
            case "f" if state.sink is self.font_table:
                self.font = number or 0
            case "f":
                state.codec = self.fonts.get(number or 0, self.default_codec)
            case "fcharset":
                self.fonts[self.font] = _CODE_PAGES.get(number or 0, self.default_codec)
            case "cpg":
                self.fonts[self.font] = _codec(number, self.default_codec)
            case "ansicpg":
                self.default_codec = state.codec = _codec(number, self.default_codec)
            case "mac" | "pc" | "pca":
                self.default_codec = state.codec = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
            case "deff":
                self.default_font = number or 0
            case "plain":
                state.hidden = state.deleted = False
                state.codec = self.fonts.get(self.default_font, self.default_codec)
            case "v":
                state.hidden = number != 0
            case "deleted":
                state.deleted = number != 0
            case "pard":
                state.style = 0
            case "s":
                state.style = number or 0
            case _ if begins:
                self._destination(word)
        return match.end()

    def _destination(self, word: str) -> None:
        """Do what the first word of a group says about everything in the group."""
        state = self.state
        match word:
            case "fonttbl":
                state.sink = self.font_table
            case "stylesheet":
                state.sink = self.style_sheet
            case "info":
                state.sink = self.info
            case "title" if state.sink is self.info:
                state.sink = self.title
            case "author" if state.sink is self.info:
                state.sink = self.author
            case "upr":
                state.first_is_for_older_programs = True
            case "fldinst":
                state.sink = self.instruction = _Sink()
            case "fldrslt":
                instruction = self.instruction.line()
                if _CONTENTS_FIELD.match(instruction):
                    self._leave_out("contents-pages")
                elif PAGE_FIELD.match(instruction):
                    self._leave_out("page-numbers")
            case "shptxt" | "dptxbxtext" if state.sink.of_the_book:
                state.sink = _Sink(of_the_book=True)
                self.boxes.append(state.sink)
            case _ if word in _RULES:
                self._leave_out(_RULES[word])
            case _ if word in _NOT_TEXT or (state.starred and word not in _STARRED_TEXT):
                state.sink = self.nowhere

    def _leave_out(self, rule: str) -> None:
        if self.state.sink.of_the_book and self.ledger.applies(rule):
            self.state.sink = _Sink(rule)

    def _name_style(self, text: str) -> None:
        name = text.strip(" ;")
        if _CONTENTS_STYLE.fullmatch(name):
            self.rules_of_styles[self.state.style] = "contents-pages"
        elif _CAPTION_STYLE.fullmatch(name):
            self.rules_of_styles[self.state.style] = "captions"


def _codec(code_page: int | None, otherwise: str) -> str:
    names = {10000: "mac_roman", 10007: "mac_cyrillic", 10029: "mac_latin2", 65001: "utf-8"}
    try:
        return codecs.lookup(names.get(code_page or 0, f"cp{code_page}")).name
    except LookupError:
        return otherwise
