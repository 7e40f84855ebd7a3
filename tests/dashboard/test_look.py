"""However many ask, the storage is looked at by one thread, now and then."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from clikit import QueueFile, fill
from dashkit import Browser

from hueycore.exceptions import StorageBusy, StorageMissing
from hueyctl.dashboard import look
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
