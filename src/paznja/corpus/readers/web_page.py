"""What the elements of a web page do to its text: for pages of an EPUB, and for pages saved from the web or a word processor.

What is not the author's is recognised by HTML's own elements, by the roles of EPUB and ARIA, and by the class names of
Word, LibreOffice, Pandoc, Calibre, MediaWiki and Project Gutenberg.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import words
from paznja.corpus.readers.front_matter import is_contents_heading
from paznja.corpus.readers.markup import Effect, leave_out, local_name, plain, running_text
from paznja.corpus.readers.note_links import NoteLinks

_OPS_TYPE = "{http://www.idpf.org/2007/ops}type"

_DIVISIONS = words(
    "html body div section article blockquote main header footer nav aside ul ol dl table thead tbody tfoot figure form fieldset "
    "details hgroup center hr"
)
_PARAGRAPHS = words("p h1 h2 h3 h4 h5 h6 li dt dd tr caption figcaption address summary legend")
_NOT_TEXT = words("head script style svg img image audio video object iframe template rt rp noscript annotation select button map")

_BY_ELEMENT = {"nav": "page-frames", "figcaption": "captions", "caption": "captions"}
_BY_TYPE = {
    rule: words(names)
    for rule, names in {
        "notes": "noteref footnote footnotes endnote endnotes rearnote rearnotes annoref annotation backlink",
        "page-numbers": "pagebreak page-list",
        "contents-pages": "toc landmarks loi lot loa lov index",
        "title-pages": "titlepage halftitlepage cover",
        "copyright-pages": "copyright-page",
    }.items()
}
_BY_ROLE = {"navigation": "page-frames", "banner": "page-frames", "contentinfo": "page-frames", "search": "page-frames"}
_BY_CLASS = {
    rule: words(names)
    for rule, names in {
        "notes": "footnote footnotes endnote endnotes footnote-ref footnote-back footnote-backref noteref reference references reflist "
        "sdfootnoteanc sdendnoteanc msofootnotetext msofootnotereference msoendnotetext msoendnotereference fnanchor",
        "page-numbers": "pagenum pageno page-number pagenumber ws-pagenum",
        "contents-pages": "toc msotocheading",
        "captions": "caption figcaption thumbcaption msocaption",
        "page-frames": "navbar navigation sidebar breadcrumb breadcrumbs site-header site-footer page-header page-footer cookie-banner "
        "mw-editsection catlinks printfooter navbox noprint ws-noexport pg-boilerplate pgheader pg-header pg-footer mw-jump-link",
    }.items()
}
_BY_ID = {
    rule: re.compile(pattern, re.IGNORECASE)
    for rule, pattern in {
        "notes": r"sd(?:foot|end)note\d+",
        "contents-pages": r"table of contents\d+|toc",
        "page-frames": r"pg-header|pg-footer|mw-navigation|mw-panel|mw-head|catlinks|site-header|site-footer|navbar|sidebar",
        "title-pages": r"title-block-header",
    }.items()
}
_WORD_STYLES = {"footnote-list": "notes", "endnote-list": "notes", "header": "page-frames", "footer": "page-frames"}
_WORD_STYLE = re.compile(r"mso-element\s*:\s*(footnote-list|endnote-list|header|footer)")
_WORD_TOC = re.compile(r"msotoc\d")
_PAGE_BREAK = re.compile(r"(?:page-)?break-before\s*:\s*(?:always|page)")
_HOLDS_A_BOOK = frozenset({"body", "html", "main", "article"})

_MARK = re.compile(r"\d{1,4}|[*†‡§]+|[¹²³⁰⁴-⁹]+|[a-z]")
_BRACKETED_MARK = re.compile(r"[\[(]\s*(?:\d{1,4}|[*†‡§]+|[a-z])\s*[\])]|[*†‡§]+|[¹²³⁰⁴-⁹]+|↩\ufe0e?")
_FEWEST_LINKS = 3
_LONGEST_LINK = 150
_LINKED_SHARE = 0.75
_NO_LETTER = re.compile(r"[\W\d_]+")


def page_text(root: Any, ledger: Ledger, links: NoteLinks, path: str = "", *, of_the_web: bool = False) -> str:
    """The running text of a page, with `PAGE` where a style says that a new page begins.

    `links`: the notes of the whole book. `path`: the page's path in `links`. `of_the_web`: whether the page may have menus and a frame
    around the text, which are then left out too.
    """
    notes = links.elements(path, root) if ledger.applies("notes") else frozenset()
    contents = _lists_of_links(root, of_the_web) if ledger.applies("contents-pages") else frozenset()
    for element in root.xpath("//*[contains(@style, 'break-before')]"):
        if _PAGE_BREAK.search(element.get("style")) and element.getparent() is not None:
            element.addprevious(element.makeelement("page"))

    def effect_of(element: Any, name: str, inside: bool) -> Effect:
        if name in _NOT_TEXT or element.get("hidden") is not None:
            return Effect.OMIT
        rule = "contents-pages" if element in contents else _rule(element, name, of_the_web)
        if rule is None and (element in notes or (name == "a" and links.is_mark(path, element))):
            rule = "notes"
        if rule and leave_out(element, rule, ledger):
            return Effect.OMIT
        if name in _PARAGRAPHS:
            return Effect.PARAGRAPH
        if name in _DIVISIONS:
            return Effect.DIVISION
        if name == "br":
            return Effect.NEWLINE
        if name == "pre":
            return Effect.VERBATIM
        if name == "page":
            return Effect.PAGE
        return Effect.CELL if name in ("td", "th") else Effect.FLOW

    return running_text(root, effect_of)


def _rule(element: Any, name: str, of_the_web: bool) -> str | None:
    """The rule that leaves the element out, or None."""
    if name == "a" and "#" in element.get("href", "") and _is_footnote_mark(element):
        return "notes"
    if element.attrib:
        types = [role.removeprefix("doc-") for role in element.get("role", "").split() if role.startswith("doc-")]
        types += element.get(_OPS_TYPE, "").lower().split()
        rule = next((rule for rule, names in _BY_TYPE.items() if not names.isdisjoint(types)), None)
        if rule is None and name not in _HOLDS_A_BOOK:
            rule = _rule_by_class(element)
        if rule and (of_the_web or rule != "page-frames"):
            return rule
    if name in _BY_ELEMENT:
        return _BY_ELEMENT[name]
    return "page-frames" if of_the_web and _frames_the_page(element, name) else None


def _rule_by_class(element: Any) -> str | None:
    classes = element.get("class", "").lower().split()
    if classes:
        for rule, names in _BY_CLASS.items():
            if not names.isdisjoint(classes):
                return rule
        if any(_WORD_TOC.fullmatch(name) for name in classes):
            return "contents-pages"
    identity = element.get("id")
    if identity:
        for rule, pattern in _BY_ID.items():
            if pattern.fullmatch(identity):
                return rule
    if element.get("role") in _BY_ROLE:
        return _BY_ROLE[element.get("role")]
    if element.get("title") in ("header", "footer"):  # LibreOffice's
        return "page-frames"
    style = _WORD_STYLE.search(element.get("style", ""))
    return _WORD_STYLES[style[1]] if style else None


def _frames_the_page(element: Any, name: str) -> bool:
    """Whether the element is the page's own header or footer (a chapter may have them too), a sidebar, or hidden."""
    if name in ("header", "footer"):
        return not any(local_name(ancestor) in ("article", "section", "main") for ancestor in element.iterancestors())
    return name == "aside" or "display:none" in element.get("style", "").replace(" ", "")


