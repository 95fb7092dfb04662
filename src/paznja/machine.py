"""What the machine is and what it can do: device, threads, precision, speed of matrix products, memory."""

from __future__ import annotations

import ctypes
import platform
import sys
import time
from contextlib import suppress
from dataclasses import replace

import psutil
import torch

from paznja.config import ModelConfig, TrainingConfig
from paznja.cores import num_cores
from paznja.errors import WrongUse

_ROWS_TRIED, _WIDTH_TRIED = 4096, 1024
"""Rows and columns of the largest matrix that is multiplied when the number of threads is picked."""

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


def resolve(config: TrainingConfig, model: ModelConfig) -> TrainingConfig:
    """The same settings with everything picked that was left open: device, precision, threads, as they suit this network.

    WrongUse for a device that this machine does not have.
    """
    device = check_device(config.device)
    precision = config.precision
    if precision == "auto":
        native = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bfloat16" if native or (device == "cpu" and _cpu_computes_in_bf16()) else "float32"
    if precision not in PRECISIONS:
        raise WrongUse(f"There is no precision {precision!r}; there are 'auto', {', '.join(map(repr, PRECISIONS))}.")
    return replace(
        config, device=device, precision=precision, threads=config.threads or pick_threads(config.batch * model.context, model.width)
    )


def thread_candidates() -> list[int]:
    """The numbers of threads that are tried: all cores, half of them, one."""
    cores = num_cores()
    return sorted({cores, max(1, cores // 2), 1}, reverse=True)


def pick_threads(rows: int, width: int, seconds: float = 0.3) -> int:
    """The number of threads that multiplies (rows, width) by (width, 3 * width) fastest right now: all cores, half of them, or one.

    If other programs keep the cores busy, threads wait for each other, and one alone can be many times as fast. The numbers take turns
    for about `seconds` in all; the medians decide, and all cores win unless fewer are at least a tenth faster.
    """
    cores = num_cores()
    candidates = thread_candidates()
    if len(candidates) == 1:
        return cores
    before = torch.get_num_threads()
    rows, width = min(rows, _ROWS_TRIED), min(width, _WIDTH_TRIED)
    x, matrix = torch.randn(rows, width), torch.randn(width, 3 * width)
    times: dict[int, list[float]] = {number: [] for number in candidates}
    end = time.perf_counter() + seconds
    while len(times[1]) < 3 or time.perf_counter() < end:
        for number in candidates:
            torch.set_num_threads(number)
            torch.mm(x, matrix)  # makes the threads
            start = time.perf_counter()
            for _ in range(4):  # the faster the products are, the less comes between them
                torch.nn.functional.silu(torch.mm(x, matrix))
            times[number].append(time.perf_counter() - start)
    torch.set_num_threads(before)
    medians = {number: sorted(taken)[len(taken) // 2] for number, taken in times.items()}
    fastest = min(candidates, key=lambda number: medians[number])
    return fastest if medians[fastest] < 0.9 * medians[cores] else cores


def set_threads(number: int) -> None:
    """Make PyTorch compute with this many CPU threads from now on."""
    torch.set_num_threads(number)


def keep_freed_memory() -> None:
    """Keep up to 512 MB of freed memory for what is allocated next, in this process from now on; does nothing without GNU's C library.

    By default it gives freed memory back to Linux, which has to clear it page by page when the next iteration asks for it again.
    """
    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(trim_threshold, 2**29)
            library.mallopt(mmap_threshold, 2**25)  # the most that it accepts


def matmul_peak(device: str, size: int = 1024, seconds: float = 0.3) -> float:
    """Floating-point operations per second of a float32 `torch.mm` of two square matrices; the median of as many as fit into `seconds`."""
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    times: list[float] = []
    torch.mm(a, b)
    synchronise(device)
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        torch.mm(a, b)
        synchronise(device)
        times.append(time.perf_counter() - start)
    return 2 * size**3 / sorted(times)[len(times) // 2]


def synchronise(device: str) -> None:
    """Wait until the device has finished its work."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def peak_memory() -> int:
    """The largest number of bytes that this process has had in memory; or that it and those below it have now, if that is more.

    What several of them share is counted once, on Linux; elsewhere, what the others share is not counted for them.
    """
    return max(_own_peak(), sum(map(_own_share, [psutil.Process(), *psutil.Process().children(recursive=True)])))


def _own_share(process: psutil.Process) -> int:
    """The bytes of a process, of what it shares with others only its part; 0 if it has ended meanwhile."""
    try:
        memory = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
    return getattr(memory, "pss", 0) or getattr(memory, "uss", memory.rss)


def _own_peak() -> int:
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def training_memory(
    parameters: int, batch: int, context: int, width: int, hidden: int, layers: int, vocabulary: int, table: int = 0
) -> int:
    """About how many bytes training needs beyond the program itself: weights, gradients, two moments, activations.

    A table of `table` numbers, not among the parameters, counts only with its weights and the copies of them that saving makes.
    """
    activations = batch * context * (layers * (12 * width + 5 * hidden) + 3 * vocabulary) * 4
    return parameters * 4 * 5 + table * 4 * 4 + activations


def describe(config: TrainingConfig) -> dict[str, str | int]:
    """The device in words, for `run.toml`."""
    names = {"cuda": torch.cuda.get_device_name, "cpu": _processor, "mps": lambda: "Apple GPU"}
    device = names[config.device]()
    return {"device": device, "processes": config.processes, "threads": config.threads}


def check_device(wanted: str) -> str:
    """The device that this setting stands for; WrongUse if this machine does not have it."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if wanted not in there:
        raise WrongUse(f"There is no device {wanted!r}; there are 'auto', 'cpu', 'cuda' and 'mps'.")
    if not there[wanted]:
        raise WrongUse(f"PyTorch finds no {wanted!r} device on this machine; leave --device out, or use --device cpu.")
    return wanted


def _cpu_computes_in_bf16() -> bool:
    """Whether the processor multiplies bfloat16 natively; if it has to emulate it, that is far slower than float32."""
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(_cpuinfo("flags").split())


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or "CPU"


def _cpuinfo(field: str) -> str:
    """What Linux says about the first core under this name; an empty string on other systems."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith(field)), "")
    except OSError:
        return ""
