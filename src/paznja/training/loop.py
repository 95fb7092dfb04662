"""The loop: it joins the parts of a training and reports what happens, as a generator of events.

It prints nothing, draws nothing, and keeps two numbers itself (`Place`); everything else is in the parts, each of which can be saved.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import nullcontext

from paznja.training.evaluator import NotANumber
from paznja.training.events import Event, Finished, HeldUp, Paused, Regrouped
from paznja.training.parts import Parts


def train(parts: Parts) -> Generator[Event]:
    """Train from where the parts are until the budget is spent or a stop is asked for.

    Raises NotANumber for a loss that is not finite; the last checkpoint stays good. Whoever does not go on to the end has to close it.
    """
    place, clock, learner, material = parts.place, parts.clock, parts.learner, parts.material
    meter, sampler, evaluator, checkpointer, director = parts.meter, parts.sampler, parts.evaluator, parts.checkpointer, parts.director
    surprise = parts.surprise
    clock.start(place.seconds)
    yield from material.begin(learner.model, new=place.iteration == 0)
    learner.adopt()
    checkpointer.keep(material.memory)
    place.seconds = clock.seconds()
    meter.begin(place)
    todo = director.begin(place)
    while True:
        if todo.pause:
            yield checkpointer.save()
            director.answer(place)
            yield Paused(place.iteration)
            todo = todo._replace(row=director.wait() or todo.row)
        if todo.row:
            with evaluator.ahead(place) if todo.score else nullcontext():
                yield from sampler.row(place)
                if todo.score or material.memory is None:  # a counted memory reads the held-out books first, which takes time
                    surprise.measure(place)
        if todo.score:
            yield from evaluator.parts(place)
        if todo.sample:
            yield from sampler.between(place)
        if todo.save:
            yield checkpointer.save()
        director.answer(place)
        place.seconds = clock.seconds()
        if director.is_over(place):
            break
        began = clock.now()
        batch = material.next(learner.learning)
        nats = learner.step(batch, director.learning_rate(place), began)
        if not math.isfinite(nats):
            raise NotANumber(place.iteration + 1)
        place.iteration += 1
        place.seconds = clock.seconds()
        meter.count(nats, batch.next_ids)
        yield meter.progress(place, director.fraction(place))
        if learner.regrouped is not None:
            yield Regrouped(place.iteration, learner.regrouped, "thread" if parts.world.size == 1 else "process")
        if learner.slow is not None:
            yield HeldUp(place.iteration, learner.slow.rank, parts.world.hosts[learner.slow.rank], learner.slow.times)
        todo = director.decide(place)
    meter.end()
    whole: float | None = None
    if not director.stop.is_set:
        with evaluator.ahead(place):
            yield from sampler.row(place)
            surprise.measure(place)
        yield from evaluator.parts(place)
        whole = yield from evaluator.whole(place)
    complete = not director.stop.is_set
    yield checkpointer.save(finished=complete)
    director.answer(place, at_end=True)
    best = evaluator.best if whole is None else whole
    yield Finished(place.iteration, clock.seconds(), complete, best, best is not None and (whole is not None or evaluator.is_whole))
