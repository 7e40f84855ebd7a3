"""Pure arithmetic of what follows a failed attempt."""

from __future__ import annotations

from hueycore.retry import UNKNOWN_TASK_PATIENCE, next_delay, unknown_task_delay


def test_a_delay_without_backoff_stays() -> None:
    assert next_delay(5, 0) == 5
    assert next_delay(0, 0) == 0


def test_a_delay_is_multiplied_by_its_backoff() -> None:
    delays = [1.5]
    for _ in range(4):
        delays.append(next_delay(delays[-1], 2))

    assert delays == [1.5, 3, 6, 12, 24]
    assert next_delay(8, 0.5) == 4


def test_an_unknown_task_is_looked_for_less_and_less_often() -> None:
    looks = [0.0]
    while looks[-1] < UNKNOWN_TASK_PATIENCE:
        looks.append(looks[-1] + unknown_task_delay(looks[-1]))

    assert looks[:8] == [0, 1, 3, 7, 15, 31, 63, 123]
    assert 600 <= looks[-1] <= 660
    assert unknown_task_delay(-3600) == 1  # the clock was set back
