"""What ``sql/ties.py`` says, of rows in Redis."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack

from hueycore.storage.redis.part import Part
from hueycore.storage.redis.rows import fetch

#: ``next`` and ``source`` of a job.
Ends = tuple[int | None, int | None]


def neighbours(part: Part, queue: str, jobs: Mapping[int, Ends]) -> dict[int, Ends]:
    key, found = part.key("child", queue), {end for both in jobs.values() for end in both if end}
    starts = [kind + pack(">Q", seq) for seq in jobs for kind in (b"n", b"s")]
    for at in range(0, len(starts), 500):
        asked = [
            ("ZRANGEBYLEX", key, b"[" + start, b"(" + start + b"\xff" * 13)
            for start in starts[at : at + 500]
        ]
        for members in part.ask(*asked):
            found |= {int.from_bytes(member[-8:], "big") for member in members}
    rows = fetch(part, queue, sorted(found), texts=False)
    return {row.seq: (row["next"], row["source"]) for row in rows}


def together(part: Part, queue: str, jobs: Mapping[int, Ends]) -> dict[int, list[int]]:
    known, new = dict(jobs), dict(jobs)
    while new:
        found = neighbours(part, queue, new)
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
