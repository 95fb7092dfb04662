"""A long text, cut into pieces."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.corpus import pieces as room
from paznja.corpus.pieces import different_words, pieces

WORD = re.compile(r"\w+")


@pytest.fixture(autouse=True, scope="module")
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "PIECE", 8)
        yield


@given(st.text("аб \n", max_size=60))
def test_pieces_join_to_the_text_and_are_small(text: str) -> None:
    parts = list(pieces(text))
    assert "".join(parts) == text
    assert all(0 < len(part) <= 8 for part in parts)


def test_a_piece_ends_with_a_line_else_with_a_space_else_where_it_is_full() -> None:
    assert list(pieces("аб вг\nд ђ еж")) == ["аб вг\n", "д ђ еж"]
    assert list(pieces("аб вг дђеж")) == ["аб вг ", "дђеж"]
    assert list(pieces("абвгдђежз")) == ["абвгдђеж", "з"]
    assert list(pieces("")) == []


@given(st.lists(st.text("абв", min_size=1, max_size=7), max_size=30), st.sampled_from(" \n"))
def test_different_words_are_those_of_the_whole_text(words: list[str], between: str) -> None:
    assert different_words(WORD, between.join(words)) == set(words)
