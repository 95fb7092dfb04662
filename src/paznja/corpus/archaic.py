"""Letters out of use and accent marks, as today's spelling has them, so that врѣме and ка̑д are the words време and кад."""

import re
from bisect import bisect
from collections.abc import Callable

from paznja.corpus.foreign import Span, foreign_spans
from paznja.corpus.language import is_serbian_cyrillic
from paznja.corpus.ledger import Ledger

_MODERN = "абвгдђежзијклљмнњопрстћуфхцчџш"
_OLD_WORD = re.compile(rf"(?<!\w)[{_MODERN}{_MODERN.upper()}]*[ѣъьѢЪЬ][{_MODERN}{_MODERN.upper()}ѣъьѢЪЬ]*(?!\w)")
_OTHER_LANGUAGE = re.compile("[ыэщяюйёѡѵѧѫ]", re.IGNORECASE)
_SOFTENED = {"ль": "љ", "нь": "њ", "Ль": "Љ", "Нь": "Њ", "ЛЬ": "Љ", "НЬ": "Њ"}
_TODAY = str.maketrans({"ѣ": "е", "Ѣ": "Е", "ъ": "", "Ъ": "", "ь": "", "Ь": ""})

# On a vowel or р; a comma above is how some books were given an apostrophe.
_MARK = re.compile("(?<=[аеиоурaeiourАЕИОУРAEIOUR])[\u0300-\u0302\u0304\u030f\u0311]+|\u0313|[ѐѝЀЍȁȃȅȇȉȋȍȏȑȓȕȗ]")
_WITHOUT_MARK = str.maketrans("ѐѝЀЍȁȃȅȇȉȋȍȏȑȓȕȗ", "еиЕИaaeeiioorruu", "\u0300\u0301\u0302\u0304\u030f\u0311") | {0x313: "’"}
_CIRCUMFLEX = re.compile("[âêîôûÂÊÎÔÛ]")
_WITHOUT_CIRCUMFLEX = str.maketrans("âêîôûÂÊÎÔÛ", "aeiouAEIOU")
_AROUND = 30
_LINE = 400


def modernise(text: str, ledger: Ledger) -> str:
    """A Serbian text without accent marks (rule "accents") and without ѣ, ъ and ь (rule "archaic"); any other text as it is.

    ѣ becomes е, ль and нь become љ and њ, other ъ and ь fall away; words with letters such as ы or я, and lines with several of
    them, are Russian or Church Slavonic and stay.
    """
    if not is_serbian_cyrillic(text):
        return text
    if ledger.applies("accents"):
        text = _replaced(text, _MARK, lambda mark: mark[0].translate(_WITHOUT_MARK), "accents", ledger)
        if _CIRCUMFLEX.search(text):
            foreign = foreign_spans(text)
            text = _replaced(text, _CIRCUMFLEX, lambda letter: _without_circumflex(letter, foreign), "accents", ledger)
    if ledger.applies("archaic") and any(letter in text for letter in "ѣъьѢЪЬ"):
        text = _replaced(text, _OLD_WORD, _todays, "archaic", ledger)
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
        ledger.note(rule, found[0], new, left=text[max(0, found.start() - _AROUND) : found.start()], right=text[end : end + _AROUND])
    return "".join(pieces) + text[end:] if pieces else text


def _without_circumflex(letter: re.Match[str], foreign: list[Span]) -> str:
    # In a foreign passage it is part of the spelling: même.
    among = bisect(foreign, (letter.start(), len(letter.string))) - 1
    if among >= 0 and letter.start() < foreign[among][1]:
        return letter[0]
    return letter[0].translate(_WITHOUT_CIRCUMFLEX)


def _todays(word: re.Match[str]) -> str:
    text = word.string
    line = text[max(text.rfind("\n", 0, word.start()), word.start() - _LINE) : word.end() + _LINE].lstrip("\n").partition("\n")[0]
    if len(_OTHER_LANGUAGE.findall(line)) > 1:
        return word[0]
    new = word[0]
    for soft, letter in _SOFTENED.items():
        new = new.replace(soft, letter)
    return new.translate(_TODAY)
