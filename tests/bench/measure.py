"""One measurement of one system in a fresh process: ``measure.py SYSTEM WHAT FOLDER``.

SYSTEM is hueycore, huey, or huey-unsynced (``fsync=False``).

Prints a JSON object. Both systems get the same job, on a SQLite file, with results stored.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

SYSTEM, WHAT, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if WHAT.endswith("-greenlet"):
    from gevent import monkey

    monkey.patch_all()
FILE = str(FOLDER / "bench.db")
OURS = SYSTEM == "hueycore"

if OURS:
    from hueycore import SqliteHuey

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


def enqueue(number: int = 3000) -> dict[str, float]:
    start = time.perf_counter()
    for i in range(number):
        noop(i)
    return {"per_s": number / (time.perf_counter() - start)}


def bulk(number: int = 50_000) -> dict[str, float]:
    start = time.perf_counter()
    huey.enqueue_many(noop.s(i) for i in range(number))
    return {"per_s": number / (time.perf_counter() - start)}


def fill(number: int) -> None:
    if OURS:
        huey.enqueue_many(noop.s(i) for i in range(number))
    else:
        for i in range(number):
            noop(i)


def drain(workers: int, number: int) -> dict[str, float]:
    global count
    fill(number)
    consumer = huey.create_consumer(workers=workers, periodic=False)
    start = time.perf_counter()
    consumer.start()
    while count < number:
        time.sleep(0.002)
    elapsed = time.perf_counter() - start
    consumer.stop(graceful=True)
    return {"per_s": number / elapsed}


def is_open() -> bool:
    """Whether jobs wait, or run where that can be seen."""
    return bool(huey.pending_count() or (OURS and huey.running_count()))


def until_empty(number: int, workers: int, kind: str) -> dict[str, float]:
    """Run what waits, and look into the file for when it is over."""
    consumer = huey.create_consumer(workers=workers, worker_type=kind, periodic=False)
    start = time.perf_counter()
    consumer.start()
    while is_open():
        time.sleep(0.02)
    elapsed = time.perf_counter() - start
    consumer.stop(graceful=True)
    return {"per_s": number / elapsed}


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
    "drain-1": lambda: drain(1, 50_000 if OURS else 5000),
    "drain-4": lambda: drain(4, 50_000 if OURS else 5000),
    "rows-1k": lambda: rows(1000),
    "rows-1m": lambda: rows(1_000_000),
    "drain-process": lambda: drain_processes(4, 50_000 if OURS else 5000),
    "cpu-thread": lambda: compute("thread"),
    "cpu-process": lambda: compute("process"),
    **{f"memory-{kind}": partial(memory, kind) for kind in WORKERS},
    **{f"serve-{kind}": partial(serve, kind) for kind in WORKERS},
    **{f"waiting-{kind}": partial(waiting, kind) for kind in ("greenlet", "asyncio")},
    "latency": latency,
    "visible-io": lambda: visible(nap),
    "visible-cpu": lambda: visible(burn),
}

if __name__ == "__main__":
    answer = MEASURES[WHAT]()
    answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer))
