"""How threads wait for each other: asked of the OpenMP library before it is loaded, and so before PyTorch is.

A network this small has thousands of products a second, and at the end of each the threads wait for the slowest. By default they
spin for milliseconds, which beside other programs takes the very core that the slowest one needs. Spinning for some microseconds and
then sleeping costs little alone and is several times as fast on a busy machine (`docs/benchmarks.md`).
"""

from __future__ import annotations

import os
import sys

SPINS = "1000"
"""Turns that a thread of libgomp (Linux) spins before it sleeps."""

MILLISECONDS = "0"
"""The same for LLVM's and Intel's OpenMP (macOS, Windows), which count in milliseconds. Not measured."""


def wait_briefly() -> None:
    """From now on, if PyTorch is not loaded yet; whoever has set one of OpenMP's own variables keeps what they chose."""
    if "torch" in sys.modules or {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & os.environ.keys():
        return
    os.environ["GOMP_SPINCOUNT"] = SPINS
    os.environ["KMP_BLOCKTIME"] = MILLISECONDS
