"""Pure arithmetic of what follows a failed attempt."""

from __future__ import annotations

from hueycore.retry import UNKNOWN_TASK_TRIES, next_delay, unknown_task_delay


def test_a_delay_without_backoff_stays() -> None:
    assert next_delay(5, 0) == 5
    assert next_delay(0, 0) == 0


def test_a_delay_is_multiplied_by_its_backoff() -> None:
    delays = [1.5]
    for _ in range(4):
        delays.append(next_delay(delays[-1], 2))

    assert delays == [1.5, 3, 6, 12, 24]
    assert next_delay(8, 0.5) == 4


def test_an_unknown_task_is_looked_for_during_ten_minutes() -> None:
    delays = []
    while (delay := unknown_task_delay(len(delays))) is not None:
        delays.append(delay)

    assert len(delays) == UNKNOWN_TASK_TRIES
    assert delays[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert 540 <= sum(delays) <= 660
    assert unknown_task_delay(UNKNOWN_TASK_TRIES + 50) is None
