"""A consumer in a process of its own: what it takes when idle, and how soon it does something."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app import anap, huey, lapse, nap, noop, since
from server import PID, Transactions, cpu_seconds, server_cpu
from settings import FOLDER, HERE, OURS, SCALE, SYSTEM, scaled

#: How many workers of a kind are a consumer that is worth it.
WORKERS = {"thread": 4, "process": 4, "greenlet": 500, "asyncio": 500}


def serve(kind: str) -> dict[str, float]:
    huey.create_consumer(workers=WORKERS[kind], worker_type=kind, periodic=False).run()
    return {}


@contextmanager
def consumer_process(kind: str = "thread") -> Iterator[subprocess.Popen[bytes]]:
    """One that runs jobs already."""
    program = str(HERE / "measure.py")
    process = subprocess.Popen([sys.executable, program, SYSTEM, f"serve-{kind}", str(FOLDER)])
    try:
        first = anap(0) if kind == "asyncio" else since(0)
        first.get(blocking=True, timeout=30)
        yield process
    finally:
        process.terminate()
        process.wait()


def waiting(kind: str) -> dict[str, float]:
    """Seconds from the first start to the last end of jobs that wait for 0.1 s."""
    number = scaled(5000)
    task = anap if kind == "asyncio" else lapse
    with consumer_process(kind):
        if OURS:
            handles = huey.enqueue_many(task.s(0.1) for _ in range(number))
        else:
            handles = [task(0.1) for _ in range(number)]
        spans = [handle.get(blocking=True, timeout=120) for handle in handles]
    return {"seconds": max(end for _, end in spans) - min(start for start, _ in spans)}


def memory(kind: str) -> dict[str, float]:
    """A consumer that has run something: what its processes have of their own, and their share of
    what is common (PSS)."""
    with consumer_process(kind) as process:
        for handle in [noop(i) for i in range(200)]:
            handle.get(blocking=True, timeout=30)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        family = [process.pid, *map(int, children)]
        kilobytes = [
            int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:")[1].split()[0])
            for pid in family
        ]
        return {"memory_mb": sum(kilobytes) / 1024, "processes": len(family)}


def memory_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def latency() -> dict[str, float]:
    """An idle consumer: its CPU, its memory, what it has a server do, then pick-up times."""
    with consumer_process() as process:
        time.sleep(2)
        idle = idle_figures(process.pid, max(1.0, 10 * SCALE))
        memory = memory_kb(process.pid)
        times = []
        for _ in range(scaled(300)):
            time.sleep(0.01)
            times.append(since(time.time()).get(blocking=True, timeout=60))
    times.sort()
    return {
        **idle,
        "memory_mb": memory / 1024,
        "p50_ms": 1000 * statistics.median(times),
        "p99_ms": 1000 * times[int(len(times) * 0.99)],
    }


def idle_figures(pid: int, seconds: float) -> dict[str, float]:
    transactions = Transactions() if PID else None
    if transactions:
        time.sleep(transactions.late)
    ended = transactions.count() if transactions else 0
    server, own, began = server_cpu() if PID else 0.0, cpu_seconds(pid), time.time()
    time.sleep(seconds)
    passed = time.time() - began
    figures = {"idle_percent": 100 * (cpu_seconds(pid) - own) / passed}
    if transactions:
        figures["server_idle_percent"] = 100 * (server_cpu() - server) / passed
        figures["transactions_per_s"] = (transactions.count() - ended) / passed
    return figures


def visible(busy: Any) -> dict[str, float]:
    """Three workers are busy for long, the fourth ends a short job and takes a long one: how long
    until another process sees the short job's end?"""
    delays = []
    with consumer_process():
        for _ in range(5):
            long = [busy(1.0) for _ in range(3)]
            time.sleep(0.3)
            short = nap(0.05)
            long.append(busy(1.0))
            ended = short.get(blocking=True, timeout=30)
            delays.append(time.time() - ended)
            for result in long:
                result.get(blocking=True, timeout=30)
    return {"worst_ms": 1000 * max(delays), "p50_ms": 1000 * statistics.median(delays)}
