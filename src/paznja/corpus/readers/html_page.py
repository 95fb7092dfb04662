"""HTML: one web page that contains a book, saved from the web or from a word processor.

Source: WHATWG, "HTML Living Standard", sections 4.2 (metadata) and 13 (syntax).
"""

import re
from typing import Any
from urllib.parse import unquote

from paznja.corpus.encodings.encoding import decode_html
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.front_matter import without_publishers_pages
from paznja.corpus.readers.markup import parse_html, plain
from paznja.corpus.readers.note_links import find_note_links
from paznja.corpus.readers.web_page import page_text
from paznja.errors import UnreadableBook

_DECLARATION_OF_XML = re.compile(r"\A\s*<\?xml[^>]*\?>")
_TITLES = ("dc.title", "dcterms.title", "citation_title", "og:title")
_AUTHORS = ("author", "dc.creator", "dcterms.creator", "citation_author", "article:author")
_LANGUAGES = ("dc.language", "dcterms.language")


def read_html(data: bytes, ledger: Ledger) -> Contents:
    """A web page's text without menus, header, footer, scripts, notes, captions and contents.

    UnreadableBook if the bytes are not text, or contain no page.
    """
    root = parse_html(_DECLARATION_OF_XML.sub("", decode_html(data, ledger)).encode("utf-8", errors="replace"))
    if root is None:
        raise UnreadableBook("is not a web page (it has no HTML in it); save it as plain text or get another copy")
    meta = _meta(root)
    title = root.find(".//{*}head/{*}title")
    contents = Contents(
        text=page_text(root, ledger, find_note_links([("", root)], _follow), of_the_web=True),
        title=next((meta[name] for name in _TITLES if meta.get(name)), plain(title) if title is not None else ""),
        author=next((meta[name] for name in _AUTHORS if meta.get(name)), ""),
        language=root.get("lang") or next((meta[name] for name in _LANGUAGES if meta.get(name)), ""),
    )
    return without_publishers_pages(contents, ledger)


def _follow(page: str, href: str) -> tuple[str, str] | None:
    """Where a link on the page leads; the page's own address may come before the #."""
    before, _, identity = href.partition("#")
    return (page, unquote(identity)) if identity and "://" not in before else None


def _meta(root: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in root.iter("{*}meta"):
        name = (element.get("name") or element.get("property") or "").lower()
        content = " ".join((element.get("content") or "").split())
        if name and content:
            found[name] = f"{found[name]}, {content}" if name in found and name in _AUTHORS else found.get(name, content)
    return found
