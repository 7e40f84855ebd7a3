"""This project beside Huey and litequeue, in a file."""

from __future__ import annotations

from tests.bench.contests.rows import Contest, Figure, Row, of, ours


def huey(what: str, name: str = "per_s") -> Figure:
    return of("huey", what, name)


def versus(label: str, what: str, name: str = "per_s", goal: str = "") -> Row:
    """Both do the same."""
    return Row(label, ours(what, name), huey(what, name), goal)


def drain(label: str, what: str, goal: str) -> Contest:
    same = Row(f"{label} (litequeue stores no result)", ours(what), of("litequeue", what))
    return Contest((versus(label, what, goal=goal), same))


def naps(length: str, goal: str) -> Contest:
    what, label = f"naps-{length.replace(' ', '')}", f"jobs of {length}, 8 threads"
    return Contest(
        (versus(f"{label}: CPU of a job", what, "cpu_us", goal), versus(f"{label}: rate", what))
    )


def crowd(label: str, what: str, per_sync: str = "", worst: str = "") -> Contest:
    return Contest(
        (
            versus(label, what),
            versus(f"{label}: jobs per sync", what, "jobs_per_sync", per_sync),
            versus(f"{label}: longest wait", what, "worst_ms", worst),
        )
    )


def question(label: str, name: str, goal: str) -> Row:
    return Row(f"{label}, {{rows:,}} rows", ours("questions", name), goal=goal)


def viewed(label: str, name: str, goal: str) -> Row:
    what = f"dashboard with 20 viewers, {{rows:,}} rows: {label}"
    return Row(what, ours("dashboard", name), goal=goal)


def start_up(words: str, name: str, goal: str) -> Row:
    none = ours("start-ups", "pass_ms")
    return Row(f"hueyctl {words}", ours("start-ups", name), none, goal, "python -c pass")


PEERS = ("huey", "litequeue")
ONE = "enqueue one by one"
BESIDE, DRAINED, PRODUCED = ours("beside"), "drain beside a durable producer", "that producer"
COMMAND = "hueyctl consume -w 4"
PROCESSES, THREADS = "8 processes enqueue", "16 threads enqueue"
SLOW = "a sync takes 5 ms"
WAITING = "5,000 jobs that wait 0.1 s"

