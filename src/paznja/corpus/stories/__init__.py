"""The stories that come with the program: 35 short stories in Serbian, written for it, CC0 (see LICENSE beside them)."""

from __future__ import annotations

import importlib.resources
from contextlib import AbstractContextManager
from pathlib import Path


def folder() -> AbstractContextManager[Path]:
    """The folder with the stories, for as long as the context lasts."""
    return importlib.resources.as_file(importlib.resources.files(__name__))
