"""One process alone, which has nobody to tell anything."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from paznja.world import Message, Reduction


class _NoReduction:
    """See `paznja.world.Reduction`: alone, a process has the whole batch."""

    early = False

    def __init__(self) -> None:
        self._pieces: dict[int, Tensor] = {}

    def put(self, number: int, piece: Tensor) -> None:
        self._pieces[number] = piece

    def total(self) -> Tensor:
        total = torch.cat([self._pieces[number].reshape(-1) for number in sorted(self._pieces)])
        self._pieces.clear()
        return total


class Alone:
    """See `paznja.world.World`."""

    rank, size, shares_memory = 0, 1, True
    hosts = (platform.node(),)

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = device

    def tell(self, message: Message) -> None:
        """Nobody is there."""

    def told(self) -> Message:
        raise AssertionError("process 0 decides for itself")

    def buffer(self, length: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(length, dtype=dtype, device=self._device)

    def adopt(self, buffer: Tensor) -> None:
        """It has it already."""

    def reduction(self, lengths: Sequence[int], bounds: Sequence[int], dtype: torch.dtype, sent_as: torch.dtype) -> Reduction:
        return _NoReduction()

    def spread(self, buffer: Tensor, bounds: Sequence[int]) -> None:
        """It has all of it."""

    def gather(self, tensors: Mapping[str, Tensor], lengths: Sequence[int]) -> dict[str, list[Tensor]]:
        return {name: [tensor] for name, tensor in tensors.items()}

    def sum(self, numbers: Sequence[float]) -> list[float]:
        return list(numbers)

    def publish(self, arrays: Sequence[NDArray[Any]] | None) -> list[NDArray[Any]]:
        return list(arrays or ())

    def own_rows(self, number: int) -> tuple[int, int]:
        return 0, number
