"""litequeue, which has no consumer: a loop of each thread takes a message, calls the function and
says that it is done. It stores no result."""

import json
import threading

from litequeue import LiteQueue
from settings import FILE, SYSTEM, scaled
from stopwatch import Stopwatch


def queue() -> LiteQueue:
    """A connection is no good to two threads. As its users have it, a commit is not synced."""
    opened = LiteQueue(FILE)
    if SYSTEM == "litequeue-synced":
        opened.conn.execute("pragma synchronous = full")
    return opened


def noop(number: int) -> int:
    return number


def enqueue() -> dict[str, float]:
    number, own = scaled(1000), queue()
    watch = Stopwatch()
    for i in range(number):
        own.put(json.dumps({"task": "noop", "args": [i]}))
    watch.stop()
    return watch.figures(number)


def drain(workers: int) -> dict[str, float]:
    number, filled = scaled(2000), queue()
    with filled.transaction():
        for i in range(number):
            filled.put(json.dumps({"task": "noop", "args": [i]}))

    def work() -> None:
        own = queue()
        while message := own.pop():
            noop(*json.loads(message.data)["args"])
            own.done(message.message_id)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    watch = Stopwatch()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watch.stop()
    return watch.figures(number)


MEASURES = {"enqueue": enqueue, "drain-1": lambda: drain(1), "drain-4": lambda: drain(4)}
