"""How surprising one fixed held-out paragraph is, token by token, at every row: what one sees of learning at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from paznja.evaluation.bits_per_character import Piece, bits_of_tokens, places_spread
from paznja.run.writing import RunWriter
from paznja.training.learner import Learner
from paznja.training.material import Material
from paznja.training.schedule import Clock, Place
from paznja.training.scoring import scoring_precision

SHORTEST, LONGEST = 200, 700
"""Tokens of a paragraph that is taken as it is."""

_DIGITS = 2  # after the decimal point of every figure


class Paragraph(NamedTuple):
    """Where a paragraph is in what is scored at the rows."""

    piece: int
    start: int
    stop: int


class Surprise:
    """Stores how surprising the paragraph is; a run that does not keep its books stores nothing about them either."""

    def __init__(
        self, writer: RunWriter, learner: Learner, material: Material, newline: int, clock: Clock, scored_tokens: int, *, kept: bool
    ) -> None:
        """`scored_tokens`: how many of the held-out books' tokens are scored at the rows; `kept`: whether the run keeps its books."""
        self._writer, self._learner, self._material, self._newline, self._clock = writer, learner, material, newline, clock
        self._precision = scoring_precision(learner)
        self._paragraph = choose(material.held_out_part, newline) if kept else None
        if self._paragraph is not None:
            places = places_spread([len(book) for book in material.held_out], scored_tokens)
            self._book, begin, _ = places[self._paragraph.piece]
            self._start = begin + self._paragraph.start
        self._measured_at: int | None = None
        """The last iteration for which it is stored, once that is known."""

    def measure(self, place: Place) -> None:
        """Store the bits of every token, at most once per iteration."""
        if self._paragraph is None:
            return
        if self._measured_at is None:  # only now, because a run that goes on is cut back after this was made
            stored = self._writer.run.surprise()
            self._measured_at = stored[-1]["iteration"] if stored else -1
        if self._measured_at >= place.iteration:
            return
        bits = bits_of_tokens(
            self._learner.model,
            self._material.held_out_part,
            *self._paragraph,
            self._newline,
            precision=self._precision,
            remembered=self._material.remembered(whole=False),
        )
        self._writer.append_surprise(
            {
                "iteration": place.iteration,
                "seconds": self._clock.seconds(),
                "book": self._book,
                "start": self._start,
                "bits": [round(float(one), _DIGITS) for one in bits],
            }
        )
        self._measured_at = place.iteration


def choose(pieces: Sequence[Piece], newline: int) -> Paragraph | None:
    """The longest whole paragraph that is not too long, or else the longest piece, cut; None if there is no text."""
    whole: list[Paragraph] = []
    for number, ids in enumerate(pieces):
        ends = np.flatnonzero(ids == newline)
        whole += [Paragraph(number, int(before) + 1, int(end)) for before, end in pairwise(ends)]
    fitting = [paragraph for paragraph in whole if SHORTEST <= paragraph.stop - paragraph.start <= LONGEST]
    if fitting:
        return max(fitting, key=lambda paragraph: paragraph.stop - paragraph.start)
    longest = max(range(len(pieces)), key=lambda number: len(pieces[number]), default=None)
    return None if longest is None or not len(pieces[longest]) else Paragraph(longest, 0, min(LONGEST, len(pieces[longest])))
