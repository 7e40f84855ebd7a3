"""The operator's drill by clicks: twelve questions about a mess, each answered within three."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from browserkit import served, tab
from clikit import QueueFile
from operatingkit import consumer, start

from hueycore.model.endings import Dead, Failure
from hueycore.model.jobs import Selector
from hueycore.model.limits import Limit
from hueycore.model.schedules import Periodic
from hueycore.storage.open import open_storage

pytestmark = pytest.mark.sqlite_only("a browser sees no engine")

#: Clicks that an answer may take.
_CLICKS = 3


class Question(NamedTuple):
    """``steps`` begin on the first page: what is clicked, by its words, or ``field=text`` typed.
    ``answer`` is a pattern of what is then read."""

    text: str
    steps: tuple[str, ...]
    answer: str


QUESTIONS = [
    Question("What is wrong?", (), r"7 dead letters.*ValueError.*queue mail has been paused"),
    Question("Which task fails, with what error?", ("Dead",), r"4\s+ValueError\s+shop\.charge"),
    Question("How long until the queue is empty?", (), r"^Up to date: nothing waits.*empty in"),
    Question(
        "Who holds the lock ledger, since when, and who waits for it?",
        ("Limits",),
        r"ledger\s+shop\s+web1:590\s+\d+.*\b2\s+#\d+ shop\.close",
    ),
    Question("Which job runs longest?", (), r"Running, longest first.*#\d+\s+shop\.reindex"),
    Question("What runs in the next hour?", (), r"In the next hour.*1 schedule.*nightly"),
    Question("Is a consumer alive for every queue?", ("mail",), r"Nobody serves it"),
    Question(
        "What did an operator change?",
        ("Events", "operators"),
        r"pause.*mail.*SMTP down|revoke.*twice",
    ),
    Question("Why does job 13 not run?", ("find=13", "Enter", "#13"), r"Blocked by key ledger"),
    Question(
        "What has user 42's last job become?",
        ("Jobs", "where=kwargs.user_id = 42", "Show"),
        r"#\d+\s+✕?\s*dead\s+shop\.charge user_id=42",
    ),
    Question(
        "Which jobs were lost to a crash?",
        ("Jobs", "where=reason = crashed", "Show"),
        r"#\d+\s+✕?\s*dead\s+shop\.transfer",
    ),
    Question(
        "How much space would a vacuum give back?",
        ("Health",),
        r"space: [\d,]+ of [\d,]+ bytes are free",
    ),
]


@pytest.fixture
def mess(path: str) -> Iterator[str]:
    """Dead letters of three errors, a crash, a lock that two wait for, a run of hours, a paused
    queue that nobody serves, and what operators did."""
    shop = QueueFile(path, "shop")
    mail = QueueFile(path, "mail")
    storage = shop.storage
    storage.declare_limits([Limit("shop.close", "ledger", 1)])
    for number in range(6):
        shop.add("shop.charge", kwargs={"user_id": 42 if number == 5 else number})
    shop.add("shop.transfer", 1)
    shop.run(_ended)
    for _ in range(4):
        shop.add("shop.reindex", 1)
    shop.finish()
    shop.add("shop.reindex", 3600)
    start(shop, consumer(shop, "web2:812", 4))
    holder = storage.register(name="web1:590", kind="thread", slots=0)
    storage.lock("ledger", holder, b"token")
    for month in ("october", "november"):
        shop.add("shop.close", month, key_name="ledger")
    payload = shop.serializer.serialize(((), {}))
    soon = time.time() + 900
    storage.schedule_periodic(
        Periodic("nightly", "shop.n", "@every 15m", None, soon, payload=payload)
    )
    mail.add("mail.send", "ann")
    later = shop.add("shop.resize", 2, run_at=time.time() + 7200)
    for queue in ("shop", "mail"):
        ann = open_storage(path, queue, create=False, operator="ann@ops1")
        if queue == "mail":
            ann.pause(by="ann@ops1", reason="SMTP down")
        else:
            ann.revoke(Selector(keys=(later,)), "twice")
        ann.close()
    yield path
    shop.storage.close()
    mail.storage.close()


def _ended(claim: Any) -> Any:
    if claim.task == "shop.transfer":
        return Dead("crashed", Failure("Crashed", "its worker died", ""))
    type_ = "TimeoutError" if claim.seq % 3 == 0 else "ValueError"
    return Dead("failed", Failure(type_, "card refused", f"{type_}: card refused"))


def test_every_question_of_an_operator_is_answered_within_three_clicks(
    mess: str, browser: Any
) -> None:
    paths = []
    with served(mess) as site, tab(browser, viewport={"width": 1360, "height": 900}) as one:
        for question in QUESTIONS:
            one.go(f"{site}/")
            for step in question.steps:
                _take(one.page, step)
            clicks = sum("=" not in step for step in question.steps)
            read = re.sub(r"\s+", " ", one.text())
            assert clicks <= _CLICKS
            assert re.search(question.answer, read), (question, read)
            path = " > ".join(("Overview", *question.steps))
            paths.append(f"{question.text:64} {path} ({clicks})")
    print("\n".join(paths))


def _take(page: Any, step: str) -> None:
    field, typed, text = step.partition("=")
    if step == "Enter":
        with page.expect_navigation():
            page.keyboard.press("Enter")
    elif typed:
        page.fill("#q" if field == "find" else f"[name={field}] >> nth=-1", text)
    else:
        with page.expect_navigation():
            page.click(f"a:text-matches('^{step}'), button:text-is('{step}')")
