"""Mounted behind a prefix: links, filters and acts, by clicks."""

from __future__ import annotations

from typing import Any

import pytest
from browserkit import served, tab
from clikit import QueueFile, fill

pytestmark = pytest.mark.sqlite_only("a browser sees no engine")


@pytest.mark.parametrize("kind", ["flask", "fastapi", "django"])
def test_links_filters_and_acts_work_under_a_prefix(
    kind: str, queue: QueueFile, path: str, browser: Any
) -> None:
    fill(queue)
    with served(path, kind) as site, tab(browser) as one:
        one.go(f"{site}/")
        one.page.click("nav[aria-label=Pages] >> text=Jobs")
        one.page.select_option("[name=state]", "dead")
        one.page.click("button:text-is('Show')")
        assert "state=dead" in one.page.url
        one.page.click("tbody th a")
        one.page.click("button:text-is('Retry')")
        assert one.page.url == f"{site}/jobs/2?queue=huey"
        assert "Retried job 2" in one.page.inner_text(".notice")
        assert queue.state("2") == "pending"
        one.page.click("button:text-is('Undo')")
        assert "Revoked job 2" in one.page.inner_text(".notice")
        assert queue.state("2") == "revoked"
        assert one.complaints == []
        one.page.click(".cmd >> text=JSON")
        assert '"seq": 2' in one.page.inner_text("body")
