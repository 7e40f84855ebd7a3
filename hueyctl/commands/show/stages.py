"""The stages around a job, drawn for people: one line each, members of a chord indented before the
job that waits for them, and folded when there are many of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hueyctl.answers.stages import depths_of, folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hueycore.model.jobs import Job


def draw(stages: Sequence[Job], job: Job, most: int) -> list[str]:
    """At most ``most`` lines, with ``job`` among them and marked; nothing for a job on its own."""
    if len(stages) < 2:
        return []
    depths = depths_of(stages)
    lines = list(_lines(stages, job, depths))
    here = next((place for place, (seq, _) in enumerate(lines) if seq == job.seq), 0)
    start = max(0, min(here - most // 2, len(lines) - most))
    shown = [text for _, text in lines[start : start + most]]
    if start:
        shown.insert(0, f"  … {start} more before")
    if start + most < len(lines):
        shown.append(f"  … {len(lines) - start - most} more: hueyctl show --json has all")
    return shown


def _lines(
    stages: Sequence[Job], job: Job, depths: dict[int, int]
) -> Iterator[tuple[int | None, str]]:
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
            after = f" → {stage.next}" if stage.next is not None else ""
            waits = f", waits for {stage.waits} of {stage.inputs}" if stage.waits > 1 else ""
            yield stage.seq, f"{mark} {indent}{stage.seq} {stage.state} {stage.task}{after}{waits}"
        elif last[stage.next] == stage.seq:
            counts = rest[stage.next]
            summary = ", ".join(f"{number} {state}" for state, number in counts.most_common())
            yield None, f"  {indent}… {counts.total()} more members: {summary}"
