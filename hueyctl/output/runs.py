"""What runs, as lines of a screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hueyctl import streams
from hueyctl.output.columns import Column, Style, cell
from hueyctl.output.figures import short
from hueyctl.output.grid import Line, grid
from hueyctl.units import grouped

if TYPE_CHECKING:
    from hueyctl.answers.runs import Run


def run_lines(runs: Sequence[Run], width: int, *, most: int, utf8: bool) -> list[Line]:
    """A header and at most ``most`` lines; what is stuck stands in red."""
    shown = runs if len(runs) <= most else runs[: max(0, most - 1)]
    columns = _columns(utf8=utf8, several=len({run.job.queue for run in runs}) > 1)
    style = Style("relative", 0.0)
    texts = [[streams.visible(cell(column, run, style)) for column in columns] for run in shown]
    red = ["bold red" if run.stuck else "" for run in shown]
    lines = grid(columns, texts, width, styles=red)
    if len(shown) < len(runs):
        lines.append([(f"… {grouped(len(runs) - len(shown))} more: hueyctl workers", "dim")])
    return lines


def _columns(*, utf8: bool, several: bool) -> list[Column]:
    times = "×" if utf8 else "x"

    def ratio(run: Run) -> str:
        found = run.ratio
        if found is None:
            return "-"
        return f"{found:.1f}{times}" if found < 99.5 else f"{grouped(round(found))}{times}"

    found = [
        Column("task", "RUNNING", "text", lambda run: run.job.task),
        Column("job", "JOB", "int", lambda run: run.job.seq),
        Column("args", "ARGS", "text", lambda run: run.job.preview),
        Column("for", "FOR", "int", lambda run: short(run.for_s)),
        Column("p95", "P95", "int", lambda run: "-" if run.p95 is None else short(run.p95)),
        Column("ratio", f"{times}P95", "int", ratio),
        Column("worker", "WORKER", "text", lambda run: run.worker),
        Column("queue_of_run", "QUEUE", "text", lambda run: run.job.queue),
        Column("progress", "PROGRESS", "text", lambda run: run.job.progress),
    ]
    return [column for column in found if several or column.key != "queue_of_run"]
