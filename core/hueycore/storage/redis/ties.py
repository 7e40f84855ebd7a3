"""What ``sql/ties.py`` says, of rows in Redis."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack

from hueycore.model.ties import Ends
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.rows import fetch


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
