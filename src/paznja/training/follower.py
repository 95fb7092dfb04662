"""What the other processes of a training do: what process 0 tells them, until it ends.

Run as a program (`python -m paznja.training.follower SOCKET RANK`), it is one of the processes that `paznja.world.shared` starts.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from paznja.config import Settings
from paznja.errors import PaznjaError
from paznja.evaluation.bits_per_character import score
from paznja.run import Run
from paznja.run.layout import TOKENIZER
from paznja.tokenizers import load_tokenizer
from paznja.training.learner import Learner
from paznja.training.material import material_for
from paznja.training.pace import take_part_in_timing
from paznja.training.scoring import Scorer
from paznja.world import Gone, World
from paznja.world.shared import Shared, joined


def serve(world: Shared) -> None:
    """Do what process 0 asks for, again and again: time iterations, train. Returns when it is told to end."""
    while True:
        message = world.told()
        match message["do"]:
            case "meet":
                world = world.anew(message["size"])
            case "time":
                take_part_in_timing(world, Settings.from_dict(message["settings"]), message["iterations"])
            case "train":
                ids = message["ids"]
                follow(world, Run(Path(message["run"])), Settings.from_dict(message["settings"]), None if ids is None else Path(ids))
            case "end":
                return
            case unknown:
                raise AssertionError(f"process 0 asked for {unknown!r}")


def follow(world: World, run: Run, settings: Settings, ids: Path | None) -> None:
    """Take part in the training of this run. `ids`: the file with the books' ids, if the run does not keep it."""
    learner = Learner(settings.model, settings.training, world=world)
    tokenizer = load_tokenizer(run.path / TOKENIZER, settings.tokenizer)
    material = material_for(run, settings, tokenizer, ids, world)
    scorer = Scorer(learner, material, tokenizer.newline, world, score)
    while True:
        message = world.told()
        match message["do"]:
            case "learn":
                learner.learn(material.next(message["learning"]), message["factor"], message["learning"])
            case "count":
                material.count()
            case "score":
                scorer.take_part(whole=message["whole"], start=message["start"], stop=message["stop"], ahead=message["ahead"])
            case "go to":
                material.load_state_dict(message["material"])
            case "compare":
                learner.take_part_in_comparing()
            case "adopt":
                learner.take_part_in_adopting()
            case "adopt weights":
                learner.optimizers.adopt_weights()
            case "wait":
                pass  # process 0 is busy, and lets it be known that it is there
            case "complete":
                learner.optimizers.complete()
            case "end":
                return
            case unknown:
                raise AssertionError(f"process 0 asked for {unknown!r}")


def main(arguments: list[str]) -> None:
    """Take part in what process 0 does, through the socket with this number."""
    world = joined(*map(int, arguments))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(world)
    except Gone:
        pass  # process 0 has ended, and has said why
    except MemoryError:
        world.fail(f"There was not enough memory for process {world.rank + 1} of {world.size} that train together: try --processes 1.")
    except PaznjaError as error:
        world.fail(str(error))
    except Exception as error:
        world.fail(f"Process {world.rank + 1} of {world.size} that train together failed: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # at once: to take PyTorch apart takes longer than anybody wants to wait
