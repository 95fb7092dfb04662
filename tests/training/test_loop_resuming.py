"""However a run was interrupted, it ends with the same result as without interruption, bit for bit."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from paznja.config import new_stretch
from paznja.run import Run, send
from paznja.run.layout import OPTIMIZER, WEIGHTS
from paznja.run.writing import RunWriter
from paznja.tokenizers import load_tokenizer
from paznja.training.events import Evaluated, Event, Finished, Paused, Progress, Sampled, Saved, Scoring
from paznja.training.parts import Parts, assemble, begin_from
from paznja.training.schedule import learning_rate_factor

ITERATIONS = 7
ROWS = (2, 5)


def outcome(run: Run) -> dict[str, Any]:
    """Everything that must not depend on the clock: both sets of weights, the optimizer's state, rows, figures, the position."""
    checkpoint = run.checkpoint()
    assert checkpoint is not None
    of_the_clock = {
        "seconds",
        "sampling_seconds",
        "scoring_speed",
        "scoring_seconds",
        "sizes",
        "sampled_between",
        "sampled_last",
        "peak_memory_bytes",
    }

    def timeless(line: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in line.items() if name not in of_the_clock}

    return {
        "best": (run.path / WEIGHTS).read_bytes(),
        "latest": run.read_checkpoint(WEIGHTS),
        "optimizer": run.read_checkpoint(OPTIMIZER),
        "rows": [timeless(row) for row in run.samples(rows_only=True)],
        "metrics": [timeless(line) for line in run.metrics()],
        "checkpoint": (checkpoint.folder, checkpoint.iteration, checkpoint.finished),
        "parts": {name: timeless(part) for name, part in checkpoint.parts.items()},
    }


@pytest.fixture
def small(begin) -> Callable[..., Run]:
    def make(name: str, **changes: Any) -> Run:
        return begin(name, **({"iterations": ITERATIONS, "sample_at": ROWS, "num_between": 4} | changes))

    return make


@pytest.fixture
def undisturbed(small, training_of) -> dict[str, Any]:
    run = small("undisturbed")
    list(training_of(run))
    return outcome(run)


def stopped_at(training_of, run: Run, here: Callable[[Event], bool], **replaced: Any) -> list[Event]:
    """Train until an event of this kind, and ask for a stop there, as Ctrl-C does."""
    asked: list[Event] = []
    events: list[Event] = []
    for event in training_of(run, stop=lambda: bool(asked), **replaced):
        events.append(event)
        if here(event) and not asked:
            asked.append(event)
    assert asked
    return events


def test_two_trainers_with_the_same_seed_give_the_same_weights(small, training_of, undisturbed):
    run = small("again")
    list(training_of(run))
    assert outcome(run) == undisturbed


def test_another_seed_gives_other_weights(small, training_of, undisturbed):
    run = small("other", seed=2)
    list(training_of(run))
    assert outcome(run)["latest"] != undisturbed["latest"]


@pytest.mark.parametrize("iteration", range(1, ITERATIONS))
def test_a_run_stopped_at_any_iteration_and_resumed_ends_with_the_same(small, training_of, undisturbed, iteration):
    run = small("stopped")
    before = stopped_at(training_of, run, lambda event: isinstance(event, Progress) and event.iteration == iteration)
    assert isinstance(before[-1], Finished)
    assert (before[-1].complete, before[-1].iteration) == (False, iteration)
    after = list(training_of(Run(run.path)))
    assert next(event.iteration for event in after if isinstance(event, Progress)) == iteration + 1
    assert isinstance(after[-1], Finished)
    assert after[-1].complete
    assert outcome(run) == undisturbed


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("memory", ["none", "learned"])
def test_a_run_stopped_after_every_single_iteration_ends_with_the_same(small, training_of, optimizer, precision, memory):
    settings = {"optimizer": optimizer, "precision": precision, "memory": memory, "memory_rows": 200, "memory_width": 4}
    whole, pieces = (small(name, **settings) for name in ("whole", "pieces"))
    list(training_of(whole))
    stops = 0
    while pieces.state() != "finished":
        list(training_of(Run(pieces.path), stop=lambda: True))
        stops += 1
        if stops == ITERATIONS:
            list(training_of(Run(pieces.path)))
    assert outcome(pieces) == outcome(whole)


