"""numba, which compiles loops. Where it cannot be imported, paznja is slower, and does without a counted memory."""

from __future__ import annotations

import importlib

from paznja.config import ModelConfig
from paznja.errors import WrongUse


def check_numba(model: ModelConfig) -> None:
    """WrongUse if this model has a counted memory and numba cannot be imported."""
    if model.memory != "counted":
        return
    try:
        importlib.import_module("numba")
    except (ImportError, OSError) as error:  # OSError: its compiler does not load
        raise WrongUse(
            f"A counted memory needs numba, which cannot be imported here ({error}): install it with python -m pip install numba, "
            "or train a run with --memory learned instead."
        ) from None
