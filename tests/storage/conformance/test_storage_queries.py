"""Looking: from columns alone, never from payloads; a selector is data and never SQL."""

from __future__ import annotations

from typing import Any

import pytest

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.model.endings import Dead, Done
from hueycore.model.jobs import Job, Selector
from hueycore.model.reports import Depth
from hueycore.model.states import FINAL, LIVE, State
from hueycore.storage.base import Storage
from hueycore.system.ids import new_id
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import FAILURE, born, by_seq, new, one, row, run, take, worker
from tests.storage.lab import Lab

NOW = 2_000_000_000.0


@pytest.fixture
def shop(storage: Storage, clock: Clock) -> Storage:
    """seq: 1 scheduled, 2 done, 3 dead, 4 running, 5 and 6 pending, 7 revoked; a second each."""
    clock.freeze(NOW)
    number = worker(storage)
    born(storage, "mail.later", run_at=NOW + 1000, priority=1)
    for name, ending in (("mail.send", Done(b"x")), ("bill.make", Dead("failed", FAILURE))):
        clock.jump(1)
        born(storage, name)
        run(storage, number, ending)
    clock.jump(1)
    born(storage, "mail.send", priority=5)
    one(storage, number)
    clock.jump(1)
    born(storage, "bill.make", priority=-1, preview="'a*b'")
    clock.jump(1)
    born(storage, "bill.send", priority=2, retries=3)
    clock.jump(1)
    storage.revoke(by_seq(born(storage, "mail[1]")))
    return storage


def seqs(storage: Storage, **fields: Any) -> list[int]:
    return [job.seq for job in storage.jobs(Selector(**fields))]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7]),
        ({"states": (State.PENDING,)}, [5, 6]),
        ({"states": (State.DONE, State.DEAD)}, [2, 3]),
        ({"states": (State.RUNNING, State.REVOKED)}, [4, 7]),
        ({"queues": ("huey", "other")}, [1, 2, 3, 4, 5, 6, 7]),
        ({"queues": ("other",)}, []),
        ({"keys": ("2", "4", "99")}, [2, 4]),
        ({"before": 3}, [1, 2]),
        ({"after": 2, "before": 6, "sort": "-seq"}, [5, 4, 3]),
        ({"after": 6, "before": 7}, []),
        ({"task": "mail.send"}, [2, 4]),
        ({"task": "mail.*"}, [1, 2, 4]),
        ({"task": "*.make"}, [3, 5]),
        ({"task": "mail[[]1]"}, [7]),
        ({"task": "MAIL.*"}, []),
        ({"priority": (1, None)}, [1, 4, 6]),
        ({"priority": (None, 0)}, [2, 3, 5, 7]),
        ({"priority": (1, 2)}, [1, 6]),
        ({"older_than": NOW + 2.5, "states": (State.DONE, State.DEAD)}, [2, 3]),
        ({"newer_than": NOW + 3.5, "states": (State.PENDING,)}, [5, 6]),
        ({"newer_than": NOW + 4, "states": (State.PENDING,)}, [6]),
        ({"older_than": NOW + 0.5}, [1]),
        ({"older_than": NOW + 3, "states": (State.RUNNING,)}, [4]),
        ({"newer_than": NOW + 5.5, "states": (State.REVOKED,)}, [7]),
        ({"where": (("retries", ">", 0),)}, [6]),
        ({"where": (("retries", ">=", 3), ("task", "~", "send"))}, [6]),
        ({"where": (("reason", "=", "failed"),)}, [3]),
        ({"where": (("reason", "=", None),)}, [1, 2, 4, 5, 6]),
        ({"where": (("reason", "!=", None),)}, [3, 7]),
        ({"where": (("errors", "~", "ValueError"),)}, [3]),
        ({"where": (("preview", "~", "a*b"),)}, [5]),
        ({"where": (("state", "=", State.DEAD),)}, [3]),
        ({"where": (("priority", "<", "0"),)}, [5]),
        ({"where": (("seq", "<=", 2),)}, [1, 2]),
        ({"where": (("worker", "!=", None),)}, [4]),
        ({"after": 5}, [6, 7]),
        ({"limit": 2}, [1, 2]),
        ({"limit": 0}, []),
        ({"sort": "-seq", "limit": 3}, [7, 6, 5]),
        ({"sort": "task", "states": (State.PENDING,)}, [5, 6]),
        ({"sort": "-task", "states": (State.PENDING,)}, [6, 5]),
        ({"sort": "running-order", "states": (State.PENDING,)}, [6, 5]),
        ({"sort": "-priority", "limit": 2}, [4, 6]),
    ],
    ids=str,
)
def test_a_selector_narrows(shop: Storage, fields: dict[str, Any], expected: list[int]) -> None:
    assert seqs(shop, **fields) == expected
    if "limit" not in fields:
        assert shop.count(Selector(**fields)) == len(expected)


