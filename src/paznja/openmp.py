"""How threads wait for each other. This has to be set before the OpenMP library is loaded, and so before PyTorch is.

A network this small computes thousands of products a second, and after each the threads wait for the slowest one. By default they
spin for milliseconds; on a busy machine that takes away the very core that the slowest one needs. Spinning for some microseconds and
then sleeping costs little on a quiet machine and is several times as fast on a busy one (`docs/benchmarks.md`).
"""

from __future__ import annotations

import os
import sys

SPINS = "1000"
"""How many times a thread of libgomp (Linux) spins before it sleeps."""

MILLISECONDS = "0"
"""The same for LLVM's and Intel's OpenMP (macOS, Windows), which count in milliseconds. Not measured."""


def wait_briefly() -> None:
    """Let threads spin only briefly, if PyTorch is not loaded yet. If one of OpenMP's own variables is set, nothing changes."""
    if "torch" in sys.modules or {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & os.environ.keys():
        return
    os.environ["GOMP_SPINCOUNT"] = SPINS
    os.environ["KMP_BLOCKTIME"] = MILLISECONDS
