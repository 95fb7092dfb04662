"""Repairing mojibake: text that was once read in the wrong encoding and then saved.

Misread UTF-8 has `Ĺˇta` for `šta`: every character beyond ASCII became two or three characters, and only a few can be the first.
They are restored only where they form valid UTF-8, and several times over if necessary. A code page that was taken for another one
has `noæ` for `noć`; it is restored if the whole file then reads much better. Quotation marks and dashes of a code page that were taken
for control characters are always restored.
"""

import math
import re
from functools import cache

from paznja.corpus.encodings.code_pages import reading_score
from paznja.corpus.ledger import Ledger

_CODE_PAGES = {
    "cp1250": "Windows-1250",
    "cp1252": "Windows-1252",
    "cp1251": "Windows-1251",
    "iso8859-2": "ISO 8859-2",
    "iso8859-5": "ISO 8859-5",
    "cp852": "CP852",
}
"""The code pages that UTF-8 may have been read in. Windows-1252 includes ISO 8859-1: its undefined bytes are control characters."""
_MOST_TIMES = 3

# Hardly any clean text has these: the first character of a sequence, then one that may follow it. A single set comes first, for speed.
_SUSPECT = re.compile(
    "[ÂÃÄÅÐÑâĂĹĐŃРСВГДЕ┬─┼╨╤Ô](?:"
    "(?<=[ÂÃÄÅÐÑâĂĹĐŃ])[\x80-¿ŒœŠšŽžŸƒˆ˜–—‘’‚“”„†‡•…‰‹›€™ŚśŤťŹźˇ˘ŁłĄąŞşŻż˛˝Ľľ]"
    "|(?<=[РСВГДЕ])[ЃѓЌќЎўҐґЁёЄєЇїІіЅѕ†‡€‰‚‹›™‘¤¦©¬®°±µ¶·¸№\xad]"
    "|(?<=[┬─┼╨╤Ô])[\xa0-ÿĀ-ſ─-▟])"
)
_CONTROLS = "\x80\x81\x82\x87\x8d\x91\x98"  # what the ISO encodings turn р с т ћ ч đ ј, „ and — into
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_FEWEST_SEQUENCES, _MANY_SEQUENCES = 4, 10
_LEAST_EXPLAINED = 0.5  # of a line's characters beyond ASCII; some are lost where an encoding has no character for a byte
_SAMPLE_LINES, _SAMPLE_CHARACTERS = 40, 2_000
_BETTER = 1.0  # bits a character

_TAKEN_FOR = (("cp1250", "cp1252"), ("cp1251", "cp1252"), ("cp1251", "cp1250"))
"""Pairs of a code page and the one that it was taken for."""
_MUCH_BETTER, _FEWEST_MISREAD = 3.0, 20
_SLICES, _SLICE = 5, 1_000
_CYRILLIC = re.compile("[Ѐ-ӿ]")
_MARKS = re.compile("[\x82\x84\x85\x8a\x8b\x8e\x91-\x97\x9a\x9b\x9e]")  # the same in Windows-1250 and 1252, and mostly in 1251
_SURE_MARKS = "\x84\x93\x94\x96\x97"


def mend_mojibake(text: str, ledger: Ledger) -> str:
    """The text without its mojibake, which is repaired as a whole or paragraph by paragraph; clean text is returned unchanged."""
    if text.isascii() or not ledger.applies("mojibake"):
        return text
    if _is_suspect(text):
        text = _mend_misread_utf8(text, ledger)
    text = _mend_code_page(text, ledger)
    return _mend_marks(text, ledger) if any(mark in text for mark in _SURE_MARKS) else text


