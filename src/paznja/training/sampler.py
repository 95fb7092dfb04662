"""What the network writes while it learns: the rows of the table, and the samples between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from paznja.config import SamplingConfig, Stretch
from paznja.generation import Choice, continuation
from paznja.model.decoder import Decoder
from paznja.run.writing import RunWriter
from paznja.tokenizers import Tokenizer
from paznja.training.events import Sampled
from paznja.training.learner import Learner
from paznja.training.material import Material
from paznja.training.schedule import Clock, Place, SamplesBetween

Write = Callable[..., str]
"""Continues a prompt, like `paznja.generation.continuation`."""


class Sampler:
    """Writes the samples of one training."""

    def __init__(
        self,
        writer: RunWriter,
        learner: Learner,
        material: Material,
        tokenizer: Tokenizer,
        config: SamplingConfig,
        stretch: Stretch,
        clock: Clock,
        *,
        write: Write = continuation,
        share: float = SamplesBetween.SHARE,
    ) -> None:
        """`share`: of the run's time, for the samples between the rows."""
        self._writer, self._learner, self._material, self._tokenizer = writer, learner, material, tokenizer
        self._config, self._stretch, self._clock, self._write = config, stretch, clock, write
        self._choice = Choice(temperature=config.temperature)
        self._row_at = -1
        """The last iteration that has a row in the table."""
        self._between = SamplesBetween(config.num_between, config.length, share=share)
        self._between_seconds = 0.0
        """Seconds that the samples between the rows have taken."""

    def row(self, place: Place) -> Iterator[Sampled]:
        """Write a row of the table for every prompt, at most once per iteration."""
        if self._row_at == place.iteration:
            return
        decoder = self._learner.decoder(self._material.memory)
        for prompt in self._config.prompts:
            yield self._sample(place, decoder, prompt, self._config.length, row=True)
        self._row_at = place.iteration

    def between(self, place: Place) -> Iterator[Sampled]:
        """Write a sample between the rows, if one is due."""
        seconds = place.seconds - self._stretch.from_seconds
        if self._stretch.iterations is not None:
            at, end = float(place.iteration - self._stretch.from_iteration), float(self._stretch.iterations)
        else:
            at, end = seconds, self._stretch.seconds or 0.0
        if not self._between.due(at, end, seconds / at * end, self._between_seconds):
            return
        start = self._clock.now()
        decoder, length = self._learner.decoder(self._material.memory), self._between.characters
        event = self._sample(place, decoder, self._config.prompts[0], length, row=False)
        took = self._clock.now() - start
        self._between.took(at, took)
        self._between_seconds += took
        yield event

    def _sample(self, place: Place, decoder: Decoder, prompt: str, length: int, *, row: bool) -> Sampled:
        text = self._write(decoder, self._tokenizer, prompt, length, self._choice, seed=self._config.seed)
        event = Sampled(place.iteration, self._clock.seconds(), prompt, text, row)
        self._writer.append_sample(
            {
                "iteration": event.iteration,
                "seconds": event.seconds,
                "prompt": prompt,
                "text": text,
                "row": row,
                "seed": self._config.seed,
                "temperature": self._config.temperature,
            }
        )
        return event

    def begin_stretch(self) -> None:
        """A new stretch has samples between its rows like a run of its own."""
        self._between.taken, self._between.last, self._between_seconds = 0, 0.0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "row_at": self._row_at,
            "sampled_between": self._between.taken,
            "sampled_last": self._between.last,
            "sampling_seconds": self._between_seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._row_at = state["row_at"]
        self._between.taken, self._between.last = state["sampled_between"], state["sampled_last"]
        self._between_seconds = state["sampling_seconds"]
