"""A dashboard that many look at, of a file with many rows on which a consumer works."""

import http.client
import os
import random
import sqlite3
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from app import huey, noop
from settings import FILE, ROWS, SCALE

from measures.commands import HUEYCTL, check_programs
from measures.consumers import consumer_process
from measures.rows import grow

VIEWERS, EACH_S, WATCH_S = 20, 2.0, 60.0
#: Jobs that come in a second, and how many at once.
ENQUEUED, TOGETHER = 1000, 100
_TICKS = os.sysconf("SC_CLK_TCK")


def dashboard() -> dict[str, float]:
    """Twenty viewers poll the first page as its script does; then pages of jobs are asked for."""
    check_programs()
    grow(ROWS)
    with closing(sqlite3.connect(FILE)) as con:
        found = con.execute("select seq from huey_job order by random() limit 40")
        numbers = [row[0] for row in found]
    over = threading.Event()
    with consumer_process(), _coming(over), _served() as (process, link):
        cookie = _cookie(link)
        for path in ("/", f"/jobs/{numbers[0]}"):
            _timed(link, cookie, path)  # the first look, the first page of its kind
        viewers = [_Viewer(link, cookie) for _ in range(VIEWERS)]
        for viewer in viewers:
            viewer.start()
        time.sleep(3 * EACH_S)
        for viewer in viewers:
            viewer.begin()
        before, began = _cpu(process.pid), time.monotonic()
        time.sleep(WATCH_S * SCALE)
        elapsed, after = time.monotonic() - began, _cpu(process.pid)
        polls = [poll for viewer in viewers for poll in viewer.polls]
        jobs = [_timed(link, cookie, f"/jobs/{number}")[0] for number in numbers]
        over.set()
        for viewer in viewers:
            viewer.over.set()
            viewer.join()
        memory = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    times = sorted(took for took, _ in polls)
    look = max(after)  # its thread began last
    return {
        "rows": ROWS,
        "poll_p50_ms": statistics.median(times),
        "poll_p99_ms": times[int(0.99 * len(times))],
        "unchanged_percent": 100 * sum(code == 304 for _, code in polls) / len(polls),
        "look_percent": 100 * (after[look] - before.get(look, 0)) / elapsed,
        "server_percent": 100 * (sum(after.values()) - sum(before.values())) / elapsed,
        "memory_mb": int(memory.split("Pss:")[1].split()[0]) / 1024,
        "job_page_ms": statistics.median(jobs),
    }


class _Viewer(threading.Thread):
    """Polls with what it has already."""

    def __init__(self, link: str, cookie: str) -> None:
        super().__init__()
        self._link, self._cookie = link, cookie
        self.polls: list[tuple[float, int]] = []
        self.over = threading.Event()

    def begin(self) -> None:
        self.polls = []

    def run(self) -> None:
        time.sleep(random.uniform(0, EACH_S))
        tag = ""
        while not self.over.wait(EACH_S):
            took, code, tag = _timed(self._link, self._cookie, "/", tag)
            self.polls.append((took, code))


def _timed(link: str, cookie: str, path: str, tag: str = "") -> tuple[float, int, str]:
    """Milliseconds, the status, and the tag of the page."""
    connection = http.client.HTTPConnection(urlsplit(link).netloc, timeout=60)
    try:
        begin = time.perf_counter()
        headers = {"Cookie": cookie} | ({"If-None-Match": tag} if tag else {})
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        took = 1000 * (time.perf_counter() - begin)
        assert answer.status in (200, 304), answer.status
        return took, answer.status, answer.headers["ETag"]
    finally:
        connection.close()


def _cookie(link: str) -> str:
    parts = urlsplit(link)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("GET", f"/?{parts.query}")
        return connection.getresponse().headers["Set-Cookie"].partition(";")[0]
    finally:
        connection.close()


@contextmanager
def _served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    words = (*HUEYCTL, "dashboard", "--port", "0")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _coming(over: threading.Event) -> Iterator[None]:
    """So many jobs a second, until it is over."""

    def produce() -> None:
        while not over.wait(TOGETHER / ENQUEUED):
            huey.enqueue_many(noop.s(number) for number in range(TOGETHER))

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _cpu(pid: int) -> dict[int, float]:
    """Seconds that each thread of a process has worked."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[int(task.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found
