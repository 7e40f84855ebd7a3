"""This project beside Huey and others, in PostgreSQL."""

from __future__ import annotations

from tests.bench.contests.rows import CPU, Contest, Row, beside, of, ours

PEERS = ("huey", "procrastinate", "pgqueuer", "oban")


def rows(
    label: str, what: str, name: str = "per_s", *, huey: str = "", others: str = ""
) -> list[Row]:
    return beside(PEERS, label, what, name, huey=huey, others=others)


def with_cpu(label: str, what: str, *, huey: str = "", others: str = "") -> Contest:
    cpu = [row for name, words in CPU.items() for row in rows(f"{label}: {words}", what, name)]
    return Contest((*rows(label, what, huey=huey, others=others), *cpu))


def drain(label: str, what: str) -> Contest:
    return with_cpu(label, what, huey=">= 15 x", others=">= 1 x")


def consumers(number: int) -> list[Row]:
    label = f"drain, {number} consumer{'s' if number > 1 else ''} of 4 threads"
    return rows(label, f"consumers-{number}")


PRODUCERS, MILLION = "8 processes enqueue", "{rows:,} jobs, the last tenth"

CONTESTS = {
    "enqueue": with_cpu("enqueue one by one", "enqueue", huey=">= 0.9 x"),
    "bulk": Contest(
        (
            Row("enqueue_many", ours("bulk"), of("huey", "enqueue"), ">= 8 x", "Huey one by one"),
            *(
                Row(f"enqueue_many{words}", ours("bulk", name), of(peer, "bulk", name))
                for name, words in {"per_s": "", "both_us": ": CPU of both"}.items()
                for peer in PEERS
                if peer != "huey"
            ),
        )
    ),
    "drain-1": drain("drain, 1 thread", "drain-1"),
    "drain-4": drain("drain, 4 threads", "drain-4"),
    "drain-process": drain("drain, 4 processes", "drain-process"),
    "consumers": Contest(
        (
            Row(
                "drain, 4 consumers of 4 threads",
                ours("consumers-4"),
                ours("consumers-1"),
                ">= 1 x",
                "1 consumer",
            ),
            *(row for number in (1, 2, 4) for row in consumers(number)),
        )
    ),
    "producers": Contest(
        (
            *rows(PRODUCERS, "enqueue-processes"),
            *rows(f"{PRODUCERS}: longest wait", "enqueue-processes", "worst_ms"),
            *rows(f"{PRODUCERS}: CPU of both", "enqueue-processes", "both_us"),
        )
    ),
    "latency": Contest(
        (
            *rows("pick-up by an idle consumer, p50", "latency", "p50_ms", huey="<= 8 ms"),
            *rows("pick-up by an idle consumer, p99", "latency", "p99_ms"),
            *rows("idle consumer, CPU", "latency", "idle_percent", huey="<= 1 %"),
            *rows("idle consumer, CPU of the server", "latency", "server_idle_percent"),
            *rows("idle consumer, transactions", "latency", "transactions_per_s", huey="<= 2 /s"),
            *rows("memory of a consumer", "latency", "memory_mb"),
        ),
        rounds=3,
    ),
    "million": Contest(
        (
            Row(
                f"{MILLION}: CPU of both",
                ours("million", "last_both_us"),
                ours("million", "first_both_us"),
                "<= 1.3 x",
                "the first",
            ),
            Row(
                MILLION,
                ours("million", "last_per_s"),
                ours("million", "first_per_s"),
                "",
                "the first",
            ),
        ),
        rounds=1,
        asked=True,
    ),
}
