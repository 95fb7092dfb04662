"""Runs of a very small network on a piece of a real story, and trainings of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import paznja
from paznja.config import ModelConfig, SamplingConfig, Settings, TrainingConfig, customise, new_stretch
from paznja.run import BookRecord, Run, RunRecord
from paznja.run.records import BooksRecord
from paznja.run.writing import RunWriter
from paznja.tokenizers import load_tokenizer
from paznja.tokenizers.characters import CharacterTokenizer
from paznja.training.events import Event
from paznja.training.loop import train
from paznja.training.parts import Parts, assemble, begin_from

torch.set_num_threads(1)  # the tests run side by side

TRAINING_CHARACTERS = 5000
HELD_OUT_CHARACTERS = 900

SMALL = Settings(
    model=ModelConfig(layers=1, width=8, heads=2, hidden=12, context=8),
    training=TrainingConfig(
        batch=4,
        optimizer="muon",
        matrix_learning_rate=0.02,
        learning_rate=0.005,
        weight_decay=0.0,
        warm_up=2,
        decay=0.6,
        device="cpu",
        precision="float32",
        threads=1,
        checkpoint_seconds=1e6,
    ),
    sampling=SamplingConfig(prompts=("Ово је ",), sample_at=(10, 20, 50), length=12, num_between=0),
)
"""The tests use this, so that they do not depend on the presets."""


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """A folder of prepared data: the beginning of a story, and two later pieces of it held out."""
    story = (Path(paznja.__file__).parent / "corpus" / "stories" / "kavez.txt").read_text(encoding="utf-8")
    pieces = [story[:TRAINING_CHARACTERS], story[TRAINING_CHARACTERS:][:HELD_OUT_CHARACTERS], story[-HELD_OUT_CHARACTERS:]]
    tokenizer = CharacterTokenizer.learn(pieces[:1])
    folder = tmp_path_factory.mktemp("prepared")
    records: list[BookRecord] = []
    with open(folder / "corpus.bin", "wb") as file:
        for number, piece in enumerate(pieces):
            ids = tokenizer.encode(piece)
            ids.tofile(file)
            records.append(BookRecord(f"Књига {number}", "", f"{number}.txt", "", f"{number:064d}", len(piece), len(ids), number > 0))
    (folder / "corpus.json").write_bytes(BooksRecord(tuple(records)).to_json())
    (folder / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    return folder


@pytest.fixture
def begin(prepared: Path, tmp_path: Path) -> Callable[..., Run]:
    """Makes a run that can be trained, in which everything is small; `changes` are settings as `customise` takes them."""

    def make(name: str = "run", *, iterations: int | None = None, minutes: float | None = None, **changes: Any) -> Run:
        if iterations is None and minutes is None:
            iterations = 12
        settings = customise(SMALL, **changes)
        vocabulary = load_tokenizer(prepared / "tokenizer.json", "characters").size
        settings = replace(settings, model=replace(settings.model, vocabulary=vocabulary))
        with RunWriter.create(tmp_path, name, RunRecord(settings, (new_stretch(minutes, iterations),)), prepared) as writer:
            return writer.run

    return make


Training = Callable[..., Iterator[Event]]


@pytest.fixture(scope="session")
def training_of() -> Training:
    """The events of a training that goes on with a run from where it is."""

    def make(run: Run, *, opened: type[RunWriter] = RunWriter, with_parts: Callable[[Parts], None] | None = None, **replaced: Any):
        """`replaced`: what `assemble` is given; `with_parts` may look at the parts, and exchange some, before the loop begins."""
        with opened.open(run) as writer:
            record = run.record()
            parts = assemble(
                writer, record.settings, record.stretches[-1], load_tokenizer(run.path / "tokenizer.json", "characters"), **replaced
            )
            checkpoint, _ = begin_from(parts, writer)
            writer.cut_back(checkpoint)
            if with_parts is not None:
                with_parts(parts)
            yield from train(parts)

    return make


@pytest.fixture(scope="session")
def worse_after() -> Callable[[int], Callable[..., float]]:
    """Learning rates that are normal up to an iteration, and from then on far too high, on any machine."""

    def make(iteration: int) -> Callable[..., float]:
        return lambda number, *_: 1.0 if number <= iteration else 1e4

    return make
