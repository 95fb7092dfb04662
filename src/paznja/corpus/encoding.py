"""Bytes to text. UTF-8 with or without a byte order mark, and UTF-16 with one; a later issue widens it."""

import codecs

from paznja.errors import UnreadableBook

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def decode(data: bytes) -> str:
    """The text in `data`, without its byte order mark.

    Raises:
        UnreadableBook: the bytes are not text, or text in another encoding.
    """
    try:
        if data.startswith(_UTF32):  # UTF-32's little-endian mark begins with UTF-16's
            raise UnreadableBook("is UTF-32 text; save it as UTF-8 and try again")
        if data.startswith(_UTF16):
            return data.decode("utf-16")
        if is_binary(data):
            raise UnreadableBook("is a binary file, not text (it holds NUL bytes); if it is a book, save it as plain text in UTF-8")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "damaged UTF-16 text" if data.startswith(_UTF16) else "not UTF-8 text"
        raise UnreadableBook(f"is {kind}; save it as UTF-8 and try again (the first wrong byte is number {error.start + 1:,})") from None


def is_binary(data: bytes) -> bool:
    """Whether the bytes hold a NUL, which no text but UTF-16 and UTF-32 does."""
    return not data.startswith(_UTF16 + _UTF32) and b"\0" in data
