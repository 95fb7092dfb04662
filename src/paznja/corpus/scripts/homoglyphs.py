"""Letters of the other script that look the same (a Latin a in a Cyrillic word), replaced by the right ones."""

import re

from paznja.corpus.ledger import Ledger
from paznja.corpus.scripts.script import script_of

_CYRILLIC = "аеорсухјіѕАВЕКМНОРСТУХЈІЅ"
_LATIN = "aeopcyxjisABEKMHOPCTYXJIS"
_TO_CYRILLIC = dict(zip(_LATIN, _CYRILLIC, strict=True)) | {
    letter: cyrillic + mark
    for letters, cyrillic in (("àáâȁȃ", "а"), ("èéêȅȇ", "е"), ("òóôȍȏ", "о"))
    for letter, mark in zip(letters, "\u0300\u0301\u0302\u030f\u0311", strict=True)
}
_TO_LATIN = dict(zip(_CYRILLIC, _LATIN, strict=True))
_LATIN_RUN = re.compile("[A-Za-z\u00c0-\u024f]+")
_CYRILLIC_RUN = re.compile("[\u0400-\u052f]+")
_WORD = re.compile("[A-Za-z\u00c0-\u024f\u0400-\u052f\u0300-\u036f]+")
_RUN_TOGETHER = re.compile("[^\\W\\d_A-ZА-Ш][A-Z]")
_NUMERAL = re.compile("[IVXLCDM]{2,}")
_OF_OLD = re.compile("[ѣъьыэщяюй]")


def mend_homoglyphs(text: str, ledger: Ledger) -> str:
    """The text with every word put into one script that is in two only because some letters look the same (rule "homoglyphs").

    A word changes only if all its letters of one script have a lookalike in the other. A word that is wholly in the wrong script (a Latin
    a, or a Roman numeral in Cyrillic letters) is never changed, since nothing shows that it is wrong.
    """
    if not ledger.applies("homoglyphs"):
        return text
    mostly_cyrillic = script_of(text) != "latin"
    pieces: list[str] = []
    end = 0
    for run in (_LATIN_RUN if mostly_cyrillic else _CYRILLIC_RUN).finditer(text):
        if run.start() < end or not _touches_other_script(text, run):
            continue
        word = _WORD.match(text, _beginning(text, run.start(), end))
        mended = _mended(word[0], mostly_cyrillic) if word else None
        if word and mended:
            pieces += text[end : word.start()], mended
            end = word.end()
            ledger.note_in("homoglyphs", text, word.span(), mended)
    return "".join(pieces) + text[end:] if pieces else text


def _touches_other_script(text: str, run: re.Match[str]) -> bool:
    around = text[run.start() - 1 : run.start()] + text[run.end() : run.end() + 1]
    return any("\u0300" <= letter <= "\u036f" or "\u0400" <= letter <= "\u052f" or _LATIN_RUN.match(letter) for letter in around)


def _beginning(text: str, position: int, earliest: int) -> int:
    while position > earliest and _WORD.match(text[position - 1]):
        position -= 1
    return position


def _mended(word: str, mostly_cyrillic: bool) -> str | None:
    """The word in one script; None if it is better left as it is."""
    latin = set("".join(_LATIN_RUN.findall(word)))
    cyrillic = set("".join(_CYRILLIC_RUN.findall(word)))
    if not latin or not cyrillic:
        return None
    as_latin = "".join(_TO_LATIN.get(letter, letter) for letter in word) if cyrillic <= _TO_LATIN.keys() else None
    if as_latin and _NUMERAL.fullmatch(as_latin):
        return as_latin
    # і and ѕ are not letters of today's Serbian, and a capital after a small letter begins another word (ГлаваX).
    may_be_cyrillic = latin <= _TO_CYRILLIC.keys() and not _RUN_TOGETHER.search(word) and (not latin & set("isIS") or _OF_OLD.search(word))
    as_cyrillic = "".join(_TO_CYRILLIC.get(letter, letter) for letter in word) if may_be_cyrillic else None
    first, second, letters = (as_cyrillic, as_latin, _LATIN_RUN) if mostly_cyrillic else (as_latin, as_cyrillic, _CYRILLIC_RUN)
    # A word in the script of the smaller part of the book must be mostly in that script already.
    return first or (second if len("".join(letters.findall(word))) >= max(3, len(word) / 2) else None)