def _mend_misread_utf8(text: str, ledger: Ledger) -> str:
    lines = text.split("\n")
    sample = [line[:_SAMPLE_CHARACTERS] for line in lines if _is_suspect(line)]
    sample = sample[:: 1 + len(sample) // _SAMPLE_LINES]
    found = _recognise(sample)
    if found is None:
        return text
    code_page, times = found
    for number, line in enumerate(lines):
        if not line.isascii() and (mended := _mended(line, code_page, times)) is not None:
            ledger.note("mojibake", line, mended)
            lines[number] = mended
    repeated = f" {times} times" if times > 1 else ""
    ledger.say(f"It was UTF-8 that had been read in {_CODE_PAGES[code_page]} and saved again{repeated}; the letters were put back.")
    return "\n".join(lines)


def _mend_code_page(text: str, ledger: Ledger) -> str:
    """The text restored if one code page was taken for another, and if all of it then fits and reads much better."""
    step = max(len(text) // _SLICES, _SLICE)
    sample = " ".join(text[start : start + _SLICE] for start in range(0, len(text), step))
    if _CYRILLIC.search(sample) or len(_BEYOND_ASCII.findall(sample)) < _FEWEST_MISREAD:
        return text
    readings = [(_read_again(sample, *taken), taken) for taken in _TAKEN_FOR]
    scores = {taken: reading_score(reading) for reading, taken in readings if reading is not None}
    best = max(scores, key=lambda taken: scores[taken], default=None)
    if best is None or scores[best] < reading_score(sample) + _MUCH_BETTER:
        return text
    mended = _read_again(text, *best)
    if mended is None:
        return text
    for before, after in zip(text.split("\n"), mended.split("\n"), strict=True):
        if before != after:
            ledger.note("mojibake", before, after)
    ledger.say(f"It was {_CODE_PAGES[best[0]]} that had been taken for {_CODE_PAGES[best[1]]}; the letters were put back.")
    return mended


def _read_again(text: str, code_page: str, taken_for: str) -> str | None:
    _, bytes_of = _sequences(taken_for)
    try:
        return text.translate(bytes_of).encode("latin-1").decode(code_page)
    except UnicodeError:
        return None


def _mend_marks(text: str, ledger: Ledger) -> str:
    def mark(match: re.Match[str]) -> str:
        after = match[0].encode("latin-1").decode("cp1252")
        ledger.note_in("mojibake", text, match.span(), after, around=20)
        return after

    ledger.say("Its quotation marks and dashes had been taken for control characters; they were put back.")
    return _MARKS.sub(mark, text)


def _is_suspect(text: str) -> bool:
    return any(control in text for control in _CONTROLS) or _SUSPECT.search(text) is not None


def _recognise(sample: list[str]) -> tuple[str, int] | None:
    """The code page in which the lines were read, and how many times over, judging by what reads best; None if they are not mojibake."""
    best, found = -math.inf, None
    for code_page in _CODE_PAGES:
        previous = None
        for times in range(1, _MOST_TIMES + 1):
            mended = [_mended(line, code_page, times) for line in sample]
            if mended == previous:
                break
            previous = mended
            old = [line for line, new in zip(sample, mended, strict=True) if new is not None]
            new = [line for line in mended if line is not None]
            shorter = sum(map(len, old)) - sum(map(len, new))  # by at least one character for every sequence
            if shorter < _FEWEST_SEQUENCES or (shorter < _MANY_SEQUENCES and shorter < 2 * len(new)):
                continue
            if reading_score("\n".join(new)) < reading_score("\n".join(old)) + _BETTER:
                continue
            whole = "\n".join(line if new is None else new for line, new in zip(sample, mended, strict=True))
            bits = reading_score(whole) * len(_BEYOND_ASCII.findall(whole))
            if bits > best:
                best, found = bits, (code_page, times)
    return found


def _mended(line: str, code_page: str, times: int) -> str | None:
    """The line with its sequences restored this many times; None if it is not mojibake of that code page."""
    mended = None
    for _ in range(times):
        put_back, explained = _put_back(line, code_page)
        beyond = len(_BEYOND_ASCII.findall(line))
        if not explained or explained < (_LEAST_EXPLAINED * beyond if _is_suspect(line) else beyond):
            break
        mended = line = put_back
    return mended


def _put_back(line: str, code_page: str) -> tuple[str, int]:
    """The line with every sequence restored, and how many characters those sequences had."""
    sequences, bytes_of = _sequences(code_page)
    explained = 0

    def character(match: re.Match[str]) -> str:
        nonlocal explained
        try:
            whole = match[0].translate(bytes_of).encode("latin-1").decode()
        except UnicodeError:
            return match[0]
        explained += len(match[0])
        return whole

    try:
        return line.translate(bytes_of).encode("latin-1").decode(), len(_BEYOND_ASCII.findall(line))
    except UnicodeError:
        return sequences.sub(character, line), explained


@cache
def _sequences(code_page: str) -> tuple[re.Pattern[str], dict[int, int]]:
    """A pattern for UTF-8's byte sequences as read in that code page, and the byte that each of its characters stands for."""
    bytes_of = dict.fromkeys(range(0x80, 0x100), 0xFFFF)
    bytes_of |= {byte: byte for byte in range(0x80, 0xA0)}  # many programs pass undefined bytes on as these
    bytes_of |= {ord(bytes([byte]).decode(code_page, errors="ignore") or chr(byte)): byte for byte in range(0x80, 0x100)}

    def some(first: int, last: int) -> str:
        return "[" + "".join(re.escape(chr(character)) for character, byte in bytes_of.items() if first <= byte <= last) + "]"

    rest = some(0x80, 0xBF)
    return re.compile(f"{some(0xC2, 0xDF)}{rest}|{some(0xE0, 0xEF)}{rest}{{2}}|{some(0xF0, 0xF4)}{rest}{{3}}"), bytes_of
