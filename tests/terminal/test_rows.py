"""A row of the table: the prompt and what was written, in a terminal of any width."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.text import Text
from tests.terminal.screens import drawn, drawn_lines, in_terminal, screen

from paznja.terminal.rows import prompt_and_text, table_row


def test_the_prompt_is_dim_and_what_the_model_wrote_is_not() -> None:
    assert drawn(prompt_and_text("Ово је мост ", "преко реке")) == "\x1b[2mОво је мост \x1b[0mпреко реке"
    assert drawn(prompt_and_text("Мост", "ови")) == "\x1b[2mМост\x1b[0mови"


def test_generate_dims_the_prompt_in_a_terminal_alone(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from paznja.cli import main

    arguments = ["generate", trained.name, "--prompt", "Мост ", "--length", "5", "--seed", "1", "--out", str(trained.parent)]
    with pytest.raises(SystemExit):
        main(arguments)
    plain = capfd.readouterr().out
    assert plain.startswith("Мост ")
    assert "\x1b" not in plain
    assert in_terminal(arguments) == f"\x1b[2mМост \x1b[0m{plain.removeprefix('Мост ')}"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_letters_without_spaces_are_broken_where_their_column_ends_and_none_is_lost(width: int) -> None:
    letters = "шђжћџ" * 40
    row = table_row(prompt_and_text("Мост ", letters), "1,000,000", "9 min 59 s", width)
    lines = drawn_lines(row, width)
    assert "1,000,000" in lines[0]
    assert lines[0].endswith("9 min 59 s")
    assert "".join(re.findall("[шђжћџ]", "".join(lines))) == letters
    assert all(len(line) <= width for line in lines)


def test_at_sixty_columns_the_text_has_most_of_them() -> None:
    row = table_row(Text("ш" * 300), "10", "2.0 s", 60)
    assert max(len(line.split()[0]) for line in drawn_lines(row, 60)) >= 38


def test_there_is_a_gap_between_the_rows_of_the_table_in_a_terminal(trained: Path, books: Path, cache: Path) -> None:
    arguments = ["train", str(books), "--preset", "tiny", "--iterations", "4", "--sample-at", "1,2", "--length", "30", "--threads", "1"]
    lines = screen(in_terminal([*arguments, "--out", str(trained.parent), "--cache", str(cache)]))
    rows = [number for number, line in enumerate(lines) if re.search(r" [124] +[0-9.]+ s$", line)]
    assert len(rows) == 3
    assert all(lines[number - 1].strip() == "" for number in rows)
