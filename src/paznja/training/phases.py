"""What a training is doing, for everybody who looks into its folder: from its events to the writer."""

from __future__ import annotations

from paznja.run.writing import RunWriter
from paznja.training.events import Counting, Event, Paused, Progress, Scoring


def show(event: Event, writer: RunWriter) -> None:
    """Let the folder say what this event says."""
    match event:
        case Progress():
            writer.show(
                "learning",
                iteration=event.iteration,
                seconds=event.seconds,
                fraction=event.fraction,
                seconds_left=event.seconds_left,
                training_bits=event.training_bits,
                characters_per_second=event.characters_per_second,
            )
        case Counting():
            writer.show("counting")
        case Scoring():
            writer.show("scoring")
        case Paused():
            writer.show("paused")
        case _:
            pass
