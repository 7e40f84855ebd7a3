"""Ids: unique, sortable by birth, UUIDs of version 7, fresh in a forked child."""

from __future__ import annotations

import json
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from hueycore.system import ids
from hueycore.system.ids import new_id


def test_an_id_is_a_uuid_of_version_7_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    made = [new_id() for _ in range(1000)]
    after = time.time_ns() // 1_000_000

    for one in made:
        parsed = uuid.UUID(one)
        assert str(parsed) == one
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        assert before <= parsed.int >> 80 <= after


def test_no_two_ids_are_the_same_over_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [
            one
            for mine in pool.map(lambda _: [new_id() for _ in range(5000)], range(8))
            for one in mine
        ]

    assert len(set(made)) == 40_000


def test_ids_of_later_milliseconds_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(1_700_000_000_000, 1_700_000_000_300))
    monkeypatch.setattr(ids, "time_ns", lambda: next(moments) * 1_000_000)
    made = [new_id() for _ in range(300)]

    assert made == sorted(made)


def test_all_bits_but_the_fixed_ones_vary() -> None:
    numbers = [uuid.UUID(new_id()).int & (1 << 80) - 1 for _ in range(4000)]
    always = numbers[0]
    never = numbers[0]
    for number in numbers:
        always &= number
        never |= number

    fixed = ~(always ^ never) & (1 << 80) - 1
    assert fixed == 0xF000_C000_0000_0000_0000


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_repeat_its_parents_ids() -> None:
    new_id()  # fills the pool, which the child inherits
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(send, json.dumps([new_id() for _ in range(300)]).encode())
        os._exit(0)
    os.close(send)
    mine = [new_id() for _ in range(300)]
    with os.fdopen(receive) as pipe:
        theirs = json.load(pipe)
    os.waitpid(pid, 0)

    randoms = {one[15:] for one in mine} & {one[15:] for one in theirs}
    assert len(theirs) == 300 and not randoms
