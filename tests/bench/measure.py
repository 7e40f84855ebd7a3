"""One measurement of one system in a fresh process: ``measure.py SYSTEM WHAT FOLDER``.

SYSTEM is hueycore, huey, or huey-unsynced (``fsync=False``). With ``BENCH_TREE`` in the environment
it refuses to measure a hueycore that lies in another tree.

Prints a JSON object. Both systems get the same job, on a SQLite file, with results stored. It uses
public names of hueycore only: other commits are measured by this file too.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stopwatch import Stopwatch  # beside this program

SYSTEM, WHAT, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if WHAT.endswith("-greenlet"):
    from gevent import monkey

    monkey.patch_all()
FILE = str(FOLDER / "bench.db")
OURS = SYSTEM == "hueycore"
TREE = os.environ.get("BENCH_TREE")
#: Fewer in pairs of trees: what disturbs lasts for seconds, so many short pairs tell more than few
#: long ones.
ENQUEUED, DRAINED = (1000, 20_000) if TREE else (3000, 50_000)


def check_tree(*files: str) -> None:
    for file in files:
        if TREE and not Path(file).is_relative_to(TREE):
            sys.exit(f"{file} is not of {TREE}, the tree to measure")


if OURS:
    import hueycore
    from hueycore import SqliteHuey

    check_tree(hueycore.__file__)
    huey: Any = SqliteHuey("bench", FILE)
else:
    from huey import SqliteHuey  # type: ignore[no-redef]

    # As its users have it: SQLite's own default, which syncs each commit.
    unsynced = {"fsync": False} if SYSTEM == "huey-unsynced" else {}
    huey = SqliteHuey("bench", filename=FILE, **unsynced)

count = 0


@huey.task()
def noop(number: int) -> int:
    global count
    count += 1
    return number


@huey.task()
def since(start: float) -> float:
    return time.time() - start


@huey.task()
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return time.time()


@huey.task()
def lapse(seconds: float) -> tuple[float, float]:
    start = time.time()
    time.sleep(seconds)
    return start, time.time()


async def _anap(seconds: float) -> tuple[float, float]:
    import asyncio  # here: it is no part of what a consumer of threads takes

    start = time.time()
    await asyncio.sleep(seconds)
    return start, time.time()


anap: Any = huey.task()(_anap) if OURS else None


@huey.task()
def burn(seconds: float) -> float:
    end = time.time() + seconds
    while time.time() < end:
        pass
    return time.time()


@huey.task()
def crunch() -> int:
    """The same work wherever it runs, unlike ``burn``, which ends by the clock."""
    return sum(i * i for i in range(300_000))


def enqueue(number: int = ENQUEUED) -> dict[str, float]:
    watch = Stopwatch()
    for i in range(number):
        noop(i)
    watch.stop()
    return watch.figures(number)


def bulk(number: int = DRAINED) -> dict[str, float]:
    watch = Stopwatch()
    huey.enqueue_many(noop.s(i) for i in range(number))
    watch.stop()
    return watch.figures(number)


def fill(number: int) -> None:
    if OURS:
        huey.enqueue_many(noop.s(i) for i in range(number))
    else:
        for i in range(number):
            noop(i)


def consume(
    number: int, is_over: Callable[[], bool], look: float, **options: Any
) -> dict[str, float]:
    """Run what waits, and look every so many seconds whether it is over."""
    consumer = huey.create_consumer(periodic=False, **options)
    watch = Stopwatch()
    consumer.start()
    while not is_over():
        time.sleep(look)
    watch.stop()
    consumer.stop(graceful=True)
    return watch.figures(number)


def drain(workers: int, number: int) -> dict[str, float]:
    fill(number)
    return consume(number, lambda: count >= number, 0.002, workers=workers)


def is_empty() -> bool:
    """Whether no job waits, and none runs where that can be seen."""
    return not (huey.pending_count() or (OURS and huey.running_count()))


def until_empty(number: int, workers: int, kind: str) -> dict[str, float]:
    """As ``consume``, seen from the file."""
    return consume(number, is_empty, 0.02, workers=workers, worker_type=kind)


def drain_processes(workers: int, number: int) -> dict[str, float]:
    """As ``drain``, seen from the file. Huey deletes a job at its start, and loses some here when
    its processes find the file locked: for it the last jobs are left out."""
    fill(number)
    return until_empty(number, workers, "process")


def compute(kind: str) -> dict[str, float]:
    """Jobs per second of 20 ms of Python each, two workers."""
    number = 200
    for _ in range(number):
        crunch()
    return until_empty(number, 2, kind)


def rows(finished: int) -> dict[str, float]:
    """Seconds per job with so many finished jobs in the file already."""
    import sqlite3

    _ = huey.storage
    huey.storage.close()
    con = sqlite3.connect(FILE)
    now = time.time()
    con.executemany(
        """
        insert into huey_job (id, queue, task, state, run_at, enqueued_at, finished_at, claim)
        values (?, 'bench', 'old', 'done', ?, ?, ?, 1)
        """,
        ((f"old-{i}", now, now, now) for i in range(finished)),
    )
    con.commit()
    con.close()
    huey.close()
    huey.keep = type(huey.keep)(done_count=10_000_000)
    return drain(4, 20_000)


#: A program that enqueues one job and ends.
PRODUCER = """
import sys
from hueycore import SqliteHuey

