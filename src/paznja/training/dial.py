"""The one dial, `--minutes`: how large a network should be, from the minutes, the pace of this machine and the size of the books.

A small network learns fast and stops early, a large one learns slowly and gets further. For each memory a law, fitted to
measurements by `benchmarks/dial.py`, says what held-out loss a network of N multiplied weights has after D characters:
E + C (A / N^a + 1 / D)^b, the form of Kaplan and others (2020, arXiv:2001.08361) with a floor E. In this form, unlike in a sum of one
term for N and one for D, the size matters less if little was read. The dial takes the shape with the lowest loss.

If there is time, a shelf is read again and again; each repetition teaches less (Muennighoff and others, 2023,
arXiv:2305.16264), and a network that is large for its books learns them by heart. So a run on a small shelf ends before its minutes
are over, with the learning rate at zero by then; and its learned memory looks less far back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paznja.config import ModelConfig, Settings, adjust
from paznja.table import counted, duration

if TYPE_CHECKING:
    from paznja.training.pace import Pace

SHAPES = ((2, 128), (4, 128), (4, 192), (6, 256), (8, 320), (10, 448))
"""Layers and width of the networks to choose from, smallest first."""

BATCHES = ((1.5e6, 16), (8e6, 32), (math.inf, 64))
"""(most characters that a run reads, windows in an iteration): the longer a run, the more a precise step is worth."""

LEARNING_SHARE = 0.85
"""The share of the minutes that is left for learning; the rest goes into the table, scoring and saving."""

READINGS = 4.0
"""How often books may be read by a network with as many weights as they have characters, before it begins to learn them by heart.

