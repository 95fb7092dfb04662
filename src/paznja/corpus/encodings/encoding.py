"""Bytes to text, in any encoding: Unicode's by their marks and their form, older ones by what reads as language.

UTF-8 is tried first, so a file that is in it takes hardly any more time.
"""

import codecs
import re

from paznja.corpus.encodings.code_pages import CODE_PAGES, recognise
from paznja.corpus.encodings.mojibake import mend_mojibake
from paznja.corpus.encodings.yuscii import from_yuscii
from paznja.corpus.ledger import Ledger
from paznja.errors import UnreadableBook

_MARKS = {  # UTF-32's little-endian mark begins with UTF-16's
    codecs.BOM_UTF32_LE: ("utf-32", "UTF-32"),
    codecs.BOM_UTF32_BE: ("utf-32", "UTF-32"),
    codecs.BOM_UTF16_LE: ("utf-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16", "UTF-16"),
}
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))
_MOST_CONTROLS = 0.005
_LOOKED_AT = 64_000

_EACH_BROKEN, _SOUND_TO_BROKEN = 1_000, 10
_LOST = "\ud800"
_PLACE = re.compile("[\ud800\udc80-\udcff]")
_FIRST_OF_SERBIAN = b"\xc4\xc5\xd0\xd1\xe2"  # by itself, one of these is more likely half a letter than a letter of an older encoding
_SERBIAN = frozenset("šđčćžŠĐČĆŽабвгдђежзијклљмнњопрстћуфхцчџшАБВГДЂЕЖЗИЈКЛЉМНЊОПРСТЋУФХЦЧЏШ„“”’–—…»«")

