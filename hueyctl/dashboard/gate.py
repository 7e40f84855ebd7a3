"""The gate of a dashboard that stands alone: a token in the link that is printed, exchanged for a
cookie, and the names by which it may be called."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from secrets import compare_digest
from urllib.parse import urlencode

from hueyctl.dashboard.asks import Answer, Ask, Person, Respond, see, text
from hueyctl.dashboard.guard import finished
from hueyctl.dashboard.links import quoted

_CLOSED = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>hueyctl dashboard</title>
<h1>Which token?</h1>
<p>Open the link that hueyctl dashboard has printed, or put its token here.</p>
<form><label>Token <input name="token" type="password" autocomplete="off" required></label>
<button>Open</button></form></html>
"""


class Gate:
    """Lets through who has the token, as ``person``; whoever calls the server by a name that is not
    its own is a page elsewhere that has its name point here.

    Browsers give the cookies of one port to all of a host: each gets its own name."""

    def __init__(
        self, respond: Respond, person: Person, token: str, hosts: Collection[str], port: int
    ) -> None:
        self._respond, self._person, self._token = respond, person, token
        self._hosts = {host.lower() for host in hosts}
        self._name = f"hueyctl-{port}"
        # The link is in the history of a shell; the cookie does not tell it.
        self._cookie = sha256(f"hueyctl dashboard {token}".encode()).hexdigest()

    def __call__(self, ask: Ask) -> Answer:
        if ask.host not in self._hosts:
            name = ask.host.encode("ascii", "backslashreplace").decode()[:100]
            refusal = f"This is not {name}. hueyctl dashboard --allow-host NAME allows a name.\n"
            return finished(ask, text(421, refusal))
        given = ask.query.get("token", [""])[0]
        if given and not ask.changes:
            return finished(ask, self._exchanged(ask, given))
        if not self._knows(ask):
            return finished(ask, self._closed())
        return self._respond(ask._replace(person=self._person))

    def _closed(self) -> Answer:
        return text(403, _CLOSED, "text/html")

    def _exchanged(self, ask: Ask, given: str) -> Answer:
        """The cookie, and the same page without the token in its address."""
        if not compare_digest(given.encode(), self._token.encode()):
            return self._closed()
        rest = urlencode([(k, v) for k, vs in ask.query.items() if k != "token" for v in vs])
        cookie = f"{self._name}={self._cookie}; Path={ask.base or '/'}; HttpOnly; SameSite=Strict"
        url = ask.base + quoted(ask.path) + (f"?{rest}" if rest else "")
        return see(url).with_headers(("Set-Cookie", cookie))

    def _knows(self, ask: Ask) -> bool:
        return compare_digest(ask.cookie(self._name).encode(), self._cookie.encode())
