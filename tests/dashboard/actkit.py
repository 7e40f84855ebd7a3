"""A hand that fills in forms."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

from clikit import QueueFile
from dashkit import BASE, Browser

from hueycore.model.events import EventQuery
from hueyctl.dashboard.asks import Answer


class Hand:
    """Sends forms, and goes where they lead, with the cookies that they leave."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.cookie = ""

    def send(self, act: str, /, **fields: Any) -> str:
        """The page that comes of it."""
        return self.follow(self.post(act, **fields))

    def post(self, act: str, /, **fields: Any) -> Answer:
        fields = {"back": f"{BASE}/jobs?state=dead", **fields}
        body = urlencode({name.rstrip("_"): value for name, value in fields.items()}, doseq=True)
        return self.browser.post(f"/acts/{act}", body.encode())

    def follow(self, answer: Answer) -> str:
        assert answer.status == 303, answer.body.decode()
        headers = dict(answer.headers)
        cookie = headers.get("Set-Cookie", "").partition(";")[0]
        return self.get(headers["Location"].removeprefix(BASE), cookie)

    def get(self, address: str, cookie: str = "") -> str:
        answer = self.browser.get(address, cookie=cookie)
        assert answer.status == 200, answer.body.decode()
        return answer.body.decode()

    def press(self, html: str, label: str, **typed: Any) -> str:
        """The form whose button has this label."""
        for form in re.findall(r"<form.*?</form>", html, re.DOTALL):
            if re.search(rf"<button[^>]*>{re.escape(label)}</button>", form):
                action = unescape(re.search(r'action="([^"]*)"', form)[1])  # type: ignore[index]
                fields: dict[str, list[str]] = {}
                for name, value in re.findall(r'name="([^"]*)" value="([^"]*)"', form):
                    fields.setdefault(name, []).append(unescape(value))
                body = urlencode({**fields, **typed}, doseq=True).encode()
                answer = self.browser.post(action.removeprefix(BASE), body)
                return answer.body.decode() if answer.status == 422 else self.follow(answer)
        raise AssertionError(f"no button {label} in {html}")


def notice(html: str) -> str:
    found = re.search(r'<div class="card notice[^>]*><p>(.*?)</p>', html)
    return unescape(found[1]) if found else ""


def acts_of(queue: QueueFile) -> list[tuple[str, str | None]]:
    """The verbs in the event log, with who did them."""
    events = queue.storage.events(EventQuery())
    return [(one.signal, one.worker) for one in events if "dashboard" in (one.worker or "")]