A network with half as many weights may read them twice as often, and so on, up to `MOST_READINGS`.
"""
MOST_READINGS = 16.0
"""However small a network is for its books, it reads them at most this often."""

ORDERS = ((1e6, 2), (4e6, 4), (math.inf, 6))
"""(most characters of the books, how many characters back the learned memory looks): what occurs once on a small shelf teaches nothing
about other books."""

WEIGHTS_A_CHARACTER = 4.0
"""A network has at most this many multiplied weights per character of the books."""

SCORED_SHARE = 0.01
"""The share of what a run reads that is scored at a row of the table, but at least `LEAST_SCORED` tokens."""
LEAST_SCORED = 10_000
"""Tokens that are scored at a row, however short the run."""

MEASURED_MINUTES = 60.0
"""Longer runs were not measured; for them the laws are extrapolated."""

_WORTH_OF_REPEATS = 15.0
"""After this many repetitions, another one has lost two thirds of its worth (arXiv:2305.16264)."""


@dataclass(frozen=True)
class Law:
    """The law that was fitted for one memory: the loss in bits, with N and D in millions."""

    floor: float
    factor: float
    exponent: float
    of_size: float
    """A million weights, however long they read, reach what an endlessly large network reaches after 1 / `of_size` million characters."""
    size_exponent: float

    def loss(self, weights: float, characters: float) -> float:
        """Bits per character on held-out books."""
        of_size = self.of_size * (weights / 1e6) ** -self.size_exponent
        return self.floor + self.factor * (of_size + 1e6 / characters) ** self.exponent


LAWS: Mapping[str, Law] = {
    "learned": Law(1.467, 0.9136, 0.252, 0.1579, 0.3021),
    "counted": Law(1.295, 0.7268, 0.06299, 0.0976, 0.8572),
}
"""The law for each memory; without a memory, the shape is chosen as for a learned one."""


@dataclass(frozen=True)
class Chosen:
    """What the dial chose, and what can be expected of it."""

    settings: Settings
    loss: float
    """Bits per character that the law expects on held-out books, if the books are novels."""
    characters: float
    """How many characters will be read in the time."""
    readings: float
    """How often each character of the books will be read."""
    iterations: int | None
    """How many iterations are enough, because by then the books have been read as often as is useful; None if all the time is of use."""

    @property
    def enough(self) -> bool:
        """Whether the books have been read as often as is useful before the time is over."""
        return self.iterations is not None


def choose(settings: Settings, seconds: float, pace: Pace, characters: int, laws: Mapping[str, Law] | None = None) -> Chosen:
    """The shape for a training of this many seconds on books with this many characters.

    `settings` must be complete; a batch that was asked for stays. `laws` are those of this version, unless others are given.
    """
    laws = laws or LAWS
    law = laws.get(settings.model.memory, laws["learned"])
    if settings.is_open("memory_order"):
        settings = adjust(settings, memory_order=next(order for most, order in ORDERS if characters <= most))
    candidates: list[Chosen] = []
    for layers, width in SHAPES:
        shaped = adjust(settings, layers=layers, width=width)
        weights = multiplied_weights(shaped.model)
        if candidates and weights > WEIGHTS_A_CHARACTER * characters:
            break
        in_time = LEARNING_SHARE * seconds / pace.seconds(shaped.model, 1)
        of_use = most_readings(weights, characters) * characters
        read, enough = min(in_time, of_use), of_use < in_time
        if settings.is_open("batch"):
            shaped = adjust(shaped, batch=batch_for(read))
        iterations = math.ceil(read / (shaped.training.batch * shaped.model.context)) if enough else None
        if settings.is_open("scored_tokens"):
            most = settings.training.scored_tokens
            shaped = adjust(shaped, scored_tokens=min(most, max(LEAST_SCORED, int(SCORED_SHARE * read))))
        candidates.append(Chosen(shaped, law.loss(weights, worth(read, characters)), read, read / characters, iterations))
    return min(candidates, key=lambda chosen: chosen.loss)


def most_readings(weights: float, characters: float) -> float:
    """How often a network with this many multiplied weights may read books with this many characters."""
    return min(MOST_READINGS, READINGS / min(1.0, weights / characters))


def batch_for(characters: float) -> int:
    """Windows in an iteration of a run that reads this many characters."""
    return next(batch for most, batch in BATCHES if characters <= most)


def multiplied_weights(model: ModelConfig) -> int:
    """The network's weights without those that are only looked up, in the embedding and the learned memory's table."""
    beside = model.num_table_parameters() + model.num_weighing_parameters()
    return model.num_parameters() - beside - model.vocabulary * model.width


def worth(read: float, characters: float) -> float:
    """How many characters of new text teach as much as `read` characters of books that have only `characters`."""
    repeats = max(0.0, read / characters - 1)
    return min(read, characters) + characters * _WORTH_OF_REPEATS * (1 - math.exp(-repeats / _WORTH_OF_REPEATS))


def in_words(chosen: Chosen, minutes: float) -> tuple[str, str]:
    """A line on what the minutes bring and what would bring more, and a line for the curious on what was chosen."""
    if chosen.enough:
        plain = f"under {duration(60 * minutes)}, for {_readings(chosen.readings)} of the books; only more books would help."
    elif chosen.readings < 1:
        plain = f"{duration(60 * minutes)}, for about {_share(chosen.readings)} of the books; more minutes would help."
    else:
        plain = f"{duration(60 * minutes)}, for about {_readings(chosen.readings)} of the books; more of either would help."
    beyond = " (longer than anything that was measured: extrapolated)" if minutes > MEASURED_MINUTES else ""
    model, training = chosen.settings.model, chosen.settings.training
    expected = f"; about {chosen.loss:.2f} bits per character, if these were novels{beyond}" if model.memory in LAWS else ""
    return (
        f"Time: {plain}",
        f"Chosen for that: {model.layers} layers of width {model.width}, memory {model.memory}, batches of {training.batch}, "
        f"for about {chosen.characters / 1e6:.1f} million characters{expected}.",
    )


def _share(readings: float) -> str:
    return f"{readings:.0%}" if readings >= 0.01 else "less than 1%"


def _readings(readings: float) -> str:
    return counted(round(readings), "reading")
