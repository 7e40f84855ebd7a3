"""``make bench``: this project against Huey, same machine, same run, same job; ratios and budgets.

Writes bench.json and prints a table. Not a test: nothing fails when a budget is missed.
"""

import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS = 3
#: What computes side by side, and what does not.
KINDS = ("process", "thread")


def measured(system: str, what: str, environ: Mapping[str, str] | None = None) -> dict[str, float]:
    """One measurement in a fresh process and folder."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        run = subprocess.run(
            [sys.executable, str(HERE / "measure.py"), system, what, folder],
            capture_output=True,
            text=True,
            env=environ,
        )
    if run.returncode:
        sys.exit(f"{system} {what} failed:\n{run.stderr}")
    answer: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return answer


def measure(system: str, what: str) -> dict[str, float]:
    """One measurement, told on stderr."""
    answer = measured(system, what)
    print(f"  {system:11} {what:11} " + show(answer), file=sys.stderr, flush=True)
    return answer


def show(answer: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:,.2f}" for name, value in answer.items())


def best_of(system: str, what: str, figure: str, rounds: int = ROUNDS) -> float:
    """The median of a few rounds."""
    return statistics.median(measure(system, what)[figure] for _ in range(rounds))


def command_times() -> dict[str, float]:
    """Start-up of commands as ratios to ``python -c pass``; the shortest of 15 alternating runs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "q.db"
        setup = f"from hueycore import SqliteHuey; SqliteHuey('q', {str(file)!r}).storage.close()"
        subprocess.run([sys.executable, "-c", setup], check=True)
        hueyctl = str(Path(sys.executable).parent / "hueyctl")
        commands = {
            "pass": [sys.executable, "-c", "pass"],
            "--version": [hueyctl, "--version"],
            "--help": [hueyctl, "--help"],
            "list --help": [hueyctl, "list", "--help"],
            "depth": [hueyctl, "-u", f"sqlite:///{file}", "depth"],
        }
        # An installed command has its bytecode; some build machines forbid to write it.
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(15):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True, env=environ)
                times[name].append(time.perf_counter() - start)
    base = min(times.pop("pass"))
    return {name: min(taken) / base for name, taken in times.items()}


def main() -> None:
    rows: list[tuple[str, str, str, str, str]] = []

    def ratio(label: str, ours: float, theirs: float, goal: float | None) -> None:
        mark = "" if goal is None else "yes" if ours / theirs >= goal else "NO"
        want = "" if goal is None else f">= {goal:g} x"
        rows.append((label, f"{ours:,.0f}/s", f"{theirs:,.0f}/s", f"{ours / theirs:.1f} x", want))
        rows[-1] = (*rows[-1][:4], f"{want} {mark}".strip())

    def limit(label: str, ours: float, theirs: float | None, goal: float | None, unit: str) -> None:
        other = "" if theirs is None else f"{theirs:,.2f} {unit}"
        times = "" if not theirs else f"{ours / theirs:.2f} x"
        want = ""
        if goal is not None:
            want = f"<= {goal:g} {unit} {'yes' if ours <= goal else 'NO'}"
        rows.append((label, f"{ours:,.2f} {unit}", other, times, want))

    huey_enqueue = best_of("huey", "enqueue", "per_s")
    ours_enqueue = best_of("hueycore", "enqueue", "per_s")
    ratio("enqueue one by one, synced to disk", ours_enqueue, huey_enqueue, 1)
    unsynced = measure("huey-unsynced", "enqueue")["per_s"]
    ratio("the same, Huey with fsync=False", ours_enqueue, unsynced, None)
    ratio("enqueue_many (Huey one by one)", best_of("hueycore", "bulk", "per_s"), huey_enqueue, 12)
    for workers in (1, 4):
        what = f"drain-{workers}"
        ours = best_of("hueycore", what, "per_s")
        ratio(f"drain, {workers} threads", ours, best_of("huey", what, "per_s"), 20)
    ours_drained = best_of("hueycore", "drain-process", "per_s")
    ratio("drain, 4 processes", ours_drained, best_of("huey", "drain-process", "per_s"), 15)
    ours_cpu, one_core = (measure("hueycore", f"cpu-{kind}")["per_s"] for kind in KINDS)
    ratio("computing jobs, 2 processes (to 2 threads)", ours_cpu, one_core, 1.6)
    ours, theirs = measure("hueycore", "latency"), measure("huey", "latency")
    limit("pick-up by an idle consumer, p50", ours["p50_ms"], theirs["p50_ms"], 5, "ms")
    limit("pick-up by an idle consumer, p99", ours["p99_ms"], theirs["p99_ms"], 25, "ms")
    idle = "idle_cpu_percent"
    limit("idle consumer, CPU", ours[idle], theirs[idle], 1, "%")
    memory = theirs["memory_mb"]
    limit("memory of a consumer", ours["memory_mb"], memory, round(1.2 * memory, 1), "MB")
    for kind, what in (("process", "4 processes"), ("greenlet", "500 greenlets")):
        memory = measure("huey", f"memory-{kind}")["memory_mb"]
        ours_memory = measure("hueycore", f"memory-{kind}")["memory_mb"]
        limit(f"memory of a consumer of {what}", ours_memory, memory, None, "MB")
    ours_memory = measure("hueycore", "memory-asyncio")["memory_mb"]
    limit("memory of a consumer of 500 coroutines", ours_memory, None, None, "MB")
    ours_s, theirs_s = (measure(system, "waiting-greenlet")["s"] for system in ("hueycore", "huey"))
    limit("5,000 jobs that wait 0.1 s, 500 greenlets", ours_s, theirs_s, 2.5, "s")
    ours_s = measure("hueycore", "waiting-asyncio")["s"]
    limit("5,000 jobs that wait 0.1 s, 500 coroutines", ours_s, None, 2.5, "s")
    seen = measure("hueycore", "visible-io")["max_ms"]
    limit("ending visible, all workers busy (waiting)", seen, None, 20, "ms")
    seen = measure("hueycore", "visible-cpu")["max_ms"]
    limit("ending visible, all workers busy (computing)", seen, None, 20, "ms")
    few, many = (best_of("hueycore", f"rows-{size}", "per_s") for size in ("1k", "1m"))
    limit("cost per job at 1,000,000 finished rows to 1,000", few / many, None, 1.3, "x")
    goals = {"--version": 5, "--help": 6, "list --help": 8, "depth": 8}
    for name, times in command_times().items():
        limit(f"hueyctl {name} to python -c pass", times, None, goals[name], "x")
    report(rows)


def machine(*more: str) -> str:
    """What the figures depend on, in a line."""
    python = f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"
    return ", ".join((*python, *more, f"{platform.system()} {platform.machine()}"))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = (heads, ["---"] * len(heads), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(rows: list[tuple[str, str, str, str, str]]) -> None:
    about = machine(f"Huey {version('huey')}")
    print(f"\n{about}\n")
    print(table(("what", "hueyctl", "Huey", "ratio", "goal"), rows))
    names = ("what", "hueyctl", "huey", "ratio", "goal")
    document = {"about": about, "rows": [dict(zip(names, row, strict=True)) for row in rows]}
    Path("bench.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