def _is_footnote_mark(link: Any) -> bool:
    text = plain(link)
    raised = local_name(link.getparent()) == "sup" or any(local_name(child) == "sup" for child in link)
    return _BRACKETED_MARK.fullmatch(text) is not None or (raised and _MARK.fullmatch(text) is not None)


def _lists_of_links(root: Any, of_the_web: bool) -> frozenset[Any]:
    """The elements whose text consists almost only of links within the book, which are unmarked contents, and their headings."""
    linked: dict[Any, list[int]] = {}
    for link in root.iter("{*}a"):
        text = _NO_LETTER.sub("", plain(link))
        if not text or len(text) > _LONGEST_LINK or not _leads_into_the_book(link.get("href", "")):
            continue
        for ancestor in link.iterancestors():
            if local_name(ancestor) == "html" or (of_the_web and local_name(ancestor) == "body"):
                break
            counted = linked.setdefault(ancestor, [0, 0])
            counted[0] += 1
            counted[1] += len(text)
    lists = {
        element
        for element, (count, characters) in linked.items()
        if count >= _FEWEST_LINKS and characters >= _LINKED_SHARE * len(_NO_LETTER.sub("", plain(element)))
    }
    headings = {element.getprevious() for element in lists} - {None}
    return frozenset(lists | {heading for heading in headings if is_contents_heading(plain(heading))})


def _leads_into_the_book(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(address) and not parts.scheme and not parts.netloc