_DECLARATION = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9._:-]{2,40})""", re.IGNORECASE)
_DECLARED_WITHIN = 4_096
_WEB_ENCODING = re.compile(r"cp\d+|iso8859-\d+|koi8-[ru]|mac-\w+|euc_\w+|gb\w+|big5\w*|shift_jis\w*|iso2022\w+|tis-620")


def decode(data: bytes, ledger: Ledger) -> str:
    """The text in `data`, without its byte order mark; the ledger notes an encoding other than UTF-8, and what was repaired.

    UnreadableBook if the bytes are not text, or are in an unknown encoding.
    """
    return _decode(data, ledger, markup=False)


def decode_html(data: bytes, ledger: Ledger) -> str:
    """The text of a web page; the encoding that it declares is used unless the bytes are valid UTF-8 or read far better in another.

    UnreadableBook if the bytes are not text, or are in an unknown encoding.
    """
    return _decode(data, ledger, markup=True)


def is_binary(data: bytes) -> bool:
    """Whether the bytes contain a NUL, which no text does except in UTF-16 and UTF-32."""
    return not data.startswith(tuple(_MARKS)) and b"\0" in data


def _decode(data: bytes, ledger: Ledger, *, markup: bool) -> str:
    text = _unicode(data, ledger)
    if text is None:
        declared = _declared(data) if markup else None
        return _foreign(data, declared, ledger) or _in_code_page(data, declared, ledger)
    if not text.isascii():
        return mend_mojibake(text, ledger)  # before a reader looks at the lines: misread ones are longer, and may have control characters
    if markup or not ledger.applies("yuscii"):
        return text
    letters = from_yuscii(text)
    if letters is None:
        return text
    ledger.say(
        "It was read as YUSCII, the old seven-bit code in which { | } ~ [ ] stand for š đ ć č Š Ć, because it reads as Serbian that way."
    )
    for sign in "@[\\]^`{|}~":
        if sign in text:
            ledger.note("yuscii", sign, letters[text.index(sign)], count=text.count(sign))
    return letters


def _unicode(data: bytes, ledger: Ledger) -> str | None:
    """The text if it is in an encoding of Unicode, except for a few broken bytes; None if it is in another encoding."""
    for mark, (encoding, name) in _MARKS.items():
        if data.startswith(mark):
            ledger.say(f"It was read in {name}.")
            return _with_mark(data, encoding, name)
    if b"\0" in data:
        text = _utf16_without_mark(data)
        if text is None:
            raise UnreadableBook(_binary("it holds NUL bytes"))
        ledger.say("It was read in UTF-16, although it has no byte order mark.")
        return text
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _nearly_utf8(data.removeprefix(codecs.BOM_UTF8), ledger)


def _with_mark(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        reason = f"is damaged {name} text; save it as UTF-8 and try again (the first wrong byte is number {error.start + 1:,})"
        raise UnreadableBook(reason) from None


def _utf16_without_mark(data: bytes) -> str | None:
    start = data[:_LOOKED_AT]
    # In a European language, every NUL is half of an ASCII character: all are at even places, or all at odd ones.
    encoding = "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if _is_european(text[:_LOOKED_AT]) and "\0" not in text else None


def _is_european(text: str) -> bool:
    known = sum(character in "\t\n\r" or " " <= character < "\u0530" or "\u2010" <= character <= "\u20bf" for character in text)
    return known >= 0.98 * len(text)


def _nearly_utf8(data: bytes, ledger: Ledger) -> str | None:
    """The text, with its broken bytes repaired or left out, if it is UTF-8 with fewer than one wrong byte in a thousand; None if not."""
    pieces: list[str] = []
    broken = start = 0
    view = memoryview(data)
    while True:
        try:
            pieces.append(codecs.utf_8_decode(view[start:], "strict", True)[0])
            break
        except UnicodeDecodeError as error:
            first, end = start + error.start, start + error.end
            broken += end - first
            if broken > 3 + first / (_EACH_BROKEN / 10):
                return None
            pieces.append(codecs.utf_8_decode(view[start:first], "strict", True)[0])
            pieces.append(_LOST if end - first > 1 or data[first] in _FIRST_OF_SERBIAN else chr(0xDC00 + data[first]))
            start = end
    text = "".join(pieces)
    sound = len(data) - len(text)  # second, third and fourth bytes of characters
    if broken > 1 + len(data) / _EACH_BROKEN or sound < _SOUND_TO_BROKEN * broken:
        return None
    if not ledger.applies("broken-bytes"):
        return _PLACE.sub("\ufffd", text)
    return _mend_broken(text, ledger)


def _mend_broken(text: str, ledger: Ledger) -> str:
    """The text with each broken byte replaced by its letter in Windows-1250 or Windows-1251, or left out if that does not fit."""
    known = _SERBIAN | set(_PLACE.sub("", text))
    mended = left_out = 0

    def letter(match: re.Match[str]) -> str:
        nonlocal mended, left_out
        left, right = text[max(match.start() - 20, 0) : match.start()], text[match.end() : match.end() + 20]
        after = "" if match[0] == _LOST else _older_letter(ord(match[0]) - 0xDC00, left, right)
        if after not in known or (after.isupper() and left[-1:].islower()):
            after = ""
        mended, left_out = mended + bool(after), left_out + (not after)
        ledger.note("broken-bytes", "\ufffd", after, left=_PLACE.sub("", left), right=_PLACE.sub("", right))
        return after

    text = _PLACE.sub(letter, text)
    ledger.say(f"It is in UTF-8, except for a few broken bytes: {mended:,} read as letters of an older encoding, {left_out:,} left out.")
    return text


def _older_letter(byte: int, left: str, right: str) -> str:
    cyrillic = any("Ѐ" <= character <= "ӿ" for character in left + right)
    return bytes([byte]).decode("cp1251" if cyrillic else "cp1250", errors="ignore")


def _declared(data: bytes) -> str | None:
    """Python's name of the encoding that the page declares, or None; as in browsers, Latin-1 means Windows-1252."""
    declaration = _DECLARATION.search(data[:_DECLARED_WITHIN])
    if declaration is None:
        return None
    try:
        name = codecs.lookup(declaration[1].decode("ascii")).name
    except LookupError:
        return None
    return "cp1252" if name in ("iso8859-1", "ascii") else name.replace("mac-", "mac_")


def _foreign(data: bytes, declared: str | None, ledger: Ledger) -> str | None:
    """The text of a page that declares an encoding that is never guessed (Greek, Chinese, Japanese, ...); None for other pages."""
    if declared is None or declared in CODE_PAGES or not _WEB_ENCODING.fullmatch(declared):
        return None
    try:
        text = data.decode(declared)
    except UnicodeDecodeError:
        return None
    ledger.say(f"It was read in {declared}, as the file declares.")
    return text


def _in_code_page(data: bytes, declared: str | None, ledger: Ledger) -> str:
    start = data[:_LOOKED_AT]
    if len(start) - len(start.translate(None, _CONTROLS)) > _MOST_CONTROLS * len(start):
        raise UnreadableBook(_binary("it holds control characters"))
    code_page = recognise(data, declared)
    if code_page is None:
        raise UnreadableBook("is in an encoding that paznja does not know, or is not text; open it in a text editor and save it as UTF-8")
    ledger.say(f"It is not in UTF-8; it was read in {CODE_PAGES[code_page]}, in which it reads best as language.")
    text = data.decode(code_page, errors="replace")
    undefined = text.count("\ufffd")
    if undefined and ledger.applies("broken-bytes"):
        ledger.note("broken-bytes", "\ufffd", count=undefined)
        ledger.say(f"{undefined:,} bytes of it mean nothing in that encoding and were left out.")
        text = text.replace("\ufffd", "")
    return text


def _binary(why: str) -> str:
    return f"is a binary file, not text ({why}); if it is a book, save it as plain text in UTF-8"
