"""Asking a consumer as a probe does, and hearing of it as systemd does."""

from __future__ import annotations

import json
import os
import socket
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from clikit import DEADLINE, validate

_OPENER = build_opener(ProxyHandler({}))


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    @property
    def reasons(self) -> list[str]:
        document = json.loads(self.body)
        if "schema" in document:
            validate(document, "probe/1")
        assert document["ok"] == (self.status == 200) == (not document["reasons"])
        found: list[str] = document["reasons"]
        return found


def ask(base: str, path: str, method: str = "GET", accept: str = "*/*") -> Reply:
    request = Request(base + path, method=method, headers={"Accept": accept})
    try:
        with _OPENER.open(request, timeout=DEADLINE) as got:
            return Reply(got.status, dict(got.headers), got.read().decode())
    except HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read().decode())


def metrics_of(base: str) -> tuple[Reply, Reply]:
    """In the text format of Prometheus, and in OpenMetrics as its scraper asks for it."""
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    return ask(base, "/metrics"), ask(base, "/metrics", accept=accept)


class Manager:
    """What systemd would hear."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0"))
        self.socket.settimeout(0.01)
        self.heard: list[dict[str, str]] = []
        self.environ = {**os.environ, "NOTIFY_SOCKET": address}

    def listen(self) -> list[dict[str, str]]:
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except TimeoutError:
                return self.heard
            self.heard.append(dict(line.split("=", 1) for line in text.split("\n")))

    def has(self, key: str) -> bool:
        return any(key in message for message in self.listen())

    def order(self) -> list[str]:
        words = ("READY", "RELOADING", "STOPPING")
        return [word for message in self.listen() for word in words if word in message]
