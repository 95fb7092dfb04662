"""One held-out paragraph, and how surprising each of its letters is while the network learns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from paznja.evaluation.bits_per_character import bits_of_texts, bits_of_tokens
from paznja.loading import load_model
from paznja.tokenizers import load_tokenizer
from paznja.training.surprise import LONGEST, Paragraph, choose

NEWLINE = 1


def piece(*lengths: int) -> np.ndarray:
    """Paragraphs of these lengths, each with a line's end after it."""
    return np.concatenate([np.append(np.full(length, 7), NEWLINE) for length in lengths]).astype(np.uint16)


def test_the_longest_whole_paragraph_that_is_not_too_long_is_taken():
    assert choose([piece(900, 250), piece(40, 300, LONGEST + 1, 260, 30)], NEWLINE) == Paragraph(1, 41, 341)


def test_a_paragraph_that_is_cut_off_is_not_whole():
    cut = piece(400, 210, 400)[:-1]
    assert choose([cut], NEWLINE) == Paragraph(0, 401, 611)


def test_without_a_whole_paragraph_the_longest_piece_is_cut():
    assert choose([piece(30), piece(50, 20)], NEWLINE) == Paragraph(1, 0, 72)
    assert choose([piece(2000)], NEWLINE) == Paragraph(0, 0, LONGEST)
    assert choose([], NEWLINE) is None


@pytest.mark.parametrize("memory", ["none", "learned", "counted"])
def test_every_row_says_how_surprising_each_letter_is(begin, training_of, memory):
    run = begin(iterations=20, memory=memory, memory_width=4, sample_at=(2, 10))
    list(training_of(run))
    lines = run.surprise()
    assert [line["iteration"] for line in lines] == ([0] if memory == "counted" else []) + [2, 10, 20]
    assert {(line["book"], line["start"], len(line["bits"])) for line in lines} == {
        (lines[0]["book"], lines[0]["start"], len(lines[0]["bits"]))
    }
    assert np.mean(lines[-1]["bits"]) < np.mean(lines[0]["bits"])


def test_the_bits_of_the_letters_add_up_to_those_of_the_text(begin, training_of):
    run = begin(iterations=5, memory="learned", memory_width=4)
    list(training_of(run))
    tokenizer = load_tokenizer(run.path / "tokenizer.json", "characters")
    model = load_model(run)
    book = run.held_out_ids()[0][:100]
    whole = bits_of_tokens(model, [book], 0, 0, len(book), tokenizer.newline)
    assert len(whole) == len(book)
    assert whole.sum() == pytest.approx(bits_of_texts(model, [book], tokenizer.newline)[0], rel=1e-5)
    part = bits_of_tokens(model, [book], 0, 37, 91, tokenizer.newline)
    assert part == pytest.approx(whole[37:91], rel=1e-3)


def test_a_run_that_goes_on_has_every_row_once(begin, training_of):
    whole, resumed = begin("whole", iterations=20, sample_at=(3, 10)), begin("resumed", iterations=20, sample_at=(3, 10))
    list(training_of(whole))
    for stop_after in (4, 8, 100):
        count = itertools.count()
        list(training_of(resumed, stop=lambda count=count, stop_after=stop_after: next(count) > stop_after))
    assert [line["iteration"] for line in resumed.surprise()] == [3, 10, 20]
    assert [line["bits"] for line in resumed.surprise()] == [line["bits"] for line in whole.surprise()]


def test_what_was_measured_after_the_checkpoint_is_measured_again(begin, training_of):
    run = begin(iterations=20, sample_at=(3, 10))
    count = itertools.count()
    list(training_of(run, stop=lambda: next(count) > 6))
    later = {"iteration": 15, "seconds": 1.0, "book": 0, "start": 0, "bits": [1.0]}
    with (run.path / "surprise.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{later}\n".replace("'", '"'))
    list(training_of(run))
    assert [line["iteration"] for line in run.surprise()] == [3, 10, 20]
