"""A browser without a screen: ``respond`` called as a function."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from hueyctl.dashboard import asks, routes
from hueyctl.dashboard.asks import Answer, Person
from hueyctl.dashboard.board import board_of

ANN = Person("ann@ops", may_change=True)
BASE = "/ops/queue"


class Browser:
    """Asks pages of a dashboard that is mounted at ``BASE``, as ann."""

    def __init__(self, where: str) -> None:
        self.board = board_of(where)
        self.respond = routes.responder(self.board)
        self.person: Person | None = ANN

    def ask(self, method: str, address: str, body: bytes = b"", **headers: str) -> Answer:
        path, _, query = address.partition("?")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"host": "example.org", "content-type": "application/x-www-form-urlencoded"}
        found = asks.read(method, unquote(path), query, given | named, body, BASE, self.person)
        return self.respond(found)

    def get(self, address: str, **headers: str) -> Answer:
        return self.ask("GET", address, **headers)

    def html(self, address: str, status: int = 200) -> str:
        answer = self.get(address)
        assert answer.status == status, answer.body.decode()
        return answer.body.decode()

    def json(self, address: str) -> Any:
        answer = self.get(address)
        assert answer.status == 200, answer.body.decode()
        return json.loads(answer.body)

    def post(self, address: str, body: bytes = b"", **headers: str) -> Answer:
        return self.ask("POST", address, body, **({"sec_fetch_site": "same-origin"} | headers))
