"""Rolling deploys: jobs whose arguments only the next release can read."""

from __future__ import annotations

import sys
from datetime import datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hueycore import Huey, State
from tests.helpers import Clock, drain, job


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the application, with a class."""
    module = ModuleType("release")

    class Order(SimpleNamespace): ...

    Order.__module__, Order.__qualname__ = "release", "Order"
    module.Order = Order  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "release", module)
    return module


@pytest.mark.parametrize("lacks", ["class", "module"])
def test_an_argument_whose_class_cannot_be_imported_is_put_back_until_it_can(
    huey: Huey,
    clock: Clock,
    release: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    lacks: str,
) -> None:
    clock.freeze(1_900_000_000.0)

    @huey.task()
    def ship(orders: list[Any]) -> Any:
        return orders[0].n

    handle = ship([release.Order(n=3), {"a": datetime(2030, 1, 1)}])
    with monkeypatch.context() as patch:
        if lacks == "class":
            patch.delattr(release, "Order")
        else:
            patch.delitem(sys.modules, "release")
        for _ in range(5):
            assert huey.dequeue() is None
            row = job(huey, handle)
            assert (row.state, row.attempt) == (State.SCHEDULED, 0)
            assert "Order" in row.errors[0]["message"] or "release" in row.errors[0]["message"]
            clock.jump(61)
    drain(huey)

    assert (handle.get(), job(huey, handle).attempt) == (3, 1)


def test_an_argument_whose_class_never_comes_is_dead_after_ten_minutes(
    huey: Huey, clock: Clock, release: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.freeze(1_900_000_000.0)

    @huey.task(retries=3)
    def ship(order: Any) -> None: ...

    handle = ship(release.Order(n=3))
    monkeypatch.delattr(release, "Order")
    looks = 0
    while handle.state is not State.DEAD:
        looks += 1
        assert huey.dequeue() is None
        clock.jump(60)

    assert 10 <= looks <= 12
    row = job(huey, handle)
    assert (row.reason, row.errors[-1]["type"]) == ("unreadable", "UnknownClass")


class Fussy:
    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def __setstate__(self, state: Any) -> None:
        raise state["error"]("of its own")


@pytest.mark.parametrize("error", [AttributeError, ImportError, ModuleNotFoundError])
def test_an_argument_that_fails_by_itself_is_dead_at_once(
    huey: Huey, error: type[Exception]
) -> None:
    @huey.task()
    def ship(order: Any) -> None: ...

    handle = ship(Fussy(error))
    assert huey.dequeue() is None

    assert (handle.state, job(huey, handle).reason) == (State.DEAD, "unreadable")
