"""Plain text, and the question that every plain text file raises: is a line a paragraph, or is it only as wide as a screen was?

The rule has two steps. A file is *wrapped* when all of this holds:

- it has empty lines between paragraphs, or indented first lines, and paragraphs of more than one line;
- nearly all its lines (95 in 100) fit a width of 45 to 120 characters;
- three in four of the lines that are followed by another line of their paragraph are *full*: the next line's first word
  would not have fitted. Wrapped prose is full nearly everywhere; verse, dialogue and lists are ragged;
- fewer than six in ten of those following lines begin with a capital; in verse, every line often does.

In a wrapped file, a line that is full is joined with the next one, by a space, unless the next line looks like a new paragraph:
it is indented further, or it is a dash of dialogue after the end of a sentence (unless the file indents most of its dialogue).
A word that is divided by a hyphen at the end of a line is joined. A poem inside a wrapped novel keeps its lines this way. In any other
file, every line is kept as it is.

Before that, the remains of printed pages are taken out (`printed.py`).
"""

import re
from itertools import pairwise

from paznja.corpus.cleaning.divided import JOIN, join_divided
from paznja.corpus.encodings.encoding import decode
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.paragraphs import SENTENCE_END, SPEECH
from paznja.corpus.readers.printed import without_pages

_NARROWEST, _WIDEST = 45, 120
_FULL_SHARE, _CAPITAL_SHARE = 0.75, 0.6
_LEAST_INDENTED, _MOST_INDENTED = 0.03, 0.6
_DEEPEST_INDENT = 10
_INDENTED_SPEECHES = 0.6
_LINE_END = re.compile(r"\r+\n?")
_DIVIDED_WORD = re.compile(r"[^\W_][-‐¬\u00ad]$")


def read_plain_text(data: bytes, ledger: Ledger) -> Contents:
    """Plain text as paragraphs, one on each line; the module's docstring gives the rule.

    UnreadableBook if the bytes are not text in a known encoding.
    """
    return Contents(text=join_wrapped_lines(decode(data, ledger), ledger))


def join_wrapped_lines(text: str, ledger: Ledger | None = None) -> str:
    """The text with the lines of its wrapped paragraphs joined, or the text as it is if it is not wrapped.

    The remains of printed pages (running heads, page numbers, tables of contents) are taken out in either case.
    """
    ledger = ledger or Ledger()
    if "\r" in text:
        text = _LINE_END.sub("\n", text)
    lines = [line.rstrip(" ") for line in text.replace("\t", "    ").split("\n")]
    lines = without_pages(lines, ledger)
    width = _wrap_width(lines)
    if width is None:
        return "\n".join(lines)
    margin = _margin([line for line in lines if line.strip()])
    indented = margin is not None and _indents_speeches(lines, margin)
    pieces = [lines[0]]
    for line, following in pairwise(lines):
        if not _is_continued(line, following, width, margin, speeches_indented=indented):
            pieces.append("\n" + following)
        elif _DIVIDED_WORD.search(line) and following.lstrip()[0].isalnum():
            pieces.append(JOIN + following.lstrip())
        else:
            pieces.append(" " + following.lstrip())
    return join_divided("".join(pieces), ledger)


def _indents_speeches(lines: list[str], margin: int) -> bool:
    """Whether most dashes after the end of a sentence begin an indented line."""
    speeches = [_indent(line) > margin for before, line in pairwise(lines) if SPEECH.match(line.lstrip()) and SENTENCE_END.search(before)]
    return bool(speeches) and sum(speeches) >= _INDENTED_SPEECHES * len(speeches)


def _wrap_width(lines: list[str]) -> int | None:
    """The width in characters at which the file was wrapped; None if it was not."""
    filled = [line for line in lines if line.strip()]
    if len(filled) < 2:
        return None
    first_filled = next(number for number, line in enumerate(lines) if line.strip())
    last_filled = next(number for number in range(len(lines) - 1, -1, -1) if lines[number].strip())
    has_gaps = any(not line.strip() for line in lines[first_filled:last_filled])
    if not has_gaps and _margin(filled) is None:
        return None
    # Without empty lines between paragraphs, an indented line begins one, however short the line before is.
    inner = [
        (line, following)
        for line, following in pairwise(lines)
        if line.strip() and following.strip() and (has_gaps or _indent(following) <= _indent(line))
    ]
    if not inner:
        return None
    width = sorted(len(line) for line in filled)[round(0.95 * (len(filled) - 1))]
    full = sum(_is_full(line, following, width) for line, following in inner)
    capital = sum(following.lstrip()[0].isupper() for _, following in inner)
    wrapped = _NARROWEST <= width <= _WIDEST and full >= _FULL_SHARE * len(inner) and capital < _CAPITAL_SHARE * len(inner)
    return width if wrapped else None


def _margin(filled: list[str]) -> int | None:
    """How far the lines are indented, other than first lines of paragraphs; None if those are not indented further."""
    margin = min(_indent(line) for line in filled)
    indented = sum(margin < _indent(line) <= margin + _DEEPEST_INDENT for line in filled)
    return margin if _LEAST_INDENTED * len(filled) <= indented <= _MOST_INDENTED * len(filled) else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_full(line: str, following: str, width: int) -> bool:
    return len(line) + 1 + len(following.split(maxsplit=1)[0]) > width


def _is_continued(line: str, following: str, width: int, margin: int | None, *, speeches_indented: bool) -> bool:
    if not line.strip() or not following.strip() or not _is_full(line, following, width) or _indent(following) > _indent(line):
        return False
    if not SENTENCE_END.search(line):
        return True
    if margin is not None and _indent(following) > margin:  # both are first lines, or both are in an indented passage
        return following.lstrip()[0].islower()
    return speeches_indented or SPEECH.match(following.lstrip()) is None
