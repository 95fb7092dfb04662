"""Processes that torchrun has started, on one machine or many: they send each other messages through `torch.distributed`.

gloo carries what is on CPUs, nccl what is on GPUs. Which process it is, and how to find the others, torchrun says in environment variables,
and `torch.distributed` reads them; here only those are read that it does not pass on. Nothing of this is imported without torchrun.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import platform
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.distributed_c10d import PrefixStore, Store

from paznja.cores import num_cores
from paznja.errors import TrainingFailed
from paznja.world import Gone, Message, Reduction, World

_LOOKING = 0.02  # seconds between two looks while the processes find each other

_NAME_BYTES = 64
"""What is longer of a machine's name is not shown."""

_MESSAGE_BYTES = 512
"""A longer message is sent in two pieces."""


class Distributed:
    """See `paznja.world.World`: one of the processes that torchrun has started. Each has everything in memory of its own."""

    shares_memory = False

    def __init__(self, limit: float) -> None:
        """Join the others; `limit`: seconds after which a process that does not answer is given up."""
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        self._limit = limit
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        with self.answering():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            store = _fresh_store(self.rank, self.size, limit)
            dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=datetime.timedelta(seconds=limit))
        self.device = torch.device("cpu")
        """Where the network is."""
        self.hosts = self._names()

    def tell(self, message: Message) -> None:
        content = json.dumps(message).encode()
        head = torch.zeros(_MESSAGE_BYTES, dtype=torch.uint8)
        begin = len(content).to_bytes(4, "little") + content[: _MESSAGE_BYTES - 4]
        head[: len(begin)] = torch.frombuffer(bytearray(begin), dtype=torch.uint8)
        with self.answering():
            dist.broadcast(head, 0)
            if rest := content[_MESSAGE_BYTES - 4 :]:
                dist.broadcast(torch.frombuffer(bytearray(rest), dtype=torch.uint8), 0)

    def told(self) -> Message:
        head = torch.empty(_MESSAGE_BYTES, dtype=torch.uint8)
        with self.answering():
            dist.broadcast(head, 0)
            content = head.numpy().tobytes()
            length = int.from_bytes(content[:4], "little")
            if (missing := length - (_MESSAGE_BYTES - 4)) > 0:
                rest = torch.empty(missing, dtype=torch.uint8)
                dist.broadcast(rest, 0)
                content += rest.numpy().tobytes()
        return json.loads(content[4 : 4 + length])

    def _names(self) -> list[str]:
        """What all processes' machines are called."""
        name = platform.node().encode()[:_NAME_BYTES]
        names = [torch.zeros(_NAME_BYTES, dtype=torch.uint8) for _ in range(self.size)]
        ours = torch.frombuffer(bytearray(name.ljust(_NAME_BYTES, b"\0")), dtype=torch.uint8)
        with self.answering():
            dist.all_gather(names, ours)
        return [name.numpy().tobytes().rstrip(b"\0").decode(errors="replace") for name in names]

    def buffer(self, length: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(length, dtype=dtype, device=self.device)

    def adopt(self, buffer: Tensor) -> None:
        with self.answering():
            dist.broadcast(buffer, 0)

    def reduction(self, lengths: Sequence[int], bounds: Sequence[int], dtype: torch.dtype, sent_as: torch.dtype) -> Reduction:
        return _SentReduction(self, lengths, bounds, dtype, sent_as)

    def spread(self, buffer: Tensor, bounds: Sequence[int]) -> None:
        parts = [buffer[bounds[rank] : bounds[rank + 1]] for rank in range(self.size)]
        with self.answering():
            _wait([dist.broadcast(part, rank, async_op=True) for rank, part in enumerate(parts) if len(part)])

    def gather(self, tensors: Mapping[str, Tensor], lengths: Sequence[int]) -> dict[str, list[Tensor]]:
        all_of = {name: [tensor.new_empty(length, tensor.shape[1]) for length in lengths] for name, tensor in tensors.items()}
        for name, tensor in tensors.items():
            all_of[name][self.rank] = tensor.contiguous()
        with self.answering():
            _wait(
                [
                    dist.broadcast(_as_bytes(tensor), rank, async_op=True)
                    for ranks in all_of.values()
                    for rank, tensor in enumerate(ranks)
                    if tensor.numel()
                ]
            )
        return all_of

    def sum(self, numbers: Sequence[float]) -> list[float]:
        ours = torch.tensor(numbers, dtype=torch.float64)
        everybodys = [torch.empty_like(ours) for _ in range(self.size)]
        with self.answering():
            dist.all_gather(everybodys, ours)
        return [sum(column) for column in zip(*(one.tolist() for one in everybodys), strict=True)]

    def publish(self, arrays: Sequence[NDArray[Any]] | None) -> list[NDArray[Any]]:
        raise AssertionError("without shared memory, every process makes its own arrays")

    def own_rows(self, number: int) -> tuple[int, int]:
        return 0, number

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Inside the block, another process that does not answer ends this one: with a sentence for process 0, with Gone for the others."""
        try:
            yield
        except RuntimeError as error:
            if self.rank:
                raise Gone from error
            raise TrainingFailed(
                f"One of the {self.size} processes has ended, or did not answer for {self._limit:g} seconds (--network-seconds). "
                "The last checkpoint is kept: start all of them again with the same torchrun, and resume in place of train."
            ) from error


class _SentReduction:
    """See `paznja.world.Reduction`: every piece goes to the process that answers for it.

    On CPUs as soon as it is there: what the network has last is sent while the gradients of what it has first are still computed. nccl
    cannot do that safely, because both ends must begin what they send and receive in one order; there all pieces go together.
    """

    def __init__(self, world: Distributed, lengths: Sequence[int], bounds: Sequence[int], dtype: torch.dtype, sent_as: torch.dtype) -> None:
        self.early = world.device.type == "cpu"
        self._world, self._lengths, self._bounds, self._dtype, self._sent_as = world, lengths, bounds, dtype, sent_as
        starts = list(itertools.accumulate(lengths, initial=0))
        self._owners = [next(rank for rank in range(world.size) if start < bounds[rank + 1]) for start in starts[:-1]]
        self._own = [number for number, owner in enumerate(self._owners) if owner == world.rank]
        self._got_PM = torch.zeros(world.size, bounds[world.rank + 1] - bounds[world.rank], dtype=sent_as, device=world.device)
        """What each process has put in for what this one answers for."""
        self._put: dict[int, Tensor] = {}
        self._works: list[Any] = []

    def put(self, number: int, piece: Tensor) -> None:
        if number in self._put:
            return
        if self.early and not self._put:
            self._expect()
        self._put[number] = piece = piece.reshape(-1).to(self._sent_as)
        if self.early and (owner := self._owners[number]) != self._world.rank:
            with self._world.answering():
                self._works.append(dist.isend(_as_bytes(piece), owner, tag=number))

    def total(self) -> Tensor:
        for number, length in enumerate(self._lengths):
            if number not in self._put:
                self.put(number, torch.zeros(length, dtype=self._sent_as, device=self._world.device))
        if self.early:
            with self._world.answering():
                _wait(self._works)
            if self._own:
                torch.cat([self._put[number] for number in self._own], out=self._got_PM[self._world.rank])
        else:
            sizes = [self._sent_as.itemsize * (stop - start) for start, stop in itertools.pairwise(self._bounds)]
            got = [sizes[self._world.rank]] * self._world.size
            sent = _as_bytes(torch.cat([self._put[number] for number in range(len(self._lengths))]))
            with self._world.answering():
                dist.all_to_all_single(_as_bytes(self._got_PM.view(-1)), sent, got, sizes)
        self._put.clear()
        self._works.clear()
        first, *others = self._got_PM
        total = first.to(self._dtype, copy=True)
        for other in others:
            total += other
        return total

    def _expect(self) -> None:
        """Be ready for what the others will send."""
        lengths = [self._lengths[number] for number in self._own]
        for rank, got_M in enumerate(self._got_PM):
            if rank != self._world.rank:
                with self._world.answering():
                    self._works += [
                        dist.irecv(_as_bytes(piece), rank, tag=number)
                        for number, piece in zip(self._own, got_M.split(lengths), strict=True)
                    ]


def _as_bytes(tensor: Tensor) -> Tensor:
    return tensor.view(torch.uint8)  # gloo does not know every kind of number


class Launched:
    """What torchrun has started, in place of `paznja.world.starting.Started`; a context that leaves the others when it ends."""

    def __init__(self, limit: float) -> None:
        """Join the others; `limit` as for `Distributed`."""
        self._world = Distributed(limit)
        self.size, self.rank = self._world.size, self._world.rank

    @property
    def threads(self) -> int:
        """How many threads each process of this machine gets."""
        return max(1, num_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

    def world(self, size: int, device: str = "cpu") -> World:
        """The world of all processes; they cannot be fewer."""
        assert size == self.size
        self._world.device = torch.device(device)
        return self._world

    def keep(self, size: int) -> None:
        """All of them stay."""

    def __enter__(self) -> Launched:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            if self.rank == 0:
                self._world.tell({"do": "end"})
                self._world.tell({"do": "end"})
            dist.destroy_process_group()


def _fresh_store(rank: int, size: int, limit: float) -> Store:
    """What the processes find each other by, without what those before them left there: torchrun keeps it when it starts them again.

    Every process writes a word of its own. Process 0 answers each with the word of this start, until each has confirmed it. RuntimeError if
    that takes longer than `limit` seconds.
    """
    whole = _store(rank, size, limit)
    word = uuid.uuid4().hex
    waiting = set(range(1, size)) if rank == 0 else {rank}
    if rank:
        whole.set(f"paznja/word/{rank}", word)
    end = time.monotonic() + limit
    begun = word
    while waiting:
        if time.monotonic() > end:
            raise RuntimeError(f"{len(waiting)} of {size} processes did not come")
        for other in list(waiting):
            if rank == 0:
                if whole.check([f"paznja/{word}/{other}"]):
                    waiting.discard(other)
                elif whole.check([f"paznja/word/{other}"]):
                    whole.set(f"paznja/answer/{other}", whole.get(f"paznja/word/{other}").decode() + word)
            elif whole.check([f"paznja/answer/{rank}"]) and (answer := whole.get(f"paznja/answer/{rank}").decode()).startswith(word):
                begun = answer.removeprefix(word)
                whole.set(f"paznja/{begun}/{rank}", "here")
                waiting.clear()
        if waiting:
            time.sleep(_LOOKING)
    return PrefixStore(f"paznja/{begun}/", whole)


def _store(rank: int, size: int, limit: float) -> Store:
    """The store that torchrun keeps; if another program has started the processes, process 0 keeps it."""
    kept = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        size,
        is_master=rank == 0 and not kept,
        timeout=datetime.timedelta(seconds=limit),
        wait_for_workers=False,
    )


def _wait(works: Sequence[Any]) -> None:
    for work in works:
        work.wait()
