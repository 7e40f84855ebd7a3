"""How fast waiting jobs are run, and what CPU a job takes of its consumer."""

import time
from collections.abc import Callable
from typing import Any

import app
from app import crunch, huey, nap, noop
from settings import FILE, OURS, REDIS, ROWS, SCALE, THEIRS, URL, scaled
from stopwatch import Stopwatch, own_cpu

from measures.crew import Crew, at_once
from measures.producers import Producers

#: Those of others are fewer: as many would take minutes.
DRAINED = scaled(20_000 if OURS else 2000)


def fill(task: Any, number: int, argument: object = 0) -> None:
    """Enqueue so many jobs, as quickly as can be."""
    if not THEIRS:
        huey.enqueue_many(task.s(argument) for _ in range(number))
        return
    if REDIS:
        unsynced = huey.storage
    elif URL:
        unsynced = type(huey)("bench", dsn=URL, options="-c synchronous_commit=off").storage
    else:
        unsynced = type(huey)("bench", filename=FILE, fsync=False).storage
    for _ in range(number):
        unsynced.enqueue(huey.serialize_task(task.s(argument)))
    if not REDIS:
        unsynced.close()


def consume(
    number: int, is_over: Callable[[], bool], look: float, **options: Any
) -> dict[str, float]:
    """Run what waits, and look every so many seconds whether it is over."""
    consumer = huey.create_consumer(periodic=False, **options)
    watch = Stopwatch()
    consumer.start()
    try:
        wait(is_over, look)
    finally:
        watch.stop()
        consumer.stop(graceful=True)
    return watch.figures(number)


def wait(is_over: Callable[[], bool], look: float, seconds: float = 120) -> None:
    """Not for ever: a job that is lost ends a measurement, not the whole run of them."""
    end = time.monotonic() + seconds
    while not is_over():
        if time.monotonic() > end:
            raise TimeoutError(f"not over after {seconds} s")
        time.sleep(look)


def drain(workers: int, number: int = DRAINED) -> dict[str, float]:
    fill(noop, number)
    return consume(number, lambda: app.count >= number, 0.002, workers=workers)


def is_empty() -> bool:
    """Whether no job waits, and none runs where that can be seen."""
    return not (huey.pending_count() or (OURS and huey.running_count()))


def drain_processes(workers: int) -> dict[str, float]:
    """As ``drain``, seen from outside. Huey deletes a job at its start, and loses some here when
    its processes find a file locked: for it the last jobs are left out."""
    fill(noop, DRAINED)
    return consume(DRAINED, is_empty, 0.02, workers=workers, worker_type="process")


def drain_together(consumers: int) -> dict[str, float]:
    """So many consumers of four threads, each a program of its own, on one queue. The CPU is theirs
    from the start of the first job on."""
    fill(noop, DRAINED)
    with Crew(consumers, "consumer") as crew:
        watch = Stopwatch()
        crew.begin()
        wait(is_empty, 0.02)
        watch.stop()
        answers = crew.end()
    figures = watch.figures(DRAINED)
    cpu_us = sum(1e6 * answer["cpu"] for answer in answers) / DRAINED
    return {
        **figures,
        "cpu_us": cpu_us,
        "both_us": figures["server_us"] + cpu_us,
        "busiest_percent": 100 * max(answer["ran"] for answer in answers) / DRAINED,
    }


def consume_together() -> dict[str, float]:
    """Such a program."""
    huey.pending_count()  # it has its connection when it says that it is ready
    consumer = huey.create_consumer(workers=4, periodic=False)
    with at_once():
        before = own_cpu()
        consumer.start()
    consumer.stop(graceful=True)
    return {"ran": app.count, "cpu": own_cpu() - before}


def million() -> dict[str, float]:
    """Jobs that are enqueued and run, a tenth of them at a time: what one costs in the first tenth
    and in the last."""
    tenth = ROWS // 10
    consumer = huey.create_consumer(workers=4, periodic=False)
    consumer.start()
    tenths = []
    for number in range(1, 11):
        watch = Stopwatch()
        fill(noop, tenth)
        ran = number * tenth
        wait(lambda ran=ran: app.count >= ran, 0.01, seconds=600)
        watch.stop()
        tenths.append(watch.figures(tenth))
    consumer.stop(graceful=True)
    first, last = tenths[0], tenths[-1]
    return {
        "first_per_s": first["per_s"],
        "last_per_s": last["per_s"],
        "first_both_us": first["both_us"],
        "last_both_us": last["both_us"],
    }


def naps(seconds: float, number: int) -> dict[str, float]:
    """Jobs that sleep for so long, eight threads: jobs per second, and CPU of the consumer."""
    number = scaled(number if OURS else number // 4)
    fill(nap, number, seconds)
    return consume(number, lambda: app.count >= number, 0.02, workers=8)


def compute(kind: str) -> dict[str, float]:
    """Jobs per second of 20 ms of Python each, two workers."""
    number = scaled(200)
    for _ in range(number):
        crunch()
    return consume(number, is_empty, 0.02, workers=2, worker_type=kind)


def beside(*, consumes: bool = True, produces: bool = True) -> dict[str, float]:
    """Four threads drain no-ops while another process enqueues one by one, for two seconds or until
    what waited has run; or one of the two alone, with as many jobs in the file."""
    number, seconds = scaled(80_000 if OURS else 6000), 2 * SCALE
    fill(noop, number)
    consumer = huey.create_consumer(workers=4, periodic=False) if consumes else None
    with Producers(int(produces)) as producers:
        watch = Stopwatch()
        end = time.monotonic() + seconds
        producers.begin()
        if consumer:
            consumer.start()
        while app.count < number and time.monotonic() < end:
            time.sleep(0.002)
        ran = app.count
        watch.stop()
        produced = producers.produced()
    answer: dict[str, float] = {}
    if consumer:
        consumer.stop(graceful=True)
        answer |= watch.figures(max(1, ran))
    if produces:
        answer |= {"produced_per_s": produced["per_s"], "worst_ms": produced["worst_ms"]}
    return answer
