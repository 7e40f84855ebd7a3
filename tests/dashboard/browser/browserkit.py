"""A real browser: Debian's chromium. Nothing is downloaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import urlopen

import pytest

from hueyctl.dashboard.routes import PAGES

CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
BASE = "/ops/queue"
HOSTS = str(Path(__file__).with_name("hosts.py"))


@contextmanager
def chromium() -> Iterator[Any]:
    """Without it tests are skipped; where engines are required, as in CI, they fail."""
    if not Path(CHROMIUM).exists():
        required = os.environ.get("HUEY_TEST_ENGINES") == "required"
        (pytest.fail if required else pytest.skip)(f"there is no {CHROMIUM}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(where: str, kind: str = "plain") -> Iterator[str]:
    """The address of a dashboard in a process of its own."""
    with serving(where, kind) as (address, _process):
        yield address


@contextmanager
def serving(where: str, kind: str = "plain") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    words = [sys.executable, HOSTS, kind, where]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, f"{kind} did not start"
            yield address, process
        finally:
            process.kill()


class Tab:
    """A page of the browser, and all that it has complained about."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", self._heard)
        self.page.on("requestfailed", self._failed)

    def _heard(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left meanwhile
            self.complaints.append(f"{request.url}: {request.failure}")

    def go(self, address: str) -> Any:
        return self.page.goto(address, wait_until="load")

    def text(self) -> str:
        found: str = self.page.inner_text(".board")
        return found


@contextmanager
def tab(browser: Any, **options: Any) -> Iterator[Tab]:
    found = Tab(browser, **options)
    try:
        yield found
    finally:
        found.context.close()


def addresses(site: str) -> list[str]:
    """A page of each kind that links lead to, from the first one."""
    left, kinds, found = [f"{site}/"], set[str](), []
    while left:
        address = left.pop(0)
        kind = _kind(site, address)
        if kind in kinds or kind.partition("#")[0] not in PAGES:
            continue
        kinds.add(kind)
        found.append(address)
        with urlopen(address) as answer:
            html = answer.read().decode()
        links = (urljoin(address, unescape(link)) for link in re.findall(r'href="([^"]*)"', html))
        left += [link for link in links if link.startswith(f"{site}/")]
    return found


def _kind(site: str, address: str) -> str:
    """The name of a page among the pages: those that differ in a name alone are of one kind. Acts
    on jobs have one form, others their own."""
    head, _, rest = urlsplit(address).path.removeprefix(urlsplit(site).path)[1:].partition("/")
    if rest.endswith((".json", ".tsv")):
        return "document"
    if head == "acts" and rest in ("copy", "unlock"):
        return f"acts/*#{rest}"
    return f"{head}/*" if rest else head or "overview"
