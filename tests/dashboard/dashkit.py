"""A browser without a screen: ``respond`` called as a function; and what is read off its pages."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from typing import Any
from urllib.parse import unquote

from hueyctl.cli import cli
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


def commands(html: str) -> list[str]:
    """The command lines that a page shows."""
    return [unescape(found) for found in re.findall(r'data-command="([^"]*)"', html)]


def addresses(html: str) -> list[str]:
    """Where the links of a page lead, below the base."""
    found = re.findall(rf'href="{BASE}(/[^"]*)"', html)
    return list(dict.fromkeys(unescape(link) for link in found if "/static/" not in link))


def check_command(line: str) -> None:
    """The command line knows every word of it. Nothing is run."""
    program, *words = shlex.split(line)
    assert program == "hueyctl"
    context = cli.make_context("hueyctl", words, resilient_parsing=False)
    while True:
        group, rest = context.command, [*context._protected_args, *context.args]
        if not hasattr(group, "resolve_command"):
            break
        name, command, rest = group.resolve_command(context, rest)
        assert command is not None, line
        context = command.make_context(name, rest, parent=context)


def part(html: str, name: str) -> str:
    """The words of a panel."""
    found = re.search(rf'<section[^>]*data-part="{name}".*?</section>', html, re.S)
    assert found is not None, name
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


def seqs(html: str) -> list[int]:
    """The jobs of a table."""
    return [int(seq) for seq in re.findall(r'<th scope="row"><a[^>]*>#(\d+)<', html)]


def number_of(html: str, state: str) -> str:
    found = re.search(rf"<b>([^<]*)</b><span class=\"st {state}\"", html)
    assert found is not None
    return found.group(1)
