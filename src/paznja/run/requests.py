"""Requests to a living training: small numbered files in the run's folder, which the training obeys in their order and answers.

This is the only thing that anybody but the training writes in a run's folder.
"""

from __future__ import annotations

import os
from contextlib import suppress

from paznja.errors import WrongUse
from paznja.run.layout import KINDS_OF_REQUESTS, REQUEST, REQUESTS
from paznja.run.reading import Run
from paznja.run.records import Answer


def send(run: Run, request: str) -> int:
    """Ask the living training for one of `KINDS_OF_REQUESTS`, which it does after its current iteration; returns the request's number.

    WrongUse for any other request.
    """
    if request not in KINDS_OF_REQUESTS:
        raise WrongUse(f"There is no request {request!r}; there are {', '.join(KINDS_OF_REQUESTS)}.")
    folder = run.path / REQUESTS
    folder.mkdir(exist_ok=True)
    number = max([0, *(number for number, _ in waiting(run)), *(answer.number for answer in _answers(run))])
    while True:
        number += 1
        if any(folder.glob(f"{number:08d}-*")):
            continue
        with suppress(FileExistsError):
            os.close(os.open(folder / f"{number:08d}-{request}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return number


def waiting(run: Run) -> list[tuple[int, str]]:
    """The requests (number, what is asked for) that were not obeyed yet, in the order in which they were sent."""
    try:
        names = os.listdir(run.path / REQUESTS)
    except FileNotFoundError:
        return []
    return sorted((int(match[1]), match[2]) for match in map(REQUEST.fullmatch, names) if match)


def answer_to(run: Run, number: int) -> Answer | None:
    """The answer to the request with this number; None if it was not obeyed yet, or too long ago."""
    return next((answer for answer in _answers(run) if answer.number == number), None)


def _answers(run: Run) -> tuple[Answer, ...]:
    now = run.now()
    return () if now is None else now.answers
