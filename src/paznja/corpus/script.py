"""Serbian's two scripts: which one a text is in, and the table of letters that leads from one to the other."""

import re
import unicodedata
from collections import Counter
from typing import Literal

from paznja.corpus.cleaning import compose

Script = Literal["cyrillic", "latin", "other"]

_CYRILLIC = "абвгдђежзијклмнопрстћуфхцчш"
_LATIN = "abvgdđežzijklmnoprstćufhcčš"
_DIGRAPHS = {"љ": "lj", "њ": "nj", "џ": "dž"}

_TO_LATIN = str.maketrans(_CYRILLIC + _CYRILLIC.upper(), _LATIN + _LATIN.upper()) | {ord(c): d for c, d in _DIGRAPHS.items()}
_TO_CYRILLIC = str.maketrans(_LATIN + _LATIN.upper(), _CYRILLIC + _CYRILLIC.upper())
_LIGATURES = {"ǉ": "љ", "ǈ": "Љ", "Ǉ": "Љ", "ǌ": "њ", "ǋ": "Њ", "Ǌ": "Њ", "ǆ": "џ", "ǅ": "Џ", "Ǆ": "Џ"}
_LETTERS_LOOKED_AT = 1_000_000
_CAPITAL_DIGRAPH = re.compile("[ЉЊЏ]")


def script_of(text: str) -> Script:
    """The script that most of the text's letters are in; "other" when they are in a third one, or when there are none.

    Of a text longer than a million characters about a million are looked at, evenly spaced.
    """
    letters = {"other": 0, "latin": 0, "cyrillic": 0}
    for character, count in Counter(text[:: 1 + len(text) // _LETTERS_LOOKED_AT]).items():
        if character.isalpha():
            name = unicodedata.name(character, "")
            letters["cyrillic" if name.startswith("CYRILLIC") else "latin" if name.startswith("LATIN") else "other"] += count
    if letters["cyrillic"] > max(letters["latin"], letters["other"]):
        return "cyrillic"
    return "latin" if letters["latin"] > letters["other"] else "other"


def to_latin(text: str) -> str:
    """Serbian Cyrillic letters as Latin ones: љ as lj, Љ as LJ among capitals and Lj elsewhere. All else stays as it is."""
    return _CAPITAL_DIGRAPH.sub(_capital_digraph, text).translate(_TO_LATIN)


def to_cyrillic(text: str) -> str:
    """Serbian Latin letters as Cyrillic ones. Every lj, nj and dž is taken for one letter; letters such as q and w stay.

    The inverse of `to_latin` for words of the modern alphabet in which л or н is not followed by ј, nor д by ж.
    """
    text = compose(text)
    for ligature, cyrillic in _LIGATURES.items():
        text = text.replace(ligature, cyrillic)
    for cyrillic, latin in _DIGRAPHS.items():
        text = text.replace(latin, cyrillic).replace(latin.capitalize(), cyrillic.upper()).replace(latin.upper(), cyrillic.upper())
    return text.translate(_TO_CYRILLIC)


def _capital_digraph(match: re.Match[str]) -> str:
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    digraph = _DIGRAPHS[match[0].lower()]
    return digraph.upper() if after.isupper() or (before.isupper() and not after.isalpha()) else digraph.capitalize()
