"""Every page, whatever the queue holds."""

from __future__ import annotations

import re

import pytest
from clikit import QueueFile, fill
from dashkit import BASE, Browser, check_command, commands

from hueyctl.dashboard.routes import PAGES

#: A page of each kind, with something to see.
SHOWN = {
    "jobs/*": "jobs/2",
    "queues/*": "queues/huey",
    "tasks/*": "tasks/app.boom",
    "acts/*": "acts/retry?id=2",
}
ADDRESSES = [f"/{SHOWN.get(name, name)}" for name in PAGES]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_shows_a_queue_its_commands_and_their_documents(
    address: str, queue: QueueFile, browser: Browser
) -> None:
    fill(queue)

    html = browser.html(address)
    assert f'href="{BASE}/jobs"' in html
    for line in commands(html):
        check_command(line)
    for kind in re.findall(r'href="[^"]*\.(json|tsv)[?"]', html):
        twin = "/overview" if address == "/overview" else address
        assert browser.get(f"{twin}.{kind}").status == 200


@pytest.mark.parametrize("address", [f"/{name}" for name in PAGES if not name.endswith("*")])
def test_every_page_stands_without_a_job(address: str, browser: Browser) -> None:
    assert "<main" in browser.html(address)
