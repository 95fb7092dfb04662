"""What a counted memory says of texts that are being scored or written, with everything that precedes in the same text in mind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paznja.memory.counted import CountedMemory, Row
from paznja.memory.evidence import Evidence
from paznja.memory.recall import Text

Piece = NDArray[np.uint16]
Place = tuple[int, int, int]


class Remembered:
    """Texts of which some places are scored. However many places a text has, it is read once."""

    def __init__(
        self,
        memory: CountedMemory,
        newline: int,
        texts: Sequence[Piece],
        places: Sequence[Place] | None = None,
        *,
        learning: Sequence[bool] | None = None,
        threads: int = 1,
    ) -> None:
        """Join the texts and link their positions.

        `newline`: the id of a line's end, which stands before every text. `places`: (text, start, stop) of every piece to be scored;
        None: the whole texts. `learning`: for each text, whether it is the part that was set aside (`Row.learning`); None: none is.
        `threads`: how many windows are looked up at once.
        """
        self._memory, self._threads = memory, threads
        self._places = [(text, 0, len(ids)) for text, ids in enumerate(texts)] if places is None else list(places)
        self._learning = [False] * len(texts) if learning is None else list(learning)
        lengths = [max((stop for place, _, stop in self._places if place == text), default=0) for text in range(len(texts))]
        begins_with = np.array([newline], np.uint16)
        parts = [part for ids, length in zip(texts, lengths, strict=True) for part in (begins_with, ids[:length])]
        ends = np.cumsum([1 + length for length in lengths], dtype=np.int64)
        self._firsts = [int(end) - length for end, length in zip(ends, lengths, strict=True)]
        spans = np.stack((ends - lengths - 1, ends), axis=1) if parts else None
        self._text = Text(np.concatenate(parts), memory.lettering, spans) if parts else None

    def evidence(self, windows: Sequence[tuple[int, int, int]], length: int) -> Evidence:
        """The evidence for the windows (piece, start, stop); each takes up `length` positions of it."""
        assert self._text is not None
        rows: list[Row] = []
        for piece, start, stop in windows:
            text, begin, _ = self._places[piece]
            first = self._firsts[text] + begin
            rows.append(Row(self._text, first + start, first + stop, self._learning[text]))
        return self._memory.look_up(rows, length, threads=self._threads)


class Writing:
    """Texts that are being written side by side, each read from its beginning."""

    def __init__(self, memory: CountedMemory, begin: Sequence[int], count: int) -> None:
        """`count` texts that all begin with the ids in `begin`."""
        self._memory = memory
        self._texts = [Text(np.array(begin, np.uint16), memory.lettering, growing=True) for _ in range(count)]

    def append(self, new_ids: Sequence[int]) -> None:
        """Add one token to each text."""
        for text, new_id in zip(self._texts, new_ids, strict=True):
            text.append(new_id)

    def evidence(self, positions: int) -> Evidence:
        """The evidence for the token after each of the last `positions` tokens of each text."""
        return self._memory.look_up([Row(text, text.length - positions + 1, text.length + 1) for text in self._texts], positions)
