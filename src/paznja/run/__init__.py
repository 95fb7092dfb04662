"""A run is a folder: `Run` reads it, `send` asks a living training for something, `records.py` knows what is in its files.

`RunWriter`, the only one that writes there, is in `writing.py`: who only reads does not load what writing needs. Knows no torch.
`docs/design.md` lists every file.
"""

from paznja.run.layout import check_free, check_name, free_name
from paznja.run.reading import Run, all_runs
from paznja.run.records import BookRecord, CheckpointRecord, RunRecord
from paznja.run.requests import send

__all__ = ["BookRecord", "CheckpointRecord", "Run", "RunRecord", "all_runs", "check_free", "check_name", "free_name", "send"]
