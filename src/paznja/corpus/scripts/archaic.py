"""Obsolete letters and accent marks replaced as in today's spelling, so that врѣме and ка̑д are the words време and кад."""

import re
from bisect import bisect
from collections.abc import Callable

from paznja.corpus.ledger import Ledger
from paznja.corpus.scripts.foreign import Span, foreign_spans, foreignness
from paznja.corpus.scripts.language import is_serbian_cyrillic

_MODERN = "абвгдђежзијклљмнњопрстћуфхцчџш"
_OLD_WORD = re.compile(rf"(?<!\w)[{_MODERN}{_MODERN.upper()}]*[ѣъьѢЪЬ][{_MODERN}{_MODERN.upper()}ѣъьѢЪЬ]*(?!\w)")
_OTHER_LANGUAGE = re.compile("[ыэщяюйёѡѵѧѫ]", re.IGNORECASE)
# In a word: ль and нь before a vowel or at the end; ъ and ь at the end, or where they show that a р is a syllable (умрьо, заьрђао).
_OLD_LETTER = re.compile("[лнЛН]ь(?=[аеиоу]|$)|ЛЬ|НЬ|(?<=...)[ъьЪЬ]$|(?<=р)[ъь](?=[аеиоу])|[ъь](?=р)|[ѣѢ]")
_TODAY = {"ль": "љ", "нь": "њ", "Ль": "Љ", "Нь": "Њ", "ЛЬ": "Љ", "НЬ": "Њ", "ѣ": "е", "Ѣ": "Е"}
_SIGN = re.compile("[ъьЪЬ]")

# On a vowel or р; some books have a comma above as an apostrophe.
_MARK = re.compile("(?<=[аеиоурaeiourАЕИОУРAEIOUR])[\u0300-\u0302\u0304\u030f\u0311]+|\u0313|[ѐѝЀЍȁȃȅȇȉȋȍȏȑȓȕȗ]")
_WITHOUT_MARK = str.maketrans("ѐѝЀЍȁȃȅȇȉȋȍȏȑȓȕȗ", "еиЕИaaeeiioorruu", "\u0300\u0301\u0302\u0304\u030f\u0311") | {0x313: "’"}
_CIRCUMFLEX = re.compile(r"[^\W\d_]*[âêîôûÂÊÎÔÛ][^\W\d_]*")
_WITHOUT_CIRCUMFLEX = str.maketrans("âêîôûÂÊÎÔÛ", "aeiouAEIOU")
_LINE = 400
_FOREIGN = 6
"""Bits of evidence above which a word is foreign; the accent itself counts for six."""


def modernise(text: str, ledger: Ledger) -> str:
    """A Serbian text without accent marks (rule "accents") and without ѣ, ъ and ь (rule "archaic"); any other text is unchanged.

    ѣ becomes е, ль and нь become љ and њ, ъ and ь are dropped at the end of a word and beside р (умрьо). Words in which they stand for a
    vowel (дьнь), words with letters such as ы or я, and lines with several such letters, are from another time or language and stay.
    """
    if not is_serbian_cyrillic(text):
        return text
    if ledger.applies("accents"):
        text = _replaced(text, _MARK, lambda mark: mark[0].translate(_WITHOUT_MARK), "accents", ledger)
        if any(letter in text for letter in "âêîôûÂÊÎÔÛ"):
            foreign = foreign_spans(text)
            text = _replaced(text, _CIRCUMFLEX, lambda word: _without_circumflex(word, foreign), "accents", ledger)
    if ledger.applies("archaic") and any(letter in text for letter in "ѣъьѢЪЬ"):
        text = _todays(text, ledger)
    return text


def _replaced(text: str, pattern: re.Pattern[str], instead: Callable[[re.Match[str]], str], rule: str, ledger: Ledger) -> str:
    pieces: list[str] = []
    end = 0
    for found in pattern.finditer(text):
        new = instead(found)
        if new == found[0]:
            continue
        pieces += text[end : found.start()], new
        end = found.end()
        ledger.note_in(rule, text, found.span(), new)
    return "".join(pieces) + text[end:] if pieces else text


def _without_circumflex(word: re.Match[str], foreign: list[Span]) -> str:
    # In a foreign word it is part of the spelling: même.
    among = bisect(foreign, (word.start(), len(word.string))) - 1
    if (among >= 0 and word.start() < foreign[among][1]) or foreignness(word[0]) > _FOREIGN:
        return word[0]
    return word[0].translate(_WITHOUT_CIRCUMFLEX)


def _todays(text: str, ledger: Ledger) -> str:
    pieces: list[str] = []
    end = 0
    for word in _OLD_WORD.finditer(text):
        if _SIGN.search(_OLD_LETTER.sub("", word[0])) or _is_of_another_language(word):
            continue
        for letter in _OLD_LETTER.finditer(word[0]):
            start, after = word.start() + letter.start(), word.start() + letter.end()
            new = _TODAY.get(letter[0], "")
            pieces += text[end:start], new
            end = after
            ledger.note_in("archaic", text, (start, after), new)
    return "".join(pieces) + text[end:] if pieces else text


def _is_of_another_language(word: re.Match[str]) -> bool:
    text = word.string
    start = max(text.rfind("\n", max(0, word.start() - _LINE), word.start()) + 1, word.start() - _LINE, 0)
    line = text[start : word.end() + _LINE].partition("\n")[0]
    return len(_OTHER_LANGUAGE.findall(line)) > 1
