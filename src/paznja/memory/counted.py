"""The counted memory as a whole: it is counted from the books, stored in a file of tens of megabytes, and asked for evidence.

Shapes: E entries in all tables, K kinds of contexts, V tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paznja.memory.contexts import Lettering
from paznja.memory.counting import COUNTS, PARTITION_BITS, Table, count, token_bits
from paznja.memory.evidence import Evidence, Tables, gather
from paznja.memory.kinds import KINDS, NUM_KINDS
from paznja.memory.recall import Text

_KINDS = np.array(KINDS, np.int64)

_SMALL = 5_000_000
"""From this many tokens on, contexts that were hardly ever seen are left out, to keep the file small."""


class Row(NamedTuple):
    """The positions start..stop-1 of a text, for which evidence is wanted. Position t is the token after ids[:t]."""

    text: Text
    start: int
    stop: int
    learning: bool = False
    """Whether to leave the counts of the part that is set aside out of the evidence."""


@dataclass(frozen=True)
class CountedMemory:
    """What followed every context of the books."""

    lettering: Lettering
    tables: Tables
    """Its slots: the top bits of a context's hash are its slot, `slot_bits` of them, and `slots` says where the slot's entries begin."""

    @classmethod
    def count(
        cls, ids: NDArray[np.uint16], lettering: Lettering, *, set_aside: NDArray[np.int64] | None = None, threads: int = 1
    ) -> CountedMemory:
        """Count what follows every context in the books' ids.

        `set_aside`: (S, 2), stretches of `ids` whose counts `Row.learning` leaves out of the evidence. `threads`: the number of tables that
        are counted at once.
        """
        least = np.array([1, 1, 1, 1, 2, 3, 3, 3, 3] if len(ids) >= _SMALL else [1] * len(KINDS), np.int64)
        aside = np.empty((0, 2), np.int64) if set_aside is None else set_aside
        tables = count(ids, aside, lettering, least, threads)
        base = np.bincount(ids, minlength=len(lettering.is_letter)) + 0.5
        return cls.from_tables(lettering, tables, least, base / base.sum())

    @classmethod
    def from_tables(
        cls, lettering: Lettering, tables: Sequence[Table], least: NDArray[np.int64], base: NDArray[np.float64]
    ) -> CountedMemory:
        """Build the memory from one table for every kind, with the slots that make look-ups fast."""
        bits = token_bits(len(lettering.is_letter))
        slots: list[NDArray[np.uint32]] = []
        slot_bits: list[int] = []
        num_entries = 0
        for table in tables:
            chosen = min(PARTITION_BITS + 31 - bits, max(PARTITION_BITS, len(table.keys).bit_length() - 2))
            sizes = np.diff(table.partition_starts)
            deeper = chosen - PARTITION_BITS
            within = table.keys >> np.uint32(31 - deeper) if deeper else np.zeros(len(table.keys), np.uint32)
            place = (np.repeat(np.arange(len(sizes), dtype=np.uint32), sizes) << np.uint32(deeper)) | within
            starts = np.zeros((1 << chosen) + 1, np.int64)
            np.cumsum(np.bincount(place, minlength=1 << chosen), out=starts[1:])
            slots.append((starts + num_entries).astype(np.uint32))
            slot_bits.append(chosen)
            num_entries += len(table.keys)
        slot_offsets = np.cumsum([0, *(len(stretch) for stretch in slots[:-1])])
        whole = Tables(
            kinds=_KINDS,
            keys=np.concatenate([table.keys for table in tables]),
            counts=np.concatenate([table.counts for table in tables]),
            set_aside=np.concatenate([table.set_aside for table in tables]),
            slots=np.concatenate(slots),
            slot_offsets=slot_offsets.astype(np.int64),
            slot_bits=np.array(slot_bits, np.int64),
            discounts=np.stack([table.discounts for table in tables]),
            least=least,
            base=base,
            values=COUNTS,
            token_bits=bits,
        )
        return cls(lettering, whole)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return len(self.tables.base)

    def separate_tables(self) -> list[Table]:
        """The tables, separated again."""
        whole = self.tables
        separate: list[Table] = []
        for k, (offset, bits) in enumerate(zip(whole.slot_offsets, whole.slot_bits, strict=True)):
            starts = whole.slots[offset : offset + (1 << bits) + 1 : 1 << (bits - PARTITION_BITS)].astype(np.int64)
            entries = slice(int(starts[0]), int(starts[-1]))
            parts = (whole.keys[entries], whole.counts[entries], whole.set_aside[entries])
            separate.append(Table(*parts, starts - starts[0], whole.discounts[k]))
        return separate

    def look_up(self, rows: Sequence[Row], length: int, *, threads: int = 1) -> Evidence:
        """The evidence for every row's positions; each row takes up `length` positions of it, of which the last may stay empty."""
        evidence = Evidence.empty(len(rows) * length, NUM_KINDS, self.vocabulary)

        def look_up_row(i: int) -> None:
            text, start, stop, learning = rows[i]
            gather(text.ids, text.links, text.first(start), start, stop, learning, self.lettering, self.tables, evidence, i * length)

        if threads == 1 or len(rows) == 1:
            for i in range(len(rows)):
                look_up_row(i)
        else:
            with ThreadPoolExecutor(threads) as workers:
                list(workers.map(look_up_row, range(len(rows))))
        return evidence


def to_arrays(memory: CountedMemory) -> list[NDArray[Any]]:
    """Everything that was counted, as arrays that other processes can share."""
    return [np.asarray(field) for field in memory.tables]


def from_arrays(lettering: Lettering, arrays: Sequence[NDArray[Any]]) -> CountedMemory:
    """Undo `to_arrays`."""
    fields: dict[str, Any] = dict(zip(Tables._fields, arrays, strict=True))
    return CountedMemory(lettering, Tables(**{**fields, "token_bits": int(fields["token_bits"])}))
