"""A shop whose queues are in a mess: jobs that fail, one that hangs, a task that is paused, a queue
that nobody serves, a lock of the dead, a consumer that is killed. The pictures are of it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tools import consumers

APP = """
import logging
import random
import time

from hueycore import SqliteHuey, crontab

orders = SqliteHuey("orders", filename="shop.db", keep_logs="INFO")
mail = SqliteHuey("mail", filename="shop.db")
reports = SqliteHuey("reports", filename="shop.db")
log = logging.getLogger("shop")


@orders.task(name="orders.confirm")
def confirm(number):
    time.sleep(random.expovariate(1 / 0.01))


@orders.task(name="images.resize")
def resize(path, width=None):
    time.sleep(0.03 + random.expovariate(1 / 0.1))


@orders.task(name="search.reindex", context=True)
def reindex(shop, task=None):
    for part in range(8 if shop else 1000):
        task.progress(part, 8 if shop else 1000)
        # The shop that has no number never answers.
        time.sleep(random.uniform(0.02, 0.09) if shop or part < 310 else 100000)


@orders.task(name="hooks.deliver", retries=2, retry_delay=3)
def deliver(url):
    time.sleep(0.05)
    if random.random() < 0.15:
        raise ConnectionError("the other side hung up")


@orders.task(name="invoice.page", retries=5, retry_delay=1)
def page(order, number):
    log.info("page %d of order %d is drawn", number, order)
    time.sleep(0.1)
    if order % 100 == 17 and number == 3:
        log.warning("no logo for order %d", order)
        raise FileNotFoundError(f"/srv/shop/logos/{order}.png")
    return f"page-{number}.pdf"


@orders.task(name="invoice.bind")
def bind(pages):
    return "invoice.pdf"


@mail.task(name="mail.send", retries=3, retry_delay=2)
def send(address):
    time.sleep(random.expovariate(1 / 0.04))
    if random.random() < 0.06:
        raise TimeoutError("smtp.example.org said nothing for 30 seconds")


@mail.task(name="mail.digest")
def digest(number):
    time.sleep(0.15)


@mail.task(name="mail.import_list")
def import_list(path):
    raise UnicodeDecodeError("utf-8", b"", 0, 1, "invalid start byte")


@reports.task(name="reports.monthly")
def monthly(month):
    time.sleep(1)


@orders.periodic_task(crontab("*/20 * * * *"), name="orders.sweep")
def sweep():
    pass
"""


@contextmanager
def mess(folder: str, seconds: float) -> Iterator[None]:
    """The queue file ``shop.db`` in ``folder`` after so many seconds; its consumers work on."""
    (Path(folder) / "shop.py").write_text(APP)
    os.chdir(folder)
    sys.path.insert(0, folder)
    import shop

    shop.digest(0)
    shop.reindex(0)
    environment = consumers.environment(Path(folder))
    words = ("consume", "shop:orders", "shop:mail", "-w", "6", "-t", "1")
    consumer = consumers.start(Path(folder), environment, *words)
    try:
        _feed(seconds / 2)
        consumer.kill()  # what it ran is taken back by the next one
        consumer.wait()
        consumer = consumers.start(Path(folder), environment, *words)
        _feed(seconds / 2)
        for month in ("2030-01", "2030-02", "2030-03"):
            shop.monthly(month)
        shop.mail.pause(shop.digest, reason="digests went out twice")
        _die_with_a_lock(environment)
        yield
    finally:
        consumer.kill()
        consumer.wait()


def _feed(seconds: float) -> None:
    """More than the consumers can do of one queue now and then, less of the other."""
    import shop

    ended = time.monotonic() + seconds
    number = 41000
    while time.monotonic() < ended:
        number += 1
        for _ in range(3):
            shop.confirm(number)
        shop.resize(f"products/{number}.jpg", width=random.choice((320, 640, 1280)))
        shop.deliver(f"https://partner-{number % 7}.example.com/hook")
        shop.send(f"customer-{number % 900}@example.com")
        if number % 5 == 0:
            shop.reindex(number)
            shop.digest(number)
        if number % 20 == 17:
            _invoice(number)
        if number % 160 == 0:
            shop.import_list(f"/srv/lists/{number}.csv")
        if number % 25 == 0:
            shop.resize.schedule((f"banners/{number}.jpg",), delay=random.randint(120, 7200))
        time.sleep(0.15)


def _invoice(number: int) -> None:
    import shop

    from hueycore import chord

    shop.orders.enqueue(chord([shop.page.s(number, place) for place in range(4)], shop.bind.s()))


def _die_with_a_lock(environment: dict[str, str]) -> None:
    code = "import os, shop; shop.orders.lock_task('ledger').__enter__(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
