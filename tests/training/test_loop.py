"""The loop reports what happens in the promised order, obeys requests, fails cleanly, and learns."""

import itertools
import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest
import torch

from paznja.errors import RunError
from paznja.evaluation.bits_per_character import bits_of_texts, score
from paznja.generation import Choice, continuation
from paznja.loading import load_model
from paznja.model.decoder import Decoder
from paznja.model.weights import header, unpack
from paznja.run import Run, send
from paznja.run.layout import WEIGHTS
from paznja.run.requests import answer_to
from paznja.run.writing import RunWriter
from paznja.tokenizers import load_tokenizer
from paznja.training import schedule
from paznja.training.batches import Batch
from paznja.training.evaluator import NotANumber
from paznja.training.events import Evaluated, Event, Finished, Paused, Progress, Sampled, Saved, Scoring
from paznja.training.learner import Learner
from paznja.training.parts import Parts

Kind = TypeVar("Kind")

PLENTY = 1e9
"""A share of the run that no scoring reaches: never is there too little time for it."""


def told(events: list[Event]) -> str:
    """The events as letters; an evaluation is its scoring and its result."""
    letters = {Progress: "P", Scoring: "c", Evaluated: "E", Saved: "S", Paused: "W", Finished: "F"}
    plain = "".join("RB"[not event.row] if isinstance(event, Sampled) else letters[type(event)] for event in events)
    return re.sub("c+E", "E", plain)


