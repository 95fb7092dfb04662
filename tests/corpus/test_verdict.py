"""What an amount of text is enough for."""

from pathlib import Path

import pytest

from paznja.corpus.corpus import MINIMUM_CHARACTERS, read_corpus
from paznja.corpus.verdict import verdict
from paznja.errors import NoBooks


def test_words_and_sentences_begin_with_as_much_text_as_the_refusal_of_too_little_says(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ово је мост. ", encoding="utf-8")
    with pytest.raises(NoBooks, match="about 20,000 are enough to see words, a million to see sentences"):
        read_corpus([tmp_path])
    assert "20,000 show words" in verdict(MINIMUM_CHARACTERS - 1)
    assert verdict(20_000).startswith("Little: enough to see words.")
    assert verdict(999_999).startswith("Enough for words and pieces of sentences")
    assert verdict(1_000_000).startswith("Enough for sentences")
