"""Jobs that hang together by the edges between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

#: ``next`` and ``source`` of a job.
Ends = tuple[int | None, int | None]


def together(
    jobs: Mapping[int, Ends], neighbours: Callable[[Mapping[int, Ends]], Mapping[int, Ends]]
) -> dict[int, list[int]]:
    """By number, the numbers of all that hangs together with these jobs, each list in order.
    ``neighbours``: the jobs that are tied to some; some of these may be among them."""
    known, new = dict(jobs), dict(jobs)
    while new:
        found = neighbours(new)
        new = {seq: ends for seq, ends in found.items() if seq not in known}
        known |= new
    whole = {seq: [seq] for seq in known}
    for seq, ends in known.items():
        for end in ends:
            if end in whole and whole[end] is not whole[seq]:
                less, more = sorted((whole[seq], whole[end]), key=len)
                more += less
                whole.update(dict.fromkeys(less, more))
    for members in {id(members): members for members in whole.values()}.values():
        members.sort()
    return whole
