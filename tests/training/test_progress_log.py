"""The progress on disk: lines by the clock, close together at first, and never more than a fixed number."""

from __future__ import annotations

import itertools

from paznja.run import Run
from paznja.run.writing import RunWriter
from paznja.training.events import Progress
from paznja.training.progress_log import MAX_LINES, SECONDS, ProgressLog


def progress(iteration: int, seconds: float) -> Progress:
    return Progress(iteration, seconds, 0.5, 3.0, 1000 * iteration, 2000.0, 60.0)


def test_a_long_run_keeps_few_lines_spread_over_all_of_it(run: Run, writer: RunWriter):
    log = ProgressLog(writer)
    iterations = round(3 * MAX_LINES * SECONDS)
    for iteration in range(1, iterations + 1):
        log.add(progress(iteration, float(iteration)))
        if iteration % 1000 == 0:
            assert len(run.progress()) < MAX_LINES
    seconds = [line["seconds"] for line in run.progress()]
    assert seconds[0] == 1
    assert iterations - seconds[-1] < 3 * SECONDS
    assert seconds == sorted(set(seconds))
    assert max(later - before for before, later in itertools.pairwise(seconds)) <= 4 * SECONDS


def test_the_first_seconds_are_closer_together_than_the_later_ones(run: Run, writer: RunWriter):
    log = ProgressLog(writer)
    for iteration in range(1, 1001):
        log.add(progress(iteration, iteration / 10))
    seconds = [line["seconds"] for line in run.progress()]
    assert len([moment for moment in seconds if moment <= 10]) > 20
    assert len([moment for moment in seconds if moment > 90]) <= 10 / SECONDS


def test_a_resumed_run_goes_on_as_sparsely_as_its_file_is(run: Run, writer: RunWriter):
    for line in range(1, 11):
        writer.append_progress(
            {"iteration": line, "seconds": 100.0 * line, "training_bits": 3.0, "characters_seen": 1, "characters_per_second": 1}
        )
    log = ProgressLog(writer)
    for iteration in range(11, 211):
        log.add(progress(iteration, 1000.0 + iteration - 10))
    assert len(run.progress()) <= 10 + 5


def test_the_end_is_there_once(run: Run, writer: RunWriter):
    log = ProgressLog(writer)
    log.add(progress(1, 1.0))
    for _ in range(2):
        log.add(progress(2, 1.001), in_any_case=True)
    assert [line["iteration"] for line in run.progress()] == [1, 2]
