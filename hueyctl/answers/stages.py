"""The stages that a job is joined with: as a list, how deep each lies, which are worth a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueycore.model.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hueycore.model.jobs import Job

#: Members of one chord that are drawn one by one, and those of them that are so without a cause.
_MEMBERS = 10
_FIRST = 3
#: What somebody who looks wants to see.
_TELLING = (State.RUNNING, State.DEAD, State.REVOKED, State.EXPIRED)


def tree(stages: Sequence[Job]) -> list[dict[str, Any]]:
    """The stages for JSON: a flat list, because a pipeline may have thousands; empty when the
    job stands alone."""
    if len(stages) < 2:
        return []
    return [
        {
            "seq": stage.seq,
            "id": stage.id,
            "task": stage.task,
            "state": str(stage.state),
            "next": stage.next,
            "slot": stage.slot,
            "source": stage.source,
            "inputs": stage.inputs,
            "waits": stage.waits,
        }
        for stage in stages
    ]


def depths_of(stages: Sequence[Job]) -> dict[int, int]:
    """In how many chords each job lies as a member, or what leads to one."""
    feeding = {stage.source for stage in stages}
    depths: dict[int, int] = {}
    # What comes later has a higher number: they are born together, in order.
    for stage in sorted(stages, key=lambda stage: -stage.seq):
        step = 1 if stage.slot is not None else -1 if stage.seq in feeding else 0
        depths[stage.seq] = max(0, depths.get(stage.next or 0, 0) + step)
    return depths


def folded(stages: Sequence[Job], job: Job) -> set[int]:
    """Members that need not be shown one by one: those of large chords that say nothing."""
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
