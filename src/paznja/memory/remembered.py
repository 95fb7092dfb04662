"""What a counted memory says of texts that are being scored or written, with everything that precedes in the same text in mind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paznja.memory.counted import CountedMemory, Row
from paznja.memory.evidence import Evidence
from paznja.memory.recall import Text

Piece = NDArray[np.uint16]


class Remembered:
    """Pieces of texts to be scored, each joined to what precedes it in its text."""

    def __init__(
        self,
        memory: CountedMemory,
        newline: int,
        pieces: Sequence[Piece],
        before: Sequence[Piece] | None = None,
        *,
        learning: Sequence[bool] | None = None,
        threads: int = 1,
    ) -> None:
        """Join the pieces and link their positions.

        Args:
            newline: the id of a line's end, which stands before every text.
            before: what precedes each piece in its text; None: nothing.
            learning: for each piece, whether it is from the part that was set aside (`Row.learning`); None: no piece is.
            threads: how many windows are looked up at once.
        """
        self._memory, self._threads = memory, threads
        before = [piece[:0] for piece in pieces] if before is None else before
        self._learning = [False] * len(pieces) if learning is None else list(learning)
        parts: list[NDArray[np.uint16]] = []
        spans: list[tuple[int, int]] = []
        self._offsets: list[int] = []
        end = 0
        for piece, earlier in zip(pieces, before, strict=True):
            parts += [np.array([newline], np.uint16), earlier, piece]
            start, end = end, end + 1 + len(earlier) + len(piece)
            spans.append((start, end))
            self._offsets.append(end - len(piece))
        self._text = Text(np.concatenate(parts), memory.lettering, np.array(spans, np.int64)) if parts else None

    def evidence(self, windows: Sequence[tuple[int, int, int]], length: int) -> Evidence:
        """The evidence for the windows (piece, start, stop); each takes up `length` positions of it."""
        assert self._text is not None
        rows = [Row(self._text, self._offsets[i] + start, self._offsets[i] + stop, self._learning[i]) for i, start, stop in windows]
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