CONTESTS = {
    "enqueue": Contest(
        (
            versus(f"{ONE}, synced to disk", "enqueue", goal=">= 0.9 x"),
            Row(f"{ONE}, synced to disk", ours("enqueue"), of("litequeue-synced", "enqueue")),
            Row(
                f"{ONE}, not synced", of("hueycore-fast", "enqueue"), of("huey-unsynced", "enqueue")
            ),
            Row(f"{ONE}, not synced", of("hueycore-fast", "enqueue"), of("litequeue", "enqueue")),
            Row("enqueue_many (theirs one by one)", ours("bulk"), huey("enqueue"), ">= 15 x"),
        )
    ),
    "drain-1": drain("drain, 1 thread", "drain-1", ">= 25 x"),
    "drain-4": drain("drain, 4 threads", "drain-4", ">= 25 x"),
    "drain-process": Contest((versus("drain, 4 processes", "drain-process", goal=">= 20 x"),)),
    "naps-1ms": naps("1 ms", "<= 0.25 x"),
    "naps-10ms": naps("10 ms", "<= 0.5 x"),
    "beside": Contest(
        (
            Row(DRAINED, BESIDE, ours("beside-drain"), ">= 0.5 x", "alone"),
            Row(
                PRODUCED,
                ours("beside", "produced_per_s"),
                ours("beside-produce", "produced_per_s"),
                ">= 0.8 x",
                "alone",
            ),
            versus(DRAINED, "beside"),
            versus(PRODUCED, "beside", "produced_per_s"),
        )
    ),
    "enqueue-threads": crowd(THREADS, "enqueue-threads"),
    "enqueue-processes": crowd(PROCESSES, "enqueue-processes", worst="<= 150 ms"),
    "enqueue-threads-slow": crowd(f"{THREADS}, {SLOW}", "enqueue-threads-slow", per_sync=">= 8"),
    "enqueue-processes-slow": crowd(f"{PROCESSES}, {SLOW}", "enqueue-processes-slow"),
    "consume": Contest(
        (
            Row(f"{COMMAND}, its log in a file", ours("consume"), huey("consume"), ">= 12 x"),
            Row(
                f"{COMMAND}, its log in a file",
                ours("consume"),
                ours("consume-quiet"),
                ">= 0.6 x",
                "with -q",
            ),
            Row(f"{COMMAND} -q", ours("consume-quiet"), huey("consume-quiet")),
        )
    ),
    "fair": Contest(
        (
            Row("20 producers and 4 threads, 30 s: StorageBusy", ours("fair", "busy"), goal="<= 0"),
            Row("their longest wait", ours("fair", "worst_ms"), goal="<= 1000 ms"),
            Row("the slowest one, of the mean", ours("fair", "slowest_percent"), goal=">= 50 %"),
        ),
        rounds=1,
    ),
    "latency": Contest(
        (
            versus("pick-up by an idle consumer, p50", "latency", "p50_ms", "<= 2 ms"),
            versus("pick-up by an idle consumer, p99", "latency", "p99_ms", "<= 5 ms"),
            versus("idle consumer, CPU", "latency", "idle_percent", "<= 0.3 %"),
            versus("memory of a consumer", "latency", "memory_mb", "<= 1.2 x"),
        ),
        rounds=3,
    ),
    "compute": Contest(
        (
            Row(
                "computing jobs, 2 processes",
                ours("compute-process"),
                ours("compute-thread"),
                ">= 1.6 x",
                "2 threads",
            ),
        ),
        rounds=3,
    ),
    "memory": Contest(
        (
            versus("memory of a consumer of 4 processes", "memory-process", "memory_mb"),
            versus("memory of a consumer of 500 greenlets", "memory-greenlet", "memory_mb"),
            Row("memory of a consumer of 500 coroutines", ours("memory-asyncio", "memory_mb")),
        ),
        rounds=3,
    ),
    "waiting": Contest(
        (
            versus(f"{WAITING}, 500 greenlets", "waiting-greenlet", "seconds", "<= 2.5 s"),
            Row(f"{WAITING}, 500 coroutines", ours("waiting-asyncio", "seconds"), goal="<= 2.5 s"),
        ),
        rounds=3,
    ),
    "visible": Contest(
        tuple(
            Row(
                f"ending visible, all workers busy ({how})", ours(what, "worst_ms"), goal="<= 20 ms"
            )
            for how, what in (("waiting", "visible-io"), ("computing", "visible-cpu"))
        ),
        rounds=1,
    ),
    "rows": Contest(
        (
            Row(
                "drain beside 1,000,000 finished rows",
                ours("rows-1m"),
                ours("rows-1k"),
                ">= 0.77 x",
                "1,000 rows",
            ),
        ),
        rounds=3,
    ),
    "questions": Contest(
        (
            question("get() of a dead job", "get_dead_ms", "<= 2 ms"),
            question("get() of it again", "get_dead_again_ms", "<= 2 ms"),
            question("job(id)", "job_by_id_ms", "<= 2 ms"),
            question("job(number)", "job_by_number_ms", "<= 2 ms"),
            *(
                question(f"hueyctl {words}", name, "<= 500 ms")
                for words, name in (
                    ("list -n 20", "list_ms"),
                    ("depth", "depth_ms"),
                    ("why", "why_ms"),
                    ("show", "show_ms"),
                    ("stats", "stats_ms"),
                )
            ),
        ),
        rounds=1,
    ),
    "dashboard": Contest(
        (
            viewed("a poll, p99", "poll_p99_ms", "<= 100 ms"),
            viewed("polls that change nothing", "unchanged_percent", ">= 70 %"),
            viewed("the look, of a core", "look_percent", "<= 5 %"),
            viewed("its memory", "memory_mb", "<= 40 MB"),
            viewed("the page of a job", "job_page_ms", "<= 30 ms"),
        ),
        rounds=1,
    ),
    "start-ups": Contest(
        (
            start_up("--version", "version_ms", "<= 5 x"),
            start_up("--help", "help_ms", "<= 6 x"),
            start_up("list --help", "list_help_ms", "<= 8 x"),
            start_up("depth", "depth_ms", "<= 8 x"),
            start_up("status", "status_ms", "<= 9 x"),
        ),
        rounds=1,
    ),
}
