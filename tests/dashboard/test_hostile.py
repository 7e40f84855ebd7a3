"""Whatever somebody has written into the rows of a queue is text on every page."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from clikit import QueueFile
from dashkit import Browser, commands
from operatingkit import alter, consumer, start

from hueycore.model.endings import Dead, Failure
from hueycore.model.events import LogLine, Said
from hueycore.model.jobs import Ended, Want
from hueyctl.dashboard.routes import PAGES

EVIL = (
    """<script>alert(1)</script>"'><img src=x onerror=alert(2)>{{7*7}}\u202e\x00\x1b[31m;$(id)`"""
)
#: Of a queue, a task, an id: what the storage takes as a name.
NAME = EVIL.replace("\x00", "")


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def check_harmless(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert tag not in ("iframe", "object", "embed", "base", "style"), tag
        assert tag != "img", attributes
        assert tag != "script" or (attributes["src"] or "").startswith("/ops/queue/static/")
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, attributes)
            assert name != "style"
            if name in ("href", "src", "action"):
                assert re.match(r"/ops/queue/|#board$", value or ""), value


@pytest.fixture
def spoilt(queue: QueueFile) -> QueueFile:
    """A job that runs and a dead one, with such text in whatever they have, and an operator's
    order."""
    queue.add(NAME, id="evil-1", preview=NAME, payload=b"\x80\x04evil.")
    worker = consumer(queue, name=NAME[:60])
    claim = start(queue, worker)
    failure = Failure(NAME, NAME, f"Traceback\n{NAME}")
    lines = [LogLine(time.time(), "ERROR", NAME, 1)]
    ended = Ended(claim, Dead("failed", failure), time.time() - 1, 0.5, Said(NAME, lines))
    queue.storage.exchange(worker, [ended], Want(0))
    queue.add(NAME, id="evil-2", preview=NAME)
    start(queue, worker, 1)
    alter(queue, progress=NAME, key_name=NAME, unique_key=NAME)
    queue.storage.pause(by=NAME, reason=NAME)
    queue.storage.pause(task=NAME, by=NAME, reason=NAME)
    return queue


SHOWN = {
    "jobs/*": ("jobs/1", "jobs/2"),
    "queues/*": ("queues/huey",),
    "tasks/*": (f"tasks/{NAME}",),
    "find": ("find?q=alert",),
}
ADDRESSES = [each for name in PAGES for each in SHOWN.get(name, (name,)) if "*" not in each]


@pytest.mark.parametrize("address", ADDRESSES)
def test_text_of_rows_stays_text(address: str, spoilt: QueueFile, browser: Browser) -> None:
    html = browser.html(f"/{address}")

    check_harmless(html)
    assert commands(html)


@pytest.mark.parametrize("name", ["state", "task", "where", "queue", "before", "window", "tz", "q"])
@pytest.mark.parametrize("address", [name for name in PAGES if "*" not in name])
def test_text_of_an_address_stays_text(
    address: str, name: str, spoilt: QueueFile, browser: Browser
) -> None:
    from urllib.parse import quote

    for text in (EVIL, "../../etc/passwd", "-1", "9" * 40, "args.0 = 1", "seq = x", "\ud800"):
        encoded = quote(text.encode("utf-8", "surrogatepass"))
        answer = browser.get(f"/{address}?{name}={encoded}")

        assert answer.status in (200, 400, 404), answer.body.decode()
        check_harmless(answer.body.decode())


@pytest.mark.parametrize(
    "address", ["/<script>alert(1)</script>", "//evil.example", "/jobs/" + "9" * 60, "/jobs/x%00y"]
)
def test_a_page_that_is_not_there_is_told_as_text(address: str, browser: Browser) -> None:
    check_harmless(browser.html(address, 404))
