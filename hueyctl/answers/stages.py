"""The stages around a job, drawn for people: one line each, members of a chord indented before the
job that waits for them, and folded when there are many of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hueycore.model.jobs import Job

#: Members of one chord that are drawn one by one, and those of them that are so without a cause.
_MEMBERS = 10
_FIRST = 3
#: What somebody who looks wants to see.
_TELLING = ("running", "dead", "revoked", "expired")


def draw(stages: Sequence[Job], job: Job, most: int) -> list[str]:
    """At most ``most`` lines, with ``job`` among them and marked; nothing for a job on its own."""
    if len(stages) < 2:
        return []
    depths = _depths(stages)
    lines = list(_lines(stages, job, depths))
    here = next((place for place, (seq, _) in enumerate(lines) if seq == job.seq), 0)
    start = max(0, min(here - most // 2, len(lines) - most))
    shown = [text for _, text in lines[start : start + most]]
    if start:
        shown.insert(0, f"  … {start} more before")
    if start + most < len(lines):
        shown.append(f"  … {len(lines) - start - most} more: hueyctl show --json has all")
    return shown


def _depths(stages: Sequence[Job]) -> dict[int, int]:
    """In how many chords each job lies as a member, or what leads to one."""
    feeding = {stage.source for stage in stages}
    depths: dict[int, int] = {}
    # What comes later has a higher number: they are born together, in order.
    for stage in sorted(stages, key=lambda stage: -stage.seq):
        step = 1 if stage.slot is not None else -1 if stage.seq in feeding else 0
        depths[stage.seq] = max(0, depths.get(stage.next or 0, 0) + step)
    return depths


def _lines(
    stages: Sequence[Job], job: Job, depths: dict[int, int]
) -> Iterator[tuple[int | None, str]]:
    folded = _folded(stages, job)
    rest: dict[int | None, Counter[str]] = {}
    for stage in stages:
        if stage.seq in folded:
            rest.setdefault(stage.next, Counter())[str(stage.state)] += 1
    last = {stage.next: stage.seq for stage in stages if stage.seq in folded}
    for stage in stages:
        indent = "  " * depths[stage.seq]
        if stage.seq not in folded:
            mark = "*" if stage.seq == job.seq else " "
            after = f" → {stage.next}" if stage.next is not None else ""
            waits = f", waits for {stage.waits} of {stage.inputs}" if stage.waits > 1 else ""
            yield stage.seq, f"{mark} {indent}{stage.seq} {stage.state} {stage.task}{after}{waits}"
        elif last[stage.next] == stage.seq:
            counts = rest[stage.next]
            said = ", ".join(f"{number} {state}" for state, number in counts.most_common())
            yield None, f"  {indent}… {counts.total()} more members: {said}"


def _folded(stages: Sequence[Job], job: Job) -> set[int]:
    """Members that are not drawn one by one: those of large chords that say nothing."""
    fed = {stage.next for stage in stages if stage.slot is None}
    members: dict[int | None, list[Job]] = {}
    for stage in stages:
        single = stage.seq not in fed or stage.inputs == 1
        if stage.slot is not None and single:
            members.setdefault(stage.next, []).append(stage)
    found: set[int] = set()
    for group in members.values():
        if len(group) <= _MEMBERS:
            continue
        telling = [one.seq for one in group if one.state in _TELLING][: _MEMBERS - _FIRST]
        kept = {job.seq, *telling, *(one.seq for one in group[:_FIRST])}
        found |= {one.seq for one in group if one.seq not in kept}
    return found
