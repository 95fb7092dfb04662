"""Characters as tokens: nothing is lost, nothing is unknown, and the Hugging Face library agrees."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as LibraryTokenizer

from paznja.errors import RunError
from paznja.tokenizers import learn_tokenizer, load_tokenizer
from paznja.tokenizers.characters import CharacterTokenizer

BOOK = "Ово је мост. — Добро вече — рече Станко.\n„Има ли места?“ Има, ћути… 😀😀 цвеће\n"
TOKENIZER = CharacterTokenizer.learn([BOOK])
LIBRARY = LibraryTokenizer.from_str(TOKENIZER.to_json())
nfc_text = st.text(alphabet=st.one_of(st.sampled_from(BOOK), st.characters(codec="utf-8"))).map(lambda x: unicodedata.normalize("NFC", x))


@given(nfc_text)
def test_every_text_survives_encoding_and_decoding(text: str):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(nfc_text)
def test_the_table_look_up_gives_the_ids_that_the_library_gives(text: str):
    assert TOKENIZER.encode(text).tolist() == LIBRARY.encode(text).ids


@given(nfc_text)
def test_the_library_decodes_to_the_same_text(text: str):
    assert LIBRARY.decode(LIBRARY.encode(text).ids, skip_special_tokens=False) == text


@given(nfc_text)
def test_characters_are_counted_whether_they_are_known_or_spelled_in_bytes(text: str):
    assert TOKENIZER.count_characters(TOKENIZER.encode(text)) == len(text)


def test_a_known_character_is_one_token_and_a_rare_one_costs_its_bytes():
    assert len(TOKENIZER.encode("мост")) == 4
    assert len(TOKENIZER.encode("ж")) == 2
    assert len(TOKENIZER.encode("字")) == 3


def test_the_commonest_character_is_id_0_and_writable_ids_are_the_alphabet():
    assert TOKENIZER.decode([0]) == " "
    assert "".join(TOKENIZER.decode([i]) for i in range(TOKENIZER.num_writable)) == "".join(TOKENIZER.alphabet)
    assert "ш" not in TOKENIZER.alphabet


def test_text_that_is_not_in_normal_form_is_encoded_as_its_normal_form():
    assert TOKENIZER.encode("й").tolist() == TOKENIZER.encode(unicodedata.normalize("NFD", "й")).tolist()


def test_a_character_seen_once_is_not_in_the_alphabet():
    assert CharacterTokenizer.learn(["аааббв"]).alphabet == ("а", "б", "\n")


def test_unknown_characters_are_named_once_and_in_order():
    assert TOKENIZER.unknown_characters("мост 字ж字") == ["字", "ж"]


def test_it_is_the_same_after_saving_and_loading(tmp_path):
    (tmp_path / "tokenizer.json").write_text(TOKENIZER.to_json(), encoding="utf-8")
    loaded = load_tokenizer(tmp_path / "tokenizer.json", "characters")
    assert np.array_equal(loaded.encode(BOOK), TOKENIZER.encode(BOOK))
    assert loaded.newline == TOKENIZER.newline
    assert loaded.num_writable == TOKENIZER.num_writable


def test_another_programs_tokenizer_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {"word": 0}}}', encoding="utf-8")
    with pytest.raises(RunError, match="not a tokenizer that this version"):
        load_tokenizer(tmp_path / "tokenizer.json", "characters")
    with pytest.raises(RunError, match="is missing"):
        load_tokenizer(tmp_path / "nowhere.json", "characters")


def test_learning_by_kind_gives_a_character_tokenizer():
    assert learn_tokenizer("characters", [BOOK]).size == TOKENIZER.size
