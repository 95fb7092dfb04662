"""Clean text: one form for every character, one space between words, one newline between paragraphs.

Every book passes through `clean`, whatever file it came from, so that no later room meets two spellings of one thing.
"""

import re
import unicodedata

# Unicode's control and format characters and spaces but for the plain space and the newline, and what stands where a picture was.
_UNWANTED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\udfff\ufeff\ufff9-\ufffc"
    "\U000e0001\U000e0020-\U000e007f]"
)
_NEWLINES = frozenset("\r\v\f\x85\u2028\u2029")
# Runs of characters that NFC might change, or put together with the character before them. Those left out here (Latin,
# Cyrillic, punctuation, arrows, boxes) are letters whole in themselves, which is what makes the rest of a book quick.
_MAY_COMPOSE = re.compile("[^\x00-\u02ff\u0400-\u0482\u048a-\u052f\u1e00-\u1eff\u2010-\u205e\u20a0-\u20bf\u2116\u2122\u2500-\u27bf]+")


def clean(text: str) -> str:
    """The text in NFC, paragraphs separated by one newline, words by one space; it ends with one newline unless it is empty.

    Control characters, soft hyphens, zero-width marks and byte order marks are taken out; spaces at the ends of lines and
    empty lines too. `clean(clean(text)) == clean(text)`. Units: characters are Unicode code points.
    """
    # Few different characters are unwanted in any one book: find the next, then replace all of its kind at memchr's speed.
    position = 0
    while unwanted := _UNWANTED.search(text, position):
        position = unwanted.start()
        text = text.replace(unwanted[0], _instead(unwanted[0]))
    text = compose(text)
    text = _single(text, " ")
    text = text.replace(" \n", "\n").replace("\n ", "\n")
    text = _single(text, "\n").strip(" \n")
    return text + "\n" if text else ""


def compose(text: str) -> str:
    """`unicodedata.normalize("NFC", text)`, many times quicker on text in a European language."""
    pieces: list[str] = []
    end = 0
    for run in _MAY_COMPOSE.finditer(text):
        start = max(run.start() - 1, 0)
        pieces += text[end:start], unicodedata.normalize("NFC", text[start : run.end()])
        end = run.end()
    return "".join(pieces) + text[end:] if pieces else text


def _instead(character: str) -> str:
    if character in _NEWLINES:
        return "\n"
    return " " if character == "\t" or unicodedata.category(character) == "Zs" else ""


def _single(text: str, character: str) -> str:
    while character * 2 in text:
        text = text.replace(character * 2, character)
    return text
