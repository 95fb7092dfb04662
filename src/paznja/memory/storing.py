"""The counted memory as a file: differences between keys, in as few bytes as each needs, and compressed counts.

Counts of the part that was set aside are not stored: only learning needs them.

Shapes: E entries in all tables, K kinds of contexts.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from paznja.memory.contexts import Lettering
from paznja.memory.counted import CountedMemory
from paznja.memory.counting import PARTITION_BITS, Table, token_bits

VERSION = 1
"""The version of the contexts and of the file's layout; a file of any other version is refused."""


def to_bytes(memory: CountedMemory) -> bytes:
    """The whole memory as the contents of a file."""
    streams: list[NDArray[np.uint8]] = []
    for table in memory.separate_tables():
        stream = np.empty(10 * len(table.keys), np.uint8)
        streams.append(stream[: _write_differences(table.keys, table.partition_starts, stream)])
    arrays: dict[str, NDArray[np.generic]] = {
        "version": np.array([VERSION], np.int64),
        "is_letter": memory.lettering.is_letter,
        "folded": memory.lettering.folded,
        "differences": np.concatenate(streams),
        "stream_sizes": np.array([len(stream) for stream in streams], np.int64),
        "table_sizes": np.array([len(table.keys) for table in memory.separate_tables()], np.int64),
        "counts": np.frombuffer(zlib.compress(memory.tables.counts.tobytes(), 1), np.uint8),
        "discounts": memory.tables.discounts,
        "least": memory.tables.least,
        "base": memory.tables.base,
    }
    return save(arrays)


def from_bytes(content: bytes) -> CountedMemory:
    """The memory that `to_bytes` stored; ValueError if the contents are damaged or of another version."""
    try:
        arrays: Mapping[str, NDArray] = load(content)
        if int(arrays["version"][0]) != VERSION:
            raise ValueError("it was written by another version of paznja")
        counts = np.frombuffer(zlib.decompress(arrays["counts"].tobytes()), np.uint8)
        sizes, streams = arrays["table_sizes"], np.split(arrays["differences"], np.cumsum(arrays["stream_sizes"])[:-1])
        if counts.size != sizes.sum():
            raise ValueError("its parts do not fit each other")
        tables: list[Table] = []
        for k, of_table in enumerate(np.split(counts, np.cumsum(sizes)[:-1])):
            keys = np.empty(len(of_table), np.uint32)
            starts = np.zeros((1 << PARTITION_BITS) + 1, np.int64)
            if not _read_differences(streams[k], keys, starts):
                raise ValueError("its tables are cut short")
            tables.append(Table(keys, of_table, np.zeros(len(keys), np.uint8), starts, arrays["discounts"][k]))
        lettering = Lettering(arrays["is_letter"], arrays["folded"])
        if token_bits(len(lettering.is_letter)) != token_bits(len(arrays["base"])):
            raise ValueError("its parts do not fit each other")
        return CountedMemory.from_tables(lettering, tables, arrays["least"], arrays["base"])
    except (SafetensorError, KeyError, IndexError, zlib.error) as error:
        raise ValueError(str(error)) from None


@njit(cache=True, nogil=True)
def _write_differences(keys, starts, out):
    """Write each partition and key as one ascending number: its difference to the last, seven bits a byte. Returns the number of bytes."""
    m = 0
    before = np.uint64(0)
    for partition in range(len(starts) - 1):
        for e in range(starts[partition], starts[partition + 1]):
            whole = (np.uint64(partition) << np.uint64(31)) | np.uint64(keys[e])
            difference = whole - before
            before = whole
            while difference >= np.uint64(128):
                out[m] = np.uint8((difference & np.uint64(127)) | np.uint64(128))
                difference >>= np.uint64(7)
                m += 1
            out[m] = np.uint8(difference)
            m += 1
    return m


@njit(cache=True, nogil=True)
def _read_differences(stream, keys, starts):
    """Undo `_write_differences`. Returns whether the stream held exactly as many keys as `keys` has room for."""
    m = 0
    whole = np.uint64(0)
    partition = np.uint64(0)
    for e in range(len(keys)):
        shift = np.uint64(0)
        while True:
            if m >= len(stream) or shift > np.uint64(56):
                return False
            byte = np.uint64(stream[m])
            m += 1
            whole += (byte & np.uint64(127)) << shift
            shift += np.uint64(7)
            if byte < np.uint64(128):
                break
        if (whole >> np.uint64(31)) >= np.uint64(len(starts) - 1):
            return False
        while partition < whole >> np.uint64(31):
            partition += np.uint64(1)
            starts[partition] = e
        keys[e] = np.uint32(whole & np.uint64(0x7FFFFFFF))
    while partition < np.uint64(len(starts) - 1):
        partition += np.uint64(1)
        starts[partition] = len(keys)
    return m == len(stream)
