"""The parts of a training, put together for one run; and where they begin: fresh from a seed, or from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from paznja.config import Settings, Stretch
from paznja.evaluation.bits_per_character import score
from paznja.generation import continuation
from paznja.model.weights import header, unpack
from paznja.run import CheckpointRecord
from paznja.run.layout import WEIGHTS
from paznja.run.writing import RunWriter
from paznja.tokenizers import Tokenizer
from paznja.training.checkpointer import Checkpointer, newest_usable
from paznja.training.director import Director
from paznja.training.evaluator import SCORING_SHARE, Evaluator
from paznja.training.learner import Learner
from paznja.training.material import Material, material_for
from paznja.training.meter import Meter
from paznja.training.sampler import Sampler, Write
from paznja.training.schedule import Clock, Place, SamplesBetween, Stop, learning_rate_factor
from paznja.training.scoring import Score, Scorer
from paznja.training.sharing_out import workers_of
from paznja.training.surprise import Surprise
from paznja.world import World
from paznja.world.alone import Alone


@dataclass
class Parts:
    """What the loop joins."""

    world: World
    place: Place
    clock: Clock
    stretch: Stretch
    learner: Learner
    material: Material
    meter: Meter
    sampler: Sampler
    surprise: Surprise
    evaluator: Evaluator
    checkpointer: Checkpointer
    director: Director


def assemble(
    writer: RunWriter,
    settings: Settings,
    stretch: Stretch,
    tokenizer: Tokenizer,
    *,
    world: World | None = None,
    ids: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    clock: Clock | None = None,
    write: Write = continuation,
    score: Score = score,
    learning_rate: Callable[[int, float, int, float], float] = learning_rate_factor,
    scoring_share: float = SCORING_SHARE,
    sampling_share: float = SamplesBetween.SHARE,
) -> Parts:
    """The parts for a run, with the initial weights that the seed gives. `settings` must be complete, with nothing left to pick.

    `world`: the processes that train together; this is process 0. `ids`: the file with the books' ids, if the run does
    not keep it. `stop` is asked after every iteration and during scoring. What follows it replaces what a training usually uses.
    """
    config = settings.training
    clock, place, world = clock or Clock(), Place(), world or Alone()
    workers = workers_of(settings, world) if is_watched(settings, stretch) else None
    learner = Learner(settings.model, config, world=world, workers=workers, now=clock.now)
    material = material_for(writer.run, settings, tokenizer, ids, world)
    meter = Meter(writer, tokenizer, stretch)
    sampler = Sampler(writer, learner, material, tokenizer, settings.sampling, stretch, clock, write=write, share=sampling_share)
    kept = writer.run.record().corpus.kept
    surprise = Surprise(writer, learner, material, tokenizer.newline, clock, config.scored_tokens, kept=kept)
    stopping = Stop(stop)
    scorer = Scorer(learner, material, tokenizer.newline, world, score)
    evaluator = Evaluator(writer, learner, material, tokenizer, config, stretch, clock, meter, scorer, stop=stopping, share=scoring_share)
    saved = {"batches": material, "meter": meter, "sampler": sampler, "evaluator": evaluator}
    checkpointer = Checkpointer(writer, learner, saved, place, clock, scored=evaluator.scores)
    director = Director(
        writer,
        settings,
        stretch,
        clock,
        evaluator,
        checkpointer,
        row_at_start=settings.model.memory == "counted",
        stop=stopping,
        world=world,
        learning_rate=learning_rate,
    )
    return Parts(world, place, clock, stretch, learner, material, meter, sampler, surprise, evaluator, checkpointer, director)


def is_watched(settings: Settings, stretch: Stretch) -> bool:
    """Whether the number of workers may change: a run that ends at an iteration has to end the same, bit for bit."""
    return stretch.seconds is not None and settings.training.device == "cpu"


def begin_from(parts: Parts, writer: RunWriter) -> tuple[CheckpointRecord | None, list[str]]:
    """Put the parts where the run's newest usable checkpoint is; a run without one begins fresh. Changes nothing on disk.

    Returns the checkpoint, and what the user should know about it. RunError if there are checkpoints and none can be used.
    """
    run = writer.run
    stored, state, remarks = newest_usable(run)
    if stored is None:
        return None, remarks
    parts.checkpointer.restore(stored, state)
    parts.world.tell({"do": "go to", "material": parts.material.state_dict()})
    if parts.place.iteration == parts.stretch.from_iteration:
        parts.sampler.begin_stretch()
        parts.evaluator.begin_stretch()
    weights = run.path / WEIGHTS
    if weights.is_file():
        # These weights may be newer than the checkpoint, and better: the best ones stay.
        content = weights.read_bytes()
        unpack(content, str(weights))
        best = header(content, str(weights)).get("held_out")
        if best is not None:
            parts.evaluator.keep_best(best)
    return stored, remarks
