"""A dashboard that is open while the server of its queue goes away, and comes again."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from clikit import QueueFile, fill
from programkit import Program

from tests import servers
from tests.helpers import wait_until
from tests.redis_servers import RedisServer

Serve = Callable[[str], tuple[Program, str]]
ADDRESSES = ("/", "/jobs", "/jobs/1", "/dead", "/periodic", "/limits", "/workers", "/health")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A dashboard of the queue at a URL, and the cookie of who looks at it."""
    programs: list[Program] = []

    def start(url: str) -> tuple[Program, str]:
        queue = QueueFile(url)
        fill(queue)
        queue.storage.close()
        programs.append(Program("-u", url, "--port", "0"))
        return programs[-1], programs[-1].log_in()

    yield start
    for program in programs:
        program.close()


def told(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def see_it_go_and_come(program: Program, cookie: str, stop: Any, start: Any) -> None:
    """Every page says so meanwhile, soon, with the next step, and is there again by itself."""

    def get(address: str) -> tuple[int, str]:
        status, _, page = program.get(address, Cookie=cookie)
        return status, told(page)

    def are_there() -> bool:
        return all(get(each)[0] == 200 for each in ADDRESSES)

    assert are_there()
    stop()
    wait_until(lambda: get("/")[0] == 503, 20, "the overview says so")
    for address in ADDRESSES:
        began = time.monotonic()
        status, page = get(address)
        assert time.monotonic() - began < 5
        assert "refused" in page and "hueyctl doctor" in page, page
        # What doctor finds is all that its page is about.
        assert status == 503 or address == "/health"
    status, _, twin = program.get("/jobs.json", Cookie=cookie)
    assert (status, sorted(json.loads(twin)["error"])) == (503, ["hint", "message"])
    start()
    wait_until(are_there, 20, "all pages are there again")


def test_a_server_of_postgresql_that_stops_is_told_and_seen_again(
    serve: Serve, postgres_server: servers.Server
) -> None:
    program, cookie = serve(postgres_server.dsn)

    see_it_go_and_come(program, cookie, postgres_server.stop, postgres_server.start)

    assert program.stop(signal.SIGTERM) == (0, "")


def test_a_server_of_redis_that_is_killed_is_told_and_seen_again(
    serve: Serve, redis_server: RedisServer
) -> None:
    program, cookie = serve(f"{redis_server.url}/0")

    see_it_go_and_come(program, cookie, redis_server.kill, redis_server.start)

    assert program.stop(signal.SIGTERM) == (0, "")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_restart_that_nobody_saw_is_no_error(
    serve: Serve, postgres_server: servers.Server, address: str
) -> None:
    program, cookie = serve(postgres_server.dsn)
    assert program.get(address, Cookie=cookie)[0] == 200

    postgres_server.restart()

    status, _, page = program.get(address, Cookie=cookie)
    assert status == 200, told(page)
