"""Bytes to text."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.corpus.encoding import decode
from paznja.errors import UnreadableBook

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"))


@given(TEXT)
def test_utf8_with_and_without_a_mark_and_utf16_with_one_give_the_text_back(text: str) -> None:
    assert decode(text.encode()) == text
    assert decode(codecs.BOM_UTF8 + text.encode()) == text
    assert decode(codecs.BOM_UTF16_LE + text.encode("utf-16-le")) == text
    assert decode(codecs.BOM_UTF16_BE + text.encode("utf-16-be")) == text


def test_another_encoding_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnreadableBook, match=r"^is not UTF-8 text; save it as UTF-8 and try again .*byte is number 5\)$"):
        decode("š".encode() + b"um" + "š".encode("cp1250"))


def test_nul_bytes_are_called_a_binary_file() -> None:
    with pytest.raises(UnreadableBook, match="is a binary file"):
        decode(bytes(100))


@pytest.mark.parametrize("data", [codecs.BOM_UTF16_LE + b"a", codecs.BOM_UTF16_LE + b"\x00\xd8\x41\x00"])
def test_damaged_utf16_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableBook, match="is damaged UTF-16 text"):
        decode(data)


def test_utf32_is_named() -> None:
    with pytest.raises(UnreadableBook, match="is UTF-32 text; save it as UTF-8"):
        decode("мост".encode("utf-32"))
