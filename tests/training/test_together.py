"""Several processes that share memory learn what one process learns: the number changes nothing but the speed."""

from __future__ import annotations

import itertools
import os
import signal as signals
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from paznja.config import ModelConfig, SamplingConfig, Settings, TrainingConfig, customise
from paznja.cores import num_cores
from paznja.errors import TrainingFailed, WrongUse
from paznja.memory.contexts import Lettering
from paznja.model.weights import unpack
from paznja.run import Run
from paznja.tokenizers import load_tokenizer
from paznja.training.events import Evaluated, Event, Regrouped
from paznja.training.set_aside import Turns
from paznja.training.sharing_out import FOLLOWER, share_out, to_go_on, workers_of
from paznja.training.workers import Workers
from paznja.world.starting import Started

pytestmark = pytest.mark.skipif("os.name != 'posix'", reason="only POSIX systems share memory between processes")

Together = Callable[..., list[Event]]

SMALL = Settings(
    model=ModelConfig(layers=1, width=8, heads=2, hidden=12, context=8),
    training=TrainingConfig(batch=4, device="cpu", precision="float32", threads=1),
    sampling=SamplingConfig(prompts=("Ово је ",)),
)

MEMORIES = ("none", "learned", "counted")


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    """Four processes with this one; a test takes as many as it needs."""
    with Started(4, FOLLOWER) as started:
        assert started.size == 4
        yield started


@pytest.fixture
def together(started, training_of) -> Together:
    """Goes on with a run in so many processes; returns the events."""

    def train(run: Run, processes: int, **replaced) -> list[Event]:
        world = started.world(processes)
        world.tell({"do": "train", "run": str(run.path), "settings": run.settings().to_dict(), "ids": None})
        events = list(training_of(run, world=world, **replaced))
        world.tell({"do": "end"})
        return events

    return train


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    checkpoint = run.checkpoint()
    assert checkpoint is not None
    state: dict[str, torch.Tensor] = {}
    for file in ("model.safetensors", "optimizer.safetensors"):
        state |= unpack((run.path / checkpoint.folder / file).read_bytes(), file)
    return state


def assert_same(run: Run, other: Run, tolerance: float) -> None:
    weights, others = weights_of(run), weights_of(other)
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, others[name], rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("memory", MEMORIES)
def test_any_number_of_processes_learns_what_one_learns(begin, together, memory, optimizer):
    asked = {"iterations": 50, "memory": memory, "optimizer": optimizer, "precision": "float64", "batch": 5, "memory_width": 4}
    alone = begin("alone", **asked)
    scored = [event for event in together(alone, 1) if isinstance(event, Evaluated)]
    for processes in (2, 3, 4):
        run = begin(f"of {processes}", **asked)
        events = [event for event in together(run, processes) if isinstance(event, Evaluated)]
        assert_same(alone, run, 1e-6)
        assert [event.held_out for event in events] == pytest.approx([event.held_out for event in scored], abs=1e-6)
        assert [event.held_out_whole for event in events] == pytest.approx([event.held_out_whole for event in scored], abs=1e-6)
        assert run.metrics()[-1]["characters_seen"] == alone.metrics()[-1]["characters_seen"]


class Changing(Workers):
    """Another number of processes learns from every batch."""

    def took(self, seconds: float) -> int | None:
        self.number = self.number % 3 + 1
        return self.number


@pytest.mark.parametrize("memory", MEMORIES)
def test_they_learn_the_same_while_fewer_of_them_learn(begin, together, monkeypatch, memory):
    monkeypatch.setattr("paznja.training.parts.workers_of", lambda settings, world: Changing(world.size, ()))
    monkeypatch.setattr("paznja.training.parts.is_watched", lambda settings, stretch: True)
    asked = {"iterations": 12, "memory": memory, "memory_width": 4, "precision": "float64", "batch": 5}
    alone, run = begin("alone", **asked), begin("run", **asked)
    together(alone, 1)
    events = together(run, 3)
    assert_same(alone, run, 1e-6)
    assert [(event.number, event.unit) for event in events if isinstance(event, Regrouped)] == [(n, "process") for n in (1, 2, 3)] * 4


def test_the_number_of_processes_is_reconsidered_only_if_nobody_asked_for_one(started):
    settings = customise(SMALL)
    for size, numbers in ((4, [4, 3, 2, 1]), (2, [2, 1])):
        workers = workers_of(settings, started.world(size))
        assert workers is not None
        assert workers.candidates == numbers
    assert workers_of(customise(SMALL, processes=2), started.world(2)) is None


