"""What is picked automatically, and that what was asked for stays."""

import os

import psutil
import pytest
import torch

from paznja.config import TrainingConfig
from paznja.errors import WrongUse
from paznja.training.machine import (
    PRECISIONS,
    describe,
    matmul_peak,
    num_cores,
    peak_memory,
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
    picked = resolve(TrainingConfig())
    assert picked.device in ("cpu", "cuda", "mps")
    assert picked.precision in PRECISIONS
    assert picked.threads == num_cores()
    assert resolve(picked) == picked


def test_what_was_asked_for_stays():
    asked = TrainingConfig(device="cpu", precision="bfloat16", threads=3, compiled=True, batch=7, seed=9)
    assert resolve(asked) == asked


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_can_be_asked_for_on_any_device(precision):
    assert resolve(TrainingConfig(device="cpu", precision=precision)).precision == precision


def test_on_a_cpu_bfloat16_is_picked_only_where_the_processor_has_it():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            native = any(unit in file.read().split() for unit in ("amx_bf16", "avx512_bf16"))
    except OSError:
        native = False
    assert resolve(TrainingConfig(device="cpu")).precision == ("bfloat16" if native else "float32")
    assert not resolve(TrainingConfig(device="cpu")).compiled


def test_a_device_that_there_is_not_is_refused_by_name():
    with pytest.raises(WrongUse, match="'tpu'"):
        resolve(TrainingConfig(device="tpu"))
    for device, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        if not there:
            with pytest.raises(WrongUse, match=f"{device}.*--device cpu"):
                resolve(TrainingConfig(device=device))


def test_a_precision_that_there_is_not_is_refused_by_name():
    with pytest.raises(WrongUse, match=r"'float8'.*'float32', 'bfloat16'"):
        resolve(TrainingConfig(device="cpu", precision="float8"))


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
