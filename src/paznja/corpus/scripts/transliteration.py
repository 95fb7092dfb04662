"""Serbian from one script to the other: whole books, quickly.

`to_latin` changes every Cyrillic letter. `to_cyrillic` leaves alone what is not Serbian, and knows the words in which nj, lj and dž
are two letters (two_letters.txt). `as_cyrillic` takes every word for Serbian.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

from paznja.corpus.cleaning.cleaning import compose
from paznja.corpus.pieces import different_words
from paznja.corpus.scripts.foreign import Span, foreign_spans, merged
from paznja.corpus.scripts.signs import sign_spans

_CYRILLIC = "абвгдђежзијклмнопрстћуфхцчш"
_LATIN = "abvgdđežzijklmnoprstćufhcčš"
_DIGRAPHS = {"љ": "lj", "њ": "nj", "џ": "dž"}
_LIGATURES = {"ǉ": "љ", "ǈ": "Љ", "Ǉ": "Љ", "ǌ": "њ", "ǋ": "Њ", "Ǌ": "Њ", "ǆ": "џ", "ǅ": "Џ", "Ǆ": "Џ"}
# How readers of the time pronounced obsolete Cyrillic letters, and those of other languages in a Serbian word.
_OLD = {"ѣ": "ě", "ъ": "", "ь": "", "ы": "y", "э": "e", "й": "j", "я": "ja", "ю": "ju", "щ": "št", "і": "i", "ї": "i", "є": "je"}
_OLD |= {"ѕ": "z", "ѡ": "o", "ѵ": "i", "ѳ": "t", "ѫ": "u", "ѧ": "e", "ё": "jo"}

_TO_CYRILLIC = str.maketrans(_LATIN + _LATIN.upper() + "ěĚ", _CYRILLIC + _CYRILLIC.upper() + "ѣѢ")
_TO_LATIN = (
    str.maketrans(_CYRILLIC + _CYRILLIC.upper(), _LATIN + _LATIN.upper())
    | {ord(letter): latin for letter, latin in (_DIGRAPHS | _OLD).items()}
    | {ord(letter.upper()): latin.capitalize() for letter, latin in _OLD.items()}
)
for _vowel, _letters in {"а": "àáâȁȃ", "е": "èéêȅȇ", "и": "ìíîȉȋ", "о": "òóôȍȏ", "у": "ùúûȕȗ", "р": " ŕ ȑȓ"}.items():
    for _letter, _mark in zip(_letters, "\u0300\u0301\u0302\u030f\u0311", strict=True):
        _TO_CYRILLIC |= {ord(_letter): _vowel + _mark, ord(_letter.upper()): _vowel.upper() + _mark} if _letter != " " else {}
_CAPITAL_DIGRAPH = re.compile("[ЉЊЏ]")
_NEXT_WORD = re.compile(r"[^\w\n]{1,5}(?:\w\b[^\w\n]{1,5})*([^\W\d_]{2,})")
_NUMERAL_IN_CYRILLIC = re.compile(r"(?<!\w)(?=[IVX]*[ІХ])[IVXІХ]{2,}(?!\w)")
_NUMERAL_LETTERS = str.maketrans("ІХ", "IX")
_WORD = re.compile(r"[^\W\d_]{3,}")
_DIGRAPH = re.compile("nj|lj|dž|dj")
_NAME_WITH_DJ = re.compile(r"\bD[jJ](?=[oO][rRkK]|[uU][rRkK]|[eE][rR]|[iI][nN])")


def to_latin(text: str) -> str:
    """Every Cyrillic letter as a Latin one, љ as lj, Љ as LJ among capitals and Lj elsewhere; everything else is unchanged."""
    text = _NUMERAL_IN_CYRILLIC.sub(lambda numeral: numeral[0].translate(_NUMERAL_LETTERS), text)
    return _CAPITAL_DIGRAPH.sub(_capital_digraph, text).translate(_TO_LATIN)


def to_cyrillic(text: str, *, dj: bool = False) -> str:
    """Serbian words in Latin script as Cyrillic; what `spans_to_leave` finds stays, and Cyrillic text is unchanged.

    It undoes `to_latin` for every text of the modern alphabet, except for words that look foreign or like a Roman numeral in
    Latin script, and for лј, нј and дж in words that two_letters.txt does not have.

    `dj`: whether the text writes đ as dj (medju, gospodja).
    """
    text = compose(text)
    return "".join(piece if left_alone else as_cyrillic(piece, dj=dj) for piece, left_alone in divided(text, spans_to_leave(text)))


def as_cyrillic(text: str, *, dj: bool = False) -> str:
    """`to_cyrillic`, leaving nothing alone but letters that Serbian does not have, such as w."""
    text = _separate(compose(text), dj)
    text = _NAME_WITH_DJ.sub("Đ", text)
    if dj:
        text = text.replace("dj", "đ").replace("Dj", "Đ").replace("DJ", "Đ")
    for ligature, cyrillic in _LIGATURES.items():
        text = text.replace(ligature, cyrillic)
    for cyrillic, latin in _DIGRAPHS.items():
        text = text.replace(latin, cyrillic).replace(latin.capitalize(), cyrillic.upper()).replace(latin.upper(), cyrillic.upper())
    return text.translate(_TO_CYRILLIC)


def spans_to_leave(text: str) -> list[Span]:
    """The parts of a Serbian text in Latin script that are not Serbian words, in order and without overlap."""
    return merged(foreign_spans(text) + sign_spans(text))


def divided(text: str, spans: Iterable[Span]) -> Iterable[tuple[str, bool]]:
    """The text in pieces, each with whether it is one of the spans, which are in order and do not overlap."""
    end = 0
    for span in spans:
        yield text[end : span[0]], False
        yield text[span[0] : span[1]], True
        end = span[1]
    yield text[end:], False


def _capital_digraph(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    before, after = text[start - 1 : start], text[end : end + 1]
    if after.isalpha():
        capitals = after.isupper()
    elif before.isalpha():
        capitals = before.isupper()
    else:  # a letter by itself, as in Љ. Ненадовић, follows the next longer word
        following = _NEXT_WORD.match(text, end)
        capitals = following is not None and following[1].isupper()
    digraph = _DIGRAPHS[match[0].lower()]
    return digraph.upper() if capitals else digraph.capitalize()


def _separate(text: str, dj: bool) -> str:
    """The text with the first of two letters that are not a digraph in Cyrillic, in the words of two_letters.txt."""
    words = {word for word in different_words(_WORD, text) if _DIGRAPH.search(word.lower())}
    parted = {word: new for word in words if (new := _parted(word, dj)) != word}
    if not parted:
        return text
    return re.compile(rf"(?<![^\W\d_])(?:{'|'.join(parted)})(?![^\W\d_])").sub(lambda word: parted[word[0]], text)


def _parted(word: str, dj: bool) -> str:
    lower = word.lower()
    if len(lower) != len(word):
        return word
    for boundary in [*_two_letters("nj lj dž"), *(_two_letters("dj") if dj else ())]:
        for found in boundary.finditer(lower):
            at = found.end() - 1
            word = word[:at] + word[at].translate(_TO_CYRILLIC) + word[at + 1 :]
    return word


@cache
def _two_letters(digraphs: str) -> tuple[re.Pattern[str], ...]:
    """Patterns that match a lower-case word up to the place between the two letters."""
    lines = resources.files("paznja.corpus.scripts").joinpath("two_letters.txt").read_text(encoding="utf-8").splitlines()
    beginning: list[str] = []
    anywhere: list[str] = []
    for stem in " ".join(line for line in lines if not line.startswith("#")).lower().split():
        first, _, second = stem.lstrip("*").partition("-")
        if first[-1] + second[0] in digraphs.split():
            part = rf"{first}(?={second.replace('.', '$')})"
            (anywhere if stem.startswith("*") else beginning).append(part)
    found = [rf"^(?:ne|naj)?(?:{'|'.join(beginning)})", "|".join(anywhere)]
    return tuple(re.compile(expression) for expression, parts in zip(found, (beginning, anywhere), strict=True) if parts)
