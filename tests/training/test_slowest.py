"""A process that all others wait for is named, once."""

from __future__ import annotations

from paznja.training.slowest import Slow, Slowest


def test_a_process_that_takes_much_longer_is_named_once():
    slowest = Slowest()
    assert slowest.look([1.0, 1.1, 1.2]) is None
    assert slowest.look([1.0, 3.0, 1.0]) == Slow(1, 3.0)
    assert slowest.look([1.0, 3.0, 1.0]) is None
    assert slowest.look([2.0, 1.0, 1.0]) == Slow(0, 2.0)
    assert slowest.look([1.0, 1.0, 1.0]) is None
    assert slowest.look([2.0, 1.0, 1.0]) == Slow(0, 2.0)


def test_of_two_the_slower_one_is_compared_with_the_other():
    assert Slowest().look([1.0, 1.4]) is None
    assert Slowest().look([1.0, 1.6]) == Slow(1, 1.6)


def test_a_process_without_work_is_not_compared():
    assert Slowest().look([1.0, 0.0, 0.0]) is None
    assert Slowest().look([1.0, 2.0, 0.0]) == Slow(1, 2.0)


def test_one_process_alone_holds_nobody_up():
    assert Slowest().look([1.0]) is None


def test_what_took_no_time_holds_nobody_up():
    assert Slowest().look([0.0, 0.0]) is None
