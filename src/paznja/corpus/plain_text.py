"""Plain text, and the question that every plain text file raises: is a line a paragraph, or only as wide as a screen was?

The rule, in two steps. A file is *wrapped* when all of this holds:

- it has empty lines between paragraphs, and paragraphs of more than one line;
- nearly all its lines (95 in 100) fit a width of 45 to 120 characters;
- three in four of the lines that another one follows within a paragraph are *full*: the next line's first word
  would not have fitted. Wrapped prose is full nearly everywhere; verse, dialogue and lists are ragged;
- fewer than six in ten of those following lines begin with a capital: verse often gives every line one.

In a wrapped file a line is joined with the next, by a space, when it is full and the next one does not look like a new
paragraph: indented further, or a dash of dialogue after the end of a sentence. A word divided by a hyphen at the end of the line
is put together. So a poem inside a wrapped novel keeps its lines. In any other file every line is kept as it is.
"""

import re
from itertools import pairwise

from paznja.corpus.contents import Contents
from paznja.corpus.encoding import decode
from paznja.corpus.ledger import Ledger

_NARROWEST, _WIDEST = 45, 120
_FULL_SHARE, _CAPITAL_SHARE = 0.75, 0.6
_DIALOGUE = re.compile(r"(?:—|–|―|--|-)\s*\S")
_SENTENCE_END = re.compile(r"[.!?…:;][\"“”’»«')\]]*$")
_DIVIDED_WORD = re.compile(r"[^\W\d_]{2}[-‐¬\u00ad]$")


def read_plain_text(data: bytes, ledger: Ledger) -> Contents:
    """Plain text as paragraphs, one a line (the module's docstring has the rule).

    Raises:
        UnreadableBook: the bytes are not text in a known encoding.
    """
    return Contents(text=join_wrapped_lines(decode(data, ledger)))


def join_wrapped_lines(text: str) -> str:
    """The text with the lines of its hard-wrapped paragraphs joined, if it is hard-wrapped; else the text as it is."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").split("\n")
    lines = [line.rstrip() for line in lines]
    width = _wrap_width(lines)
    if width is None:
        return "\n".join(lines)
    pieces = [lines[0]]
    for line, following in pairwise(lines):
        if not _is_continued(line, following, width):
            pieces.append("\n" + following)
        elif _DIVIDED_WORD.search(line) and following.lstrip()[0].islower():
            pieces[-1] = pieces[-1][:-1]
            pieces.append(following.lstrip())
        else:
            pieces.append(" " + following.lstrip())
    return "".join(pieces)


def _wrap_width(lines: list[str]) -> int | None:
    """The width in characters at which the file was wrapped, or None if it was not."""
    filled = [len(line) for line in lines if line.strip()]
    inner = [(line, following) for line, following in pairwise(lines) if line.strip() and following.strip()]
    last_filled = max((number for number, line in enumerate(lines) if line.strip()), default=0)
    first_filled = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if not inner or all(line.strip() for line in lines[first_filled:last_filled]):
        return None
    width = sorted(filled)[round(0.95 * (len(filled) - 1))]
    full = sum(_is_full(line, following, width) for line, following in inner)
    capital = sum(following.lstrip()[0].isupper() for _, following in inner)
    wrapped = _NARROWEST <= width <= _WIDEST and full >= _FULL_SHARE * len(inner) and capital < _CAPITAL_SHARE * len(inner)
    return width if wrapped else None


def _is_full(line: str, following: str, width: int) -> bool:
    return len(line) + 1 + len(following.split(maxsplit=1)[0]) > width


def _is_continued(line: str, following: str, width: int) -> bool:
    if not line.strip() or not following.strip() or not _is_full(line, following, width):
        return False
    indent, following_indent = (len(it) - len(it.lstrip()) for it in (line, following))
    new_speaker = _DIALOGUE.match(following.lstrip()) and _SENTENCE_END.search(line)
    return following_indent <= indent and not new_speaker
