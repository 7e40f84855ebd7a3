"""What the engines share of a dump: how large its pages are, and which jobs come together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from hueycore.model.jobs import Cargo

#: Jobs of the first page, and of any. Bytes of their arguments, results and log lines, about.
FIRST, PAGE, PAGE_BYTES = 50, 500, 8_000_000

#: By number, the numbers of all that hangs together with a job, in order.
Groups = Mapping[int, Sequence[int]]
T = TypeVar("T")


def next_size(page: Sequence[Cargo]) -> int:
    """Jobs of the page after this one, so that it takes about as much memory as any."""
    weight = sum(
        len(one.payload or b"")
        + len(one.result or b"")
        + sum(len(line.message) for line in one.log)
        for one in page
    )
    return min(PAGE, max(1, len(page) * PAGE_BYTES // max(1, weight)))


def parted(groups: Groups, here: Collection[int]) -> tuple[dict[int, int], set[int]]:
    """By number, the first of those ``here`` that a job comes together with; and the jobs of which
    some that they hang together with are not here."""
    first: dict[int, int] = {}
    torn: set[int] = set()
    for members in {id(members): members for members in groups.values()}.values():
        present = [seq for seq in members if seq in here]
        if len(present) > 1:
            first |= dict.fromkeys(present, present[0])
        if len(present) < len(members):
            torn |= set(present)
    return first, torn


def arranged(found: Mapping[int, T], groups: Groups) -> list[T]:
    """What was found by number, each group at the place of its first job."""
    left = dict(found)
    return [
        left.pop(member) for seq in found for member in groups.get(seq, (seq,)) if member in left
    ]
