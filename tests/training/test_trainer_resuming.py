"""However a run was interrupted, it ends with the same result as without interruption, bit for bit."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from paznja.config import with_budget
from paznja.run import Run
from paznja.training import trainer
from paznja.training.checkpoint import OPTIMIZER, WEIGHTS
from paznja.training.events import Evaluated, Event, Finished, Paused, Progress, Sampled, Saved, Scoring
from paznja.training.trainer import Trainer

ITERATIONS = 7
ROWS = (2, 5)


def outcome(run: Run) -> dict[str, Any]:
    """Everything that must not depend on the clock: both sets of weights, the optimizer's state, rows, figures, the position."""
    position = run.position()
    assert position is not None
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

    def timeless(line: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in line.items() if name not in of_the_clock}

    return {
        "best": (run.path / WEIGHTS).read_bytes(),
        "latest": run.read_checkpoint(WEIGHTS),
        "optimizer": run.read_checkpoint(OPTIMIZER),
        "rows": [timeless(row) for row in run.samples(rows_only=True)],
        "metrics": [timeless(line) for line in run.metrics()],
        "position": timeless(position),
    }


@pytest.fixture
def small(begin) -> Callable[..., Run]:
    def make(name: str, **changes: Any) -> Run:
        return begin(name, **({"iterations": ITERATIONS, "sample_at": ROWS, "num_between": 4} | changes))

    return make


@pytest.fixture
def undisturbed(small, trainer_of) -> dict[str, Any]:
    run = small("undisturbed")
    list(trainer_of(run).events())
    return outcome(run)


def stopped_at(trainer_of, run: Run, here: Callable[[Event], bool]) -> list[Event]:
    """Train until an event of this kind, and ask for a stop there, as Ctrl-C does."""
    asked: list[Event] = []
    events: list[Event] = []
    for event in trainer_of(run, stop=lambda: bool(asked)).events():
        events.append(event)
        if here(event) and not asked:
            asked.append(event)
    assert asked
    return events


def test_two_trainers_with_the_same_seed_give_the_same_weights(small, trainer_of, undisturbed):
    run = small("again")
    list(trainer_of(run).events())
    assert outcome(run) == undisturbed


def test_another_seed_gives_other_weights(small, trainer_of, undisturbed):
    run = small("other", seed=2)
    list(trainer_of(run).events())
    assert outcome(run)["latest"] != undisturbed["latest"]


@pytest.mark.parametrize("iteration", range(1, ITERATIONS))
def test_a_run_stopped_at_any_iteration_and_resumed_ends_with_the_same(small, trainer_of, undisturbed, iteration):
    run = small("stopped")
    before = stopped_at(trainer_of, run, lambda event: isinstance(event, Progress) and event.iteration == iteration)
    assert isinstance(before[-1], Finished)
    assert (before[-1].complete, before[-1].iteration) == (False, iteration)
    after = list(trainer_of(Run(run.path)).events())
    assert next(event.iteration for event in after if isinstance(event, Progress)) == iteration + 1
    assert isinstance(after[-1], Finished)
    assert after[-1].complete
    assert outcome(run) == undisturbed


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("memory", ["none", "learned"])
def test_a_run_stopped_after_every_single_iteration_ends_with_the_same(small, trainer_of, optimizer, precision, memory):
    settings = {"optimizer": optimizer, "precision": precision, "memory": memory, "memory_rows": 200, "memory_width": 4}
    whole, pieces = (small(name, **settings) for name in ("whole", "pieces"))
    list(trainer_of(whole).events())
    stops = 0
    while pieces.state() != "finished":
        list(trainer_of(Run(pieces.path), stop=lambda: True).events())
        stops += 1
        if stops == ITERATIONS:
            list(trainer_of(Run(pieces.path)).events())
    assert outcome(pieces) == outcome(whole)