@pytest.mark.parametrize("memory", MEMORIES)
def test_in_float32_they_differ_by_rounding_alone(begin, together, memory):
    alone, run = (begin(name, iterations=8, memory=memory, memory_width=4) for name in ("alone", "run"))
    together(alone, 1)
    together(run, 3)
    assert_same(alone, run, 1e-3)


@pytest.mark.parametrize("memory", ["none", "learned"])
def test_gradients_that_are_exchanged_in_bfloat16_are_rounded_and_no_more(begin, together, memory):
    asked = {"iterations": 6, "memory": memory, "memory_width": 4}
    whole, rounded = begin("whole", **asked), begin("rounded", **asked, exchange="bfloat16")
    together(whole, 3)
    together(rounded, 3)
    assert_same(whole, rounded, 0.05)
    with pytest.raises(AssertionError):
        assert_same(whole, rounded, 1e-5)


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_same_number_learns_the_same_bit_for_bit_resumed_or_not(begin, together, memory):
    asked = {"iterations": 14, "memory": memory, "memory_width": 4}
    whole, resumed = begin("whole", **asked), begin("resumed", **asked)
    together(whole, 2)
    stops = iter([False] * 6 + [True] * 100)
    together(resumed, 2, stop=lambda: next(stops))
    stopped = resumed.checkpoint()
    assert stopped is not None
    assert 0 < stopped.iteration < 14
    together(resumed, 2)
    assert_same(whole, resumed, 0.0)


@pytest.mark.parametrize("processes", [2, 3])
def test_a_row_at_the_end_of_a_turn_is_scored_with_the_memory_of_that_turn(begin, together, processes):
    alone = begin("alone", iterations=1, memory="counted")
    lengths = [book.tokens for book in alone.books() if not book.held_out]
    lettering = Lettering.of(load_tokenizer(alone.path / "tokenizer.json", "characters"))
    model, training = alone.settings().model, alone.settings().training
    turns = Turns(alone.training_ids(), lengths, lettering, model.context, training.batch, training.seed, threads=1)
    iterations = 0
    while not turns.begins() or iterations == 0:
        turns.next()
        iterations += 1
    runs = [begin(f"of {number}", iterations=iterations, memory="counted", precision="float64") for number in (1, processes)]
    together(runs[0], 1)
    together(runs[1], processes)
    one, several = (run.metrics()[-1] for run in runs)
    assert one["iteration"] == iterations
    assert several["training"] == pytest.approx(one["training"], abs=1e-6)
    assert several["held_out"] == pytest.approx(one["held_out"], abs=1e-6)


@pytest.mark.parametrize("memory", MEMORIES)
def test_an_error_while_a_row_is_written_leaves_the_processes_in_step(begin, started, together, training_of, monkeypatch, memory):
    run = begin("run", iterations=20, memory=memory, memory_width=4, sample_at=(5, 10, 15))

    def broken(decoder, tokenizer, prompt, length, choice, seed) -> str:
        if next(rows) == 3:
            raise OSError("broken")
        return "text"

    rows = itertools.count(1)
    world, told = started.world(2), []
    monkeypatch.setattr(world, "tell", lambda message, tell=world.tell: (told.append(message), tell(message)))
    world.tell({"do": "train", "run": str(run.path), "settings": run.settings().to_dict(), "ids": None})
    with pytest.raises(OSError, match="broken"):
        list(training_of(run, world=world, write=broken))
    assert told[-1]["do"] == "learn" if memory == "counted" else told[-1]["ahead"]  # its part is too short for anything to be scored ahead
    world.tell({"do": "end"})
    together(run, 2)
    assert run.state() == "finished"


def test_a_run_goes_on_in_another_number_of_processes(begin, together):
    asked = {"iterations": 30, "memory": "learned", "memory_width": 4, "precision": "float64"}
    alone, run = begin("alone", **asked), begin("run", **asked)
    together(alone, 1)
    for processes, iterations in ((2, 8), (3, 9), (1, 100)):
        count = itertools.count()
        together(run, processes, stop=lambda count=count, iterations=iterations: next(count) > iterations)
    assert_same(alone, run, 1e-6)
    assert run.state() == "finished"


def test_more_processes_than_windows_learn_as_well(begin, together):
    asked = {"iterations": 6, "batch": 2, "memory": "learned", "memory_width": 4, "precision": "float64"}
    alone, run = begin("alone", **asked), begin("run", **asked)
    together(alone, 1)
    together(run, 4)
    assert_same(alone, run, 1e-9)


