"""This project beside Huey and others, in Redis or Valkey."""

from __future__ import annotations

from tests.bench.contests.rows import CPU, Contest, Row, beside, of, ours

PEERS = ("huey", "rq", "dramatiq", "celery")
#: RQ has no threads.
THREADED = ("huey", "dramatiq", "celery")


def contest(label: str, what: str, peers: tuple[str, ...] = PEERS, **goals: str) -> Contest:
    """With the CPU of a job."""
    cpu = [
        row for name, words in CPU.items() for row in beside(peers, f"{label}: {words}", what, name)
    ]
    return Contest((*beside(peers, label, what, **goals), *cpu))


def drain(label: str, what: str, peers: tuple[str, ...] = PEERS) -> Contest:
    return contest(label, what, peers, huey=">= 4 x", others=">= 1 x")


CONTESTS = {
    "enqueue": contest("enqueue one by one", "enqueue", huey=">= 0.5 x"),
    "bulk": Contest(
        (
            Row("enqueue_many", ours("bulk"), of("huey", "enqueue"), ">= 3 x", "Huey one by one"),
            Row("enqueue_many", ours("bulk"), of("rq", "bulk")),
        )
    ),
    "drain-1": drain("drain, 1 thread", "drain-1", THREADED),
    "drain-4": drain("drain, 4 threads", "drain-4", THREADED),
    "drain-process": drain("drain, 4 processes", "drain-process"),
    "latency": Contest(
        (
            *beside(PEERS, "pick-up by an idle consumer, p50", "latency", "p50_ms"),
            *beside(PEERS, "pick-up by an idle consumer, p99", "latency", "p99_ms"),
            *beside(PEERS, "idle consumer, CPU", "latency", "idle_percent"),
            *beside(PEERS, "idle consumer, commands", "latency", "transactions_per_s"),
        ),
        rounds=3,
    ),
    "bytes": Contest(
        (
            *beside(("huey",), "bytes of a waiting job", "server-bytes", "waiting_bytes"),
            *beside(("huey",), "bytes of a job that is done", "server-bytes", "done_bytes"),
        ),
        rounds=1,
    ),
}
