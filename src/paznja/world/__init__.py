"""Several processes that train one network together: `World` is all that the rest of the program knows of it.

Process 0 decides and tells the others (`tell`, `told`); nobody else writes or shows anything. Alone, everything here does nothing:
`alone.py`. On one machine the processes share memory: `shared.py`. Under torchrun they send messages: `distributed.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

Message = dict[str, Any]
"""Plain values, as JSON has them. `do` says what is to be done."""


class Gone(ConnectionError):
    """Process 0, or the process at the other end, has ended."""


class Reduction(Protocol):
    """A sum over all processes, in the order of their ranks."""

    early: bool
    """Whether it is of use to put a piece in as soon as it is there."""

    def put(self, number: int, piece: Tensor) -> None:
        """Put a piece in, which must not change until `total` returns. Until then the same one may be put in again."""
        ...

    def total(self) -> Tensor:
        """The sum for what this process answers for. Where there are several, what was not put in counts as zeros."""
        ...


class World(Protocol):
    """The processes of one training, seen from one of them. All of them call the same methods in the same order."""

    rank: int
    """The number of this process; 0 decides."""
    size: int
    """How many there are."""
    shares_memory: bool
    """Whether what is in a `buffer` is there once for all of them."""

    @property
    def hosts(self) -> Sequence[str]:
        """The name of the machine on which each process runs, by its rank."""
        ...

    def tell(self, message: Message) -> None:
        """Send a message to all others; only for process 0."""
        ...

    def told(self) -> Message:
        """Wait for the next message; only for the others."""
        ...

    def buffer(self, length: int, dtype: torch.dtype) -> Tensor:
        """Zeros for something that all processes have alike. Processes that share memory get the same one, once."""
        ...

    def adopt(self, buffer: Tensor) -> None:
        """Give all processes what process 0 has in this buffer."""
        ...

    def reduction(self, lengths: Sequence[int], bounds: Sequence[int], dtype: torch.dtype, sent_as: torch.dtype) -> Reduction:
        """Something that sums pieces of these lengths, which lie end to end, again and again; see `Reduction`.

        Each process gets the sum for what it answers for, which are whole pieces: from bounds[rank] to bounds[rank + 1]. They are summed in
        `dtype`, and given to the other processes as `sent_as`.
        """
        ...

    def spread(self, buffer: Tensor, bounds: Sequence[int]) -> None:
        """Give all processes the parts of the buffer that each has changed: rank r from bounds[r] to bounds[r + 1]."""
        ...

    def gather(self, tensors: Mapping[str, Tensor], lengths: Sequence[int]) -> dict[str, list[Tensor]]:
        """Every process's tensors by their names, in the order of the ranks; rank r's have the length `lengths[r]`.

        Valid until the next `gather`.
        """
        ...

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Each number summed over all processes, in the order of their ranks."""
        ...

    def publish(self, arrays: Sequence[NDArray[Any]] | None) -> list[NDArray[Any]]:
        """Give all processes these arrays of process 0; the others pass None. Only where memory is shared."""
        ...

    def own_rows(self, number: int) -> tuple[int, int]:
        """Which rows (first, last + 1) of a table that is in a `buffer` this process moves."""
        ...


def parts_of(number: int, parts: int, size: int) -> list[int]:
    """Like `edges`, for `size` processes of which only the first `parts` have a part; the others' parts are empty."""
    return edges(number, parts) + [number] * (size - parts)


def edges(number: int, parts: int) -> list[int]:
    """Where `parts` contiguous parts of `number` things begin and, at last, end; they differ by one thing at most. No parts: nowhere."""
    return [] if parts == 0 else [number * part // parts for part in range(parts + 1)]
