"""Threads wait briefly in a process that trains, unless somebody chose another way of waiting."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os
from pathlib import Path
import paznja
try:
    paznja.train("nowhere", minutes=1)
except paznja.PaznjaError:
    pass
print(os.environ.get("GOMP_SPINCOUNT"), os.environ.get("OMP_WAIT_POLICY"))
"""


def waiting(**environment: str) -> str:
    """The OpenMP settings of a fresh process that trains."""
    import os

    others = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env={**others, **environment}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_threads_wait_briefly_for_each_other() -> None:
    assert waiting() == "1000 None"


def test_what_was_chosen_for_openmp_stays() -> None:
    assert waiting(OMP_WAIT_POLICY="active") == "None active"
