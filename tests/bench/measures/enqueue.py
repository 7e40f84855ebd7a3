"""One producer: jobs one by one, and many in one call."""

from app import huey, noop
from settings import scaled
from stopwatch import Stopwatch


def enqueue() -> dict[str, float]:
    number = scaled(1000)
    watch = Stopwatch()
    for i in range(number):
        noop(i)
    watch.stop()
    return watch.figures(number)


def bulk() -> dict[str, float]:
    number = scaled(20_000)
    watch = Stopwatch()
    huey.enqueue_many(noop.s(i) for i in range(number))
    watch.stop()
    return watch.figures(number)
