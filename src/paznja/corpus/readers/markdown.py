"""Markdown: the marks are taken out, the words stay.

The parser is markdown-it-py, a port of the reference implementation of CommonMark. What it does not understand is taken out before:
the properties at the head of the file, notes, and Pandoc's fences and attributes.
"""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from paznja.corpus.encodings.encoding import decode
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.front_matter import without_publishers_pages
from paznja.corpus.readers.markup import parse_html, plain
from paznja.corpus.readers.note_links import NoteLinks
from paznja.corpus.readers.plain_text import read_plain_text
from paznja.corpus.readers.web_page import page_text

if TYPE_CHECKING:
    from markdown_it.token import Token

_PROPERTIES = re.compile(r"\A---[ \t]*\n(?P<lines>(?:.*\n){0,200}?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_PROPERTY = re.compile(r"^(title|author|creator|lang|language):[ \t]*(.*(?:\n[ \t]*-[ \t].*)*)", re.MULTILINE | re.IGNORECASE)
_TITLE_BLOCK = re.compile(r"\A%[ \t]*(?P<title>.*)\n(?:%[ \t]*(?P<author>.*)\n)?(?:%.*\n)?")
_NOTE = re.compile(r"^\[\^[^\]\n]{1,80}\]:[ \t]*(?P<text>.*(?:\n(?:[ \t]*\n)?(?: {4}|\t).*|\n(?![ \t]*\n|\[\^|#).+)*)\n?", re.MULTILINE)
_NOTE_MARK = re.compile(r"\[\^[^\]\n]{1,80}\](?!:)")
_NOTE_INLINE = re.compile(r"(?<!\\)\^\[[^\[\]\n]{1,2000}\]")
_FENCE = re.compile(r"^:{3,}.*$\n?", re.MULTILINE)
_ATTRIBUTES = re.compile(r"(?<![ \t])[ \t]*\{[#.][^{}\n]{0,200}\}|(?<=\])\{[^{}\n]{0,200}\}")
_SPAN = re.compile(r"\[([^\[\]\n]*)\](?=\{[#.][^{}\n]{0,200}\})")
_LINE_BLOCK = re.compile(r"^\|[ \t]+(?=\S)(?!.*\|[ \t]*$)(.*)$", re.MULTILINE)
_SOFT_BREAK = "\x1f"
_FULL, _WIDEST = 0.85, 120
_FEWEST_LINKS = 3
_MOST_BRACKETS = 60_000  # each that does not open a link costs the parser 30 microseconds
_SAID = re.compile(r"[^\W\d_].*[.!?…][\"“”»']?$", re.DOTALL)


def read_markdown(data: bytes, ledger: Ledger) -> Contents:
    """Markdown as plain text: each heading and paragraph is a line, without marks, pictures, addresses of links, and notes.

    UnreadableBook if the bytes are not text in a known encoding.
    """
    if not ledger.applies("markdown-marks"):
        return read_plain_text(data, ledger)
    source = decode(data, ledger).replace("\r\n", "\n").replace("\r", "\n")
    if source.count("[") > _MOST_BRACKETS:
        ledger.say("It is read as plain text, as it has more square brackets than a book.")
        return read_plain_text(data, ledger)
    source, title, author, language = _without_properties(source)
    source = _FENCE.sub("\n", source)
    source = _ATTRIBUTES.sub("", _SPAN.sub(r"\1", source))
    if ledger.applies("notes"):
        source = _without_notes(source, ledger)
    source = _LINE_BLOCK.sub(lambda line: line[1] + ("\\" if source.startswith("\n| ", line.end()) else ""), source)
    return without_publishers_pages(Contents(_text(source, ledger), title, author, language), ledger)


def _without_properties(source: str) -> tuple[str, str, str, str]:
    match = _PROPERTIES.match(source)
    if match:
        found: dict[str, str] = {}
        for name, value in _PROPERTY.findall(match["lines"]):
            items = [item.strip().strip("-").strip().strip("'\"[]") for item in re.split(r"\n|(?<=[\"'\]]),", value)]
            found.setdefault(name.lower(), ", ".join(item for item in items if item))
        author = found.get("author", "") or found.get("creator", "")
        return source[match.end() :], found.get("title", ""), author, found.get("lang", "") or found.get("language", "")
    match = _TITLE_BLOCK.match(source)
    if match:
        return source[match.end() :], match["title"].strip(), (match["author"] or "").replace(";", ",").strip(), ""
    return source, "", "", ""


def _without_notes(source: str, ledger: Ledger) -> str:
    for pattern in (_NOTE, _NOTE_INLINE, _NOTE_MARK):
        if "[^" not in source and "^[" not in source:
            break
        for match in pattern.finditer(source):
            ledger.note_in("notes", source, match.span(), before=match[0].strip(), around=40)
        source = pattern.sub("", source)
    return source


def _text(source: str, ledger: Ledger) -> str:
    from markdown_it import MarkdownIt

    # Four spaces before a paragraph are a typist's indent, not a program's code; and a rule under a line is seldom a heading.
    parser = MarkdownIt("commonmark").enable("table").enable("strikethrough").disable("code")
    width = _width(source)
    lines: list[str] = []
    items: list[Token] = []
    cells: list[str] | None = None
    for token in _without_contents(parser.parse(source), ledger):
        match token.type:
            case "inline":
                text = _joined(_inline(token, ledger), width)
                if cells is not None:
                    cells.append(text)
                else:
                    lines.append(_with_item_mark(text, items, ledger))
            case "fence" | "code_block":
                ledger.note("markdown-marks", token.markup, count=2)
                lines += token.content.split("\n")
            case "html_block":
                lines.append(_html(token.content, ledger))
            case "list_item_open":
                items.append(token)
            case "list_item_close":
                if items:
                    items.pop()
            case "tr_open":
                cells = []
            case "tr_close":
                lines.append(" ".join(cells or []))
                cells = None
            case "heading_open" | "blockquote_open" | "hr":
                ledger.note("markdown-marks", token.markup)
    return "\n".join(lines)


def _width(source: str) -> int:
    """The width in characters that nearly all lines of the file keep to."""
    lengths = sorted(len(line) for line in source.split("\n") if line.strip())
    return lengths[round(0.95 * (len(lengths) - 1))] if lengths else 0


def _joined(text: str, width: int) -> str:
    """The text with its soft breaks undone where a line is as wide as the file; a shorter line was meant to end."""
    if _SOFT_BREAK not in text:
        return text
    pieces = text.split(_SOFT_BREAK)
    joined = [pieces[0]]
    for line, following in pairwise(pieces):
        is_full = len(line.rpartition("\n")[2]) + len(following.split(" ", 1)[0]) >= _FULL * width
        joined += " " if is_full and width <= _WIDEST else "\n", following
    return "".join(joined)


def _without_contents(tokens: "list[Token]", ledger: Ledger) -> "list[Token]":
    """The tokens without lists that consist only of links to other places in the file."""
    if not ledger.applies("contents-pages"):
        return tokens
    kept: list[Token] = []
    start: int | None = None
    for number, token in enumerate(tokens):
        if start is None and token.level == 0 and token.type in ("bullet_list_open", "ordered_list_open"):
            start = number
        if start is None:
            kept.append(token)
        elif token.level == 0 and token.type in ("bullet_list_close", "ordered_list_close"):
            items = [it for it in tokens[start:number] if it.type == "inline"]
            if len(items) >= _FEWEST_LINKS and all(_is_link(it) for it in items):
                ledger.note("contents-pages", " / ".join("".join(child.content for child in it.children or []) for it in items))
            else:
                kept += tokens[start : number + 1]
            start = None
    return kept


def _is_link(token: "Token") -> bool:
    children = token.children or []
    return (
        len(children) > 2
        and children[0].type == "link_open"
        and children[-1].type == "link_close"
        and "#" in str(children[0].attrGet("href"))
    )


def _with_item_mark(text: str, items: "list[Token]", ledger: Ledger) -> str:
    """An item's text, with its number, since "1914. године" looks like one, and with its dash if it is a line of dialogue."""
    if not items or not items[-1].markup:
        return text
    item = items[-1]
    mark, item.markup = item.markup, ""  # only the item's first paragraph has the mark
    if item.info:
        return f"{item.info}{mark} {text}"
    if mark == "-" and _SAID.match(text) and text[0].isupper():
        return f"- {text}"
    ledger.note("markdown-marks", mark, right=text)
    return text


def _inline(token: "Token", ledger: Ledger) -> str:
    pieces: list[str] = []
    for child in token.children or []:
        match child.type:
            case "text" | "code_inline" | "text_special":
                pieces.append(child.content)
            case "softbreak":
                pieces.append(_SOFT_BREAK)
            case "hardbreak":
                pieces.append("\n")
            case "html_inline":
                pieces.append("\n" if child.content.lower().startswith("<br") else "")
            case "image":
                if not ledger.applies("captions"):
                    pieces.append(child.content)
                elif child.content:
                    ledger.note("captions", child.content)
            case "em_open" | "strong_open" | "s_open":
                ledger.note("markdown-marks", child.markup, count=2, left="".join(pieces[-1:]))
            case "link_open":
                ledger.note("markdown-marks", f"[]({child.attrGet('href')})", left="".join(pieces[-1:]))
    return "".join(pieces)


def _html(source: str, ledger: Ledger) -> str:
    root = parse_html(source.encode("utf-8", errors="replace"))
    return "" if root is None or not plain(root) else page_text(root, ledger, NoteLinks())