def of_kind(kind: type[Kind], events: list[Event]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


class Time:
    """A made-up clock: iterations, written characters, scorings and checkpoints take the given times, everything else takes a moment."""

    def __init__(self, *, iteration: float = 1.0, character: float = 0.0, scoring: float = 0.0, saving: float = 0.0) -> None:
        self.now, self.slept = 5000.0, 0
        self.on_sleep: Callable[[], Any] = lambda: None
        self.iteration, self.character, self.scoring = iteration, character, scoring

        class SlowWriter(RunWriter):
            def write_checkpoint(_self, *arguments, **more) -> None:  # noqa: N805
                self.now += saving
                super().write_checkpoint(*arguments, **more)

        self.parts = {
            "clock": schedule.Clock(self.perf_counter, self.sleep),
            "write": self.write,
            "score": self.score,
            "with_parts": self.slow_down,
            "opened": SlowWriter,
        }

    def slow_down(self, parts: Parts) -> None:
        parts.learner = cast(Learner, SlowLearner(parts.learner, self))

    def write(self, decoder: Decoder, tokenizer, prompt: str, length: int, choice: Choice, *, seed: int) -> str:
        self.now += self.character * length
        return continuation(decoder, tokenizer, prompt, length, choice, seed=seed)

    def score(self, *arguments, **more):
        self.now += self.scoring
        return score(*arguments, **more)

    def perf_counter(self) -> float:
        self.now += 1e-6
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 1000.0
        self.slept += 1
        self.on_sleep()


class SlowLearner:
    """A learner whose iterations take what the clock says."""

    def __init__(self, learner: Learner, time: Time) -> None:
        self._learner, self._time = learner, time

    def step(self, batch: Batch, factor: float, began: float) -> float:
        self._time.now += self._time.iteration
        return self._learner.step(batch, factor, began)

    def __getattr__(self, name: str):
        return getattr(self._learner, name)


# --- events ---------------------------------------------------------------------------------------------------------------------------


def test_events_come_in_order_with_rows_at_the_asked_iterations(begin, training_of):
    events = list(training_of(begin(iterations=8, sample_at=(2, 5), prompts=("Ово је ", "Она "))))
    assert told(events) == "PPRREPPPRREPPPRRESF"
    assert [event.iteration for event in of_kind(Progress, events)] == list(range(1, 9))
    assert [(event.iteration, event.prompt) for event in of_kind(Sampled, events)] == [
        (iteration, prompt) for iteration in (2, 5, 8) for prompt in ("Ово је ", "Она ")
    ]
    assert [event.iteration for event in of_kind(Evaluated, events)] == [2, 5, 8]
    assert events[-1] == Finished(8, of_kind(Finished, events)[0].seconds, True, min(e.held_out for e in of_kind(Evaluated, events)), True)


def test_rows_begin_with_the_first_iteration_and_scores_with_the_tenth_where_none_are_asked_for(begin, training_of):
    events = list(training_of(begin(iterations=23, sample_at=())))
    assert [event.iteration for event in of_kind(Sampled, events)] == [1, 2, 5, 10, 20, 23]
    assert [event.iteration for event in of_kind(Evaluated, events)] == [10, 20, 23]


def test_a_row_asked_for_at_the_last_iteration_comes_once(begin, training_of):
    assert told(list(training_of(begin(iterations=4, sample_at=(4,))))) == "PPPPRESF"


def test_time_characters_and_the_spent_budget_only_grow(begin, training_of):
    run = begin(iterations=8, sample_at=(3,), num_between=3, checkpoint_seconds=1e-9)
    events = list(training_of(run))
    seconds = [event.seconds for event in events if not isinstance(event, Scoring | Paused)]
    assert seconds == sorted(seconds)
    progress = of_kind(Progress, events)
    assert [event.fraction for event in progress] == pytest.approx([i / 8 for i in range(1, 9)])
    assert [event.characters_seen for event in progress] == [4 * 8 * i for i in range(1, 9)]
    assert progress[-1].seconds_left == 0
    assert all(event.seconds_left > 0 and event.characters_per_second > 0 for event in progress[:-1])
    for scoring in of_kind(Scoring, events):
        assert 0 < scoring.done <= scoring.total


def test_samples_between_the_rows_go_to_samples_jsonl_and_not_to_the_table(begin, training_of):
    run = begin(iterations=60, num_between=12, sample_at=(7, 30))
    events = list(training_of(run, **Time(character=1e-6).parts))
    between = [event for event in of_kind(Sampled, events) if not event.row]
    assert 8 <= len(between) <= 12
    assert between[0].iteration == 1
    assert not {event.iteration for event in between} & {7, 30}
    assert {event.prompt for event in between} == {"Ово је "}
    stored = run.samples()
    assert [(s["iteration"], s["text"], s["row"]) for s in stored] == [(e.iteration, e.text, e.row) for e in of_kind(Sampled, events)]
    assert {(sample["seed"], sample["temperature"]) for sample in stored} == {(1, 0.8)}
    table = (run.path / "samples.md").read_text(encoding="utf-8")
    assert [line.split("|")[-3].strip() for line in table.splitlines()[2:]] == ["7", "30", "60"]


@pytest.mark.parametrize("character", [1e-5, 1e-3, 0.03])
def test_samples_between_the_rows_cost_less_than_3_percent_of_the_run(begin, training_of, character):
    time = Time(iteration=1.0, character=character)
    run = begin(iterations=150, num_between=60, length=50, sample_at=(150,))
    started = time.now
    events = list(training_of(run, **time.parts))
    stored = run.samples()
    cost = sum(len(sample["text"]) * character for sample in stored if not sample["row"])
    assert cost > 0
    assert cost < 0.03 * (time.now - started)
    assert isinstance(events[-1], Finished)


def test_a_sample_is_what_the_model_would_write_at_that_moment(begin, training_of):
    run = begin(iterations=3, sample_at=(3,))
    events = list(training_of(run))
    state = {name: tensor.numpy() for name, tensor in load_model(run, latest=True).state_for_export().items()}
    tokenizer = load_tokenizer(run.path / "tokenizer.json", "characters")
    wanted = continuation(Decoder(run.settings().model, state), tokenizer, "Ово је ", 12, Choice(0.8), seed=1)
    assert of_kind(Sampled, events)[-1].text == wanted


# --- learning and measuring -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_it_learns(begin, training_of, optimizer):
    run = begin(iterations=150, optimizer=optimizer, sample_at=(1,))
    first, last = of_kind(Evaluated, list(training_of(run)))
    assert first.held_out > 5
    assert last.held_out < first.held_out - 1
    assert last.training < first.training - 1
    assert last.best


def test_the_figures_are_bits_per_character_of_the_stored_weights(begin, training_of):
    run = begin(iterations=5)
    (evaluated,) = of_kind(Evaluated, list(training_of(run)))
    tokenizer = load_tokenizer(run.path / "tokenizer.json", "characters")

    def figure(texts) -> float:
        return sum(bits_of_texts(load_model(run), texts, tokenizer.newline)) / sum(tokenizer.count_characters(text) for text in texts)

    assert evaluated.held_out == pytest.approx(figure(run.held_out_ids()))
    assert evaluated.held_out_whole == evaluated.held_out
    assert evaluated.training == pytest.approx(figure([run.training_ids()]))
    (line,) = run.metrics()
    assert (line["held_out"], line["training"], line["iteration"]) == (evaluated.held_out, evaluated.training, 5)
    assert line["characters_seen"] == 5 * 4 * 8
    assert line["peak_memory_bytes"] > 1e6


def test_the_smoothed_loss_is_in_bits_per_character(begin, training_of):
    run = begin(iterations=1)
    (progress,) = of_kind(Progress, list(training_of(run)))
    # The first loss of an untrained network, whose tokens are characters: some are spelled in two.
    assert progress.training_bits == pytest.approx(math.log2(run.settings().model.vocabulary), rel=0.05)


def test_the_best_weights_are_kept_though_later_ones_are_worse(begin, training_of, worse_after):
    run = begin(iterations=6, sample_at=(1, 2, 3, 4, 5), scored_tokens=500)  # less than there is, so all of it is scored at the end
    events = list(training_of(run, learning_rate=worse_after(3), scoring_share=PLENTY))
    *fixed, whole = of_kind(Evaluated, events)
    best = min(fixed, key=lambda event: event.held_out)
    assert best.iteration == 3
    assert [event.iteration for event in fixed if event.best][-1] == best.iteration
    about = header((run.path / WEIGHTS).read_bytes(), WEIGHTS)
    assert about == {"iteration": best.iteration, "held_out": best.held_out}

    tokenizer, texts = load_tokenizer(run.path / "tokenizer.json", "characters"), run.held_out_ids()
    characters = sum(tokenizer.count_characters(text) for text in texts)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.whole
    assert (
        finished.held_out
        == whole.held_out_whole
        == pytest.approx(sum(bits_of_texts(load_model(run), texts, tokenizer.newline)) / characters)
    )
    latest = sum(bits_of_texts(load_model(run, latest=True), texts, tokenizer.newline)) / characters
    assert latest != pytest.approx(finished.held_out, rel=1e-3)
    assert all(event.held_out_whole is None for event in fixed)


def test_where_scoring_all_held_out_books_would_take_too_long_the_fixed_part_stands(begin, training_of):
    events = list(training_of(begin(iterations=4, scored_tokens=500), **Time(iteration=0.01, scoring=100.0).parts))
    (evaluated,), finished = of_kind(Evaluated, events), events[-1]
    assert isinstance(finished, Finished)
    assert (finished.whole, finished.held_out) == (False, evaluated.held_out)


def test_with_the_part_alone_scoring_all_held_out_books_is_left_away(begin, training_of):
    events = list(training_of(begin(iterations=4, scoring="part", scored_tokens=500), scoring_share=PLENTY))
    (evaluated,), finished = of_kind(Evaluated, events), events[-1]
    assert isinstance(finished, Finished)
    assert (finished.whole, finished.held_out) == (False, evaluated.held_out)
    whole = training_of(begin("auto", iterations=4, scored_tokens=500), scoring_share=PLENTY)
    assert told(list(whole)).endswith("REESF")


def test_without_scoring_it_learns_the_same_and_the_last_weights_are_the_runs(begin, training_of):
    runs = [begin(scoring, iterations=8, sample_at=(3,), scoring=scoring) for scoring in ("auto", "none")]
    scored, unscored = (list(training_of(run)) for run in runs)
    assert (told(scored), told(unscored)) == ("PPPREPPPPPRESF", "PPPRPPPPPRSF")
    assert unscored[-1] == Finished(8, of_kind(Finished, unscored)[0].seconds, True, None, False)
    assert runs[1].metrics() == []
    assert runs[1].read_checkpoint(WEIGHTS) == runs[1].read_weights()
    assert header(runs[1].read_weights(), WEIGHTS) == {"iteration": 8}
    learnt = [load_model(run, latest=True).state_for_export() for run in runs]
    assert all(torch.equal(learnt[0][name], tensor) for name, tensor in learnt[1].items())


def test_without_scoring_a_stopped_run_has_its_weights_too_and_ends_with_the_same(begin, training_of):
    whole, stopped = (begin(name, iterations=6, scoring="none") for name in ("whole", "stopped"))
    list(training_of(whole))
    events = training_of(stopped)
    list(after(events, 4))
    send(stopped, "stop")
    assert told(list(events)) == "SF"
    assert header(stopped.read_weights(), WEIGHTS) == {"iteration": 4}
    assert told(list(training_of(stopped))) == "PPRSF"
    assert stopped.read_weights() == whole.read_weights()


def test_without_scoring_the_whole_budget_is_for_learning(begin, training_of):
    iterations = {}
    for scoring in ("auto", "none"):
        time = Time(iteration=1.0, scoring=20.0)
        events = list(training_of(begin(scoring, minutes=2.0, sample_at=(10,), scoring=scoring), **time.parts))
        iterations[scoring] = of_kind(Finished, events)[0].iteration
    assert iterations == {"auto": 80, "none": 120}


def test_bfloat16_runs_on_the_cpu_and_keeps_its_weights_in_float32(begin, training_of):
    half = begin("half", iterations=30, precision="bfloat16", sample_at=(1,))
    events = list(training_of(half))
    first, last = of_kind(Evaluated, events)
    assert all(math.isfinite(event.training_bits) for event in of_kind(Progress, events))
    assert math.isfinite(last.held_out)
    assert last.held_out < first.held_out
    state = unpack((half.path / WEIGHTS).read_bytes(), WEIGHTS)
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    full = begin("full", iterations=30, sample_at=(1,))
    exact = of_kind(Evaluated, list(training_of(full)))[-1]
    assert last.held_out != exact.held_out
    assert last.held_out == pytest.approx(exact.held_out, rel=0.02)


def test_the_number_of_threads_is_the_runs(begin, training_of):
    list(training_of(begin(threads=2)))
    assert torch.get_num_threads() == 2
    list(training_of(begin("one", threads=1)))
    assert torch.get_num_threads() == 1


# --- budgets --------------------------------------------------------------------------------------------------------------------------


def test_a_budget_of_minutes_ends_within_it_with_its_last_row_and_scoring(begin, training_of):
    run = begin(minutes=2.0, sample_at=(10,), num_between=5)
    events = list(training_of(run, **Time(iteration=1.0, character=0.01, scoring=3.0).parts))
    assert told(events).endswith("PRESF")
    finished, progress = events[-1], of_kind(Progress, events)
    assert isinstance(finished, Finished)
    assert finished.complete
    assert 110 < finished.seconds < 122
    assert progress[-1].fraction == 1.0
    assert all(0 <= event.seconds_left <= 120 for event in progress)


def test_a_very_short_budget_still_gives_one_iteration_and_its_row(begin, training_of):
    run = begin(minutes=1e-9)
    assert told(list(training_of(run))) == "PRESF"
    assert run.state() == "finished"


@pytest.mark.parametrize(("wanted", "cost", "apart"), [(7.0, 0.0, 7), (7.0, 0.49, 10), (19.8, 0.49, 20)])
def test_checkpoints_come_as_often_as_asked_but_take_a_twentieth_of_the_time_at_most(begin, training_of, wanted, cost, apart):
    run = begin(iterations=100, sample_at=(100,), checkpoint_seconds=wanted)
    events = list(training_of(run, **Time(saving=cost).parts))
    *saved, _ = [event.iteration for event in of_kind(Saved, events)]
    assert saved[0] == math.ceil(wanted)
    assert {after - before for before, after in itertools.pairwise(saved)} == {apart}


# --- commands -------------------------------------------------------------------------------------------------------------------------


def after(events, iteration: int):
    """Events up to the progress of this iteration, one at a time."""
    for event in events:
        yield event
        if isinstance(event, Progress) and event.iteration == iteration:
            return


def test_a_stop_command_ends_the_iteration_and_saves(begin, training_of):
    run = begin(iterations=9)
    events = training_of(run)
    before = list(after(events, 4))
    send(run, "stop")
    rest = list(events)
    assert told(before + rest) == "PPPPSF"
    assert rest[-1] == Finished(4, of_kind(Finished, rest)[0].seconds, False, None, False)
    position = run.checkpoint()
    assert position is not None
    assert (position.iteration, position.finished) == (4, False)
    assert run.state() == "stopped"


def test_a_stop_that_is_asked_for_from_outside_saves_too(begin, training_of):
    seen: list[int] = []
    run = begin(iterations=9)
    for event in training_of(run, stop=lambda: len(seen) >= 3):
        if isinstance(event, Progress):
            seen.append(event.iteration)
    assert seen == [1, 2, 3]
    assert run.state() == "stopped"


def test_a_sample_command_gives_a_row_at_once(begin, training_of):
    run = begin(iterations=6)
    events = training_of(run)
    before = list(after(events, 2))
    send(run, "sample")
    assert told(before + list(events)) == "PPRPPPPRESF"
    assert [row["iteration"] for row in run.samples(rows_only=True)] == [2, 6]


def test_a_sample_command_at_an_iteration_with_a_row_does_not_give_a_second_one(begin, training_of):
    run = begin(iterations=4, sample_at=(2,))
    events = training_of(run)
    told_so_far = list(after(events, 2))
    send(run, "sample")
    told_so_far += after(events, 4)
    send(run, "sample")
    assert told(told_so_far + list(events)) == "PPREPPRESF"


def test_paused_it_saves_and_waits_and_that_time_does_not_count(begin, training_of):
    time = Time(iteration=1.0)
    run = begin(iterations=6)
    events = training_of(run, **time.parts)
    before = list(after(events, 3))
    send(run, "pause")
    assert isinstance(next(events), Saved)
    assert next(events) == Paused(3)
    time.on_sleep = lambda: send(run, "go-on") if time.slept == 4 else None
    rest = list(events)
    assert time.slept == 4
    assert told(before + rest) == "PPPPPPRESF"
    assert of_kind(Finished, rest)[0].seconds == pytest.approx(6.0, abs=0.1)


def test_a_pause_can_end_in_a_stop(begin, training_of):
    run = begin(iterations=6)
    events = training_of(run)
    list(after(events, 3))
    send(run, "pause")
    for event in events:
        if isinstance(event, Paused):
            send(run, "stop")
    position = run.checkpoint()
    assert position is not None
    assert (position.iteration, position.finished) == (3, False)


def test_a_row_asked_for_while_paused_comes_when_it_goes_on(begin, training_of):
    run = begin(iterations=4)
    events = training_of(run)
    list(after(events, 2))
    send(run, "pause")
    rest: list[Event] = []
    for event in events:
        rest.append(event)
        if isinstance(event, Paused):
            send(run, "sample")
            send(run, "go-on")
    assert told(rest) == "SWRPPRESF"


def test_a_request_is_answered_when_what_it_asked_for_is_done(begin, training_of):
    run = begin(iterations=4)
    events = training_of(run)
    list(after(events, 2))
    number = send(run, "sample")
    assert isinstance(next(events), Sampled)
    assert answer_to(run, number) is None, "the row is written, but nothing else of this turn is done"
    next(events)
    answer = answer_to(run, number)
    assert answer is not None
    assert (answer.request, answer.iteration) == ("sample", 2)
    number = send(run, "pause")
    assert isinstance(next(events), Saved)
    assert answer_to(run, number) is None
    assert isinstance(next(events), Paused)
    assert answer_to(run, number) is not None
    number = send(run, "stop")
    assert isinstance(next(events), Saved)
    assert answer_to(run, number) is None
    next(events)
    assert answer_to(run, number) is not None


def test_what_an_earlier_trainer_was_asked_for_and_did_not_take_is_forgotten(begin, training_of):
    run = begin(iterations=3)
    send(run, "pause")
    send(run, "stop")
    assert told(list(training_of(run))) == "PPPRESF"


# --- failing --------------------------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_the_last_checkpoint_good(begin, training_of):
    time = Time()
    learners: list[Learner] = []

    def with_parts(parts: Parts) -> None:
        learners.append(parts.learner)
        time.slow_down(parts)

    run = begin(iterations=20, sample_at=(2,), checkpoint_seconds=1e-9)
    events = training_of(run, **time.parts | {"with_parts": with_parts})
    for event in events:
        if isinstance(event, Saved) and event.iteration == 5:
            break
    saved = {name: tensor.clone() for name, tensor in learners[0].model.state_for_export().items()}
    with torch.no_grad():
        learners[0].model.embedding.fill_(float("nan"))
    with pytest.raises(NotANumber) as failed:
        next(events)
    assert failed.value.iteration == 6
    latest = load_model(run, latest=True).state_for_export()
    assert all(torch.equal(saved[name], tensor) for name, tensor in latest.items())
    assert header((run.path / WEIGHTS).read_bytes(), WEIGHTS)["iteration"] == 2
    assert told(list(training_of(run, **Time().parts))) == "PS" * 15 + "RESF"
    assert run.state() == "finished"


@pytest.mark.parametrize(("optimizer", "learning_rate"), [("muon", 1e10), ("adamw", 1e10), ("muon", 1e30), ("adamw", 3e37)])
def test_a_learning_rate_far_too_high_fails_and_saves_nothing_broken(begin, training_of, optimizer, learning_rate):
    run = begin(iterations=30, learning_rate=learning_rate, optimizer=optimizer, warm_up=0, sample_at=(1, 2, 3))
    with pytest.raises(NotANumber):
        list(training_of(run))
    assert run.checkpoint() is None
    for line in run.metrics():
        json.dumps(line, allow_nan=False)
    if (run.path / WEIGHTS).exists():
        assert math.isfinite(header((run.path / WEIGHTS).read_bytes(), WEIGHTS)["held_out"])


def test_a_damaged_checkpoint_is_an_error_with_a_sentence(begin, training_of):
    run = begin(iterations=3)
    list(training_of(run))
    position = run.checkpoint()
    assert position is not None
    file = run.path / position.folder / "optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(RunError, match="damaged"):
        list(training_of(Run(run.path)))


def test_a_finished_run_that_is_taken_up_again_has_nothing_left_to_do(begin, training_of):
    run = begin(iterations=3)
    list(training_of(run))
    rows, weights = run.samples(), (run.path / WEIGHTS).read_bytes()
    assert told(list(training_of(run))) == "SF"
    assert (run.samples(), (run.path / WEIGHTS).read_bytes()) == (rows, weights)
    assert len(run.metrics()) == 1
