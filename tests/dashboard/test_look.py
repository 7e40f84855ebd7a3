"""However many ask, the storage is looked at by one thread, now and then."""

from __future__ import annotations

import itertools
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from actkit import Hand
from clikit import QueueFile, fill
from dashkit import BASE, Browser, number_of

from hueycore.exceptions import StorageBusy, StorageMissing
from hueyctl.dashboard import kept, look
from tests.helpers import wait_until


class Looks:
    """Counts them, and says how the next one ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self.error: Exception | None = None
        self.takes = 0.0
        self.real = look.look_at
        monkeypatch.setattr(look, "look_at", self)

    def __call__(self, *given: Any) -> Any:
        self.number += 1
        time.sleep(self.takes)
        if self.error is not None:
            raise self.error
        return self.real(*given)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def test_many_viewers_are_one_look(looks: Looks, queue: QueueFile, browser: Browser) -> None:
    fill(queue)
    with ThreadPoolExecutor(20) as pool:
        pages = list(pool.map(lambda _: browser.get("/").status, range(100)))

    assert set(pages) == {200}
    assert looks.number <= 3


def test_a_look_that_takes_long_is_seldom_taken(looks: Looks, browser: Browser) -> None:
    looks.takes = 0.3
    browser.get("/")
    until = time.monotonic() + 2
    while time.monotonic() < until:
        browser.get("/")

    assert looks.number == 1


def test_nothing_is_looked_at_again_while_nobody_has_changed_anything(
    looks: Looks, queue: QueueFile, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "_LEAST", 0.01)
    monkeypatch.setattr(look, "_SHARE", 0.0)
    monkeypatch.setattr(look, "_STEP", 1e9)
    browser.get("/")
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        browser.get("/")
    assert looks.number <= 2  # an engine may tell its own first commits late

    seen = looks.number
    queue.add("app.add")
    wait_until(lambda: bool(browser.get("/")) and looks.number > seen, what="a look at the new job")


def looks_of(changes: Iterable[float], seconds: int) -> list[float]:
    """When looks are taken, of a storage that changes at these moments, by the clock of a test."""
    moments, pace, seen, found = sorted(changes), look.Pace(), 0, []
    for now in map(float, range(seconds)):
        version = bisect_right(moments, now)
        if pace.is_due(version, now) and version != seen:
            found.append(now)
            seen = version
    return found


def test_what_changes_all_the_time_is_mostly_answered_by_what_the_browser_has() -> None:
    found = looks_of((each / 10 for each in range(6000)), 600)

    polls = range(1, 600, 2)
    new = {bisect_right(found, poll) for poll in polls}
    assert len(new) / len(polls) <= 0.3
    assert max(later - one for one, later in pairwise(found)) <= 9


def test_a_change_after_a_quiet_time_is_seen_at_once_and_so_is_the_end_of_many() -> None:
    assert looks_of([20.5], 60) == [21.0]
    assert looks_of([20.5, 40.5], 60) == [21.0, 41.0]
    many = [20.5 + each / 4 for each in range(17)]
    assert looks_of(many, 60) == [21.0, 26.0]


def test_a_storage_that_never_rests_is_looked_at_again_after_a_while(
    looks: Looks, queue: QueueFile, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "_LEAST", 0.02)
    monkeypatch.setattr(look, "_SHARE", 0.0)
    monkeypatch.setattr(look, "_CONSTANT", 0.5)
    browser.get("/")
    version = itertools.count()
    storage = browser.board.watch._storage
    monkeypatch.setattr(storage, "version", lambda: next(version))
    seen, began = looks.number, time.monotonic()
    wait_until(lambda: bool(browser.get("/")) and looks.number >= seen + 4, what="three more looks")

    assert time.monotonic() - began > 1.0


def test_the_page_after_an_act_shows_it_however_seldom_looks_are(
    looks: Looks, queue: QueueFile, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(queue)
    monkeypatch.setattr(look, "_LEAST", 3600.0)
    monkeypatch.setattr(look, "_CONSTANT", 3600.0)
    monkeypatch.setattr(kept, "_LEAST", 3600.0)
    assert number_of(hand.get("/"), "dead") == "1"
    assert "TimeoutError" in hand.get("/dead")
    hand.get("/tasks")

    html = hand.send("retry", id="2", back=f"{BASE}/")
    assert (number_of(html, "dead"), number_of(html, "pending")) == ("0", "3")
    assert "TimeoutError" not in hand.get("/dead")
    assert looks.number == 2


def test_the_thread_ends_when_nobody_asks_any_more(
    looks: Looks, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "_ASKING", 0.2)
    monkeypatch.setattr(look, "_LEAST", 0.05)
    monkeypatch.setattr(look, "_SHARE", 0.0)

    def threads() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name == "huey-dashboard"]

    browser.get("/")
    assert threads()
    wait_until(lambda: not threads(), what="the thread ends")
    assert browser.get("/").status == 200


def test_a_storage_that_is_held_shows_the_last_look_and_says_so(
    looks: Looks, queue: QueueFile, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "_LEAST", 0.01)
    monkeypatch.setattr(look, "_SHARE", 0.0)
    browser.get("/")
    looks.error = StorageBusy("somebody holds it")
    queue.add("app.add")

    wait_until(lambda: "busy, as of" in browser.html("/"), what="the page says so")
    looks.error = None
    wait_until(lambda: "busy, as of" not in browser.html("/"), what="it is over")


def test_a_storage_that_is_gone_and_comes_again_is_seen_again(
    looks: Looks, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "_LEAST", 0.01)
    monkeypatch.setattr(look, "_SHARE", 0.0)
    looks.error = StorageMissing("there is no file queue.db")

    assert "there is no file queue.db" in browser.html("/", 503)
    looks.error = None
    wait_until(lambda: browser.get("/").status == 200, what="it is there again")
