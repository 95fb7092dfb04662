"""A run is a folder. `Run` reads it, `RunWriter` is the only one that writes in it, `send` asks a living training for something.

`layout.py` knows its files by name, `records.py` what is in them. Knows no torch. `docs/design.md` lists every file.
"""

from paznja.run.layout import check_free, check_name, free_name
from paznja.run.reading import Run, all_runs
from paznja.run.records import BookRecord, CheckpointRecord, RunRecord
from paznja.run.requests import send
from paznja.run.writing import RunWriter, remove_run

__all__ = [
    "BookRecord",
    "CheckpointRecord",
    "Run",
    "RunRecord",
    "RunWriter",
    "all_runs",
    "check_free",
    "check_name",
    "free_name",
    "remove_run",
    "send",
]