@pytest.mark.parametrize("iteration", [*ROWS, ITERATIONS])
def test_a_stop_while_scoring_saves_and_the_scoring_is_made_up_for(small, trainer_of, undisturbed, iteration):
    run = small("scoring")
    reached: list[int] = []

    def while_scoring(event: Event) -> bool:
        if isinstance(event, Progress):
            reached.append(event.iteration)
        return isinstance(event, Scoring) and reached[-1] == iteration

    before = stopped_at(trainer_of, run, while_scoring)
    assert isinstance(before[-1], Finished)
    assert (before[-1].complete, before[-1].iteration) == (False, iteration)
    assert not any(isinstance(event, Evaluated) and event.iteration == iteration for event in before)
    assert run.state() == "stopped"
    list(trainer_of(Run(run.path)).events())
    assert outcome(run) == undisturbed


def test_a_stop_while_all_held_out_books_are_scored_is_made_up_for(small, trainer_of, monkeypatch):
    monkeypatch.setattr(trainer, "SCORING_SHARE", 1e9)
    whole = small("whole", scored_tokens=500)
    list(trainer_of(whole).events())
    assert outcome(whole)["metrics"][-1]["held_out_whole"] is not None
    run = small("scoring", scored_tokens=500)
    evaluated: list[int] = []

    def while_scoring_all(event: Event) -> bool:
        if isinstance(event, Evaluated):
            evaluated.append(event.iteration)
        return isinstance(event, Scoring) and ITERATIONS in evaluated

    assert not any(event.complete for event in stopped_at(trainer_of, run, while_scoring_all) if isinstance(event, Finished))
    list(trainer_of(Run(run.path)).events())
    assert outcome(run) == outcome(whole)


def abandoned_at(trainer_of, run: Run, here: Callable[[Event], bool]) -> Iterator[Event]:
    """Train until an event of this kind and no further, like a crash; nothing more is saved."""
    for event in trainer_of(run).events():
        yield event
        if here(event):
            return


@pytest.mark.parametrize("kind", [Progress, Sampled, Scoring, Evaluated, Saved])
@pytest.mark.parametrize("number", [1, 3])
def test_a_run_that_broke_off_anywhere_ends_with_the_same(small, trainer_of, undisturbed, kind, number):
    run = small("broken", checkpoint_seconds=1e-9)
    seen: list[Event] = []

    def here(event: Event) -> bool:
        seen.extend([event] if isinstance(event, kind) else [])
        return len(seen) == number

    list(abandoned_at(trainer_of, run, here))
    assert seen
    list(trainer_of(Run(run.path)).events())
    assert outcome(run) == undisturbed


def test_logs_written_after_the_last_checkpoint_are_cut_and_written_again(small, trainer_of, undisturbed):
    run = small("cut")
    stopped_at(trainer_of, run, lambda event: isinstance(event, Progress) and event.iteration == 3)
    list(abandoned_at(trainer_of, run, lambda event: isinstance(event, Evaluated) and event.iteration == 5))
    assert [line["iteration"] for line in run.metrics()] == [2, 5]
    trainer = trainer_of(Run(run.path))
    assert [line["iteration"] for line in run.metrics()] == [2, 5]  # nothing changes before all has been read
    trainer.prepare_folder()
    assert [line["iteration"] for line in run.metrics()] == [2]
    assert [row["iteration"] for row in run.samples(rows_only=True)] == [2]
    list(trainer_of(Run(run.path)).events())
    assert outcome(run) == undisturbed


def test_a_run_that_broke_off_while_paused_before_its_row_has_the_row_afterwards(small, trainer_of, undisturbed):
    run = small("paused")
    for event in trainer_of(run).events():
        if isinstance(event, Progress) and event.iteration == ROWS[0]:
            run.send("pause")
        if isinstance(event, Paused):
            assert not run.samples(rows_only=True)
            break
    list(trainer_of(Run(run.path)).events())
    assert outcome(run) == undisturbed


def test_best_weights_from_after_the_checkpoint_are_not_overwritten_by_worse_ones(small, trainer_of, worse_after):
    worse_after(2)
    run = small("best", sample_at=(1, 2, 3, 4, 5, 6))
    stopped_at(trainer_of, run, lambda event: isinstance(event, Progress) and event.iteration == 1)
    figures = [
        event.held_out
        for event in abandoned_at(trainer_of, run, lambda event: isinstance(event, Evaluated) and event.iteration == 6)
        if isinstance(event, Evaluated)
    ]
    best = (run.path / WEIGHTS).read_bytes()
    assert figures[0] > figures[1] == min(figures)
    again = abandoned_at(trainer_of, Run(run.path), lambda event: isinstance(event, Evaluated))
    assert [event.held_out for event in again if isinstance(event, Evaluated)] == figures[:1]
    assert (run.path / WEIGHTS).read_bytes() == best
    finished = list(trainer_of(Run(run.path)).events())[-1]
    assert isinstance(finished, Finished)
    assert (run.path / WEIGHTS).read_bytes() == best
    assert finished.held_out == pytest.approx(min(figures))


