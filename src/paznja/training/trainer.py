"""The trainer: updates the weights and reports what happens, as a generator of events.

It prints nothing, draws nothing and writes only what it hands to the `Run`. Everything that it has to remember is in
`Trainer.position` and in tensors, so a killed run goes on from its last checkpoint, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from paznja.config import Settings
from paznja.errors import RunError, TrainingFailed
from paznja.evaluation.bits_per_character import Piece, score
from paznja.generation import Choice, continuation
from paznja.model.decoder import Decoder
from paznja.run import Run
from paznja.tokenizers import Tokenizer
from paznja.training import checkpoint
from paznja.training.events import Evaluated, Event, Finished, Paused, Progress, Rethreaded, Sampled, Saved, Scoring
from paznja.training.machine import PRECISIONS, peak_memory, thread_candidates
from paznja.training.material import material_for
from paznja.training.optimizers import Optimizers
from paznja.training.progress_log import ProgressLog
from paznja.training.schedule import Budget, Clock, SamplesBetween, is_row, is_scored, learning_rate_factor
from paznja.training.threads import Threads

SCORING_SHARE = 0.1
"""All held-out books are scored at the end if scoring then takes at most this share of the run; otherwise only the fixed part."""

SAVING_SHARE = 0.05
"""Checkpoints take at most this share of the time."""


@dataclass
class Position:
    """Where the training is: what a checkpoint keeps besides the tensors."""

    iteration: int = 0
    seconds: float = 0.0
    characters_seen: int = 0
    windows_drawn: int = 0
    training_bits: float | None = None
    best_held_out: float | None = None
    row_at: int = -1
    """The last iteration that has a row in the table."""
    evaluated_at: int = -1
    """The last iteration that was scored."""
    scoring_speed: float | None = None
    """Tokens per second in the last scoring."""
    scoring_seconds: float = 0.0
    """Seconds that scoring at the rows has taken."""
    sampled_between: int = 0
    """How many samples were written between the rows."""
    sampled_last: float = 0.0
    """When the last of them was written, in seconds or iterations, like the budget."""
    sampling_seconds: float = 0.0
    """Seconds that the samples between the rows have taken."""


class Trainer:
    """One run's training, from its start or from its last checkpoint to the end of its budget."""

    def __init__(self, run: Run, settings: Settings, tokenizer: Tokenizer, *, stop: Callable[[], bool] = lambda: False) -> None:
        """`settings` must be complete, with nothing left to pick. `stop` is called after every iteration and during scoring."""
        self.run, self.settings, self.tokenizer, self._stop_asked = run, settings, tokenizer, stop
        config = settings.training
        seconds = None if config.minutes is None else 60 * config.minutes
        self.budget = Budget(seconds, config.iterations, config.from_iteration, config.from_seconds)
        torch.set_num_threads(config.threads)
        self.device = torch.device(config.device)
        self.model = checkpoint.blank(settings.model, config.seed).to(self.device)
        self.optimizers = Optimizers(self.model, config)
        self.material = material_for(run, settings, tokenizer)
        self._network = torch.compile(self.model) if config.compiled else self.model
        self._precision = PRECISIONS[config.precision]
        self._scores = config.scoring != "none"
        self._choice = Choice(temperature=settings.sampling.temperature)
        self._stopping = False
        self._threads = self._watched_threads()
        self._slowest_save = 0.0
        self._sound = True
        """Whether the network has the weights that were learnt last."""
        self.position = Position()
        self.remarks: list[str] = []
        """What the user should know about where the run goes on from."""
        self._stored: dict[str, Any] | None = None
        self._prepared = False
        self._resume()

    # --- the loop -------------------------------------------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """Train. The caller holds the run's lock. Raises TrainingFailed for a loss that is not finite; the last checkpoint stays good."""
        self.prepare_folder()
        position, config = self.position, self.settings.training
        self._clock = Clock(position.seconds)
        between = SamplesBetween(
            self.settings.sampling.num_between, self.settings.sampling.length, position.sampled_between, position.sampled_last
        )
        yield from self.material.begin(self.model, new=position.iteration == 0)
        position.seconds = last_save = self._clock.seconds()
        progress_log, progress = ProgressLog(self.run), None
        speeds: list[tuple[float, int]] = [(position.seconds, position.characters_seen)]
        if self._has_row():  # a stop or a crash may have come before the row was complete
            yield from self._row()
            if self._is_scored():
                yield from self._evaluate()
        while not self._stopping and not self._spent():
            factor = learning_rate_factor(
                position.iteration + 1 - self.budget.from_iteration, self._fraction(), config.warm_up, config.decay
            )
            start = time.perf_counter()
            self._iterate(factor)
            threads = self._threads.took(time.perf_counter() - start)
            torch.set_num_threads(self._threads.number)
            position.seconds = self._clock.seconds()
            speeds = [*speeds[-30:], (position.seconds, position.characters_seen)]
            progress = self._progress(speeds)
            progress_log.add(progress)
            yield progress
            if threads is not None:
                yield Rethreaded(position.iteration, threads)
            asked = yield from self._obey()
            if self._has_row():
                yield from self._row()
                if self._is_scored():
                    yield from self._evaluate()
            elif asked:
                yield from self._row()
            elif not self._spent():  # the end has a row
                yield from self._between(between)
            position.seconds = self._clock.seconds()
            if position.seconds - last_save >= max(config.checkpoint_seconds, self._slowest_save / SAVING_SHARE):
                yield self._save(finished=False)
                last_save = self._clock.seconds()
            self._stopping = self._stopping or self._stop_asked()
        if progress is not None:
            progress_log.add(progress, in_any_case=True)
        yield from self._end()

    def _iterate(self, factor: float) -> None:
        batch = self.material.next()
        with torch.autocast(self.device.type, self._precision, enabled=self._precision != torch.float32):
            loss = self._network(batch.ids.to(self.device), batch.next_ids.to(self.device), batch.evidence)
        loss.backward()
        norm = self.optimizers.step(factor)
        nats = float(loss.detach())
        position = self.position
        if not (math.isfinite(nats) and math.isfinite(norm)):
            raise self._failure(position.iteration + 1)
        characters = self.tokenizer.count_characters(batch.next_ids.numpy())
        bits = nats / math.log(2) * batch.next_ids.numel() / max(1, characters)
        position.training_bits = bits if position.training_bits is None else 0.95 * position.training_bits + 0.05 * bits
        position.characters_seen += characters
        position.windows_drawn = self.material.windows_drawn
        position.iteration += 1

    def _watched_threads(self) -> Threads:
        """Reconsidered only with a budget of minutes: a run with a budget of iterations has to end the same, bit for bit."""
        config = self.settings.training
        watched = config.minutes is not None and config.device == "cpu" and "threads" not in self.settings.asked
        return Threads(config.threads, thread_candidates() if watched else ())

    def _failure(self, iteration: int) -> TrainingFailed:
        return TrainingFailed(
            f"The loss stopped being a number at iteration {iteration}. "
            f"{'The last good checkpoint is kept.' if self.run.position() else 'Nothing was saved yet.'} "
            f"Begin a new run with a lower --learning-rate than {self.settings.training.learning_rate:g}, say a third of it."
        )

    def _progress(self, speeds: list[tuple[float, int]]) -> Progress:
        position = self.position
        (then, before), (now, seen) = speeds[0], speeds[-1]
        fraction = self._fraction()
        segment = position.seconds - self.budget.from_seconds
        left = self.budget.seconds - segment if self.budget.seconds is not None else segment * (1 - fraction) / max(fraction, 1e-9)
        assert position.training_bits is not None
        return Progress(
            iteration=position.iteration,
            seconds=position.seconds,
            fraction=fraction,
            training_bits=position.training_bits,
            characters_seen=seen,
            characters_per_second=(seen - before) / max(now - then, 1e-9),
            seconds_left=max(0.0, left),
        )

    def _obey(self) -> Generator[Event, None, bool]:
        """Do what was asked for through the folder; returns whether a row of the table was asked for."""
        asked = deque(self.run.take_commands())
        sample = False
        while asked and not self._stopping:
            command = asked.popleft()
            sample = sample or command == "sample"
            self._stopping = command == "stop"
            if command == "pause":
                yield self._save(finished=False)
                yield Paused(self.position.iteration)
                with self._clock.stopped():
                    while not (self._stop_asked() or {"go-on", "stop"} & set(asked)):
                        sample = sample or "sample" in asked
                        asked = deque(self.run.take_commands())
                        if not asked:
                            time.sleep(0.05)
        return sample

    def _end(self) -> Iterator[Event]:
        """The last row, the last scoring and the last checkpoint; a stopped run only saves."""
        complete = not self._stopping
        whole: float | None = None
        if complete:
            yield from self._row()
            yield from self._evaluate()
            whole = yield from self._evaluate_whole()
            complete = not self._stopping
        yield self._save(finished=complete)
        position = self.position
        best = position.best_held_out if whole is None else whole
        is_whole = best is not None and (whole is not None or self._whole_tokens() == 0)
        yield Finished(position.iteration, self._clock.seconds(), complete, best, is_whole)

    # --- the budget -----------------------------------------------------------------------------------------------------------------

    def _fraction(self) -> float:
        return self.budget.fraction(self.position.iteration, self.position.seconds, self._reserved())

    def _spent(self) -> bool:
        """Whether the budget is spent; it always has room for one iteration."""
        return self.position.iteration > self.budget.from_iteration and self._fraction() >= 1.0

    def _reserved(self) -> float:
        """Seconds of a budget of minutes that the end will need for scoring and the checkpoint, as far as is known yet."""
        if self.budget.seconds is None:
            return 0.0
        seconds = 2 * self._slowest_save
        if self.position.scoring_speed is not None:
            tokens = self._part_tokens() + (self._whole_tokens() or 0)
            seconds += tokens / self.position.scoring_speed
        return min(0.5 * self.budget.seconds, seconds)

    def _whole_tokens(self) -> int | None:
        """How many tokens the scoring of all held-out books takes: 0 if the fixed part is all of them.

        None if they are not scored, because of the settings or because it would take too long.
        """
        if not self._scores:
            return None
        tokens = sum(map(len, self.material.held_out))
        if tokens == sum(map(len, self.material.held_out_part)):
            return 0
        if self.settings.training.scoring == "part":
            return None
        segment = self.position.seconds - self.budget.from_seconds
        planned = self.budget.seconds if self.budget.seconds is not None else segment
        speed = self.position.scoring_speed
        return tokens if speed and self.position.scoring_seconds + tokens / speed <= SCORING_SHARE * planned else None

    # --- what it shows --------------------------------------------------------------------------------------------------------------

    def _has_row(self) -> bool:
        """Whether this iteration has a row in the table other than the last one."""
        counted_alone = self.material.memory is not None and self.position.iteration == 0
        return (counted_alone or is_row(self.position.iteration, self.settings.sampling.sample_at)) and not self._spent()

    def _is_scored(self) -> bool:
        """Whether this row is scored, unless it is the last one."""
        position = self.position
        cost = self._part_tokens() / position.scoring_speed if position.scoring_speed else 0.0
        counted_alone = self.material.memory is not None and position.iteration == 0
        sample_at = (0,) if counted_alone else self.settings.sampling.sample_at
        return is_scored(position.iteration, sample_at, position.scoring_seconds, cost, self.budget.seconds)

    def _part_tokens(self) -> int:
        """How many tokens are scored at a row."""
        return sum(map(len, self.material.held_out_part)) + sum(map(len, self.material.training_part))

    def _row(self) -> Iterator[Event]:
        """Write a row of the table for every prompt, at most once per iteration."""
        position = self.position
        if position.row_at == position.iteration:
            return
        decoder = self._decoder()
        for prompt in self.settings.sampling.prompts:
            yield self._sample(decoder, prompt, self.settings.sampling.length, row=True)
        position.row_at = position.iteration

    def _between(self, between: SamplesBetween) -> Iterator[Event]:
        """Write a sample for the slider, if one is due."""
        position = self.position
        iterations = self.budget.iterations is not None
        segment_seconds = position.seconds - self.budget.from_seconds
        segment = float(position.iteration - self.budget.from_iteration) if iterations else segment_seconds
        end = float(self.budget.iterations) if self.budget.iterations is not None else float(self.budget.seconds or 0)
        planned = segment_seconds / segment * end
        if not between.due(segment, end, planned, position.sampling_seconds):
            return
        start = time.perf_counter()
        event = self._sample(self._decoder(), self.settings.sampling.prompts[0], between.characters, row=False)
        cost = time.perf_counter() - start
        between.took(segment, cost)
        position.sampling_seconds += cost
        position.sampled_between, position.sampled_last = between.taken, between.last
        yield event

    def _sample(self, decoder: Decoder, prompt: str, length: int, *, row: bool) -> Sampled:
        sampling, position = self.settings.sampling, self.position
        text = continuation(decoder, self.tokenizer, prompt, length, self._choice, seed=sampling.seed)
        event = Sampled(position.iteration, self._clock.seconds(), prompt, text, row)
        self.run.append_sample({**asdict(event), "seed": sampling.seed, "temperature": sampling.temperature})
        return event

    def _decoder(self) -> Decoder:
        state = {name: tensor.float().cpu().numpy() for name, tensor in self.model.state_for_export().items()}
        return Decoder(self.settings.model, state, self.material.memory)

    def _evaluate(self) -> Iterator[Event]:
        """Score the fixed parts, log the figures, keep the weights if they are the best; give up if a stop is asked for meanwhile."""
        position = self.position
        if not self._scores or position.evaluated_at == position.iteration:
            return
        start = time.perf_counter()
        pieces = [*self.material.held_out_part, *self.material.training_part]
        bits = yield from self._score(pieces, whole=False)
        if bits is None:
            return
        tokens = sum(map(len, pieces))
        took = time.perf_counter() - start
        position.scoring_speed = tokens / took
        position.scoring_seconds += took
        parts = len(self.material.held_out_part)
        held_out = sum(bits[:parts]) / self._characters(self.material.held_out_part)
        training = sum(bits[parts:]) / self._characters(self.material.training_part)
        if not math.isfinite(held_out + training):
            raise self._failure(position.iteration)
        best = position.best_held_out is None or held_out < position.best_held_out
        if best:
            position.best_held_out = held_out
            about = {"iteration": position.iteration, "held_out": held_out}
            self.run.write_file(checkpoint.WEIGHTS, checkpoint.pack(self.model.state_for_export(small=True), about))
        position.evaluated_at = position.iteration
        whole = held_out if self._whole_tokens() == 0 else None
        yield self._log(Evaluated(position.iteration, self._clock.seconds(), training, held_out, whole, best))

    def _evaluate_whole(self) -> Generator[Event, None, float | None]:
        """Score all held-out books with the best weights; returns None if that takes too long or a stop is asked for."""
        position = self.position
        tokens = self._whole_tokens()
        if tokens is None:
            return None
        if tokens == 0:
            return position.best_held_out
        current = {name: tensor.clone() for name, tensor in self.model.state_for_export().items()}
        best = checkpoint.unpack(self.run.read_weights(), checkpoint.WEIGHTS)
        self.model.load_exported(best)
        self._sound = False
        bits = yield from self._score(self.material.held_out, whole=True)
        self.model.load_exported(current)
        self._sound = True
        if bits is None:
            return None
        whole = sum(bits) / self._characters(self.material.held_out)
        last = self.run.metrics()[-1]
        assert position.best_held_out is not None
        yield self._log(Evaluated(position.iteration, self._clock.seconds(), last["training"], last["held_out"], whole, best=False))
        return whole

    def _score(self, pieces: list[Piece], *, whole: bool) -> Generator[Event, None, list[float] | None]:
        remembered = self.material.remembered(whole=whole)
        # A CPU scores in float32, whatever the precision of the training, so that `evaluate` gives the same figure.
        precision = torch.float32 if self.device.type == "cpu" else self._precision
        scoring = score(self.model, pieces, self.tokenizer.newline, precision=precision, remembered=remembered)
        while True:
            try:
                done, total = next(scoring)
            except StopIteration as finished:
                return finished.value
            yield Scoring(done, total)
            if self._stop_asked():
                self._stopping = True
                return None

    def _log(self, event: Evaluated) -> Evaluated:
        position = self.position
        self.run.append_metrics(
            {
                "iteration": event.iteration,
                "seconds": event.seconds,
                "characters_seen": position.characters_seen,
                "training": event.training,
                "held_out": event.held_out,
                "held_out_whole": event.held_out_whole,
                "peak_memory_bytes": peak_memory(),
            }
        )
        return event

    def _characters(self, pieces: list[Piece]) -> int:
        return sum(self.tokenizer.count_characters(piece) for piece in pieces)

    # --- saving and resuming --------------------------------------------------------------------------------------------------------

    def save_if_sound(self) -> None:
        """Save before an error in the code that receives the events ends the training; called between two iterations."""
        if self._sound and self.position.iteration:
            self._save(finished=False)

    def _save(self, *, finished: bool) -> Saved:
        start = time.perf_counter()
        position: dict[str, Any] = {**asdict(self.position), "seconds": self._clock.seconds(), "finished": finished}
        weights = checkpoint.pack(self.model.state_for_export(), None if self._scores else {"iteration": self.position.iteration})
        if not self._scores:  # nobody knows which weights are the best, so the run keeps the last ones
            self.run.write_file(checkpoint.WEIGHTS, weights)
        self.run.write_checkpoint(
            position, {checkpoint.WEIGHTS: weights, checkpoint.OPTIMIZER: checkpoint.pack(self.optimizers.state_tensors())}
        )
        self._slowest_save = max(self._slowest_save, time.perf_counter() - start)
        return Saved(self.position.iteration, position["seconds"])

    def prepare_folder(self) -> None:
        """Cut the run's folder back to where this training goes on from; once, and only after everything needed was read."""
        if not self._prepared:
            self._prepared = True
            self.run.take_commands()  # left over from an earlier trainer
            remark = self.run.cut_back(self._stored)
            self.remarks += [remark] if remark else []

    def _resume(self) -> None:
        """Restore everything from the run's newest usable checkpoint; a run without one starts over. Changes nothing on disk."""
        self._stored, self.remarks = checkpoint.newest_usable(self.run)
        stored = self._stored
        if stored is None:
            return
        try:
            # A run of an older version lacks some fields.
            self.position = Position(**{name: stored[name] for name in asdict(self.position) if name in stored})
            self.material.windows_drawn = stored["windows_drawn"]
        except (KeyError, TypeError) as error:
            raise RunError(f"{self.run.path / stored['checkpoint'] / 'position.json'} is damaged ({error}).") from None
        if self.position.iteration == self.settings.training.from_iteration:
            # A new stretch has samples between its rows like a run of its own.
            self.position.sampled_between, self.position.sampled_last, self.position.sampling_seconds = 0, 0.0, 0.0
            self.position.scoring_seconds = 0.0
        folder = self.run.path / stored["checkpoint"]
        for file, take in ((checkpoint.WEIGHTS, self.model.load_exported), (checkpoint.OPTIMIZER, self.optimizers.load_state_tensors)):
            try:
                take(checkpoint.unpack(self.run.read_checkpoint(file, stored), str(folder / file)))
            except (KeyError, RuntimeError, ValueError) as error:
                raise RunError(f"{folder / file} does not fit the model that run.toml describes ({error}).") from None
        weights = self.run.path / checkpoint.WEIGHTS
        if weights.is_file():
            # These weights may be newer than the checkpoint, and better: the best ones stay.
            content = weights.read_bytes()
            checkpoint.unpack(content, str(weights))
            best = checkpoint.header(content, str(weights)).get("held_out")
            if best is not None:
                self.position.best_held_out = min(best, self.position.best_held_out or best)
