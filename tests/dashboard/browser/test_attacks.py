"""Against a dashboard that stands alone and lets its owner change things: real sockets, and another
page in the browser that has its cookie."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from browserkit import tab
from clikit import QueueFile, command, fill

pytestmark = pytest.mark.sqlite_only("a browser sees no engine")

#: Those that say one letter and then nothing.
_SLOW = 200


class Alone(NamedTuple):
    """``hueyctl dashboard`` and its link."""

    link: str

    @property
    def site(self) -> str:
        return self.link.partition("/?")[0]

    @property
    def port(self) -> int:
        return urlsplit(self.link).port or 0

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request(method, path, body, form | named)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("Set-Cookie", "").partition(";")[0]
        finally:
            connection.close()

    def cookie(self) -> str:
        return self.ask("GET", self.link.removeprefix(self.site))[1]


@pytest.fixture
def alone(path: str, queue: QueueFile) -> Iterator[Alone]:
    fill(queue)
    words = command("dashboard", "-u", path, "--port", "0", "--allow-changes")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Alone(process.stdout.readline().strip())
        finally:
            process.terminate()


@contextmanager
def elsewhere(html: str) -> Iterator[str]:
    """A page of another origin, on the same host: the browser sends it our cookie."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page_of_another_origin_changes_and_shows_nothing(
    alone: Alone, queue: QueueFile, browser: Any
) -> None:
    target = f"{alone.site}/acts/retry"
    form = f"""<form method="post" action="{target}"><input name="id" value="2"></form>"""
    script = f"""<script>window.done = fetch("{target}", {{method: "POST", body: "id=2",
        credentials: "include", mode: "no-cors",
        headers: {{"Content-Type": "application/x-www-form-urlencoded"}}}}).catch(() => 0)</script>
        <iframe src="{alone.site}/"></iframe>"""
    with elsewhere(form + script) as evil, tab(browser) as one:
        one.go(alone.link)
        assert "Overview" in one.page.inner_text("nav")
        one.go(evil)
        one.page.evaluate("window.done")
        assert "frame-ancestors" in " ".join(one.complaints)
        frame = one.page.frames[-1]
        assert "hueyctl" not in frame.content()
        with one.page.expect_navigation(url=target) as answer:
            one.page.evaluate("document.forms[0].submit()")
        assert answer.value.status == 403
        assert queue.state("2") == "dead"
        one.go(f"{alone.site}/jobs/2")
        one.page.click("button:text-is('Retry')")
    assert queue.state("2") == "pending"


def test_another_name_a_missing_token_and_a_form_without_origin_get_nothing(
    alone: Alone, queue: QueueFile
) -> None:
    cookie = alone.cookie()

    assert alone.ask("GET", "/jobs", Cookie=cookie)[0] == 200
    assert alone.ask("GET", "/jobs")[0] == 403
    assert alone.ask("GET", "/?token=guess")[0] == 403
    assert alone.ask("GET", "/jobs", Cookie=cookie, Host="evil.example")[0] == 421
    own = {"Cookie": cookie, "Origin": alone.site}
    for headers in (
        {"Cookie": cookie},
        own | {"Host": f"evil.example:{alone.port}", "Origin": f"http://evil.example:{alone.port}"},
        own | {"Sec_Fetch_Site": "same-site"},
        own | {"Origin": "null"},
        {"Origin": alone.site, "Sec_Fetch_Site": "same-origin"},
    ):
        assert alone.ask("POST", "/acts/retry", "id=2", **headers)[0] in (403, 421)
    assert queue.state("2") == "dead"
    assert alone.ask("POST", "/acts/retry", "id=2", **own)[0] == 303
    assert queue.state("2") == "pending"


def test_two_hundred_slow_connections_keep_nobody_waiting(alone: Alone) -> None:
    cookie = alone.cookie()

    with ExitStack() as stack:
        for number in range(_SLOW):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", alone.port), 10))
            body = b"POST /acts/retry HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\ni"
            slow.sendall(body if number % 2 else b"G")
        began = time.monotonic()
        for _ in range(20):
            assert alone.ask("GET", "/jobs", Cookie=cookie)[0] == 200
        assert time.monotonic() - began < 10
