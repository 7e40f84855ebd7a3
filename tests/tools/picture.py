"""Draw ``man/stats.svg`` and ``man/dashboard.png``: a real queue under a real, mixed load.

    python tests/tools/picture.py [FOLDER]     (or: make picture)

Nothing in the pictures is made up: a queue is made in a temporary file, jobs are queued, consumers
run them for a few seconds, and the frame that ``hueyctl top`` would show is exported, then the
first page of ``hueyctl dashboard`` as a browser shows it.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "core")]

SECONDS = 12.0
#: A chart by the minute needs some; while it is photographed, jobs still come.
LONGER, LEFT = 270.0, 20.0
WIDTH, HEIGHT = 118, 17
APP = """
import random
import time

from hueycore import SqliteHuey

orders = SqliteHuey("orders", filename="shop.db")
mail = SqliteHuey("mail", filename="shop.db")


@orders.task(name="confirm")
def confirm(number):
    time.sleep(random.expovariate(1 / 0.004))


@orders.task(name="images.resize")
def resize(number):
    time.sleep(0.03 + random.expovariate(1 / 0.05))


@orders.task(name="search.reindex")
def reindex(number):
    time.sleep(random.uniform(0.2, 0.9))


@orders.task(name="hooks.deliver", retries=2, retry_delay=3)
def deliver(number):
    time.sleep(0.02)
    if random.random() < 0.1:
        raise ConnectionError("the other side hung up")


@mail.task(name="mail.send", retries=3, retry_delay=2)
def send(number):
    time.sleep(random.expovariate(1 / 0.02))
    if random.random() < 0.03:
        raise TimeoutError("smtp.example.org said nothing")


@mail.task(name="mail.digest")
def digest(number):
    time.sleep(0.15)


@mail.task(name="mail.import_list")
def import_list(number):
    raise UnicodeDecodeError("utf-8", b"", 0, 1, "invalid start byte")
"""


def main(folder_of_pictures: Path) -> None:
    frame, page = folder_of_pictures / "stats.svg", folder_of_pictures / "dashboard.png"
    with tempfile.TemporaryDirectory(prefix="hueyctl-picture-") as folder:
        (Path(folder) / "shop.py").write_text(APP)
        os.chdir(folder)
        sys.path.insert(0, folder)
        consumer = start_consumer(folder)
        try:
            feed(SECONDS)
            draw(Path(folder) / "shop.db", frame)
            feeding = threading.Thread(target=feed, args=(LONGER,))
            feeding.start()
            time.sleep(LONGER - LEFT)
            photograph(Path(folder) / "shop.db", page)
            feeding.join()
        finally:
            consumer.terminate()
            consumer.wait(30)
    sys.stdout.write(f"{frame}\n{page}\n")


def start_consumer(folder: str) -> subprocess.Popen[bytes]:
    import shop

    shop.digest(0)  # makes the file
    environment = {key: text for key, text in os.environ.items() if not key.startswith("HUEYCTL_")}
    environment["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(ROOT / "core"), folder))
    words = ["consume", "shop:orders", "shop:mail", "-w", "8", "-t", "1"]
    return subprocess.Popen(
        [sys.executable, "-m", "hueyctl", *words],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=folder,
    )  # fmt: skip


def feed(seconds: float) -> None:
    """More than the consumers can do of one queue, less of the other."""
    import shop

    random.seed(4)
    ended = time.monotonic() + seconds
    number = 0
    while time.monotonic() < ended:
        for _ in range(4):
            number += 1
            shop.confirm(number)
        shop.resize(number)
        shop.deliver(number)
        shop.send(number)
        if number % 5 == 0:
            shop.reindex(number)
            shop.digest(number)
        if number % 160 == 0:
            shop.import_list(number)
        if number % 25 == 0:
            shop.resize.schedule((number,), delay=3600)
        time.sleep(0.02)


def draw(path: Path, target: Path) -> None:
    from rich.console import Console
    from rich.terminal_theme import MONOKAI

    from hueycore.storage.sqlite import SqliteStorage
    from hueyctl.answers.figures import gather
    from hueyctl.answers.look import Look
    from hueyctl.commands.stats.live import to_text
    from hueyctl.commands.stats.view import View, frame

    storage = SqliteStorage(str(path), create=False, read_only=True)
    try:
        figures = gather(Look(storage), 300.0)
    finally:
        storage.close()
    console = Console(
        record=True, width=WIDTH, height=HEIGHT, force_terminal=True, color_system="truecolor",
        file=open(os.devnull, "w", encoding="utf-8"),  # noqa: SIM115
    )  # fmt: skip
    console.print(to_text(frame(figures, View(), WIDTH, HEIGHT, True)))
    picture = console.export_svg(title="hueyctl top", theme=MONOKAI, unique_id="hueyctl")
    # A picture in a README must not load fonts from elsewhere; the reader's own monospace will do.
    target.write_text(re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.S), encoding="utf-8")


def photograph(path: Path, target: Path) -> None:
    """In a browser of 1,280 pixels, the upper part of the page."""
    sys.path[:0] = [str(ROOT / "tests" / "dashboard" / "browser")]
    from browserkit import chromium, served, tab

    size = {"width": 1280, "height": 860}
    with chromium() as browser, served(str(path)) as site, tab(browser, viewport=size) as one:
        one.go(f"{site}/?window=5m")
        one.page.screenshot(path=target)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "man").resolve())
