"""The 35 short stories in Serbian that come with the program, written for it and dedicated to the public domain (CC0; see LICENSE)."""

from __future__ import annotations

import importlib.resources
from contextlib import AbstractContextManager
from pathlib import Path


def folder() -> AbstractContextManager[Path]:
    """A context manager that gives the folder with the stories; it exists for certain only inside the `with` block."""
    return importlib.resources.as_file(importlib.resources.files(__name__))
