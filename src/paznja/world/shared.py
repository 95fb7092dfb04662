"""Processes on one machine that share memory: weights, gradients and tables are there once, and only who may go on is sent to and fro.

Process 0 starts the others (`starting.py`) and is joined to each by a pair of sockets. Through it go messages, the memory that they
share (as open files without a name, so that nothing is left behind, however the processes end), and empty messages when they wait for
each other. If a process ends, its socket says so at once: the others end too, and nobody waits for ever. Linux and macOS only.
"""

from __future__ import annotations

import errno
import itertools
import json
import mmap
import os
import platform
import signal
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paznja.errors import TrainingFailed
from paznja.world import Gone, Message, Reduction

_NUMBERS_AT_ONCE = 16
"""The most numbers that are summed at once."""

_ALIGNED = 64
"""Arrays begin at multiples of so many bytes."""

_HEADER = 4
"""Bytes before each message, which say how long it is."""


class Shared:
    """See `paznja.world.World`: one of several processes of this machine."""

    shares_memory = True

    def __init__(
        self, rank: int, size: int, sockets: Sequence[socket.socket], how_it_ended: Callable[[int], int | None] = lambda rank: None
    ) -> None:
        """`sockets`: for process 0 to all others in the order of their ranks, for these to process 0.

        `how_it_ended`: the exit code of the process of a rank, negative for a signal; None if that is not known.
        """
        assert rank or len(sockets) == size - 1
        self.rank, self.size, self._how_it_ended = rank, size, how_it_ended
        self.hosts = [platform.node()] * size
        self._sockets = list(sockets)
        self._gathered: dict[str, Tensor] = {}
        self._numbers: Tensor | None = None
        self._turn = 0

    def anew(self, size: int) -> Shared:
        """A world of this size with the same sockets, which has no memory yet."""
        return Shared(self.rank, size, self._sockets)

    # --- messages -------------------------------------------------------------------------------------------------------------------

    def tell(self, message: Message) -> None:
        content = json.dumps(message).encode()
        for rank, to in enumerate(self._sockets, 1):
            self._send(to, content, rank)

    def told(self) -> Message:
        return json.loads(_receive(self._sockets[0]))

    def fail(self, sentence: str) -> None:
        """Tell process 0 why this process ends; only for the others."""
        with suppress(OSError):
            self._send(self._sockets[0], sentence.encode(), 0)

    def meet(self) -> None:
        """Wait until every process is here. TrainingFailed, in process 0, if one of the others has failed or ended; otherwise Gone."""
        if self.rank:
            self._sockets[0].sendall(bytes(_HEADER))
            _receive(self._sockets[0])
            return
        for rank, there in enumerate(self._sockets, 1):
            self._hear(there, rank)
        for rank, there in enumerate(self._sockets, 1):
            self._send(there, b"", rank)

    def _hear(self, there: socket.socket, rank: int) -> None:
        try:
            said = _receive(there)
        except Gone:
            raise self._lost(rank) from None
        if said:
            raise TrainingFailed(said.decode())

    def _send(self, to: socket.socket, content: bytes, rank: int) -> None:
        try:
            to.sendall(len(content).to_bytes(_HEADER, "little") + content)
        except OSError:
            if self.rank:
                raise Gone from None
            self._hear(to, rank)  # it may have said why before it ended
            raise self._lost(rank) from None

    def _lost(self, rank: int) -> TrainingFailed:
        code = self._how_it_ended(rank)
        if code is not None and code > 0:
            what = f"ended with exit code {code}"
        else:
            what = "was ended from outside" + (", as the system does where memory is short" if code in (None, -signal.SIGKILL) else "")
        return TrainingFailed(
            f"Process {rank + 1} of the {self.size} that train together {what}. "
            "The last checkpoint is kept: go on with paznja resume, and with --processes 1 if that happens again."
        )

    # --- memory ---------------------------------------------------------------------------------------------------------------------

    def buffer(self, length: int, dtype: torch.dtype) -> Tensor:
        size = max(1, length) * dtype.itemsize
        if self.rank == 0:
            file = self._sent_file(size)
        else:
            received, files, _, _ = socket.recv_fds(self._sockets[0], 1, 1)
            if not received:
                raise Gone
            (file,) = files
        try:
            return torch.frombuffer(mmap.mmap(file, size), dtype=dtype, count=length)
        except OSError as error:
            raise _as_memory_error(error) from None
        finally:
            os.close(file)

    def _sent_file(self, size: int) -> int:
        """A new file of this size, sent to all others."""
        file = _nameless_file(size)
        try:
            for rank, to in enumerate(self._sockets, 1):
                try:
                    socket.send_fds(to, [b"\0"], [file])
                except OSError:
                    self._hear(to, rank)  # it may have said why before it ended
                    raise self._lost(rank) from None
        except BaseException:
            os.close(file)
            raise
        return file

    def adopt(self, buffer: Tensor) -> None:
        self.meet()

    def reduction(self, lengths: Sequence[int], bounds: Sequence[int], dtype: torch.dtype, sent_as: torch.dtype) -> Reduction:
        return _SharedReduction(self, lengths, bounds, dtype, sent_as)

    def spread(self, buffer: Tensor, bounds: Sequence[int]) -> None:
        self.meet()

    def gather(self, tensors: Mapping[str, Tensor], lengths: Sequence[int]) -> dict[str, list[Tensor]]:
        all_of: dict[str, list[Tensor]] = {}
        for name, tensor in tensors.items():
            there, width = self._gathered.get(name), tensor.shape[1]
            if there is None or len(there) < sum(lengths) or there.shape[1] != width or there.dtype != tensor.dtype:
                self._gathered[name] = self.buffer(sum(lengths) * width, tensor.dtype).view(-1, width)
            all_of[name] = list(self._gathered[name][: sum(lengths)].split(list(lengths)))
            all_of[name][self.rank].copy_(tensor)
        self.meet()
        return all_of

    def sum(self, numbers: Sequence[float]) -> list[float]:
        if self._numbers is None:
            self._numbers = self.buffer(2 * self.size * _NUMBERS_AT_ONCE, torch.float64).view(2, self.size, -1)
        self._turn = 1 - self._turn  # the others may still be reading the numbers of the turn before
        ours = self._numbers[self._turn, :, : len(numbers)]
        ours[self.rank] = torch.tensor(numbers, dtype=torch.float64)
        self.meet()
        return [sum(column) for column in zip(*ours.tolist(), strict=True)]

    def publish(self, arrays: Sequence[NDArray[Any]] | None) -> list[NDArray[Any]]:
        if self.rank == 0:
            assert arrays is not None
            kinds = [(array.dtype.str, array.shape) for array in arrays]
            self.tell({"arrays": kinds})
        else:
            kinds = [(dtype, tuple(shape)) for dtype, shape in self.told()["arrays"]]
        sizes = [int(np.prod(shape)) * np.dtype(dtype).itemsize for dtype, shape in kinds]
        starts = [0, *itertools.accumulate(-(-size // _ALIGNED) * _ALIGNED for size in sizes)]
        space = self.buffer(starts[-1], torch.uint8).numpy()
        shared = [
            space[start : start + size].view(dtype).reshape(shape)
            for start, size, (dtype, shape) in zip(starts, sizes, kinds, strict=False)
        ]
        for here, array in zip(shared, arrays or (), strict=False):
            here[...] = array
        self.meet()
        return shared

    def own_rows(self, number: int) -> tuple[int, int]:
        return number * self.rank // self.size, number * (self.rank + 1) // self.size


class _SharedReduction:
    """See `paznja.world.Reduction`: every process has a row of its own in memory that all of them see."""

    early = False

    def __init__(self, world: Shared, lengths: Sequence[int], bounds: Sequence[int], dtype: torch.dtype, sent_as: torch.dtype) -> None:
        self._world, self._dtype = world, dtype
        self._own = slice(bounds[world.rank], bounds[world.rank + 1])
        self._put_PM = world.buffer(world.size * bounds[-1], sent_as).view(world.size, -1)
        self._places = list(self._put_PM[world.rank].split(list(lengths)))
        self._missing = set(range(len(lengths)))

    def put(self, number: int, piece: Tensor) -> None:
        self._places[number].copy_(piece.view(-1))
        self._missing.discard(number)

    def total(self) -> Tensor:
        for number in self._missing:
            self._places[number].zero_()
        self._missing = set(range(len(self._places)))
        self._world.meet()
        first, second, *others = self._put_PM[:, self._own]
        total = torch.add(first.to(self._dtype), second)
        for other in others:
            total += other
        return total


def joined(number: int, rank: int) -> Shared:
    """The world of a process that was started by `Started`, from its arguments; how large it is, process 0 will say."""
    return Shared(rank, rank + 1, [socket.socket(fileno=number)])


def _receive(there: socket.socket) -> bytes:
    """The next message; never a byte of what comes after it, which may bring a file."""
    length = int.from_bytes(_exactly(there, _HEADER), "little")
    return _exactly(there, length) if length else b""


def _exactly(there: socket.socket, length: int) -> bytes:
    content, resets = b"", 0
    while len(content) < length:
        try:
            more = there.recv(length - len(content))
        except ConnectionResetError:
            # It ended with unread messages before it; what it said last comes after that.
            resets += 1
            if resets == 1:
                continue
            raise Gone from None
        except OSError:
            raise Gone from None
        if not more:
            raise Gone
        content += more
    return content


def _nameless_file(size: int) -> int:
    """The number of an open file in memory that has no name; where the system has none, of one on disk that is removed already."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("paznja")
    else:
        with tempfile.TemporaryFile() as file:
            number = os.dup(file.fileno())
    try:
        os.ftruncate(number, size)
    except OSError as error:
        os.close(number)
        raise _as_memory_error(error) from None
    return number


def _as_memory_error(error: OSError) -> Exception:
    """A MemoryError if that is what the system means, otherwise the error itself."""
    return MemoryError() if error.errno == errno.ENOMEM else error
