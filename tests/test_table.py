"""The table: one row per sample, whatever the text; times and counts as a person says them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.table import count, counted, duration, file_size, markdown_table, one_line

UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "days": 86_400}
CELL = re.compile(r"(?<!\\)(?:\\\\)*\|")
texts = st.text(alphabet=st.one_of(st.sampled_from("аб |\\\n*_<&"), st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])))


def seconds_said(said: str) -> float:
    parts = said.split()
    return sum(float(number) * UNITS[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))


def test_a_row_is_the_prompt_and_its_continuation_then_the_iteration_then_the_time():
    row = {"prompt": "Ово је мост ", "text": "а е и а аа рра", "iteration": 10, "seconds": 20.2}
    assert markdown_table([row]) == (
        "| Generated text | iteration | time |\n|---|---:|---:|\n| Ово је мост а е и а аа рра ... | 10 | 20 s |\n"
    )


@given(st.lists(st.tuples(texts, texts), max_size=4))
def test_whatever_the_model_writes_a_row_is_one_line_of_three_cells(written: list[tuple[str, str]]):
    rows = [{"prompt": prompt, "text": text, "iteration": 7, "seconds": 3.0} for prompt, text in written]
    lines = markdown_table(rows).removesuffix("\n").split("\n")
    assert len(lines) == 2 + len(rows)
    for line, (prompt, text) in zip(lines[2:], written, strict=True):
        assert len(CELL.findall(line)) == 4
        assert line.endswith(" ... | 7 | 3.0 s |")
        shown = re.sub(r"\\([^ /])", r"\1", line.removeprefix("| ").removesuffix(" ... | 7 | 3.0 s |"))
        assert shown == one_line(prompt + text)


@given(texts)
def test_a_text_on_one_line_keeps_every_word_in_order(text: str):
    line = one_line(text)
    assert "\n" not in line
    assert [word for word in line.split() if word != "/"] == [word for word in text.split() if word != "/"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (20, "20 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (600, "10 min"),
        (3599, "1 h"),
        (7500, "2 h 5 min"),
        (4 * 3600, "4 h"),
        (86_399, "1 day"),
        (3 * 86_400 + 4 * 3600, "3 days 4 h"),
    ],
)
def test_a_time_is_said_as_a_person_would(seconds: float, said: str):
    assert duration(seconds) == said


@given(st.floats(0, 1e8))
def test_a_time_as_said_is_the_time_to_within_half_of_its_smallest_unit(seconds: float):
    said = duration(seconds)
    finest = 0.1 if seconds < 10 else 1 if " s" in said else 60 if "day" not in said else 3600
    assert abs(seconds_said(said) - seconds) <= finest / 2 + 0.06


@given(st.floats(0, 1e8), st.floats(0, 1e8))
def test_a_longer_time_is_never_said_as_a_shorter_one(a: float, b: float):
    shorter, longer = sorted((a, b))
    assert seconds_said(duration(shorter)) <= seconds_said(duration(longer))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (950, "950"),
        (9_500, "9,500"),
        (12_345, "12 thousand"),
        (999_999, "1.0 million"),
        (23_700_000, "23.7 million"),
        (99_990_000, "100 million"),
        (999_999_999, "1.0 billion"),
        (1.2e9, "1.2 billion"),
    ],
)
def test_a_large_number_is_said_as_a_person_would(number: float, said: str):
    assert count(number) == said


@given(st.floats(0, 1e12))
def test_a_number_as_said_is_the_number_to_within_five_in_a_hundred(number: float):
    said = count(number).replace(",", "").split()
    value = float(said[0]) * {"thousand": 1e3, "million": 1e6, "billion": 1e9}.get("".join(said[1:]), 1)
    assert abs(value - number) <= max(0.5, 0.051 * number)
    assert float(said[0]) < 1000 or said[1:] in ([], ["billion"])


@pytest.mark.parametrize(("number", "said"), [(0, "0 books"), (1, "1 book"), (2, "2 books"), (12_345, "12,345 books")])
def test_one_book_is_a_book_and_all_other_numbers_are_of_books(number: int, said: str):
    assert counted(number, "book") == said


@pytest.mark.parametrize(("size", "said"), [(0, "0 kB"), (12_345, "12 kB"), (999_900, "1.0 MB"), (3_440_000, "3.4 MB"), (2.5e9, "2.5 GB")])
def test_a_size_on_disk_is_said_as_a_person_would(size: float, said: str):
    assert file_size(size) == said