@pytest.mark.parametrize("iteration", [*ROWS, ITERATIONS])
def test_a_stop_while_scoring_saves_and_the_scoring_is_made_up_for(small, training_of, undisturbed, iteration):
    run = small("scoring")
    reached: list[int] = []

    def while_scoring(event: Event) -> bool:
        if isinstance(event, Progress):
            reached.append(event.iteration)
        return isinstance(event, Scoring) and reached[-1] == iteration

    before = stopped_at(training_of, run, while_scoring)
    assert isinstance(before[-1], Finished)
    assert (before[-1].complete, before[-1].iteration) == (False, iteration)
    assert not any(isinstance(event, Evaluated) and event.iteration == iteration for event in before)
    assert run.state() == "stopped"
    list(training_of(Run(run.path)))
    assert outcome(run) == undisturbed


def test_a_stop_while_all_held_out_books_are_scored_is_made_up_for(small, training_of):
    plenty = {"scoring_share": 1e9}
    whole = small("whole", scored_tokens=500)
    list(training_of(whole, **plenty))
    assert outcome(whole)["metrics"][-1]["held_out_whole"] is not None
    run = small("scoring", scored_tokens=500)
    evaluated: list[int] = []

    def while_scoring_all(event: Event) -> bool:
        if isinstance(event, Evaluated):
            evaluated.append(event.iteration)
        return isinstance(event, Scoring) and ITERATIONS in evaluated

    stopped = stopped_at(training_of, run, while_scoring_all, **plenty)
    assert not any(event.complete for event in stopped if isinstance(event, Finished))
    list(training_of(Run(run.path), **plenty))
    assert outcome(run) == outcome(whole)


def abandoned_at(training_of, run: Run, here: Callable[[Event], bool], **replaced: Any) -> Iterator[Event]:
    """Train until an event of this kind and no further, like a crash; nothing more is saved."""
    for event in training_of(run, **replaced):
        yield event
        if here(event):
            return


@pytest.mark.parametrize("kind", [Progress, Sampled, Scoring, Evaluated, Saved])
@pytest.mark.parametrize("number", [1, 3])
def test_a_run_that_broke_off_anywhere_ends_with_the_same(small, training_of, undisturbed, kind, number):
    run = small("broken", checkpoint_seconds=1e-9)
    seen: list[Event] = []

    def here(event: Event) -> bool:
        seen.extend([event] if isinstance(event, kind) else [])
        return len(seen) == number

    list(abandoned_at(training_of, run, here))
    assert seen
    list(training_of(Run(run.path)))
    assert outcome(run) == undisturbed


def test_logs_written_after_the_last_checkpoint_are_cut_and_written_again(small, training_of, undisturbed):
    run = small("cut")
    stopped_at(training_of, run, lambda event: isinstance(event, Progress) and event.iteration == 3)
    list(abandoned_at(training_of, run, lambda event: isinstance(event, Evaluated) and event.iteration == 5))
    assert [line["iteration"] for line in run.metrics()] == [2, 5]
    with RunWriter.open(run) as writer:
        checkpoint, _ = begin_from(parts_for(writer), writer)
        assert [line["iteration"] for line in run.metrics()] == [2, 5]  # nothing changes before all has been read
        writer.cut_back(checkpoint)
    assert [line["iteration"] for line in run.metrics()] == [2]
    assert [row["iteration"] for row in run.samples(rows_only=True)] == [2]
    list(training_of(Run(run.path)))
    assert outcome(run) == undisturbed


def test_a_run_that_broke_off_while_paused_before_its_row_has_the_row_afterwards(small, training_of, undisturbed):
    run = small("paused")
    for event in training_of(run):
        if isinstance(event, Progress) and event.iteration == ROWS[0]:
            send(run, "pause")
        if isinstance(event, Paused):
            assert not run.samples(rows_only=True)
            break
    list(training_of(Run(run.path)))
    assert outcome(run) == undisturbed


