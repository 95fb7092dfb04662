"""How many cores this process may use."""

import os

import pytest

from paznja.cores import allowed_cores, memory_left


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not restrict processes to cores")
def test_only_the_cores_that_this_process_may_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert allowed_cores() == 1


def test_where_processes_are_not_restricted_all_cores_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert allowed_cores() == os.cpu_count()


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu.max": ""}, 8),
        ({}, 8),
    ],
)
def test_a_container_may_allow_fewer_cores_than_there_are(tmp_path, monkeypatch, files, cores):
    say(tmp_path, files)
    monkeypatch.setattr("paznja.cores.CGROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert allowed_cores() == cores


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"memory.max": "1000000\n", "memory.current": "400000\n"}, 600_000),
        ({"memory.max": "1000000\n", "memory.current": "1400000\n"}, 0),
        ({"memory/memory.limit_in_bytes": "1000000\n", "memory/memory.usage_in_bytes": "900000\n"}, 100_000),
    ],
)
def test_a_container_may_allow_less_memory_than_is_free(tmp_path, monkeypatch, files, left):
    say(tmp_path, files)
    monkeypatch.setattr("paznja.cores.CGROUP", tmp_path)
    assert memory_left() == left


@pytest.mark.parametrize("files", [{}, {"memory.max": "max\n", "memory.current": "5\n"}])
def test_without_a_limit_all_that_is_free_is_left(tmp_path, monkeypatch, files):
    say(tmp_path, files)
    monkeypatch.setattr("paznja.cores.CGROUP", tmp_path)
    assert memory_left() > 10_000_000


def say(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
