"""The stages around a job, drawn for people: one line each, members of a chord indented before the
job that waits for them, and folded when there are many of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hueyctl import streams
from hueyctl.answers.stages import depths_of, folded
from hueyctl.output.grid import STATES, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hueycore.model.jobs import Job
    from hueyctl.output.grid import Line

#: A name of a task is cut to this rather than what comes after it left out.
_LEAST = 8


def draw(stages: Sequence[Job], job: Job, most: int, width: int) -> list[Line]:
    """At most ``most`` lines, with ``job`` among them and marked; nothing for a job on its own."""
    if len(stages) < 2:
        return []
    depths = depths_of(stages)
    lines = list(_lines(stages, job, depths, width))
    here = next((place for place, (seq, _) in enumerate(lines) if seq == job.seq), 0)
    start = max(0, min(here - most // 2, len(lines) - most))
    shown = [line for _, line in lines[start : start + most]]
    if start:
        shown.insert(0, [(f"  … {start} more before", "dim")])
    if start + most < len(lines):
        rest = len(lines) - start - most
        shown.append([(f"  … {rest} more: hueyctl show --json has all", "dim")])
    return shown


def _lines(
    stages: Sequence[Job], job: Job, depths: dict[int, int], width: int
) -> Iterator[tuple[int | None, Line]]:
    hidden = folded(stages, job)
    rest: dict[int | None, Counter[str]] = {}
    for stage in stages:
        if stage.seq in hidden:
            rest.setdefault(stage.next, Counter())[str(stage.state)] += 1
    last = {stage.next: stage.seq for stage in stages if stage.seq in hidden}
    for stage in stages:
        indent = "  " * depths[stage.seq]
        if stage.seq not in hidden:
            mark = "*" if stage.seq == job.seq else " "
            yield stage.seq, _stage(stage, f"{mark} {indent}{stage.seq} ", width)
        elif last[stage.next] == stage.seq:
            counts = rest[stage.next]
            summary = ", ".join(f"{number} {state}" for state, number in counts.most_common())
            text = f"  {indent}… {counts.total()} more members: {summary}"
            yield None, [(shortened(text, width), "dim")]


def _stage(stage: Job, start: str, width: int) -> Line:
    state, task = str(stage.state), streams.visible(stage.task)
    after = f" → {stage.next}" if stage.next is not None else ""
    waits = f", waits for {stage.waits} of {stage.inputs}" if stage.waits > 1 else ""
    room = width - len(start) - len(state) - 1
    for end in (after + waits, after, ""):
        if room - len(end) >= min(_LEAST, len(task)):
            break
    return [
        (start, "bold" if start.startswith("*") else ""),
        (state, STATES.get(state, "")),
        (f" {shortened(task, max(1, room - len(end)))}{end}", ""),
    ]
