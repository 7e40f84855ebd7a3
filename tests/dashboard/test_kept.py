"""Answers that take long are found once for all who ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from hueyctl.dashboard import kept
from hueyctl.dashboard.kept import Kept
from tests.helpers import wait_until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the time of answers on."""
    now = [100.0]
    monkeypatch.setattr(kept, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def test_an_answer_is_kept_for_twenty_times_what_it_took(clock: Callable[[float], None]) -> None:
    asked = []

    def find() -> int:
        asked.append(1)
        clock(0.5)
        return len(asked)

    answers = Kept()
    assert answers.get("a", find) == 1
    clock(9.9)
    assert answers.get("a", find) == 1
    clock(0.2)
    assert answers.get("a", find) == 2
    assert answers.get("b", find) == 3


def test_while_one_finds_a_new_answer_the_others_have_the_old(
    clock: Callable[[float], None],
) -> None:
    answers, gate, begun = Kept(), threading.Event(), threading.Event()
    answers.get("a", lambda: "old")
    clock(5)

    def slow() -> str:
        begun.set()
        assert gate.wait(30)
        return "new"

    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(answers.get("a", slow)))
    thread.start()
    assert begun.wait(30)
    assert answers.get("a", lambda: "never") == "old"
    gate.set()
    thread.join(30)
    wait_until(lambda: found == ["new"])
    assert answers.get("a", lambda: "never") == "new"


def test_an_error_is_nobodys_answer(clock: Callable[[float], None]) -> None:
    def fail() -> int:
        raise ValueError

    answers = Kept()
    with pytest.raises(ValueError):
        answers.get("a", fail)
    assert answers.get("a", lambda: 1) == 1


def test_old_answers_make_room() -> None:
    answers = Kept()
    for number in range(200):
        answers.get(number, object)
    assert len(answers._found) == len(answers._locks) == kept._MOST