def test_time_and_characters_go_on_from_where_the_run_was(small, trainer_of):
    run = small("time")
    before = [event for event in stopped_at(trainer_of, run, lambda event: isinstance(event, Scoring)) if isinstance(event, Progress)][-1]
    position = run.position()
    assert position is not None
    resumed = next(event for event in trainer_of(Run(run.path)).events() if isinstance(event, Progress))
    assert resumed.iteration == before.iteration + 1
    assert resumed.seconds > position["seconds"] >= before.seconds
    assert resumed.characters_seen - before.characters_seen == pytest.approx(before.characters_seen / before.iteration, abs=3)


# --- another stretch ------------------------------------------------------------------------------------------------------------------


def extend(run: Run, iterations: int | None = None, minutes: float | None = None) -> None:
    """A new budget from where the run is, as `paznja resume --iterations` gives it."""
    position = run.position()
    assert position is not None
    settings = with_budget(run.settings(), minutes, iterations)
    begun = {"from_iteration": position["iteration"], "from_seconds": position["seconds"]}
    settings = replace(settings, training=replace(settings.training, **begun))
    run.extend({**run.about(), "settings": settings.to_dict()})


def test_a_finished_run_goes_on_for_another_budget_with_a_warm_up_and_samples_of_its_own(small, trainer_of, monkeypatch):
    factors: list[float] = []
    step = trainer.Optimizers.step
    monkeypatch.setattr(trainer.Optimizers, "step", lambda self, factor: (factors.append(factor), step(self, factor))[1])
    monkeypatch.setattr(trainer.SamplesBetween, "SHARE", 1e9)
    run = small("long", iterations=10, num_between=3)
    list(trainer_of(run).events())
    extend(run, iterations=10)
    assert run.state() == "stopped"
    events = list(trainer_of(Run(run.path)).events())
    assert [event.iteration for event in events if isinstance(event, Progress)] == list(range(11, 21))
    assert factors[10:] == factors[:10]
    assert factors[0] == 0.5
    assert factors[2] == 1.0
    assert factors[-1] < 0.25
    between = [[s["iteration"] for s in run.samples() if not s["row"] and (s["iteration"] > 10) == later] for later in (False, True)]
    assert between[0]
    assert between[1] == [iteration + 10 for iteration in between[0]]
    assert run.state() == "finished"


def test_a_run_of_iterations_can_go_on_for_minutes(small, trainer_of):
    run = small("minutes")
    list(trainer_of(run).events())
    extend(run, minutes=0.01)
    events = list(trainer_of(Run(run.path)).events())
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.complete
    assert finished.iteration > ITERATIONS
    assert any(isinstance(event, Sampled) and not event.row for event in events)


def test_another_stretch_too_can_be_interrupted_without_a_trace(small, trainer_of):
    runs = [small(name) for name in ("whole", "pieces")]
    for run in runs:
        list(trainer_of(run).events())
        extend(run, iterations=6)
    whole, pieces = runs
    list(trainer_of(Run(whole.path)).events())
    stopped_at(trainer_of, Run(pieces.path), lambda event: isinstance(event, Progress) and event.iteration == ITERATIONS + 3)
    list(trainer_of(Run(pieces.path)).events())
    assert outcome(pieces) == outcome(whole)


def test_a_trainer_is_where_the_checkpoint_is(small, trainer_of):
    run = small("where")
    stopped_at(trainer_of, run, lambda event: isinstance(event, Progress) and event.iteration == 3)
    resumed: Trainer = trainer_of(Run(run.path))
    assert resumed.position.iteration == 3
    assert resumed.material.windows_drawn == 3 * 4