def newest(storage: Storage, most: int = 100, **fields: Any) -> tuple[list[int], int]:
    found = storage.newest(Selector(**fields), most)
    return [job.seq for job in found.jobs], found.before


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [7, 6, 5, 4, 3, 2, 1]),
        ({"before": 4}, [3, 2, 1]),
        ({"after": 2, "before": 5}, [4, 3]),
        ({"states": (State.DONE, State.DEAD)}, [3, 2]),
        ({"queues": ("other",)}, []),
        ({"task": "mail.*"}, [4, 2, 1]),
        ({"keys": ("2", "4", "99")}, [4, 2]),
        ({"where": (("errors", "~", "ValueError"),)}, [3]),
        ({"states": (State.RUNNING,), "where": (("task", "~", "send"),)}, [4]),
        ({"newer_than": NOW + 5.5, "states": (State.REVOKED,)}, [7]),
    ],
    ids=str,
)
def test_the_newest_come_first_whatever_selects_them(
    shop: Storage, fields: dict[str, Any], expected: list[int]
) -> None:
    assert newest(shop, **fields) == (expected, 0)


def test_who_wants_a_few_of_the_newest_is_told_where_to_go_on(shop: Storage) -> None:
    assert newest(shop, limit=3) == ([7, 6, 5], 5)
    assert newest(shop, limit=3, before=5) == ([4, 3, 2], 2)
    assert newest(shop, limit=3, before=2) == ([1], 0)


def test_a_search_for_the_newest_looks_at_so_many_rows_and_goes_on_there(shop: Storage) -> None:
    found = shop.newest(Selector(task="mail.*", limit=10), 2)
    assert ([job.seq for job in found.jobs], found.looked, found.before) == ([], 2, 6)
    assert newest(shop, 2, task="mail.*", before=6) == ([4], 4)
    assert newest(shop, 2, task="mail.*", before=4) == ([2], 2)
    seen, before = list[int](), 0
    while True:
        some, before = newest(shop, 2, task="mail.*", before=before)
        seen += some
        if not before:
            break
    assert seen == [4, 2, 1]


def test_few_jobs_of_a_state_are_found_among_however_many_others(shop: Storage) -> None:
    assert newest(shop, 2, states=(State.DONE,)) == ([2], 0)
    assert newest(shop, 2, states=(State.SCHEDULED, State.DEAD)) == ([3, 1], 0)


def test_newest_jobs_of_several_queues_that_share_a_number_come_together(
    make_shared: Maker,
) -> None:
    ours, theirs = make_shared(queue="ours"), make_shared(queue="theirs")
    for each in (ours, theirs) * 2:
        born(each)
    seen, before = list[str](), 0
    while True:
        found = ours.newest(Selector(limit=1, before=before))
        assert len({job.seq for job in found.jobs}) <= 1  # and no further ones with them
        seen += [job.id for job in found.jobs]
        before = found.before
        if not before:
            break
    assert len(seen) == len({*seen}) == 4


FAR = 1_000_000


