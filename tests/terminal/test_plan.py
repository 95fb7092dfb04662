"""What is said before the first iteration: little, unless there is something to say only now, or all of it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from paznja.corpus.book import Unreadable
from paznja.table import count
from paznja.terminal.display import Display
from paznja.training.plan import Planned


def said_before_the_table(plan: Planned, *, verbose: bool = False) -> list[str]:
    file = io.StringIO()
    Display(verbose=verbose, console=Console(file=file, width=1000)).show(plan)
    return file.getvalue().split("\n\n")[0].splitlines()


def test_at_most_five_lines_stand_before_the_table_and_remarks_that_are_too_many_are_counted(planned: Planned) -> None:
    lines = said_before_the_table(planned)
    assert [line.split()[0] for line in lines] == ["Books:", "Time:", "Model:", "Speed:", "Run:"]
    assert lines[0].endswith("2 remarks: --verbose.")
    assert all(len(line) <= 80 for line in lines[1:4])
    (one,) = [line for line in said_before_the_table(replace(planned, dialled=(), remarks=("One book is old.",))) if "old" in line]
    assert one == "One book is old."


def test_what_is_said_only_now_is_said_whatever_else_there_is_to_say(planned: Planned) -> None:
    lines = said_before_the_table(replace(planned, warnings=("There is no checkpoint to go on from.",)))
    assert [line.split()[0] for line in lines] == ["Books:", "There", "Time:", "Model:", "Speed:", "Run:"]


def test_verbose_says_all_that_is_known_before_the_first_iteration(planned: Planned) -> None:
    whole = "\n".join(said_before_the_table(planned, verbose=True))
    for part in (*planned.remarks, *planned.dialled, "1 CPU thread", "resume"):
        assert part in whole


def test_short_memory_is_said_whatever_else_there_is_to_say(planned: Planned) -> None:
    lines = said_before_the_table(replace(planned, available_bytes=1))
    assert len(lines) == 6
    assert lines[4].startswith("Careful: ")


def test_the_model_is_described_as_a_network_and_the_table_beside_it(planned: Planned) -> None:
    model = planned.settings.model
    network, table = model.num_parameters() - model.num_table_parameters(), model.num_table_parameters()
    (line,) = [line for line in said_before_the_table(planned) if line.startswith("Model:")]
    assert f"network of {count(network)} parameters, table of {count(table)}" in line
    (line,) = [line for line in said_before_the_table(planned, verbose=True) if line.startswith("Model:")]
    assert f"{count(network)} compute" in line
    assert f"{count(table)} are a table" in line


def test_of_many_files_that_cannot_be_read_some_are_named(planned: Planned, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tuple(Unreadable(Path(f"{number}.pdf"), "is damaged") for number in range(30))
    said_before_the_table(replace(planned, unreadable=bad))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Not read: 0.pdf: is damaged"
    assert lines[-1] == f"Not read: {30 - len(lines) + 1} more files; --verbose names them all."
    assert len(lines) == 5
    said_before_the_table(replace(planned, unreadable=bad), verbose=True)
    assert len(capsys.readouterr().err.splitlines()) == 30
