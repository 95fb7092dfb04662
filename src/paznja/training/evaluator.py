"""Measures the network on held-out text while it learns, and keeps the best weights."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from paznja.config import Stretch, TrainingConfig
from paznja.evaluation.bits_per_character import Piece
from paznja.machine import peak_memory
from paznja.model.weights import pack, unpack
from paznja.run.layout import WEIGHTS
from paznja.run.writing import RunWriter
from paznja.tokenizers import Tokenizer
from paznja.training.events import Evaluated, Event, Scoring
from paznja.training.learner import Learner
from paznja.training.material import Material
from paznja.training.meter import Meter
from paznja.training.schedule import Clock, Place, Stop
from paznja.training.scoring import Scorer

SCORING_SHARE = 0.1
"""All held-out books are scored at the end if scoring then takes at most this share of the run; otherwise only the fixed part."""


class NotANumber(ArithmeticError):
    """The loss is not finite, at this iteration: the learning rate is too high."""

    def __init__(self, iteration: int) -> None:
        super().__init__(iteration)
        self.iteration = iteration


class Evaluator:
    """Scores the held-out books of one training."""

    def __init__(
        self,
        writer: RunWriter,
        learner: Learner,
        material: Material,
        tokenizer: Tokenizer,
        config: TrainingConfig,
        stretch: Stretch,
        clock: Clock,
        meter: Meter,
        scorer: Scorer,
        *,
        stop: Stop,
        share: float = SCORING_SHARE,
    ) -> None:
        """`stop` is asked during the scoring, which then breaks off. `share`: of the run, for scoring all held-out books at the end."""
        self._writer, self._learner, self._material, self._tokenizer = writer, learner, material, tokenizer
        self._stretch, self._clock, self._meter, self._scorer, self._stop, self._share = stretch, clock, meter, scorer, stop, share
        self._mode = config.scoring
        self._best: float | None = None
        """Bits per character of the best weights on the fixed part of the held-out books."""
        self._evaluated_at = -1
        """The last iteration that was scored."""
        self._speed: float | None = None
        """Tokens per second in the last scoring."""
        self.seconds = 0.0
        """Seconds that scoring at the rows has taken."""

    @property
    def scores(self) -> bool:
        """Whether anything is scored at all."""
        return self._mode != "none"

    @property
    def best(self) -> float | None:
        """The best bits per character on the fixed part so far; None if nothing was scored."""
        return self._best

    @property
    def is_whole(self) -> bool:
        """Whether the fixed part is all of the held-out books."""
        return self.scores and sum(map(len, self._material.held_out)) == sum(map(len, self._material.held_out_part))

    def cost(self) -> float:
        """Seconds that scoring the fixed parts takes, as far as is known yet."""
        return self._part_tokens() / self._speed if self._speed else 0.0

    def cost_at_end(self, place: Place) -> float:
        """Seconds that all scoring at the end of the training will take, as far as is known yet."""
        return (self._part_tokens() + (self._whole_tokens(place) or 0)) / self._speed if self._speed else 0.0

    def ahead(self, place: Place) -> AbstractContextManager[None]:
        """Inside the block other processes score already a part of what `parts` will score, while this one writes."""
        return self._scorer.ahead() if self.scores and self._evaluated_at != place.iteration else nullcontext()

    def parts(self, place: Place) -> Iterator[Event]:
        """Score the fixed parts, log the figures, keep the weights if they are the best; breaks off if a stop is asked for.

        At most once per iteration. Raises NotANumber.
        """
        if not self.scores or self._evaluated_at == place.iteration:
            return
        held_out, training = self._material.held_out_part, self._material.training_part
        start = self._clock.now()
        bits = yield from self._scored(whole=False)
        if bits is None:
            return
        took = self._clock.now() - start
        self._speed = (self._part_tokens() - self._scorer.tokens_ahead) / took
        self.seconds += took
        held_out_bits = sum(bits[: len(held_out)]) / self._characters(held_out)
        training_bits = sum(bits[len(held_out) :]) / self._characters(training)
        if not math.isfinite(held_out_bits + training_bits):
            raise NotANumber(place.iteration)
        is_best = self._best is None or held_out_bits < self._best
        if is_best:
            self._best = held_out_bits
            about = {"iteration": place.iteration, "held_out": held_out_bits}
            self._writer.write_file(WEIGHTS, pack(self._learner.model.state_for_export(small=True), about))
        self._evaluated_at = place.iteration
        whole = held_out_bits if self.is_whole else None
        yield self._logged(Evaluated(place.iteration, self._clock.seconds(), training_bits, held_out_bits, whole, is_best))

    def whole(self, place: Place) -> Generator[Event, None, float | None]:
        """Score all held-out books with the best weights; returns None if that takes too long or a stop is asked for."""
        tokens = self._whole_tokens(place)
        if tokens is None:
            return None
        if tokens == 0:
            return self._best
        with self._learner.other_weights(unpack(self._writer.run.read_weights(), WEIGHTS)):
            bits = yield from self._scored(whole=True)
        if bits is None:
            return None
        whole = sum(bits) / self._characters(self._material.held_out)
        last = self._writer.run.metrics()[-1]
        yield self._logged(Evaluated(place.iteration, self._clock.seconds(), last["training"], last["held_out"], whole, best=False))
        return whole

    def _scored(self, *, whole: bool) -> Generator[Event, None, list[float] | None]:
        scoring = self._scorer.score(whole=whole)
        while True:
            try:
                done, total = next(scoring)
            except StopIteration as finished:
                return finished.value
            yield Scoring(done, total)
            if self._stop.ask():
                return None

    def _logged(self, event: Evaluated) -> Evaluated:
        self._writer.append_metrics(
            {
                "iteration": event.iteration,
                "seconds": event.seconds,
                "characters_seen": self._meter.characters_seen,
                "training": event.training,
                "held_out": event.held_out,
                "held_out_whole": event.held_out_whole,
                "peak_memory_bytes": peak_memory(),
            }
        )
        return event

    def _part_tokens(self) -> int:
        """How many tokens are scored at a row."""
        return sum(map(len, self._material.held_out_part)) + sum(map(len, self._material.training_part))

    def _whole_tokens(self, place: Place) -> int | None:
        """How many tokens the scoring of all held-out books takes: 0 if the fixed part is all of them.

        None if they are not scored, because of the settings or because it would take too long.
        """
        if not self.scores:
            return None
        if self.is_whole:
            return 0
        if self._mode == "part":
            return None
        tokens = sum(map(len, self._material.held_out))
        planned = self._stretch.seconds if self._stretch.seconds is not None else place.seconds - self._stretch.from_seconds
        return tokens if self._speed and self.seconds + tokens / self._speed <= self._share * planned else None

    def _characters(self, pieces: list[Piece]) -> int:
        return sum(self._tokenizer.count_characters(piece) for piece in pieces)

    def begin_stretch(self) -> None:
        """A new stretch has its own share of time for scoring."""
        self.seconds = 0.0

    def keep_best(self, held_out: float) -> None:
        """The run's weights, which may be newer than the checkpoint, reached this figure: only better ones replace them."""
        self._best = min(held_out, self._best or held_out)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "best_held_out": self._best,
            "evaluated_at": self._evaluated_at,
            "scoring_speed": self._speed,
            "scoring_seconds": self.seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._best, self._evaluated_at = state["best_held_out"], state["evaluated_at"]
        self._speed, self.seconds = state["scoring_speed"], state.get("scoring_seconds", 0.0)