@pytest.fixture
def aged(storage: Storage, lab: Lab) -> Storage:
    """Done 1 and 2, dead 3, pending 4 and far away 1,000,005 and 1,000,006; of another task the
    scheduled 1,000,007."""
    number = worker(storage)
    for ending in (Done(), Done(), Dead("failed", FAILURE)):
        born(storage)
        run(storage, number, ending)
    for job in [born(storage) for _ in range(3)][1:]:
        lab.renumber(job.seq, FAR + job.seq)
    later = born(storage, "later", run_at=4e9)
    if later.seq < FAR:
        lab.renumber(later.seq, FAR + later.seq)
    return storage


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"states": LIVE, "limit": 2}, [4, FAR + 5]),
        ({"states": LIVE, "limit": 9}, [4, FAR + 5, FAR + 6, FAR + 7]),
        ({"states": LIVE, "limit": 3, "sort": "-seq"}, [FAR + 7, FAR + 6, FAR + 5]),
        ({"states": (State.PENDING,), "limit": 2, "sort": "-seq"}, [FAR + 6, FAR + 5]),
        ({"states": FINAL, "limit": 2, "sort": "-seq"}, [3, 2]),
        ({"states": (State.DONE, State.SCHEDULED), "limit": 3}, [1, 2, FAR + 7]),
        ({"queues": ("huey",), "limit": 5, "sort": "-seq"}, [FAR + 7, FAR + 6, FAR + 5, 4, 3]),
        ({"queues": ("other",), "limit": 1}, []),
        ({"states": LIVE, "task": "later", "limit": 1}, [FAR + 7]),
        ({"states": LIVE, "after": 4, "limit": 1}, [FAR + 5]),
        ({"states": LIVE, "before": FAR + 5, "limit": 9, "sort": "-seq"}, [4]),
        ({"states": LIVE, "after": FAR + 7, "limit": 9}, []),
    ],
)
def test_the_first_of_few_are_found_wherever_they_are(
    aged: Storage, fields: dict[str, Any], expected: list[int]
) -> None:
    assert seqs(aged, **fields) == expected
    some = Selector(**fields)._replace(limit=None)
    assert aged.count(some) == len(aged.jobs(some))


def test_pages_downwards_show_every_job_once(aged: Storage) -> None:
    seen: list[int] = []
    while page := seqs(aged, sort="-seq", limit=2, before=seen[-1] if seen else 0):
        seen += page

    assert seen == sorted(seqs(aged), reverse=True)


def test_every_column_can_be_asked_for_and_sorted_by(shop: Storage) -> None:
    for column in Job._fields:
        assert sorted(seqs(shop, sort=column)) == sorted(seqs(shop, sort=f"-{column}"))
        for operator in ("=", "!=", "<", ">", "<=", ">=", "~"):
            shop.jobs(Selector(where=((column, operator, 1),)))


@pytest.mark.parametrize(
    "fields",
    [
        {"sort": "nonsense"},
        {"sort": "--seq"},
        {"sort": "seq; drop table job"},
        {"where": (("nonsense", "=", 1),)},
        {"where": (('seq" or 1=1 --', "=", 1),)},
        {"where": (("seq", "like", 1),)},
        {"where": (("seq", "= 1 or 1 =", 1),)},
    ],
    ids=str,
)
def test_what_is_no_column_or_operator_is_refused(shop: Storage, fields: dict[str, Any]) -> None:
    selector = Selector(**fields)

    with pytest.raises(ConfigurationError, match=r"unknown (column|operator)"):
        shop.jobs(selector)
    if "where" in fields:
        for verb in (shop.count, shop.revoke, shop.requeue, shop.reschedule, shop.purge):
            with pytest.raises(ConfigurationError):
                verb(selector)


