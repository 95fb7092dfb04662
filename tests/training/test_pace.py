"""The pace: the time of two small networks predicts that of others."""

from dataclasses import replace

import pytest
import torch

from paznja.config import ModelConfig, preset
from paznja.cores import allowed_cores
from paznja.training import pace
from paznja.training.pace import PROBES, measure_pace, seconds_of_iteration
from paznja.world.alone import Alone

SETTINGS = replace(
    preset("tiny"),
    model=replace(preset("tiny").model, vocabulary=50, memory="learned"),
    training=replace(preset("tiny").training, device="cpu", precision="float32", batch=2),
)


@pytest.fixture(autouse=True)
def _same_threads_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_an_iteration_takes_longer_for_more_layers_and_for_more_positions():
    measured = measure_pace(SETTINGS, Alone())
    small, large = ModelConfig(layers=2, vocabulary=50), ModelConfig(layers=8, vocabulary=50)
    assert 0 < measured.seconds(small, 64) < measured.seconds(large, 64)
    assert measured.seconds(small, 128) == pytest.approx(2 * measured.seconds(small, 64))


@pytest.mark.parametrize(("per_operation", "per_position"), [(1e-11, 1e-5), (3e-10, 0.0)])
def test_it_is_the_line_through_both_probes(monkeypatch, per_operation, per_position):
    seen = []

    def take(settings, world):
        seen.append((settings.model.layers, settings.model.width, settings.model.memory))
        positions = settings.training.batch * settings.model.context
        return positions * (settings.model.operations() * per_operation + per_position)

    monkeypatch.setattr(pace, "seconds_of_probe", take)
    measured = measure_pace(SETTINGS, Alone())
    assert seen == [(*probe, "learned") for probe in PROBES]
    assert measured.seconds_per_operation == pytest.approx(per_operation)
    assert measured.seconds_per_position == pytest.approx(per_position, abs=1e-12)


def test_a_disturbed_measurement_never_promises_that_size_costs_nothing(monkeypatch):
    times = iter([2.0, 1.0])
    monkeypatch.setattr(pace, "seconds_of_probe", lambda settings, world: next(times))
    measured = measure_pace(SETTINGS, Alone())
    assert measured.seconds_per_operation > 0
    assert measured.seconds_per_position >= 0


@pytest.mark.parametrize("memory", ["none", "learned", "counted"])
def test_a_network_is_timed_with_more_threads_than_are_allowed_here_as_its_run_may_come_from_a_larger_machine(memory):
    settings = replace(
        SETTINGS,
        model=replace(SETTINGS.model, memory=memory),
        training=replace(SETTINGS.training, threads=allowed_cores() + 1),
    )
    assert seconds_of_iteration(settings, Alone()) > 0
