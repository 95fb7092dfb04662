"""What is said about a training before its first iteration: in a few lines, or all that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paznja.table import count, counted, duration
from paznja.terminal.words import as_typed, program

if TYPE_CHECKING:
    from paznja.training.plan import Planned

LINES_BEFORE = 5
"""How many lines are printed before the table, unless all of them are asked for."""

BLOG_ITERATIONS = 20_000
"""The length of the run of 2023; before `blog` starts, paznja says how long that would take on this machine."""


def describe_briefly(plan: Planned) -> list[str]:
    """What matters, in at most `LINES_BEFORE` lines, most of which fit into 80 columns; too many remarks are only counted.

    There are more lines if memory is short, if there are warnings, which cannot be seen later, and for the preset `blog`.
    """
    model = plan.settings.model
    learnt, held_out = _learnt_and_held_out(plan)
    remarks = list(plan.remarks)
    size = f"Model: network of {count(plan.parameters - model.num_table_parameters())} parameters"
    beside = {"learned": f", table of {count(model.num_table_parameters())}", "counted": ", counted memory"}.get(model.memory, "")
    lines = [
        *plan.dialled[:1],
        f"{size}{beside}; needs {_gigabytes(plan)}.",
        f"Speed: about {count(_per_second(plan))} characters a second; {_budget_in_words(plan)}.",
        *_careful(plan),
        f"Run: {plan.run.path}.{_going_on(plan)} Ctrl-C saves and stops.",
    ]
    if 1 + len(lines) + len(remarks) > LINES_BEFORE:
        said = f" {counted(len(remarks), 'remark')}: --verbose." if remarks else ""
        remarks = []
    else:
        said = ""
    first = f"Books: {learnt} to learn from, {held_out}; {_characters(plan)}.{said}"
    return [first, *plan.warnings, *remarks, *lines, *_about_2023(plan)]


def describe_plan(plan: Planned) -> list[str]:
    """All that is known before the first iteration: the books, the model, the memory it needs, its expected speed, the run's folder."""
    settings, training = plan.settings, plan.settings.training
    model = settings.model
    learnt, held_out = _learnt_and_held_out(plan)
    precision = "" if training.precision == "float32" else f", {training.precision}"
    where = counted(training.threads, "CPU thread") if training.device == "cpu" else training.device
    if training.processes > 1:
        where = f"{training.processes} processes, each with {where}" if training.device == "cpu" else f"{training.processes} x {where}"
    table = model.num_table_parameters()
    layers = f"{counted(model.layers, 'layer')} of width {model.width}"
    if table:
        parameters = (
            f"{count(plan.parameters - table)} compute, in a network of {layers}, and {count(table)} are a table of what the last "
            "characters are worth, in which it looks up a few rows for each character"
        )
    else:
        parameters = f"a network of {layers}"
    return [
        f"Books: {learnt} to learn from, {held_out} to measure on; {_characters(plan)}{' (read before)' if plan.cached else ''}.",
        *plan.warnings,
        *plan.remarks,
        *plan.dialled,
        f"Model: {settings.preset}, {count(plan.parameters)} parameters: {parameters}. "
        f"It sees {model.context} characters back. Training needs about {_gigabytes(plan)} of memory.",
        f"Speed: about {count(_per_second(plan))} characters a second ({where}{precision}); {_budget_in_words(plan)}.",
        *_careful(plan),
        *_about_2023(plan),
        f"Run: {plan.run.path}.{_going_on(plan)} Ctrl-C saves and stops; {program()} resume {as_typed(plan.run)} goes on.",
    ]


def _learnt_and_held_out(plan: Planned) -> tuple[str, str]:
    held_out = [book for book in plan.books if book.held_out]
    whole = len(plan.books) > 2 or not held_out[0].part
    return f"{len(plan.books) - len(held_out):,}", f"{len(held_out):,} held out" if whole else "its last tenth held out"


def _characters(plan: Planned) -> str:
    return f"{count(sum(book.characters for book in plan.books))} characters"


def _gigabytes(plan: Planned) -> str:
    return f"{max(plan.memory_bytes / 1e9, 0.1):.1f} GB"


def _per_second(plan: Planned) -> float:
    return plan.settings.training.batch * plan.settings.model.context / plan.seconds_per_iteration


def _careful(plan: Planned) -> list[str]:
    if plan.memory_bytes <= plan.available_bytes:
        return []
    return [f"Careful: only {plan.available_bytes / 1e9:.1f} GB of memory are free. A lower --batch or --context needs less."]


def _about_2023(plan: Planned) -> list[str]:
    if plan.settings.preset != "blog":
        return []
    took = duration(BLOG_ITERATIONS * plan.seconds_per_iteration)
    return [f"The run of 2023 had {BLOG_ITERATIONS:,} iterations; here they take about {took}."]


def _going_on(plan: Planned) -> str:
    return f" It goes on from iteration {plan.from_iteration:,}." if plan.from_iteration else ""


def _budget_in_words(plan: Planned) -> str:
    stretch = plan.stretch
    if stretch.iterations is not None:
        left = max(0, stretch.from_iteration + stretch.iterations - plan.from_iteration)
        return f"{counted(left, 'iteration')} in about {duration(max(0.1, left * plan.seconds_per_iteration))}"
    assert stretch.minutes is not None
    return f"about {counted(plan.iterations or 1, 'iteration')} in {duration(60 * stretch.minutes)}"
