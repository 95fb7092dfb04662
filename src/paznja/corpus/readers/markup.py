"""From an XML or HTML tree to running text: one walk over the tree, in which each format says what its elements do.

The tree is parsed without resolving entities, without network access and without a DTD. `running_text` knows nothing of TEI or EPUB.
"""

import codecs
import html
import html.entities
import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]  (it has no stubs)

from paznja.corpus.encodings.encoding import is_binary
from paznja.corpus.ledger import Ledger
from paznja.errors import UnreadableBook

MOST_BYTES = 100 * 2**20
"""The largest file: the tree of a larger one would take over a gigabyte of memory."""
MOST_MARKS = 5_000_000
"""The most tags and attributes in a file, for the same reason."""
PAGE = "\f"
"""The line that marks the beginning of a new page; cleaning takes it out."""


class Effect(Enum):
    """What an element does to the text around it."""

    FLOW = auto()
    """Its text is part of the line around it."""
    PARAGRAPH = auto()
    """Its text is a separate paragraph."""
    DIVISION = auto()
    """It contains paragraphs."""
    VERBATIM = auto()
    """It is a paragraph whose newlines count."""
    CELL = auto()
    """Its text is part of the line, set off by a space."""
    NEWLINE = auto()
    PAGE = auto()
    """A new page begins."""
    SPACE = auto()
    OMIT = auto()
    """It and everything in it is left out, and a word around it stays whole."""
    JOIN = auto()
    """Like OMIT, and the two halves of the word around it are joined (a line broken inside a word)."""


_BREAKING = frozenset({Effect.PARAGRAPH, Effect.DIVISION, Effect.VERBATIM})
# Until the very end, characters that XML cannot contain stand for what plain text cannot express.
_BREAK, _LEFT_OUT, _JOIN, _NEW_PAGE = "\x02", "\x03", "\x04", "\x05"
_GAP = re.compile(r"\x03[\s\x03]*")
_CLOSES_UP = re.compile(r"[,;:!?)\]]|\.(?!\.)")
_AROUND_JOIN = re.compile(r"[-‐¬\u00ad]?\s*\x04\s*")
_NAMED_ENTITY = re.compile(rb"&(?!amp;|lt;|gt;|quot;|apos;)([A-Za-z][A-Za-z0-9]{1,31};)")
_DECLARED_ENCODING = re.compile(r"\A\s*<\?xml[^>]*\?>")


def parse_xml(data: bytes, advice: str = "repair that line or get another copy") -> Any:
    """The root element. HTML's named entities (&nbsp; &mdash;) are understood; others are never resolved.

    UnreadableBook if the data is not well-formed XML; the reason names the line and ends with the advice.
    """
    _refuse_too_large(data)
    try:
        return etree.fromstring(_with_numeric_entities(data), _xml_parser())
    except etree.XMLSyntaxError as error:
        if is_binary(data):
            raise UnreadableBook("is a binary file, not XML (it holds NUL bytes)") from None
        problem = re.sub(r", line \d+, column \d+.*", "", error.msg or "unknown error", flags=re.DOTALL)
        raise UnreadableBook(f"is not well-formed XML: line {error.lineno}: {problem}; {advice}") from None


def parse_html(data: bytes) -> Any:
    """The root element of a web page, which does not have to be well-formed; None if it is empty."""
    _refuse_too_large(data)
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(_with_numeric_entities(data), parser)
    except etree.XMLSyntaxError:
        return None


def local_name(element: Any) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def leave_out(element: Any, rule: str, ledger: Ledger) -> bool:
    """Whether the rule leaves the element out, which it does if it is switched on; its text is then noted."""
    if not ledger.applies(rule):
        return False
    text = plain(element)
    if text:
        ledger.note(rule, text, left=_text_before(element), right=" ".join((element.tail or "").split()))
    return True


def running_text(root: Any, effect_of: Callable[[Any, str, bool], Effect]) -> str:
    """The text under `root`, its paragraphs separated by newlines, not yet cleaned.

    `effect_of(element, name, inside)` says what an element does to the text; `inside` is true within a paragraph. UnreadableBook if
    elements are nested a thousand deep.
    """
    pieces: list[str] = []
    try:
        _walk(root, effect_of, False, pieces)
    except RecursionError:
        raise UnreadableBook("is not a book: its elements are nested too deep; get another copy") from None
    text = "".join(pieces).replace("\n", " ").replace("\r", " ")
    if _LEFT_OUT in text:
        text = _without_gaps(text)
    if _JOIN in text:
        text = _AROUND_JOIN.sub("", text)
    return "\n".join(_lines(text.split(_BREAK)))


