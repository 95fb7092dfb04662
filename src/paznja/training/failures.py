"""What makes a training fail, as sentences: no memory, a full disk, a folder that is gone, a loss that is not a number."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from paznja.config import Settings
from paznja.disk import is_disk_full
from paznja.errors import TrainingFailed
from paznja.run import Run
from paznja.run.layout import RUN
from paznja.training.evaluator import NotANumber


@contextmanager
def failing_in_words(run: Run, settings: Settings) -> Iterator[None]:
    """Inside the block, a person reads what went wrong and what to do: raises TrainingFailed."""
    try:
        yield
    except NotANumber as error:
        raise TrainingFailed(
            f"The loss stopped being a number at iteration {error.iteration}. "
            f"{'The last good checkpoint is kept.' if run.checkpoint() else 'Nothing was saved yet.'} "
            f"Begin a new run with a lower --learning-rate than {settings.training.learning_rate:g}, say a third of it."
        ) from None
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise out_of_memory(settings) from error
    except RuntimeError as error:
        if "not enough memory" in str(error) or "allocate memory" in str(error):
            raise out_of_memory(settings) from error
        raise
    except OSError as error:
        if not (run.path / RUN).exists():
            raise TrainingFailed(
                f"The folder {run.path} was moved or deleted while the run was being trained, and training stopped."
            ) from error
        if is_disk_full(error):
            kept = run.checkpoint() is not None
            go_on = f"The last good checkpoint is kept: make room, then {shlex.join(['paznja', 'resume', run.name])}."
            anew = "Nothing was saved yet: make room, or begin a new run on another disk with --out."
            raise TrainingFailed(f"The disk with {run.path} is full. {go_on if kept else anew}") from error
        if isinstance(error, PermissionError):
            raise TrainingFailed(f"{run.path} may not be written to: change its permissions, or copy it to a folder of yours.") from error
        raise


def out_of_memory(settings: Settings) -> TrainingFailed:
    """The error to raise if there is not enough memory for these settings."""
    return TrainingFailed(
        f"There was not enough memory. Lower --batch (now {settings.training.batch}) or --context (now {settings.model.context}), "
        "or close other programs; a new run with half of either needs about half as much."
    )
