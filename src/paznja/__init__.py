"""Point it at a folder of your own books and watch a GPT learn their language from nothing.

import paznja
run = paznja.train("Books/", minutes=10)
print(run.generate("Ово је мост "))
run.next("убица је ")
paznja.open_run("most")     # later
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paznja.api import TrainedRun, open_run, read_shelf, resume, runs, train
    from paznja.errors import PaznjaError
    from paznja.evaluation.books import Evaluation
    from paznja.terminal.display import Display

__all__ = ["Display", "Evaluation", "PaznjaError", "TrainedRun", "open_run", "read_shelf", "resume", "runs", "train"]


def __getattr__(name: str) -> Any:
    # Looked up when first used: the command line's help must not wait for what it does not need.
    if name not in __all__:
        raise AttributeError(f"module 'paznja' has no attribute {name!r}")
    import importlib

    elsewhere = {"PaznjaError": "paznja.errors", "Evaluation": "paznja.evaluation.books", "Display": "paznja.terminal.display"}
    module = elsewhere.get(name, "paznja.api")
    return getattr(importlib.import_module(module), name)
