"""Every page, whatever the queue holds."""

from __future__ import annotations

import re
from html import escape, unescape

import pytest
from clikit import QueueFile, fill
from dashkit import BASE, Browser, addresses, check_command, commands, seqs

from hueycore.storage.open import locate
from hueyctl.dashboard import routes
from hueyctl.dashboard.board import Board
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


NAMES = ["a.json", "b.tsv", "c.html", "d/", "..", ".", "e/f", "/g", "h ?i#j%41", "ü" * 300]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_leads_to_its_page_and_its_documents_whatever_it_ends_with(
    name: str, queue: QueueFile, browser: Browser
) -> None:
    queue.add(name)
    queue.kill()

    links = [link for link in addresses(browser.html("/tasks")) if link.startswith("/tasks/")]
    assert links
    for link in links:
        assert not link.partition("?")[0].endswith(("/.", "/.."))
        html = browser.html(link)
        assert f"<h1><code>{escape(name)}</code>" in html or f">{escape(name)}<" in html
        for kind in ("json", "tsv"):
            (twin,) = [each for each in addresses(html) if each.partition("?")[0].endswith(kind)]
            answer = browser.get(twin)
            assert (answer.status, name in answer.body.decode()) == (200, True)


def test_a_job_is_found_by_its_number_in_its_own_queue(
    path: str, queue: QueueFile, browser: Browser
) -> None:
    """Some engines number the jobs of each queue for themselves."""
    queue.add("app.here")
    other = QueueFile(path, "other")
    other.add("app.there")
    other.storage.close()

    seen = set()
    for link in addresses(browser.html("/jobs")):
        if re.match(r"/jobs/\d+\?", link):
            html = browser.html(link)
            seen.add(unescape(re.search(r"<title>#\d+ ([^<]*?) ", html)[1]))  # type: ignore[index]
    assert seen == {"app.here", "app.there"}


def test_a_dashboard_of_one_queue_shows_no_job_of_another(path: str, queue: QueueFile) -> None:
    mine = QueueFile(path, "mine")
    mine.add("app.mine")
    secret = queue.add("app.secret")
    board = Board(locate(path), ("mine",))
    browser = Browser(path)
    browser.board, browser.respond = board, routes.responder(board)
    try:
        for address in (
            "/jobs", f"/jobs/{secret}", "/jobs?queue=huey", f"/jobs/{secret}?queue=huey",
            "/tasks/app.secret", "/tasks/app.secret?queue=huey", "/find?q=app", "/queues/huey",
        ):  # fmt: skip
            answer = browser.get(address)
            assert answer.status == 404 or b"app.secret<" not in answer.body, address
        assert b"app.mine" in browser.get("/jobs").body
    finally:
        board.close()
        mine.storage.close()


@pytest.mark.parametrize(
    "where", ["", "&where=args.0+>+-1"], ids=["by the storage", "by arguments"]
)
def test_a_page_of_jobs_of_many_queues_has_its_fifty_and_the_next_one_the_others(
    where: str, path: str, browser: Browser
) -> None:
    for number in range(7):
        one = QueueFile(path, f"queue{number}")
        for each in range(30):
            one.add("app.add", each)
        one.storage.close()

    address, sizes = f"/jobs?task=app.add{where}", []
    for _ in range(10):
        html = browser.html(address)
        sizes.append(len(seqs(html)))
        older = [link for link in addresses(html) if re.match(r"/jobs\?.*before=", link)]
        if not older:
            break
        address = older[0]
    assert sum(sizes) == 210
    assert min(sizes[:-1]) >= 50 and max(sizes) < 57
