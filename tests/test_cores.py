"""How many cores this process may use."""

import os

import pytest

from paznja.cores import allowed_cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not restrict processes to cores")
def test_only_the_cores_that_this_process_may_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert allowed_cores() == 1


def test_where_processes_are_not_restricted_all_cores_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert allowed_cores() == os.cpu_count()
