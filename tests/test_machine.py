"""What is picked automatically, and that settings which were asked for stay."""

import os
import platform
import subprocess
import sys

import psutil
import pytest
import torch

from paznja import machine
from paznja.config import ModelConfig, TrainingConfig
from paznja.errors import WrongUse
from paznja.machine import (
    PRECISIONS,
    describe,
    matmul_peak,
    num_cores,
    peak_memory,
    pick_threads,
    resolve,
    set_threads,
    training_memory,
)


@pytest.fixture(autouse=True)
def _same_threads_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_everything_that_was_left_open_is_picked():
    picked = resolve(TrainingConfig(), ModelConfig())
    assert picked.device in ("cpu", "cuda", "mps")
    assert picked.precision in PRECISIONS
    assert 1 <= picked.threads <= num_cores()
    assert resolve(picked, ModelConfig()) == picked


def test_what_was_asked_for_stays():
    asked = TrainingConfig(device="cpu", precision="bfloat16", threads=3, compiled=True, batch=7, seed=9)
    assert resolve(asked, ModelConfig()) == asked


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_can_be_asked_for_on_any_device(precision):
    assert resolve(TrainingConfig(device="cpu", precision=precision), ModelConfig()).precision == precision


def test_on_a_cpu_bfloat16_is_picked_only_where_the_processor_has_it():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            native = not {"amx_bf16", "avx512_bf16"}.isdisjoint(file.read().split())
    except OSError:
        native = False
    assert resolve(TrainingConfig(device="cpu"), ModelConfig()).precision == ("bfloat16" if native else "float32")
    assert not resolve(TrainingConfig(device="cpu"), ModelConfig()).compiled


def test_a_device_that_there_is_not_is_refused_by_name():
    with pytest.raises(WrongUse, match="'tpu'"):
        resolve(TrainingConfig(device="tpu"), ModelConfig())
    for device, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        if not there:
            with pytest.raises(WrongUse, match=f"{device}.*--device cpu"):
                resolve(TrainingConfig(device=device), ModelConfig())


def test_a_precision_that_there_is_not_is_refused_by_name():
    with pytest.raises(WrongUse, match=r"'float8'.*'float32', 'bfloat16'"):
        resolve(TrainingConfig(device="cpu", precision="float8"), ModelConfig())


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_only_cores_that_the_process_may_use_are_counted():
    allowed = os.sched_getaffinity(0)
    assert 1 <= num_cores() <= len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert num_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_threads_are_set_for_pytorch():
    set_threads(2)
    assert torch.get_num_threads() == 2


def test_the_peak_of_the_matrix_product_is_a_number_of_operations_a_second():
    assert 1e7 < matmul_peak("cpu", size=64, seconds=0.0) < 1e16


FAULTS = """
import resource
import torch
from paznja.machine import keep_freed_memory
def take():
    return [torch.zeros(1 << 20) for _ in range(8)]
if {keep}:
    keep_freed_memory()
take()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
take()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library can be told to")
def test_freed_memory_is_used_again_without_asking_the_system_for_every_page():
    def faults(keep: bool) -> int:
        done = subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, encoding="utf-8", check=True)
        return int(done.stdout)

    assert faults(keep=True) < 0.5 * faults(keep=False)


def test_peak_memory_counts_processes_that_this_one_has_started():
    alone = peak_memory()
    command = [sys.executable, "-c", "import sys; held = b'1' * 1_000_000_000; print(len(held), flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        assert peak_memory() >= max(alone, 1_000_000_000)
        other.communicate()


def test_peak_memory_is_at_least_what_was_in_use_at_once():
    taken = bytearray(os.urandom(1 << 20) * 64)
    now = psutil.Process().memory_info().rss
    assert len(taken) < now
    assert peak_memory() >= 0.95 * now


def test_training_memory_grows_with_every_dimension_and_covers_weights_gradients_and_moments():
    shape = {"parameters": 10**6, "batch": 8, "context": 64, "width": 32, "hidden": 96, "layers": 2, "vocabulary": 100, "table": 10**6}
    assert training_memory(**shape) > 4 * 4 * shape["parameters"]
    for name in shape:
        assert training_memory(**{**shape, name: 2 * shape[name]}) > training_memory(**shape)


def test_the_machine_is_described_in_words():
    about = describe(TrainingConfig(device="cpu", threads=2))
    assert isinstance(about["device"], str)
    assert about["device"]
    assert about["threads"] == 2


def test_threads_are_picked_that_the_machine_has_and_torch_keeps_its_own():
    before = torch.get_num_threads()
    assert pick_threads(256, 32, seconds=0.02) in {1, max(1, num_cores() // 2), num_cores()}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("slowdown", "picked"), [({1: 1.0, 2: 1.5, 4: 2.0}, 1), ({1: 4.0, 2: 2.0, 4: 1.0}, 4), ({1: 3.0, 2: 0.95, 4: 1.0}, 4)]
)
def test_the_fastest_number_of_threads_wins_and_all_cores_where_it_is_nearly_the_same(monkeypatch, slowdown, picked):
    now = [0.0]

    def slow_silu(x: torch.Tensor) -> torch.Tensor:
        now[0] += slowdown[chosen[-1]]
        return x

    chosen = [1]
    monkeypatch.setattr(machine, "num_cores", lambda: 4)
    monkeypatch.setattr(machine.torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(machine.torch.nn.functional, "silu", slow_silu)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: now[0])
    assert pick_threads(8, 4, seconds=50.0) == picked
