"""Continuing a prompt: what is drawn and from what, also beyond the context."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from paznja.config import ModelConfig
from paznja.errors import WrongUse
from paznja.generation import Choice, continuation, expected, fit_prompt, generate, softmax
from paznja.model.decoder import Decoder
from paznja.tokenizers import Ids
from paznja.tokenizers.characters import CharacterTokenizer

BOOK = "Ово је мост. — Добро вече — рече Станко.\n„Има ли места?“ Има, ћути… 😀😀 цвеће\n"
TOKENIZER = CharacterTokenizer.learn([BOOK])
PROMPT = "Ово је "


def random_decoder(context: int = 16, *, tokenizer: CharacterTokenizer = TOKENIZER, seed: int = 1, certainty: float = 4.0) -> Decoder:
    """Random weights; `certainty` is roughly the spread of the logits."""
    config = ModelConfig(layers=2, width=16, heads=2, hidden=24, context=context, vocabulary=tokenizer.size)
    numbers = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, spread: float = 1.5) -> np.ndarray:
        return (numbers.standard_normal((rows, columns)) * spread * columns**-0.5).astype(np.float32)

    C, F = config.width, config.hidden
    state = {
        "model.embed_tokens.weight": matrix(config.vocabulary, C),
        "lm_head.weight": matrix(config.vocabulary, C, certainty),
        "model.norm.weight": np.ones(C, np.float32),
    }
    for i in range(config.layers):
        layer = {f"self_attn.{name}_proj.weight": matrix(C, C) for name in "qkvo"}
        layer |= {f"self_attn.{name}_norm.weight": np.ones(config.head_width, np.float32) for name in "qk"}
        layer |= {f"{name}_layernorm.weight": np.ones(C, np.float32) for name in ("input", "post_attention")}
        layer |= {"mlp.gate_proj.weight": matrix(F, C), "mlp.up_proj.weight": matrix(F, C), "mlp.down_proj.weight": matrix(C, F)}
        state |= {f"model.layers.{i}.{name}": weight for name, weight in layer.items()}
    return Decoder(config, state)


DECODER = random_decoder()


def plain_logits(decoder: Decoder, ids: Sequence[int]) -> np.ndarray:
    """The logits after these ids, read in one go without an earlier cache."""
    return decoder.forward(np.array([ids]), decoder.cache(1))[0, : TOKENIZER.num_writable]


# --- what a token is drawn from -------------------------------------------------------------------------------------------------------

logits = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 12)),
    elements=st.integers(-5000, 5000).map(lambda number: number / 128),  # equal, or apart by more than rounding
)
choices = st.builds(
    Choice,
    temperature=st.sampled_from([0.0, 1e-40, 0.01, 0.5, 0.8, 1.0, 3.0, 1e6]),
    top_k=st.integers(0, 14),
    top_p=st.sampled_from([1e-9, 0.1, 0.5, 0.9, 0.999999, 1.0]),
    min_p=st.sampled_from([0.0, 1e-6, 0.05, 0.5, 1.0]),
)


@given(logits, choices)
def test_probabilities_sum_to_one_and_the_likeliest_always_stays(logits_BV, choice):
    choice.check()
    p_BV = choice.probabilities(logits_BV)
    assert p_BV.shape == logits_BV.shape
    assert (p_BV >= 0).all()
    np.testing.assert_allclose(p_BV.sum(axis=1), 1.0)
    rows = np.arange(len(p_BV))
    assert (p_BV[rows, logits_BV.argmax(axis=1)] > 0).all()
    assert (p_BV[rows, logits_BV.argmax(axis=1)] == p_BV.max(axis=1)).all()


@given(logits, choices)
def test_weights_are_in_proportion_to_the_probabilities_and_the_likeliests_is_one(logits_BV, choice):
    w_BV = choice.weights(logits_BV)
    assert (w_BV.max(axis=1) == 1.0).all()
    np.testing.assert_allclose(w_BV / w_BV.sum(axis=1, keepdims=True), choice.probabilities(logits_BV))


@given(logits, choices)
def test_likelier_tokens_never_get_less(logits_BV, choice):
    for logits_V, p_V in zip(logits_BV, choice.probabilities(logits_BV), strict=True):
        order = np.argsort(logits_V, kind="stable")
        rises = np.diff(logits_V[order]) > 0
        assert (np.diff(p_V[order])[rises] >= -1e-12).all()


@given(logits, choices, choices)
def test_a_stricter_choice_only_takes_tokens_away(logits_BV, one, other):
    assume(one.temperature > 0)
    stricter = Choice(
        one.temperature,
        top_k=min((k for k in (one.top_k, other.top_k) if k), default=0),
        top_p=min(one.top_p, other.top_p) * (1 - 1e-9),  # stricter by more than rounding
        min_p=max(one.min_p, other.min_p),
    )
    p_BV, stricter_BV = one.probabilities(logits_BV), stricter.probabilities(logits_BV)
    assert not ((stricter_BV > 0) & (p_BV == 0)).any()
    # What stays keeps its proportions.
    for p_V, stricter_V in zip(p_BV, stricter_BV, strict=True):
        kept = stricter_V > 0
        np.testing.assert_allclose(stricter_V[kept], p_V[kept] / p_V[kept].sum(), rtol=1e-9, atol=1e-300)


@given(logits, st.integers(1, 14))
def test_top_k_keeps_the_k_likeliest_and_what_is_as_likely_as_the_last_of_them(logits_BV, k):
    for logits_V, p_V in zip(logits_BV, Choice(1.0, top_k=k).probabilities(logits_BV), strict=True):
        full_V = softmax(logits_V[None])[0]
        assert ((p_V > 0) == ((full_V >= np.sort(full_V)[-min(k, len(full_V))]) & (full_V > 0))).all()


@given(logits, st.floats(0.01, 0.99))
def test_top_p_keeps_the_fewest_tokens_that_reach_it(logits_BV, top_p):
    for logits_V, p_V in zip(logits_BV, Choice(1.0, top_p=top_p).probabilities(logits_BV), strict=True):
        ordered = np.sort(softmax(logits_V[None])[0])[::-1]
        number = np.count_nonzero(p_V)
        assert ordered[:number].sum() >= top_p - 1e-9
        assert ordered[: number - 1].sum() < top_p + 1e-9


@given(logits, st.floats(0.01, 1.0))
def test_min_p_keeps_what_is_likely_enough_beside_the_likeliest(logits_BV, min_p):
    beside_BV = np.exp((logits_BV - logits_BV.max(axis=1, keepdims=True)).astype(np.float64))
    assert ((Choice(1.0, min_p=min_p).probabilities(logits_BV) > 0) == (beside_BV >= min_p)).all()


def test_without_any_limit_it_is_the_models_own_probabilities():
    logits_BV = np.array([[1.0, 2.0, 4.0]], np.float32)
    np.testing.assert_allclose(Choice(1.0).probabilities(logits_BV), np.exp(logits_BV) / np.exp(logits_BV).sum(), rtol=1e-6)
    np.testing.assert_allclose(Choice(2.0).probabilities(logits_BV), np.exp(logits_BV / 2) / np.exp(logits_BV / 2).sum(), rtol=1e-6)


def test_temperature_0_is_the_likeliest_and_small_temperatures_come_close():
    logits_BV = np.array([[1.0, 3.0, 2.0], [0.0, -1.0, -2.0]], np.float32)
    assert Choice(0).probabilities(logits_BV).tolist() == [[0, 1, 0], [1, 0, 0]]
    np.testing.assert_allclose(Choice(1e-3).probabilities(logits_BV), [[0, 1, 0], [1, 0, 0]])


def test_logits_further_apart_than_float32_holds_are_certainty():
    logits_BV = np.array([[3e38, -3e38], [1.0, 1.0]], np.float32)
    assert Choice(0.5).probabilities(logits_BV).tolist() == [[1, 0], [0.5, 0.5]]
    assert softmax(logits_BV).tolist() == [[1, 0], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        (Choice(temperature=-0.1), "temperature"),
        (Choice(temperature=float("nan")), "temperature"),
        (Choice(temperature=float("inf")), "temperature"),
        (Choice(top_k=-1), "top-k"),
        (Choice(top_p=0), "top-p"),
        (Choice(top_p=1.01), "top-p"),
        (Choice(min_p=-0.01), "min-p"),
        (Choice(min_p=1.5), "min-p"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_by_name(choice, word):
    with pytest.raises(WrongUse, match=word):
        next(generate(DECODER, TOKENIZER, PROMPT, 5, choice))


# --- writing --------------------------------------------------------------------------------------------------------------------------


def promised_windows(context: int, begin: list[int], written: list[int]) -> list[list[int]]:
    """The ids after which each written id should be drawn: all or, whenever they outgrow the context, its second half, read again."""
    ids, start = list(begin), max(0, len(begin) - context)
    windows: list[list[int]] = []
    for new_id in written:
        windows.append(ids[start:])
        ids.append(new_id)
        if len(ids) - start > context:
            start = len(ids) - context // 2
    return windows


@pytest.mark.parametrize("context", [2, 3, 8, 9, 16])
@pytest.mark.parametrize("prompt", ["О", PROMPT, PROMPT * 3])
def test_past_the_context_it_goes_on_as_a_plain_reading_of_the_promised_window_would(context, prompt):
    decoder = random_decoder(context)
    text = continuation(decoder, TOKENIZER, prompt, 5 * context + 3, Choice(temperature=0))
    written = TOKENIZER.encode(text).tolist()
    begin = [TOKENIZER.newline, *TOKENIZER.encode(prompt).tolist()]
    windows = promised_windows(context, begin, written)
    assert max(map(len, windows)) == context
    assert written == [int(plain_logits(decoder, window).argmax()) for window in windows]


def test_the_text_is_drawn_with_the_models_probabilities():
    """Over many seeds, each first character comes as often as the model expects it."""
    p_V = softmax(plain_logits(DECODER, [TOKENIZER.newline, *TOKENIZER.encode(PROMPT).tolist()])[None])[0]
    number = 4000
    (grown,) = generate(DECODER, TOKENIZER, PROMPT, 1, Choice(temperature=1.0), count=number)
    shares = np.array([grown.count(character) for character in TOKENIZER.alphabet]) / number
    assert p_V.max() < 0.9
    # Five standard deviations of a share.
    assert (abs(shares - p_V) < 5 * np.sqrt(p_V * (1 - p_V) / number) + 1e-9).all()


@pytest.mark.parametrize("length", [1, 7, 40])
def test_a_text_is_as_long_as_asked_and_its_pieces_join_to_the_whole(length):
    pieces = [grown[0] for grown in generate(DECODER, TOKENIZER, PROMPT, length, Choice(), seed=3)]
    assert len(pieces) == length
    assert all(len(piece) == 1 for piece in pieces)
    assert "".join(pieces) == continuation(DECODER, TOKENIZER, PROMPT, length, Choice(), seed=3)


def test_the_same_seed_gives_the_same_text_and_another_seed_another():
    def write(seed: int) -> str:
        return continuation(DECODER, TOKENIZER, PROMPT, 50, Choice(temperature=1.0), seed=seed)

    assert write(1) == write(1)
    assert write(1) != write(2)


def test_a_longer_text_begins_with_the_shorter_one():
    assert continuation(DECODER, TOKENIZER, PROMPT, 60, Choice()).startswith(continuation(DECODER, TOKENIZER, PROMPT, 20, Choice()))


def test_several_texts_differ_and_the_first_is_the_one_that_comes_alone():
    steps = list(generate(DECODER, TOKENIZER, PROMPT, 40, Choice(temperature=1.0), seed=5, count=3))
    texts = ["".join(parts) for parts in zip(*steps, strict=True)]
    assert len(set(texts)) == 3
    assert texts[0] == continuation(DECODER, TOKENIZER, PROMPT, 40, Choice(temperature=1.0), seed=5)
    assert all(len(text) == 40 for text in texts)


def test_it_writes_only_characters_of_the_training_books_even_where_bytes_are_likelier():
    decoder = random_decoder(certainty=0.0)  # every token of the vocabulary is equally likely, most are single bytes
    assert TOKENIZER.size > 5 * TOKENIZER.num_writable
    text = continuation(decoder, TOKENIZER, PROMPT, 500, Choice(temperature=1.0))
    assert set(text) <= set(TOKENIZER.alphabet)
    assert len(set(text)) > TOKENIZER.num_writable / 2


def test_an_empty_prompt_is_refused():
    with pytest.raises(WrongUse, match="prompt is empty"):
        continuation(DECODER, TOKENIZER, "", 5, Choice())


class OnlyBytes(CharacterTokenizer):
    """Writes byte by byte: every Cyrillic letter takes two tokens, an emoji four."""

    def __init__(self) -> None:
        super().__init__([])

    @property
    def num_writable(self) -> int:
        return self.size

    @property
    def newline(self) -> int:
        return 10


class Scripted(Decoder):
    """Expects exactly the given ids, one after the other, whatever it reads."""

    def __init__(self, config: ModelConfig, script: Sequence[Ids]) -> None:
        self.config, self._memory, self._script, self._place = config, None, script, 0

    def cache(self, sequences: int):
        assert sequences == len(self._script)
        return super().cache(sequences)

    def forward(self, ids_BT, cache, evidence=None):
        cache.length += ids_BT.shape[1]
        logits_BV = np.zeros((len(ids_BT), self.config.vocabulary), np.float32)
        for logits_V, ids in zip(logits_BV, self._script, strict=True):
            logits_V[ids[self._place % len(ids)]] = 100.0
        self._place += 1
        return logits_BV


@given(st.lists(st.text(st.sampled_from("abжћ€語😀\n"), min_size=1, max_size=12), min_size=1, max_size=3), st.integers(1, 20))
@example(["aжa", "😀"], 3)
def test_characters_of_several_tokens_never_come_out_half(texts, length):
    tokenizer = OnlyBytes()
    decoder = Scripted(ModelConfig(context=200, vocabulary=tokenizer.size), [tokenizer.encode(text) for text in texts])
    steps = list(generate(decoder, tokenizer, "а", length, Choice(temperature=0), count=len(texts)))
    written = ["".join(parts) for parts in zip(*steps, strict=True)]
    assert written == [(text * length)[:length] for text in texts]


def test_a_replacement_character_in_the_books_is_written_like_any_other():
    tokenizer = CharacterTokenizer(["а", "\ufffd", "\n"])
    decoder = Scripted(ModelConfig(context=99, vocabulary=tokenizer.size), [tokenizer.encode("\ufffd")])
    assert continuation(decoder, tokenizer, "а", 3, Choice(temperature=0)) == "\ufffd\ufffd\ufffd"


# --- what it expects, and prompts that do not fit ---------------------------------------------------------------------------------------


def test_what_is_expected_is_every_character_with_the_models_own_probability_likeliest_first():
    after = expected(DECODER, TOKENIZER, PROMPT)
    probabilities = [p for _, p in after]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sorted(text for text, _ in after) == sorted(TOKENIZER.alphabet)
    ids = [TOKENIZER.newline, *TOKENIZER.encode(PROMPT).tolist()]  # a text begins like a line
    p_V = softmax(DECODER.forward(np.array([ids]), DECODER.cache(1)))[0]
    assert [dict(after)[character] for character in TOKENIZER.alphabet] == pytest.approx(p_V[: TOKENIZER.num_writable])


def test_the_most_expected_character_is_the_one_that_temperature_0_writes():
    assert continuation(DECODER, TOKENIZER, PROMPT, 1, Choice(temperature=0)) == expected(DECODER, TOKENIZER, PROMPT)[0][0]


def test_a_prompt_in_the_other_script_is_converted_and_said():
    prompt, remarks = fit_prompt("mesta ima", "cyrillic", TOKENIZER)
    assert prompt == "места има"
    assert len(remarks) == 1
    assert "Cyrillic" in remarks[0]
    assert "места има" in remarks[0]
    latin = CharacterTokenizer.learn(["Ovo je most Ovo je most"])
    assert fit_prompt("Ово је мост", "latin", latin)[0] == "Ovo je most"


def test_characters_that_the_model_never_saw_are_named_and_the_prompt_kept():
    prompt, remarks = fit_prompt("вече 語", "cyrillic", TOKENIZER)
    assert prompt == "вече 語"
    assert len(remarks) == 1
    assert "'語'" in remarks[0]


@pytest.mark.parametrize("prompt", ["рече место", "— ."])
def test_a_prompt_that_fits_is_left_alone_without_a_remark(prompt):
    assert fit_prompt(prompt, "cyrillic", TOKENIZER) == (prompt, [])


def test_a_prompt_with_characters_outside_the_alphabet_can_still_be_continued():
    assert len(continuation(DECODER, TOKENIZER, "語😀 ж", 20, Choice())) == 20
