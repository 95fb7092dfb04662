"""Signs that are the same in both scripts: Roman numerals, units of measure, chemical formulas, internet addresses, file names."""

import re

from paznja.corpus.pieces import words
from paznja.corpus.scripts.foreign import Span

_NUMERAL = re.compile(r"(?<![\w'’])(?=[IVXLCDM])M{0,3}(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})(?![\w'’])")
_WORDS = words("C D L M MI DI DIV MD MDI CD DC MM CI DL CL MC CV DV MV LV MIX")
"""Numerals that no book has many of, but that are also initials, words or abbreviations."""
_AMBIGUOUS = words("I V VI LI LIV")
"""Numerals that are just as often a word or an initial."""
_THING = "glava|deo|dio|knjiga|sveska|poglavlje|čin|pojava|pevanje|pjevanje|slika|odeljak|odjeljak"
_THING_BEFORE = re.compile(rf"\b(?:{_THING}|broj) $", re.IGNORECASE)
_THING_AFTER = re.compile(rf"\.? (?:(?:{_THING})[.:]?$|razred|sv(?:j?et)sk\w+ rat)", re.IGNORECASE)
_NO_LETTERS = re.compile(r"[\W\d_]*")
_HEADING = re.compile(r"(?:\.|\)) ?\w[^.!?:;…]{2,60}[.:]?")
_CAPITALS = re.compile(r"(?<![^\W\d_])[^\W\d_a-zčćšžđ]{2,}(?![^\W\d_])")
_LAST_WORD = re.compile(r"([^\W\d_]+) $")

_ENDING = "com|org|net|rs|hr|txt|pdf|docx?|odt|rtf|epub|html?|xml|zip|exe|jpe?g|png|gif|mp3|mp4"
# Each with a pattern to look for first, because it is found quickly, or is missing from most books.
_SIGNS = [
    (re.compile("://|www"), re.compile(r"""(?:https?://|www\.)[^\s„“”»«<>"]+""")),
    (re.compile("@"), re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")),
    (re.compile(rf"\.(?:{_ENDING})\b"), re.compile(rf"(?<![\w.-])[\w-]{{1,80}}(?:\.[\w-]{{1,80}}){{0,3}}?\.(?:{_ENDING})\b")),
    (re.compile(r"\d"), re.compile(r"\d ?((?:[kcdmµn]m[²³23]?|[mk]g|dkg|[mdch]l|[kMG]?Hz|[kM]?Wh?|[kMG]B|° ?[CF])(?!\w))")),
    (re.compile(r"[A-Z][a-z]?\d"), re.compile(r"(?<!\w)(?:[A-Z][a-z]?\d{0,2}){1,8}(?<=\d)(?:[A-Z][a-z]?){0,3}(?!\w)")),
    (re.compile("[A-Z]{3}"), re.compile(r"(?<!\w)(?:USA|BBC|CNN|IBM|PDF|HTML|HTTP|URL|USB|GPS|DVD)(?!\w)")),
]
"""Internet and e-mail addresses, file names, units after a number, chemical formulas, foreign abbreviations."""


def sign_spans(text: str) -> list[Span]:
    """Where a Serbian text in Latin script has such signs, as (start, end), in order."""
    spans = [sign.span(sign.lastindex or 0) for first, signs in _SIGNS if first.search(text) for sign in signs.finditer(text)]
    spans += (numeral.span() for numeral in _NUMERAL.finditer(text) if _is_numeral(numeral))
    return sorted(spans)


def _is_numeral(numeral: re.Match[str]) -> bool:
    """Whether letters that could be a Roman numeral are one, and not the word I or VI, or an initial such as V."""
    if numeral[0] not in _AMBIGUOUS:
        return numeral[0] not in _WORDS
    text, start, end = numeral.string, numeral.start(), numeral.end()
    before = text[max(start - 40, 0) : start].rpartition("\n")[2]
    after = text[end : end + 70].partition("\n")[0]
    at_the_beginning = not before.strip() and len(before) < 40
    if at_the_beginning and _NO_LETTERS.fullmatch(after):
        return True
    if at_the_beginning and numeral[0] == "I" and _HEADING.fullmatch(after):
        return True
    if _THING_BEFORE.search(before) or _THING_AFTER.match(after):
        return True
    if any(not _NUMERAL.fullmatch(word) for word in _CAPITALS.findall(before[-25:] + " " + after[:25])):
        return False
    if numeral[0] not in "IV":
        return True
    last = _LAST_WORD.search(before)
    if last is None or not last[1][0].isupper() or re.match(r" ?[-—–…]|\.\.", after):
        return False
    if after.startswith("."):
        return numeral[0] == "I" and re.match(r"\. [a-zčćšžđ]", after) is not None
    return numeral[0] == "I" or not after.startswith(",")