def test_best_weights_from_after_the_checkpoint_are_not_overwritten_by_worse_ones(small, training_of, worse_after):
    rates = {"learning_rate": worse_after(2)}
    run = small("best", sample_at=(1, 2, 3, 4, 5, 6))
    stopped_at(training_of, run, lambda event: isinstance(event, Progress) and event.iteration == 1, **rates)
    figures = [
        event.held_out
        for event in abandoned_at(training_of, run, lambda event: isinstance(event, Evaluated) and event.iteration == 6, **rates)
        if isinstance(event, Evaluated)
    ]
    best = (run.path / WEIGHTS).read_bytes()
    assert figures[0] > figures[1] == min(figures)
    again = abandoned_at(training_of, Run(run.path), lambda event: isinstance(event, Evaluated), **rates)
    assert [event.held_out for event in again if isinstance(event, Evaluated)] == figures[:1]
    assert (run.path / WEIGHTS).read_bytes() == best
    finished = list(training_of(Run(run.path), **rates))[-1]
    assert isinstance(finished, Finished)
    assert (run.path / WEIGHTS).read_bytes() == best
    assert finished.held_out == pytest.approx(min(figures))


def test_time_and_characters_go_on_from_where_the_run_was(small, training_of):
    run = small("time")
    before = [event for event in stopped_at(training_of, run, lambda event: isinstance(event, Scoring)) if isinstance(event, Progress)][-1]
    checkpoint = run.checkpoint()
    assert checkpoint is not None
    resumed = next(event for event in training_of(Run(run.path)) if isinstance(event, Progress))
    assert resumed.iteration == before.iteration + 1
    assert resumed.seconds > checkpoint.seconds >= before.seconds
    assert resumed.characters_seen - before.characters_seen == pytest.approx(before.characters_seen / before.iteration, abs=3)


# --- another stretch ------------------------------------------------------------------------------------------------------------------


def extend(run: Run, iterations: int | None = None, minutes: float | None = None) -> None:
    """A new budget from where the run is, as `paznja resume --iterations` gives it."""
    checkpoint = run.checkpoint()
    assert checkpoint is not None
    stretch = replace(new_stretch(minutes, iterations), from_iteration=checkpoint.iteration, from_seconds=checkpoint.seconds)
    with RunWriter.open(run) as writer:
        writer.begin_stretch(stretch)


def test_a_finished_run_goes_on_for_another_budget_with_a_warm_up_and_samples_of_its_own(small, training_of):
    factors: list[float] = []

    def written_down(*arguments: Any) -> float:
        factors.append(learning_rate_factor(*arguments))
        return factors[-1]

    run = small("long", iterations=10, num_between=3)
    list(training_of(run, learning_rate=written_down, sampling_share=1e9))
    extend(run, iterations=10)
    assert run.state() == "stopped"
    events = list(training_of(Run(run.path), learning_rate=written_down, sampling_share=1e9))
    assert [event.iteration for event in events if isinstance(event, Progress)] == list(range(11, 21))
    assert factors[10:] == factors[:10]
    assert factors[0] == 0.5
    assert factors[2] == 1.0
    assert factors[-1] < 0.25
    between = [[s["iteration"] for s in run.samples() if not s["row"] and (s["iteration"] > 10) == later] for later in (False, True)]
    assert between[0]
    assert between[1] == [iteration + 10 for iteration in between[0]]
    assert run.state() == "finished"


def test_a_run_of_iterations_can_go_on_for_minutes(small, training_of):
    run = small("minutes")
    list(training_of(run))
    extend(run, minutes=0.01)
    events = list(training_of(Run(run.path)))
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.complete
    assert finished.iteration > ITERATIONS
    assert any(isinstance(event, Sampled) and not event.row for event in events)


def test_another_stretch_too_can_be_interrupted_without_a_trace(small, training_of):
    runs = [small(name) for name in ("whole", "pieces")]
    for run in runs:
        list(training_of(run))
        extend(run, iterations=6)
    whole, pieces = runs
    list(training_of(Run(whole.path)))
    stopped_at(training_of, Run(pieces.path), lambda event: isinstance(event, Progress) and event.iteration == ITERATIONS + 3)
    list(training_of(Run(pieces.path)))
    assert outcome(pieces) == outcome(whole)


def parts_for(writer: RunWriter) -> Parts:
    record = writer.run.record()
    return assemble(writer, record.settings, record.stretches[-1], load_tokenizer(writer.run.path / "tokenizer.json", "characters"))


def test_the_parts_are_where_the_checkpoint_is(small, training_of):
    run = small("where")
    stopped_at(training_of, run, lambda event: isinstance(event, Progress) and event.iteration == 3)
    with RunWriter.open(run) as writer:
        parts = parts_for(writer)
        begin_from(parts, writer)
    assert parts.place.iteration == 3
    assert parts.material.state_dict() == {"windows_drawn": 3 * 4}
