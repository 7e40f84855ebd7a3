"""Threads that want the same at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from hueycore.system.rounds import Rounds
from tests.helpers import wait_until


class Desk:
    """Serves all who wait, when it is let go: once for each ``permit``."""

    def __init__(self) -> None:
        self.rounds = Rounds()
        self.waiting: list[int] = []
        self.called: list[set[int]] = []
        self.permits = threading.Semaphore(0)

    def come(self, who: int) -> int:
        self.waiting.append(who)
        self.rounds.take(lambda: who in self.waiting, self._serve)
        return who

    def _serve(self) -> None:
        these = set(self.waiting)
        self.called.append(these)
        assert self.permits.acquire(timeout=20)
        self.waiting = [who for who in self.waiting if who not in these]


def test_those_who_come_meanwhile_are_served_together_and_leave_before_the_next_round() -> None:
    desk = Desk()
    with ThreadPoolExecutor(16) as pool:
        first = pool.submit(desk.come, 0)
        wait_until(lambda: len(desk.called) == 1, 20, "the first")
        second = come(desk, pool, range(1, 6))
        desk.permits.release()
        assert first.result(20) == 0
        wait_until(lambda: len(desk.called) == 2, 20, "the second round")
        third = come(desk, pool, range(6, 9))

        desk.permits.release()
        assert [one.result(20) for one in second] == [*range(1, 6)]
        assert not any(one.done() for one in third)
        desk.permits.release()
        assert [one.result(20) for one in third] == [*range(6, 9)]

    assert desk.called == [{0}, {*range(1, 6)}, {*range(6, 9)}]


def come(desk: Desk, pool: ThreadPoolExecutor, who: range) -> list[Future[int]]:
    answers = [pool.submit(desk.come, one) for one in who]
    wait_until(lambda: {*who} <= {*desk.waiting}, 20, "all of them")
    return answers


def test_an_error_is_its_callers_and_the_next_one_tries_for_himself() -> None:
    rounds = Rounds()
    left = [1, 2]

    def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        rounds.take(lambda: bool(left), fail)
    rounds.take(lambda: bool(left), left.clear)

    assert not left
    assert not rounds.alone.locked()
