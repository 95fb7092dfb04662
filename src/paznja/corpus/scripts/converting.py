"""A whole book converted to the script of the shelf, with a notice of what was converted and what was left alone."""

import re
from collections.abc import Iterable
from typing import Literal

from paznja.corpus.ledger import Ledger
from paznja.corpus.scripts.foreign import foreign_spans, foreignness
from paznja.corpus.scripts.language import is_serbian_cyrillic, is_serbian_latin
from paznja.corpus.scripts.script import script_of
from paznja.corpus.scripts.transliteration import divided, to_cyrillic, to_latin

_LATIN = "A-Za-z\u00c0-\u024f"
_CYRILLIC = "\u0400-\u052f"
_ANY_LATIN = re.compile(f"[{_LATIN}]")
_ANY_CYRILLIC = re.compile(f"[{_CYRILLIC}]")
_LATIN_WORD = re.compile(f"[{_LATIN}]+")
_CYRILLIC_WORD = re.compile(f"[{_CYRILLIC}]+")
# A stretch of Latin in a Cyrillic text: words without any Cyrillic between them.
_STRETCH = re.compile(rf"[{_LATIN}](?:[^{_CYRILLIC}\n]{{0,10000}}[{_LATIN}])?")
_LETTERS_OF_OTHERS = re.compile("[ыэщяюйёіїєґўѓќ]", re.IGNORECASE)
_OUT_OF_USE = re.compile(rf"[{_CYRILLIC}]*[ѣъьѢЪЬ][{_CYRILLIC}]*")
_NUMERAL = re.compile("[IVXLCDM]+")
_DJ_FOR_ONE_LETTER = re.compile(
    r"\b(?:iz)?medju|\btakodj|\bgospodj|\bdogadj|\bgradj|\btudj|\brodjen|\bdodj|\bnadj|\bsvadj|\bdjavo|\bladj", re.IGNORECASE
)
_EVIDENCE = 12
"""Bits of evidence that are needed to take Latin words in a Cyrillic book for Serbian."""
_LONG_ENOUGH = 3_000
"""A text with more characters than this and hardly any č, ć, š or ž is one whose diacritics were left out."""


def convert(text: str, script: Literal["cyrillic", "latin", "keep"], ledger: Ledger) -> str:
    """The book in one script; the ledger says what was converted and what was not.

    A book that is not in Serbian is unchanged. In a Serbian book, passages in other languages stay, and so does what both scripts write
    alike (Roman numerals, units, internet addresses).
    """
    if script == "keep":
        return text
    if script == "cyrillic":
        return _book_to_cyrillic(text, ledger) if _ANY_LATIN.search(text) else text
    return _book_to_latin(text, ledger) if _ANY_CYRILLIC.search(text) else text


def _book_to_cyrillic(text: str, ledger: Ledger) -> str:
    if script_of(text) == "cyrillic":
        if not is_serbian_cyrillic(text):
            return text
        stretches = (stretch.span() for stretch in _STRETCH.finditer(text) if _is_serbian(stretch[0]))
        new = "".join(to_cyrillic(piece) if serbian else piece for piece, serbian in divided(text, stretches))
        _report(ledger, "Latin", "Cyrillic", _LATIN_WORD, text, new)
        return new
    if not is_serbian_latin(text):
        ledger.say("It is in Latin script but not in Serbian, so its script was kept.")
        return text
    if _without_diacritics(text):
        ledger.say("It is in Serbian without the letters č, ć, š and ž, which Cyrillic cannot do without, so its script was kept.")
        return text
    dj = _writes_dj(text)
    new = to_cyrillic(text, dj=dj)
    if dj:
        ledger.say("It writes đ as dj (medju, gospodja), which was read as đ.")
    _report(ledger, "Latin", "Cyrillic", _LATIN_WORD, text, new)
    return new


def _is_serbian(stretch: str) -> bool:
    """Whether Latin words in a Cyrillic book are Serbian; a few short words are not taken for Serbian, being more likely foreign."""
    evidence = sum(map(foreignness, _LATIN_WORD.findall(stretch)))
    return evidence <= -_EVIDENCE and not foreign_spans(stretch)


def _without_diacritics(text: str) -> bool:
    return len(text) > _LONG_ENOUGH and sum(map(text.count, "čćšžČĆŠŽ")) * 1000 < len(text)


def _writes_dj(text: str) -> bool:
    """Whether the text has (almost) no đ, and has dj in words that should have đ."""
    dj = text.count("dj") + text.count("Dj")
    return dj > 0 and (text.count("đ") + text.count("Đ")) * 20 < dj and len(_DJ_FOR_ONE_LETTER.findall(text)) * 20 >= dj


def _book_to_latin(text: str, ledger: Ledger) -> str:
    if script_of(text) == "cyrillic" and not is_serbian_cyrillic(text):
        ledger.say("It is in Cyrillic script but not in Serbian, so its script was kept.")
        return text
    old = len(_OUT_OF_USE.findall(text))
    new = "".join(_lines_to_latin(text.splitlines(keepends=True))) if _LETTERS_OF_OTHERS.search(text) else to_latin(text)
    _report(ledger, "Cyrillic", "Latin", _CYRILLIC_WORD, text, new)
    if old:
        ledger.say(f"{old:,} of its words have obsolete letters; ѣ was written as ě in Latin script, ъ and ь were left out.")
    return new


def _lines_to_latin(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        yield to_latin(line) if is_serbian_cyrillic(line) else line


def _report(ledger: Ledger, before: str, after: str, word: re.Pattern[str], text: str, new: str) -> None:
    left = word.findall(new)
    converted = len(word.findall(text)) - len(left)
    foreign = sum(not _NUMERAL.fullmatch(it) for it in left)
    if converted:
        kept = f"; {foreign:,} that are not Serbian were left as they are" if foreign else ""
        ledger.say(f"{converted:,} words were converted from {before} to {after} script{kept}.")