HOSTILE = [
    "'; drop table job; --", '"', "\x00", "%", "_", "*", "[", "[^", "?", "\\", "-1", "0",
    "1e3", " 1", "1 ", "9" * 5000, "9" * 19, "18446744073709551616", "٣", "²", "ключ", "\n",
    "[" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(shop: Storage, text: str) -> None:
    assert seqs(shop, keys=(text,)) == []
    assert shop.job(text) is None
    assert seqs(shop, queues=(text,)) == []
    assert text in "**" or seqs(shop, task=text) == []
    assert seqs(shop, where=(("reason", "=", text),)) == []
    assert shop.revoke(Selector(keys=(text,))).matched == 0
    assert shop.purge(Selector(queues=(text,))) == 0
    assert shop.result(text, preserve=False) is None
    assert len(shop.jobs(Selector())) == 7


def test_a_pattern_that_is_too_complex_is_a_storage_error(shop: Storage) -> None:
    with pytest.raises(StorageError):
        shop.jobs(Selector(task="*a" * 40_000))


def test_a_state_that_does_not_exist_is_refused(shop: Storage) -> None:
    for states in (("nonsense",), ("done", "nonsense"), ("done' or '1", "dead")):
        with pytest.raises(ValueError, match="not a valid State"):
            shop.jobs(Selector(states=states))  # type: ignore[arg-type]


def test_more_keys_than_a_statement_has_variables(storage: Storage) -> None:
    jobs = storage.enqueue([new() for _ in range(300)])
    keys = tuple(job.id for job in jobs) + tuple(str(n) for n in range(1000, 400_000))

    assert storage.count(Selector(keys=keys)) == 300


def test_a_long_id_wins_over_a_number(storage: Storage) -> None:
    first = born(storage)
    second = born(storage, id=str(first.seq))

    found = storage.job(str(first.seq))
    assert found is not None and found.seq == second.seq
    assert seqs(storage, keys=(str(first.seq),)) == [second.seq]
    assert seqs(storage, keys=(first.id,)) == [first.seq]


def test_an_id_of_two_queues_means_the_own_one(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    same = new_id()
    mine, other = born(ours, id=same), born(theirs, id=same)

    assert [s.job(same).seq for s in (ours, theirs)] == [mine.seq, other.seq]  # type: ignore[union-attr]


def test_a_job_that_does_not_exist_is_none(storage: Storage) -> None:
    assert storage.job("1") is None
    assert storage.job(new_id()) is None
    assert storage.payload(1) is None


def test_payloads_of_several_queues_come_in_the_order_asked_for(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    mine = [born(ours, payload=b"%d" % n) for n in range(3)]
    other = born(theirs, payload=b"theirs")
    jobs = [ours.job(one.id) for one in (mine[2], other, mine[0])]

    for storage in (ours, theirs):
        assert storage.payloads([job for job in jobs if job]) == [b"2", b"theirs", b"0"]
    assert ours.payloads([]) == []


def test_the_payload_of_a_job_that_is_gone_is_none(shop: Storage) -> None:
    (done,) = shop.jobs(Selector(states=(State.DONE,)))
    pending = row(shop, 5)
    shop.purge(Selector(states=(State.DONE,)))

    assert [payload is None for payload in shop.payloads([done, pending])] == [True, False]


def test_a_row_says_everything_in_python_types(shop: Storage) -> None:
    dead = row(shop, 3)

    assert type(dead.state) is State
    flags = (dead.at_most_once, dead.cancel_requested, dead.delivered)
    assert {type(flag) for flag in flags} == {bool}
    assert dead.errors[0]["type"] == "ValueError"
    assert (row(shop, 2).taken, row(shop, 5).taken) == (False, None)


def test_depths_count_each_state_of_each_queue(shop: Storage) -> None:
    assert shop.depths() == [
        Depth("huey", State.SCHEDULED, 1, None),
        Depth("huey", State.PENDING, 2, NOW + 4),
        Depth("huey", State.RUNNING, 1, None),
        Depth("huey", State.DONE, 1, None),
        Depth("huey", State.DEAD, 1, None),
        Depth("huey", State.REVOKED, 1, None),
    ]


def test_depths_count_only_the_states_that_are_asked_for(shop: Storage) -> None:
    assert shop.depths((State.DEAD, State.BLOCKED)) == [Depth("huey", State.DEAD, 1)]
    assert shop.depths(()) == []


def test_jobs_are_counted_by_their_tasks(shop: Storage) -> None:
    assert list(shop.count_by_task(Selector()).items()) == [
        ("bill.make", 2), ("mail.send", 2), ("bill.send", 1), ("mail.later", 1), ("mail[1]", 1),
    ]  # fmt: skip
    assert shop.count_by_task(Selector(states=LIVE, task="mail*", limit=1)) == {
        "mail.later": 1,
        "mail.send": 1,
    }
    assert shop.count_by_task(Selector(queues=("other",))) == {}


def test_depths_tell_the_queues_apart(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    ours.enqueue([new(), new()])
    born(theirs)

    assert [(depth.queue, depth.count) for depth in ours.depths()] == [("ours", 2), ("theirs", 1)]


def test_an_empty_storage_has_no_depths(storage: Storage) -> None:
    assert storage.depths() == [] and storage.queues() == [] and storage.workers() == []


def test_one_unreadable_payload_hides_nothing(storage: Storage) -> None:
    storage.enqueue([new(payload=b"\x80\x05junk"), new(payload=b""), new()])

    assert len(storage.jobs(Selector())) == 3
    assert len(take(storage, worker(storage), 9)) == 3


def test_a_large_payload_comes_back_whole(storage: Storage) -> None:
    payload = bytes(range(256)) * 40_000
    job = born(storage, payload=payload)

    assert storage.payload(job.seq) == payload
    assert one(storage, worker(storage)).payload == payload


def test_a_flag_behind_the_rows_back_is_seen_as_it_is(storage: Storage, lab: Lab) -> None:
    job = born(storage)
    lab.set(job.seq, progress="50 %", preview=None)

    assert (row(storage, job).progress, row(storage, job).preview) == ("50 %", None)
