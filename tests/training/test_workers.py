"""The number of workers is reconsidered: fewer beside other programs, all again when those have ended, and never without a reason."""

from __future__ import annotations

from collections.abc import Callable

from paznja.training.workers import Workers


def learn(workers: Workers, iterations: int, seconds: Callable[[int], float]) -> list[int]:
    """What was decided in this many iterations, each of which takes `seconds(number of workers)`."""
    decided = (workers.took(seconds(workers.number)) for _ in range(iterations))
    return [number for number in decided if number is not None]


def quiet(number: int) -> float:
    return 0.2 / number


def beside_another(number: int) -> float:
    return 0.2 if number == 1 else 0.6


def test_on_a_quiet_machine_nothing_is_tried() -> None:
    workers = Workers(2, [2, 1])
    seen: set[int] = set()

    def seconds(number: int) -> float:
        seen.add(number)
        return quiet(number)

    assert learn(workers, 3000, seconds) == []
    assert seen == {2}


def test_beside_another_program_fewer_are_taken_and_all_again_when_it_has_ended() -> None:
    workers = Workers(2, [2, 1])
    learn(workers, 500, quiet)
    assert learn(workers, 200, beside_another) == [1]
    assert workers.number == 1
    assert learn(workers, 2000, quiet) == [2]
    assert workers.number == 2


def test_where_no_number_helps_the_present_one_stays() -> None:
    workers = Workers(2, [2, 1])
    learn(workers, 500, quiet)
    assert learn(workers, 2000, lambda number: 5 * quiet(number)) == []
    assert workers.number == 2


def test_a_single_number_is_never_questioned() -> None:
    workers = Workers(1, [1])
    assert learn(workers, 500, lambda number: 0.1) == learn(workers, 500, lambda number: 100.0) == []
