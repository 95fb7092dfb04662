"""Rules that repair what scanning and old programs did to a text: each looks for one thing and leaves clean text alone.

A rule first searches for what it repairs, so that a book without it costs one pass; only then it gathers what it needs to know about the
book.
"""

import re
from collections.abc import Callable, Set
from itertools import islice

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import different_words

_LONGEST_BEFORE = 30  # letters before a digit that are inspected
_MOST_EXAMPLES = 3
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_LIGATURE = re.compile("[ﬀ-ﬆ]")
_DIGIT = re.compile(r"[0136](?=[^\W\d_])")
_WORD = re.compile(r"[^\W\d_]+")
_LETTERS_BEFORE = re.compile(r"[^\W\d_]*\Z")
_SENTENCE_BEGINS = re.compile(r"(?:\A|[\n.!?…:]|[—–-]) ?[„“”\"«»(]?\Z|[„“”\"«»]\Z")
_MISREAD = {"0": "оo", "1": "li", "3": "з", "6": "б"}
_TWO_COMMAS = re.compile(r"(?:(?<=[\s(:—–-])|(?<![^\n]))(?:,,|‚‚|''|‘‘)(?=[^\W\d_])")
_TWO_APOSTROPHES = re.compile(r"(?<=[\w.,!?…:;)])(?:''|‘‘|’’)(?!\w)")
_NOISE = "|¦\\^~■□▪◦"
_NOISE_RUN = re.compile(rf" ?[{re.escape(_NOISE)}_•●§©®°=<>{{}}#*+]{{3,}}(?: [{re.escape(_NOISE)}_•●=<>]{{1,9}})*")
_NOISE_LINE = re.compile(rf"^[^\w\n]*[{re.escape(_NOISE)}][^\w\n]*$", re.MULTILINE)


def replace_signs(text: str, ledger: Ledger, rule: str, signs: re.Pattern[str], instead: Callable[[str], str]) -> str:
    """The text with every sign that the pattern matches (a single character) replaced, if the rule is switched on."""
    if not signs.search(text) or not ledger.applies(rule):
        return text
    for sign in sorted(set(signs.findall(text))):
        count, position = text.count(sign), -1
        for number in range(min(count, _MOST_EXAMPLES)):
            position = text.index(sign, position + 1)
            of_these = count - number if number == _MOST_EXAMPLES - 1 else 1
            ledger.note_in(rule, text, (position, position + 1), instead(sign), count=of_these)
        text = text.replace(sign, instead(sign))
    return text


def mend_ligatures(text: str, ledger: Ledger) -> str:
    """The text with joined letters taken apart, as ﬁ to fi; but ǆ, ǉ and ǌ are letters of Serbian and stay."""
    return replace_signs(text, ledger, "ligatures", _LIGATURE, _LIGATURES.__getitem__)


def mend_digits(text: str, ledger: Ledger) -> str:
    """The text with digits turned back into letters (3ато, к0ји, vo1eo) where that makes a word that the book has elsewhere."""
    digits = list(islice(_DIGIT.finditer(text), 10_000))
    if not digits or not ledger.applies("misread-digits"):
        return text
    known: Set[str] | None = None
    pieces: list[str] = []
    position = 0
    for digit in digits:
        place = digit.start()
        before = _LETTERS_BEFORE.search(text, max(place - _LONGEST_BEFORE, 0), place)
        after = _WORD.match(text, place + 1)
        if before is None or after is None or len(before[0]) + len(after[0]) < 2 or not _stands_alone(text, before.start(), after.end()):
            continue
        known = different_words(_WORD, text) if known is None else known
        begins = not before[0] and _SENTENCE_BEGINS.search(text[max(place - 3, 0) : place]) is not None
        letter = _letter(digit[0], before[0], after[0], begins, known)
        if not letter:
            continue
        ledger.note_in("misread-digits", text, (before.start(), after.end()), before[0] + letter + after[0])
        pieces += text[position:place], letter
        position = place + 1
    return "".join(pieces) + text[position:] if pieces else text


def _letter(digit: str, before: str, after: str, begins_sentence: bool, known: Set[str]) -> str:
    """The letter that makes a word of the digit and the letters around it, in the right case; empty if none does."""
    capitals = (before + after).isupper() and len(before + after) > 1
    for letter in _MISREAD[digit]:
        word = before + letter + after
        if word in known:
            return letter.upper() if begins_sentence or capitals else letter
        if (before + letter.upper() + after) in known or (capitals and word.lower() in known):
            return letter.upper()
    return ""


def _stands_alone(text: str, start: int, end: int) -> bool:
    around = text[max(start - 1, 0) : start] + text[end : end + 1]
    return not any(character.isalnum() or character == "_" for character in around)


def mend_quotes(text: str, ledger: Ledger) -> str:
    """The text with two commas before a word turned into „, and two apostrophes after one into the book's closing mark."""
    if not any(pair in text for pair in (",,", "‚‚", "''", "‘‘", "’’")) or not ledger.applies("comma-quotes"):
        return text
    text = _substitute(text, ledger, "comma-quotes", _TWO_COMMAS, "„")
    closing = "”" if text.count("”") > text.count("“") else "“"
    return _substitute(text, ledger, "comma-quotes", _TWO_APOSTROPHES, closing)


def remove_noise(text: str, ledger: Ledger) -> str:
    """The text without runs of signs that no book prints, and without lines that have such a sign but no letter or digit."""
    if not any(sign in text for sign in _NOISE) or not ledger.applies("scan-noise"):
        return text
    text = _substitute(text, ledger, "scan-noise", _NOISE_LINE, "")

    def leave_out(match: re.Match[str]) -> str:
        if len(set(match[0]) - {" "}) < 2 or not any(sign in match[0] for sign in _NOISE):
            return match[0]
        ledger.note_in("scan-noise", text, match.span())
        return ""

    return _NOISE_RUN.sub(leave_out, text)


def _substitute(text: str, ledger: Ledger, rule: str, pattern: re.Pattern[str], instead: str) -> str:
    for match in pattern.finditer(text):
        ledger.note_in(rule, text, match.span(), instead)
    return pattern.sub(instead, text)
