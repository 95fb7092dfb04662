"""Clean text: one form for every character, one space between words, one newline between paragraphs.

Every book passes through `clean_book`, so that everything after it meets only one spelling of each thing: the named rules come first,
and note what they change; then comes `clean`, which titles and prompts pass through too.
"""

import re
import unicodedata

from paznja.corpus.cleaning.divided import mend_broken
from paznja.corpus.cleaning.mending import mend_digits, mend_ligatures, mend_quotes, remove_noise, replace_signs
from paznja.corpus.cleaning.notices import without_notices
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.printed import without_left_numbers

# What should not be there, by the rule that removes it: Unicode's spaces except the plain one, its control and format characters except
# the newline, and the placeholder of a picture. `_NEVER` cannot be kept: newlines of all kinds, tabs, halves of characters.
_NEWLINES = frozenset("\r\v\f\x85\u2028\u2029")
_NEVER = "\t\r\v\f\x85\u2028\u2029\ud800-\udfff"
_BY_RULE = {
    "odd-spaces": "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000",
    "soft-hyphens": "\xad",
    "invisible-characters": "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc"
    "\U000e0001\U000e0020-\U000e007f",
}
_SIGNS = {rule: re.compile(f"[{signs}]") for rule, signs in _BY_RULE.items()}
_UNWANTED = re.compile(f"[{_NEVER}{''.join(_BY_RULE.values())}]")
_MENDED = re.compile(f"[{''.join(_BY_RULE.values())}ﬀ-ﬆ]")
# Runs of characters that NFC might change or combine with the character before. The characters left out here (Latin, Cyrillic,
# punctuation, arrows, boxes) are complete in themselves, which makes the rest of a book quick.
_MAY_COMPOSE = re.compile("[^\x00-\u02ff\u0400-\u0482\u048a-\u052f\u1e00-\u1eff\u2010-\u205e\u20a0-\u20bf\u2116\u2122\u2500-\u27bf]+")


def clean(text: str) -> str:
    """The text in NFC, with one newline between paragraphs and one space between words; unless it is empty, it ends with a newline.

    Control characters, soft hyphens, zero-width marks and byte order marks are taken out; so are spaces at the ends of lines and
    empty lines. `clean(clean(text)) == clean(text)`.
    """
    return _clean(text, _UNWANTED)


def clean_book(text: str, ledger: Ledger) -> str:
    """A book's text after every cleaning rule that is switched on, with each change noted, and then `clean`."""
    if _MENDED.search(text):
        for rule, signs in _SIGNS.items():
            text = replace_signs(text, ledger, rule, signs, _instead)
        text = mend_ligatures(text, ledger)
    off = [rule for rule in _BY_RULE if not ledger.applies(rule)]
    unwanted = re.compile(f"[{_NEVER}{''.join(signs for rule, signs in _BY_RULE.items() if rule not in off)}]") if off else _UNWANTED
    text = _clean(text, unwanted)
    mended = text
    for mend in (without_notices, without_left_numbers, remove_noise, mend_broken, mend_digits, mend_quotes):
        mended = mend(mended, ledger)
    return text if mended is text else _clean(mended, unwanted)


def compose(text: str) -> str:
    """`unicodedata.normalize("NFC", text)`, but many times as fast for text in a European language."""
    pieces: list[str] = []
    end = 0
    for run in _MAY_COMPOSE.finditer(text):
        start = max(run.start() - 1, 0)
        pieces += text[end:start], unicodedata.normalize("NFC", text[start : run.end()])
        end = run.end()
    return "".join(pieces) + text[end:] if pieces else text


def _clean(text: str, unwanted: re.Pattern[str]) -> str:
    # A book has few different unwanted characters: find the next one, then replace all of its kind at the speed of memchr.
    position = 0
    while found := unwanted.search(text, position):
        position = found.start()
        text = text.replace(found[0], _instead(found[0]))
    text = compose(text)
    text = _single(text, " ")
    text = text.replace(" \n", "\n").replace("\n ", "\n")
    text = _single(text, "\n").strip(" \n")
    return text + "\n" if text else ""


def _instead(character: str) -> str:
    if character in _NEWLINES:
        return "\n"
    return " " if character == "\t" or unicodedata.category(character) == "Zs" else ""


def _single(text: str, character: str) -> str:
    while character * 2 in text:
        text = text.replace(character * 2, character)
    return text
