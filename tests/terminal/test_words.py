"""Words for several screens: a command to copy is what the program gets."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from paznja.terminal.words import quoted

WORDS = ["most", "Књиге-2026-11-22-1", "моје приче", 'rec\'i "овако"', "$HOME и `ls`!", "a;b|c&d>e", "C:\\књиге\\све", "Ово је мост ", ""]


@given(st.one_of(st.sampled_from(WORDS), st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"))))
def test_a_command_to_copy_reaches_the_program_word_for_word(word: str) -> None:
    assert shlex.split(quoted(word, windows=False)) == [word]


def test_on_windows_words_with_spaces_stand_in_double_quotes() -> None:
    assert quoted("Ово је мост ", windows=True) == '"Ово је мост "'
    assert quoted(r"C:\књиге\све", windows=True) == r"C:\књиге\све"
