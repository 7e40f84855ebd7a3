"""The scripts of the engine: how they are put together, and what they promise to who asks twice."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.exceptions import StorageError
from hueycore.model.endings import Done
from hueycore.model.jobs import Selector, Want
from hueycore.model.states import TRANSITIONS, State
from hueycore.storage.redis import RedisStorage, scripts
from hueycore.storage.redis.messagepack import unpack_row
from hueycore.storage.redis.wire import LONG
from tests.redis_servers import RedisServer
from tests.storage.kit import born, ended, new, one, row, state, worker
from tests.storage.redis.lab import empty_databases, open_database

VERBS = sorted(
    file.stem
    for file in Path(scripts.__file__).with_name("lua").glob("*.lua")
    if file.read_text().startswith("#!")
)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[RedisStorage]:
    with empty_databases(), closing(open_database(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize("verb", VERBS)
def test_a_script_is_lua_without_the_words_of_its_files(verb: str, storage: RedisStorage) -> None:
    text = scripts.script(verb).text

    storage.client.call("SCRIPT", "LOAD", text)
    assert not re.search(r"^--", text, re.M)
    assert not re.search(r"\b(FINISHED_AT|RUN_AT|BY_NAME)\b", text)


def test_a_move_that_no_verb_makes_is_refused(storage: RedisStorage) -> None:
    job = born(storage)
    script = scripts.compose(
        "--#include rows\n"
        "local row = get(arg.seq)\nrow[STATE] = arg.to\nsave(row)\nflush()\nreturn 1"
    )
    allowed = {
        after for verb in TRANSITIONS if State.PENDING in verb.before for after in verb.after
    }

    for to in sorted(set(State) - allowed - {State.PENDING}):
        with pytest.raises(StorageError, match=f"pending to {to}"):
            storage.client.run(script, storage.keys, ["1.0", f'{{"seq": {job.seq}, "to": "{to}"}}'])

    assert state(storage, job) is State.PENDING


def test_births_that_name_their_keys_touch_no_other_ones(server: RedisServer) -> None:
    named = scripts.keys_of("huey", scripts.script("births_plain").keys)
    assert len(named) < 10
    keys = [f"~{key}" for key in (*named, scripts.QUEUES)]
    server.ask("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "&*", *keys)
    url = f"redis://ann:pw@127.0.0.1:{server.port}/0"

    with closing(RedisStorage(url, max_pending=9, serializer="json")) as storage:
        jobs = storage.enqueue([new(preview="(1)"), new(run_at=time.time() + 60)])

    assert [job.state for job in jobs] == [State.PENDING, State.SCHEDULED]


def test_what_is_long_reaches_the_server_whole(storage: RedisStorage) -> None:
    for size in (LONG - 1, LONG, LONG + 1, 3 * LONG):
        for payload in (b"\r" * size, b""):
            storage.enqueue([new(payload=payload), new(preview="é" * size, payload=b"\n")])

    claims = storage.exchange(worker(storage), [], Want(99)).claims

    assert [len(claim.payload) for claim in claims] == [
        size for long in (LONG - 1, LONG, LONG + 1, 3 * LONG) for size in (long, 1, 0, 1)
    ]


def test_a_plain_row_is_short_and_reads_as_a_whole_one(storage: RedisStorage) -> None:
    plain = born(storage)
    whole = born(storage, retries=1)

    short, long = storage.client.call("HMGET", storage.key("row"), plain.seq, whole.seq)

    assert len(short) < 80 and len(unpack_row(short)) == len(unpack_row(long)) == len(
        scripts.COLUMNS
    )
    assert row(storage, plain)._replace(seq=whole.seq, id=whole.id, run_at=0, enqueued_at=0) == row(
        storage, whole
    )._replace(retries=0, run_at=0, enqueued_at=0)


def test_a_row_as_it_was_packed_before_is_read_and_packed_anew(storage: RedisStorage) -> None:
    """With all columns up to the last one that has a value."""
    job = born(storage, retries=2, timeout=7.5, result_ttl=60)
    known = row(storage, job)
    pack_whole = scripts.compose(
        "--#include rows\nlocal row, list = get(arg.seq), {}\n"
        "for column = 1, RESULT_TTL do list[column] = row[column] end\n"
        "call('HSET', P .. 'row', arg.seq, cmsgpack.pack(list))"
    )
    packed = storage.client.call("HGET", storage.key("row"), job.seq)
    storage.client.run(pack_whole, storage.keys, ["1.0", f'{{"seq": {job.seq}}}'])
    assert len(storage.client.call("HGET", storage.key("row"), job.seq)) > len(packed)

    assert row(storage, job) == known
    number = worker(storage, "box-1")
    claim = one(storage, number)
    assert (claim.retries, claim.timeout, claim.max_crashes) == (2, 7.5, 3)
    storage.exchange(number, [ended(claim, Done(b"1"))], Want(0))

    found = row(storage, job)
    assert (found.state, found.ran_by, found.result_ttl) == (State.DONE, "box-1", 60)
    assert len(storage.client.call("HGET", storage.key("row"), job.seq)) < 140


def test_an_exchange_whose_answer_was_lost_is_answered_once_more(
    storage: RedisStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.enqueue([new("first"), new("second"), new("third")])
    number = worker(storage)
    claim = one(storage, number)
    plain = storage.client.run

    def lose(*args: object, **how: object) -> object:
        plain(*args, **how)  # type: ignore[arg-type]
        raise StorageError("the answer was lost")

    monkeypatch.setattr(storage.client, "run", lose)
    with pytest.raises(StorageError, match="lost"):
        storage.exchange(number, [ended(claim, Done(b"1"))], Want(1))
    monkeypatch.setattr(storage.client, "run", plain)

    answer = storage.exchange(number, [ended(claim, Done(b"1"))], Want(1))

    assert ([found.task for found in answer.claims], answer.lost) == (["second"], [])
    assert storage.count(Selector(states=(State.RUNNING,))) == 1
    (figures,) = storage.totals()
    assert figures.done == 1
