"""Divided words: at the end of a line, where the hyphen may be the printer's or the author's, and inside the lines of a bad scan.

What the same book writes elsewhere decides. Without evidence the word is joined, since most hyphens are the printer's.
"""

import re
from bisect import bisect_left

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import different_words, words

JOIN = "\x1f"
"""Stands for the end of a line between the two parts of what may be one word; the hyphen, if any, comes before it."""

_DIVIDED = re.compile(rf"(?<![\w‐-])((?:[^\W_]|[-‐]){{0,40}}[^\W\d_])([-‐¬\u00ad]){JOIN}([^\W\d_](?:[^\W_]|[-‐]){{0,40}})")
_ANY_JOIN = re.compile(rf"[\u00ad¬]?{JOIN}")
_BROKEN = re.compile(r"(?<![-‐])\b([^\W\d_]{2,})- ([^\W\d_]{2,})\b(?![-‐])")
_MAY_BE_BROKEN = re.compile(r"- (?<=[^\W\d_]{2}- )(?=[^\W\d_]{2})")  # beginning with a literal makes it fast
_WORD = re.compile(r"[^\W_]+(?:[-‐][^\W_]+)*")
_LETTERS_AT_END = re.compile(r"[^\W\d_]+\Z")
# Pairs that Serbian always writes with a hyphen, whatever else the book has: approximate numbers (два-три, дан-два), and fixed pairs.
_NUMBERS = words("два две двије три четири пет шест седам осам девет десет dva dve dvije tri četiri pet šest sedam osam devet deset")
_COUNTED = _NUMBERS | words(
    "један једна једну једно дан сат реч ријеч пут час минут месец мјесец недељу годину корак метар динар минуту "
    "jedan jedna jednu jedno dan sat reč riječ put čas minut mesec mjesec nedelju godinu korak metar dinar minutu"
)
_PAIRS = frozenset({"кад-тад", "мање-више", "тамо-амо", "какав-такав", "kad-tad", "manje-više", "tamo-amo", "kakav-takav"})
_LONGEST_PART = 40
_STEM = 3  # how many letters of a word may be its ending


def join_divided(text: str, ledger: Ledger) -> str:
    """The text with every word joined that a `JOIN` divides, and with its hyphen removed if that was the printer's."""
    if JOIN not in text:
        return text
    if not ledger.applies("divided-words"):
        return text.replace(JOIN, "")
    hyphenated = _Hyphenation(text)

    def join(match: re.Match[str]) -> str:
        first, hyphen, second = match.groups()
        if hyphen in "-‐" and hyphenated.is_real(first, second):
            return f"{first}{hyphen}{second}"
        ledger.note_in("divided-words", text, match.span(), first + second, before=f"{first}{hyphen}\n{second}")
        return first + second

    return _ANY_JOIN.sub("", _DIVIDED.sub(join, text))


def mend_broken(text: str, ledger: Ledger) -> str:
    """The text with words such as "bro- ken" joined if the book has the whole word elsewhere and lacks one of its parts."""
    broken = [match for place in _MAY_BE_BROKEN.finditer(text) if (match := _broken_at(text, place.start()))]
    if not broken or not ledger.applies("broken-words"):
        return text
    known = {word.casefold() for word in different_words(_WORD, _BROKEN.sub(" ", text))}
    pieces: list[str] = []
    position = 0
    for match in broken:
        first, second = match.groups()
        if (first + second).casefold() not in known or (first.casefold() in known and second.casefold() in known):
            continue
        ledger.note_in("broken-words", text, match.span(), first + second)
        pieces += text[position : match.start()], first, second
        position = match.end()
    return "".join(pieces) + text[position:] if pieces else text


def _broken_at(text: str, hyphen: int) -> re.Match[str] | None:
    """The two parts around a hyphen, if the text may contain the whole word; otherwise None."""
    start = max(hyphen - _LONGEST_PART, 0)
    first = _LETTERS_AT_END.search(text, start, hyphen)
    match = first and _BROKEN.match(text, first.start(), hyphen + _LONGEST_PART)
    return match if match and match[2].islower() and match[1][1:] + match[2] in text else None


class _Hyphenation:
    """Which hyphens a book has inside its lines."""

    def __init__(self, text: str) -> None:
        known = {word.casefold() for word in different_words(_WORD, _DIVIDED.sub(" ", text))}
        self._words = sorted(known)
        self._parts = {part for word in known if "-" in word for part in [word, *word.split("-")]} | known

    def is_real(self, first: str, second: str) -> bool:
        """Whether the author writes a hyphen between these two parts."""
        if second[0].isupper() and not first.isupper():
            return True
        first, second = first.casefold(), second.casefold()
        whole, apart = first + second, f"{first}-{second}"
        if apart in _PAIRS or (first in _COUNTED and second in _NUMBERS) or (first == second and len(first) > 3):
            return True
        for known in (self._knows, self._knows_stem):
            with_hyphen, without = known(apart, len(first) + 1), known(whole, len(first))
            if with_hyphen != without:
                return with_hyphen
        # Such as црно-бели: two words, the first with the ending of a compound's first part, that never occur as one.
        return first[-1] in "оo" and min(len(first), len(second)) >= 4 and first in self._parts and self._knows(second, 0)

    def _knows(self, word: str, cut: int) -> bool:
        place = bisect_left(self._words, word)
        return place < len(self._words) and self._words[place] == word

    def _knows_stem(self, word: str, cut: int) -> bool:
        """Whether there is a word with the same beginning, up to some letters after the cut, and perhaps another ending."""
        stem = word[: max(cut + 2, len(word) - _STEM)]
        place = bisect_left(self._words, stem)
        return place < len(self._words) and self._words[place].startswith(stem) and len(stem) >= cut + 2