def plain(element: Any) -> str:
    """All the text in an element, on one line."""
    return " ".join("".join(element.itertext()).split())


def _walk(element: Any, effect_of: Callable[[Any, str, bool], Effect], inside: bool, pieces: list[str]) -> None:
    if element.tag is etree.Entity:
        pieces.append(_entity(element.text))
        return
    effect = effect_of(element, local_name(element), inside)
    match effect:
        case Effect.OMIT:
            pieces.append(_LEFT_OUT)
            return
        case Effect.JOIN:
            pieces.append(_JOIN)
            return
        case Effect.NEWLINE:
            pieces.append(_BREAK)
            return
        case Effect.PAGE:
            pieces.append(_BREAK + _NEW_PAGE + _BREAK)
            return
        case Effect.SPACE:
            pieces.append(" ")
            return
        case Effect.VERBATIM:
            lines: list[str] = []
            _walk_inside(element, effect_of, True, lines)
            pieces.append(_BREAK + "".join(lines).replace("\n", _BREAK) + _BREAK)
            return
    edge = _BREAK if effect in _BREAKING else " " if effect is Effect.CELL else ""
    pieces.append(edge)
    _walk_inside(element, effect_of, inside if effect in (Effect.FLOW, Effect.CELL) else effect is Effect.PARAGRAPH, pieces)
    pieces.append(edge)


def _walk_inside(element: Any, effect_of: Callable[[Any, str, bool], Effect], inside: bool, pieces: list[str]) -> None:
    if element.text:
        pieces.append(element.text)
    for child in element:
        _walk(child, effect_of, inside, pieces)
        if child.tail:
            pieces.append(child.tail)


def _without_gaps(text: str) -> str:
    """The text without the marks of what was left out, and without the empty brackets and the spaces before commas that this leaves."""
    pieces: list[str] = []
    end = 0
    for gap in _GAP.finditer(text):
        before, end = text[end : gap.start()], gap.end()
        if (before.rstrip()[-1:] + text[end : end + 1]) in ("()", "[]"):
            before, end = before.rstrip()[:-1], end + 1
        if _CLOSES_UP.match(text, end):
            pieces.append(before.rstrip())
        else:
            pieces += before, gap[0].replace(_LEFT_OUT, "")
    return "".join(pieces) + text[end:]


def _lines(pieces: list[str]) -> list[str]:
    """The lines that are not empty; a mark that is alone on a line, around verse, is joined to the next or previous line."""
    lines: list[str] = []
    opening = ""
    for piece in pieces:
        line = piece.strip()
        if not line:
            continue
        if line == _NEW_PAGE:
            lines.append(PAGE)
        elif line == "„":
            opening = line
        elif len(line) == 1 and line in "“”.,;!?" and lines:
            lines[-1] += line
        else:
            lines.append(opening + line)
            opening = ""
    return lines


def _text_before(element: Any) -> str:
    before = element.getprevious()
    parent = element.getparent()
    text = before.tail if before is not None else parent.text if parent is not None else ""
    return " ".join((text or "").split())


def _refuse_too_large(data: bytes) -> None:
    if len(data) > MOST_BYTES:
        raise UnreadableBook(f"is too large: it has {len(data) / 2**20:,.0f} MB, far more than a book; divide it into smaller files")
    marks = data.count(b"<") + data.count(b"=")
    if marks > MOST_MARKS:
        raise UnreadableBook(f"is too large: it has {marks:,} tags and attributes, far more than a book; divide it into smaller files")


def _entity(reference: str) -> str:
    # An entity that the file itself defines could contain another file or a million copies of itself, so it is left out.
    character = html.unescape(reference)
    return "" if character == reference else character


def _xml_parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)


def _with_numeric_entities(data: bytes) -> bytes:
    # A file without a DTD has only XML's five names. Books use HTML's names too, which are written as numbers here.
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = _DECLARED_ENCODING.sub("", data.decode("utf-16", errors="replace")).encode("utf-8")
    return _NAMED_ENTITY.sub(_number, data)


def _number(match: re.Match[bytes]) -> bytes:
    characters = html.entities.html5.get(match[1].decode("ascii"))
    return match[0] if characters is None else "".join(f"&#{ord(c)};" for c in characters).encode("ascii")