def test_all_work_on_the_held_out_books_is_shared_out(begin, together, started):
    """If the others scored nothing, process 0 would find zeros where their bits belong."""
    run = begin(iterations=6)
    events = [event for event in together(run, 3) if isinstance(event, Evaluated)]
    assert all(2 < event.held_out < 20 for event in events)


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_if_one_process_ends_the_training_ends_with_a_sentence(begin, training_of, signal):
    run = begin(iterations=100_000)
    with Started(3, FOLLOWER) as three:
        world = three.world(3)
        world.tell({"do": "train", "run": str(run.path), "settings": run.settings().to_dict(), "ids": None})
        training = training_of(run, world=world)
        for _ in range(20):
            next(training)
        os.kill(three.processes[1], getattr(signals, signal))
        with pytest.raises(TrainingFailed, match=r"Process 3 of the 3 .* ended from outside.*--processes 1"):
            list(training)
    for process in three.processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@pytest.mark.parametrize("file", ["corpus.bin", "nothing.bin"])
def test_what_goes_wrong_in_another_process_is_said_by_the_first(begin, training_of, tmp_path, file):
    run = begin()
    (tmp_path / "corpus.bin").write_bytes(b"12")
    with Started(2, FOLLOWER) as two:
        world = two.world(2)
        world.tell({"do": "train", "run": str(run.path), "settings": run.settings().to_dict(), "ids": str(tmp_path / file)})
        with pytest.raises(TrainingFailed, match=file.replace(".", r"\.")):
            list(training_of(run, world=world))


def test_a_file_in_the_present_folder_is_not_taken_for_a_module(begin, training_of, tmp_path, monkeypatch):
    for name in ("random", "encodings", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    run = begin(iterations=2)
    with Started(2, FOLLOWER) as two:
        world = two.world(2)
        world.tell({"do": "train", "run": str(run.path), "settings": run.settings().to_dict(), "ids": None})
        assert len(list(training_of(run, world=world))) > 2


def test_what_cannot_even_start_ends_the_training_with_its_exit_code():
    with Started(2, "paznja.no_such_module") as two, pytest.raises(TrainingFailed, match=r"Process 2 of the 2 .* exit code 1"):
        two.world(2).sum([1.0])


def small(**training) -> Settings:
    return customise(SMALL, **training)


def test_a_number_that_was_left_open_is_measured(started):
    settings = replace(small(), model=replace(small().model, vocabulary=20, context=32), training=replace(small().training, threads=0))
    picked = share_out(settings, started).training
    assert picked.processes in {1, 2, 4}
    assert picked.threads == max(1, num_cores() // picked.processes)


def test_if_the_others_end_while_it_is_measured_one_process_trains_alone():
    settings = replace(small(), model=replace(small().model, vocabulary=20))
    with Started(3, "paznja.no_such_module") as broken:
        assert share_out(settings, broken).training.processes == 1
        assert broken.world(1).size == 1


@pytest.mark.parametrize(
    ("recorded", "wanted", "there", "used"),
    [(0, None, 1, 1), (1, None, 4, 1), (2, None, 4, 2), (3, None, 1, 1), (2, 3, 4, 3), (3, 1, 4, 1), (4, 2, 2, 2)],
)
def test_a_run_that_goes_on_has_as_many_as_before_if_they_are_there(monkeypatch, started, recorded, wanted, there, used):
    monkeypatch.setattr("paznja.training.sharing_out.num_cores", lambda: 4)
    monkeypatch.setattr(started, "size", there)
    settings = replace(small(), training=replace(small().training, processes=recorded))
    assert to_go_on(settings, wanted, started).training.processes == used


def test_a_run_from_a_larger_machine_has_one_process_a_core_unless_it_asked_for_more(monkeypatch, started):
    monkeypatch.setattr("paznja.training.sharing_out.num_cores", lambda: 2)
    recorded = replace(small(), training=replace(small().training, processes=4))
    assert to_go_on(recorded, None, started).training.processes == 2
    assert to_go_on(small(processes=4), None, started).training.processes == 4


def test_more_than_can_be_is_wrong_use(monkeypatch, started):
    monkeypatch.setattr(started, "size", 1)
    with pytest.raises(WrongUse, match="--processes"):
        share_out(small(processes=2), started)
    with pytest.raises(WrongUse, match="--processes"):
        to_go_on(small(), 2, started)
