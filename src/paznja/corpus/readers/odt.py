"""OpenDocument text (ODT), which LibreOffice writes.

Source: OASIS, "Open Document Format for Office Applications (OpenDocument) Version 1.3", part 3, 2021.
"""

from typing import Any

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import words
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.front_matter import without_publishers_pages
from paznja.corpus.readers.markup import Effect, leave_out, local_name, plain, running_text
from paznja.corpus.readers.office import move_behind_paragraph, real_author, real_title
from paznja.corpus.readers.zipped import Zipped
from paznja.errors import UnreadableBook

_FO = "{urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_SVG_TITLE = "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}title"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"

_PARAGRAPHS = words("p h")
_DIVISIONS = words("text section list list-item list-header text-box table table-header-rows table-rows index-body index-title")
_NOT_TEXT = words(
    "sequence-decls variable-decls user-field-decls dde-connection-decls forms object object-ole image desc ruby-text bibliography-mark "
    "soft-page-break table-of-content-source illustration-index-source table-index-source alphabetical-index-source user-index-source "
    "object-index-source bibliography-source script math"
)
_LEFT_OUT = {
    name: rule
    for rule, names in {
        "notes": "note",
        "contents-pages": "table-of-content illustration-index table-index alphabetical-index user-index object-index bibliography",
        "page-numbers": "page-number page-count page-continuation",
        "apparatus": "annotation tracked-changes hidden-text",
    }.items()
    for name in words(names)
}
# The names that LibreOffice gives in the file, whatever its user's language, and Pandoc's; in lower case, without spaces and digits.
_CAPTIONS = words("caption illustration figure table drawing imagecaption tablecaption figurecaption")


def read_odt(data: bytes, ledger: Ledger) -> Contents:
    """An OpenDocument text without notes, comments, deleted text, captions, indexes, headers and footers.

    UnreadableBook if the file is damaged, not an OpenDocument text, has a password, or unpacks to more than a book can be.
    """
    archive = Zipped(data, "an OpenDocument text")
    if "content.xml" not in archive.names:
        raise UnreadableBook("is a zip file but not an OpenDocument text (content.xml is missing)")
    if "META-INF/manifest.xml" in archive.names and archive.xml("META-INF/manifest.xml").find(".//{*}encryption-data") is not None:
        raise UnreadableBook("is protected by a password; open it in LibreOffice and save it without one")
    parts = [name for name in ("content.xml", "styles.xml", "meta.xml") if name in archive.names]
    archive.refuse_too_much_text(parts)
    root, *others = [archive.xml(name) for name in parts]
    body = root.find("{*}body/{*}text")
    if body is None:
        raise UnreadableBook("is an OpenDocument file but not a text (a table or a presentation); save the text in it as plain text")
    meta = {local_name(element): plain(element) for part in others for element in part.iterfind("{*}meta/*")}
    title = real_title(meta.get("title", ""))
    author = real_author(meta.get("initial-creator", "") or meta.get("creator", ""))
    for part in others:
        _note_headers(part, ledger)
    text = _text(body, _Styles([root, *others]), ledger)
    return without_publishers_pages(Contents(text, title, author, meta.get("language", "")), ledger)


class _Styles:
    """What the paragraphs' styles say: the names of the styles they inherit from, and which of them begin a page."""

    def __init__(self, parts: list[Any]) -> None:
        self._parents: dict[str, str] = {}
        self._names: dict[str, frozenset[str]] = {}
        self.beginning_a_page: set[str] = set()
        for part in parts:
            for style in part.iter(_STYLE + "style"):
                name = style.get(_STYLE + "name", "")
                self._parents[name] = style.get(_STYLE + "parent-style-name", "")
                properties = style.find(_STYLE + "paragraph-properties")
                breaks = properties is not None and properties.get(_FO + "break-before") == "page"
                if breaks or style.get(_STYLE + "master-page-name"):
                    self.beginning_a_page.add(name)

    def names(self, element: Any) -> frozenset[str]:
        """The names of the element's style and of its ancestors, in the form of `_CAPTIONS`."""
        name = element.get(_TEXT + "style-name", "")
        if name not in self._names:
            found: list[str] = []
            ancestor = name
            while ancestor and ancestor not in found:
                found.append(ancestor)
                ancestor = self._parents.get(ancestor, "")
            self._names[name] = frozenset("".join(c for c in it.replace("_20_", "") if c.isalpha()).lower() for it in found)
        return self._names[name]


def _text(body: Any, styles: _Styles, ledger: Ledger) -> str:
    for frame in reversed(list(body.iter("{*}text-box"))):
        move_behind_paragraph(frame, _PARAGRAPHS)
    for element in list(body.iter(_TEXT + "p", _TEXT + "h")):
        if element.get(_TEXT + "style-name") in styles.beginning_a_page:
            element.addprevious(element.makeelement("page"))

    def effect_of(element: Any, name: str, inside: bool) -> Effect:
        if name in _NOT_TEXT or element.tag == _SVG_TITLE:
            return Effect.OMIT
        rule = _LEFT_OUT.get(name)
        if name in _PARAGRAPHS:
            rule = None if styles.names(element).isdisjoint(_CAPTIONS) else "captions"
        elif name == "section" and element.get(_TEXT + "display") == "none":
            rule = "apparatus"
        if rule and leave_out(element, rule, ledger):
            return Effect.OMIT
        match name:
            case "p" | "h":
                return Effect.CELL if _is_alone_in_its_cell(element) else Effect.PARAGRAPH
            case "table-row":
                return Effect.PARAGRAPH
            case "table-cell" | "covered-table-cell":
                return Effect.CELL
            case "line-break":
                return Effect.NEWLINE
            case "s" | "tab":
                return Effect.SPACE
            case "page":
                return Effect.PAGE
        return Effect.DIVISION if name in _DIVISIONS else Effect.FLOW

    return running_text(body, effect_of)


def _is_alone_in_its_cell(paragraph: Any) -> bool:
    parent = paragraph.getparent()
    return parent is not None and local_name(parent) == "table-cell" and len(parent) == 1


def _note_headers(part: Any, ledger: Ledger) -> None:
    for element in part.iter("{*}header", "{*}footer", "{*}header-first", "{*}footer-first", "{*}header-left", "{*}footer-left"):
        if ledger.applies("page-frames") and plain(element):
            ledger.note("page-frames", plain(element))
