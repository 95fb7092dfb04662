"""The 35 short stories in Serbian that come with the program, written for it and dedicated to the public domain (CC0; see LICENSE)."""

from __future__ import annotations

import importlib.resources
from contextlib import AbstractContextManager
from pathlib import Path


def folder() -> AbstractContextManager[Path]:
    """A context manager that gives the folder with the stories; it need not exist outside the `with` block."""
    return importlib.resources.as_file(importlib.resources.files(__name__))