huey = SqliteHuey("bench", sys.argv[1], allow_paths=["__main__.*"])


@huey.task()
def noop(number): ...


noop(1)
"""


def start_up(*arguments: str, number: int = 5) -> dict[str, float]:
    """A Python that starts and ends, as often as that."""
    _ = huey.storage
    huey.storage.close()
    python = partial(subprocess.run, check=True, cwd=FOLDER, stdout=subprocess.PIPE, text=True)
    where = "import hueycore, hueyctl; print(hueycore.__file__, hueyctl.__file__, sep='\\n')"
    check_tree(*python([sys.executable, "-c", where]).stdout.splitlines())
    watch = Stopwatch()
    for _ in range(number):
        python([sys.executable, *arguments])
    watch.stop()
    return watch.figures(number)


def consumer_process(what: str = "serve-thread") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, SYSTEM, what, str(FOLDER)])


#: How many workers of a kind are a consumer that is worth it.
WORKERS = {"thread": 4, "process": 4, "greenlet": 500, "asyncio": 500}


def serve(kind: str = "thread") -> dict[str, float]:
    huey.create_consumer(workers=WORKERS[kind], worker_type=kind, periodic=False).run()
    return {}


def waiting(kind: str, number: int = 5000) -> dict[str, float]:
    """Seconds from the first start to the last end of jobs that wait for 0.1 s."""
    process = consumer_process(f"serve-{kind}")
    task = anap if kind == "asyncio" else lapse
    try:
        task(0).get(blocking=True, timeout=30)
        if OURS:
            handles = huey.enqueue_many(task.s(0.1) for _ in range(number))
        else:
            handles = [task(0.1) for _ in range(number)]
        spans = [handle.get(blocking=True, timeout=120) for handle in handles]
        return {"s": max(end for _, end in spans) - min(start for start, _ in spans)}
    finally:
        process.terminate()
        process.wait()


def memory(kind: str) -> dict[str, float]:
    """A consumer that has run something: what its processes have of their own, and their share of
    what is common (PSS)."""
    process = consumer_process(f"serve-{kind}")
    try:
        for handle in [noop(i) for i in range(200)]:
            handle.get(blocking=True, timeout=30)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        family = [process.pid, *map(int, children)]
        kilobytes = [
            int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:")[1].split()[0])
            for pid in family
        ]
        return {"memory_mb": sum(kilobytes) / 1024, "processes": len(family)}
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def latency() -> dict[str, float]:
    """An idle consumer in another process: idle CPU, memory, then pick-up times."""
    process = consumer_process()
    try:
        noop(1).get(blocking=True, timeout=30)
        time.sleep(2)
        before, began = cpu_seconds(process.pid), time.time()
        time.sleep(10)
        idle = (cpu_seconds(process.pid) - before) / (time.time() - began)
        memory = memory_kb(process.pid)
        times = []
        for _ in range(300):
            time.sleep(0.01)
            times.append(since(time.time()).get(blocking=True, timeout=60))
        times.sort()
        return {
            "idle_cpu_percent": 100 * idle,
            "memory_mb": memory / 1024,
            "p50_ms": 1000 * statistics.median(times),
            "p99_ms": 1000 * times[int(len(times) * 0.99)],
        }
    finally:
        process.terminate()
        process.wait()


def visible(busy: Any) -> dict[str, float]:
    """Three workers are busy for long, the fourth ends a short job and takes a long one: how long
    until another process sees the short job's end?"""
    process = consumer_process()
    try:
        noop(1).get(blocking=True, timeout=30)
        delays = []
        for _ in range(5):
            long = [busy(1.0) for _ in range(3)]
            time.sleep(0.3)
            short = nap(0.05)
            long.append(busy(1.0))
            ended = short.get(blocking=True, timeout=30)
            delays.append(time.time() - ended)
            for result in long:
                result.get(blocking=True, timeout=30)
        return {"max_ms": 1000 * max(delays), "p50_ms": 1000 * statistics.median(delays)}
    finally:
        process.terminate()
        process.wait()


MEASURES = {
    "enqueue": enqueue,
    "bulk": bulk,
    "drain-1": lambda: drain(1, DRAINED if OURS else 5000),
    "drain-4": lambda: drain(4, DRAINED if OURS else 5000),
    "rows-1k": lambda: rows(1000),
    "rows-1m": lambda: rows(1_000_000),
    "drain-process": lambda: drain_processes(4, DRAINED if OURS else 5000),
    "cpu-thread": lambda: compute("thread"),
    "cpu-process": lambda: compute("process"),
    **{f"memory-{kind}": partial(memory, kind) for kind in WORKERS},
    **{f"serve-{kind}": partial(serve, kind) for kind in WORKERS},
    **{f"waiting-{kind}": partial(waiting, kind) for kind in ("greenlet", "asyncio")},
    "start-help": lambda: start_up("-m", "hueyctl", "--help"),
    "start-depth": lambda: start_up("-m", "hueyctl", "-u", f"sqlite:///{FILE}", "depth"),
    "start-producer": lambda: start_up("-c", PRODUCER, FILE),
    "latency": latency,
    "visible-io": lambda: visible(nap),
    "visible-cpu": lambda: visible(burn),
}

if __name__ == "__main__":
    answer = MEASURES[WHAT]()
    answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer))
