"""The number of threads is reconsidered: fewer beside other programs, all again when those have ended, and never without a reason."""

from __future__ import annotations

from collections.abc import Callable

from paznja.training.threads import Threads


def learn(threads: Threads, iterations: int, seconds: Callable[[int], float]) -> list[int]:
    """What was decided in this many iterations, each of which takes `seconds(number of threads)`."""
    decided = (threads.took(seconds(threads.number)) for _ in range(iterations))
    return [number for number in decided if number is not None]


def quiet(number: int) -> float:
    return 0.2 / number


def beside_another(number: int) -> float:
    return 0.2 if number == 1 else 0.6


def test_on_a_quiet_machine_nothing_is_tried() -> None:
    threads = Threads(2, [2, 1])
    seen: set[int] = set()

    def seconds(number: int) -> float:
        seen.add(number)
        return quiet(number)

    assert learn(threads, 3000, seconds) == []
    assert seen == {2}


def test_beside_another_program_fewer_are_taken_and_all_again_when_it_has_ended() -> None:
    threads = Threads(2, [2, 1])
    learn(threads, 500, quiet)
    assert learn(threads, 200, beside_another) == [1]
    assert threads.number == 1
    assert learn(threads, 2000, quiet) == [2]
    assert threads.number == 2


def test_where_no_number_helps_the_present_one_stays() -> None:
    threads = Threads(2, [2, 1])
    learn(threads, 500, quiet)
    assert learn(threads, 2000, lambda number: 5 * quiet(number)) == []
    assert threads.number == 2


def test_a_single_number_is_never_questioned() -> None:
    threads = Threads(1, [1])
    assert learn(threads, 500, lambda number: 0.1) == learn(threads, 500, lambda number: 100.0) == []
