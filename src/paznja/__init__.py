"""Point it at a folder of your own books and watch a GPT learn their language from nothing.

    import paznja
    run = paznja.train("Books/", minutes=10)
    print(run.generate("Ово је мост "))
    run.next("убица је ")
    paznja.open_run("most")     # later
"""

from paznja.api import Evaluation, TrainedRun, open_run, resume, train
from paznja.errors import PaznjaError

__all__ = ["Evaluation", "PaznjaError", "TrainedRun", "open_run", "resume", "train"]
