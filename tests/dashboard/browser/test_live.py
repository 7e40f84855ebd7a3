"""What the script does: it follows, waits under a hand, and says when nobody answers."""

from __future__ import annotations

from typing import Any

import pytest
from browserkit import serving, tab
from clikit import QueueFile, fill

pytestmark = pytest.mark.sqlite_only("a browser sees no engine")


def test_a_page_follows_and_leaves_alone_what_is_ticked(
    queue: QueueFile, site: str, browser: Any
) -> None:
    fill(queue)
    with tab(browser) as one:
        one.go(f"{site}/jobs")
        one.page.check("[aria-label='Job 3']")
        queue.add("app.later")
        with one.page.expect_response(f"{site}/jobs", timeout=10_000):
            pass
        assert one.page.is_checked("[aria-label='Job 3']")
        one.page.uncheck("[aria-label='Job 3']")
        one.page.evaluate("document.activeElement.blur()")
        one.page.wait_for_selector("text=app.later", timeout=10_000)
        assert one.complaints == []


def test_what_is_old_is_grey_and_says_so(queue: QueueFile, path: str, browser: Any) -> None:
    fill(queue)
    with serving(path) as (site, server), tab(browser) as one:
        one.page.clock.install()
        one.go(f"{site}/")
        server.kill()
        server.wait()
        for _ in range(3):
            with one.page.expect_event("requestfailed", timeout=10_000):
                one.page.clock.fast_forward(5_000)
        one.page.wait_for_selector("body.stale", timeout=10_000)
        assert "no answer since" in one.page.inner_text(".live")


def test_keys_go_everywhere(queue: QueueFile, site: str, browser: Any) -> None:
    fill(queue)
    with tab(browser) as one:
        one.go(f"{site}/")
        one.page.keyboard.press("g")
        one.page.keyboard.press("j")
        one.page.wait_for_url(f"{site}/jobs")
        one.page.keyboard.press("j")
        one.page.keyboard.press("x")
        assert one.page.locator("tr.here input:checked").count() == 1
        one.page.keyboard.press("Enter")
        one.page.wait_for_url(f"{site}/jobs/*")
        one.page.keyboard.press("/")
        one.page.keyboard.type("boom")
        assert one.page.input_value("#q") == "boom"
