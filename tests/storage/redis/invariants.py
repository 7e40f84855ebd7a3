"""What must be true of every queue in Redis at every moment: the sentences of
``tests.storage.sql.invariants``, and that each set lists what the rows say, no more and no less."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from hueycore.model.states import FINAL, State
from hueycore.storage.open import locate
from hueycore.storage.redis.client import Client
from hueycore.storage.redis.messagepack import unpack
from hueycore.storage.redis.rows import history
from hueycore.storage.redis.scripts import KEPT_ERRORS
from tests.storage.redis.contents import Contents, Row, queues, read

_FINAL = {str(state) for state in FINAL}
_LISTS = (*(str(state) for state in State), "expiring", "key", "child", "batch", "ttl")


def check_invariants(url: str) -> None:
    """AssertionError with every violation in the database that a URL names."""
    location = locate(url)
    client = Client(location.url)  # type: ignore[union-attr]
    try:
        found = violations(client)
    finally:
        client.close()
    assert not found, f"{location.name}:\n" + "\n".join(found)


def violations(client: Client) -> list[str]:
    return [
        f"queue {queue}: {sentence}: broken by {labels[:10]}"
        for queue in queues(client)
        for sentence, labels in _broken(read(client, queue)).items()
    ]


def _broken(found: Contents) -> dict[str, list[Any]]:
    breaches: dict[str, list[Any]] = defaultdict(list)
    parents: dict[int, list[Row]] = defaultdict(list)
    for row in found.rows.values():
        for child in {row["next"]} - {None}:
            parents[child].append(row)
    for row in found.rows.values():
        source = found.rows.get(row["source"]) if row["source"] else None
        if source is not None and source["next"] != row["seq"]:
            parents[row["seq"]].append(source)
    for sentence, is_true in SENTENCES.items():
        for seq, row in found.rows.items():
            if not is_true(row, found, parents[seq]):
                breaches[sentence].append(seq)
    for name, labels in (*_lists(found), *_passed(found), *_hashes(found), *_room(found)):
        breaches[name] += labels
    return {sentence: labels for sentence, labels in breaches.items() if labels}


def _is_final(row: Row) -> bool:
    return row["state"] in _FINAL


Sentence = Callable[[Row, Contents, list[Row]], bool]

SENTENCES: dict[str, Sentence] = {
    "I1 a job is in one known state": lambda row, *_: row["state"] in _LISTS[: len(State)],
    "I2 running, and nothing else, has a worker, a time of claim and a claim number": (
        lambda row, *_: (
            (row["state"] == "running")
            == (row["worker"] is not None)
            == (row["claimed_at"] is not None)
            and (row["state"] != "running" or row["claim"] >= 1)
        )
    ),
    "I3 final, and nothing else, has a time of end": (
        lambda row, *_: _is_final(row) == (row["finished_at"] is not None)
    ),
    "I4 a live stage waits for exactly the parents that have not delivered": (
        lambda row, found, parents: (
            _is_final(row)
            or row["waits"]
            == sum(one["delivered"] == 0 for one in parents) + (row["batch"] is not None)
        )
    ),
    "I4 a live stage has all its parents, or brought along what they gave": (
        lambda row, found, parents: (
            _is_final(row) or row["inputs"] == len(parents) + len(found.inputs(row["seq"]))
        )
    ),
    "I4 only a blocked or an ended job waits for parents": (
        lambda row, *_: (
            row["waits"] == 0 or row["state"] in ("blocked", "dead", "revoked", "expired")
        )
    ),
    "I4 a blocked job waits for a parent or for a key": (
        lambda row, *_: row["state"] != "blocked" or row["waits"] > 0 or row["key_name"] is not None
    ),
    "I5 a stage has started only if each of its parents has delivered": (
        lambda row, found, parents: (
            not any(
                one["delivered"] == 0
                and (
                    row["claim"] > 0 or row["state"] in ("scheduled", "pending", "running", "done")
                )
                for one in parents
            )
        )
    ),
    "I5 a parent that is done, and any member of a chord that is over, has delivered": (
        lambda row, *_: (
            row["next"] is None
            or row["delivered"] != 0
            or not (row["state"] == "done" or (row["slot"] is not None and _is_final(row)))
        )
    ),
    "I6 a running job's worker is registered": (
        lambda row, found, _: (
            row["state"] != "running" or b"%d" % row["worker"] in found.hash("worker")
        )
    ),
    "I7 there are no more attempts than claims": (
        lambda row, *_: 0 <= row["attempt"] <= row["claim"]
    ),
    "nobody is asked to stop but who runs": (
        lambda row, *_: row["cancel_requested"] == 0 or row["state"] == "running"
    ),
    "a result is there if it is unread, or read and needed by a later stage": (
        lambda row, found, _: (
            b"%d" % row["seq"] in found.hash("result")
            if row["taken"] == 0
            else b"%d" % row["seq"] not in found.hash("result") or row["next"] is not None
        )
    ),
    "only a final job has a result": lambda row, *_: row["taken"] is None or _is_final(row),
    "numbers begin at one": lambda row, *_: row["seq"] >= 1,
    "an id leads to its job": (
        lambda row, found, _: found.hash("id").get(row["id"].encode()) == b"%d" % row["seq"]
    ),
    "the errors of a job are a list of at most 25": lambda row, found, _: _is_history(
        found.hash("error").get(b"%d" % row["seq"])
    ),
}


def _is_history(lines: bytes | None) -> bool:
    if lines is None:
        return True
    try:
        errors = json.loads(history(lines.decode()) or "[]")
    except ValueError:
        return False
    return isinstance(errors, list) and len(errors) <= KEPT_ERRORS


# --- the sets -------------------------------------------------------------------------------------


def _lists(found: Contents) -> Iterator[tuple[str, list[Any]]]:
    wanted: dict[str, dict[bytes, float]] = defaultdict(dict)
    for row in found.rows.values():
        for name, score, member in places(row):
            wanted[name][member] = score
    for name in _LISTS:
        there = {member: float(score) for member, score in found.keys.get(name, {}).items()}
        wrong = [
            member
            for member in wanted[name].keys() | there.keys()
            if wanted[name].get(member) != there.get(member)
        ]
        if name == "child":
            # Of what came along: it names a parent that is no row here.
            wrong = [member for member in wrong if not member.startswith(b"i")]
        yield f"the set {name} lists what the rows say", wrong
    holders = {
        f"{row['task']}\0{row['unique_key']}".encode(): b"%d" % row["seq"]
        for row in found.rows.values()
        if _holds(row)
    }
    wrong = [
        name
        for name in holders.keys() | found.hash("unique").keys()
        if holders.get(name) != found.hash("unique").get(name)
    ]
    yield "each unique key leads to the job that has it", wrong


def _passed(found: Contents) -> Iterator[tuple[str, list[Any]]]:
    """What claims pass over (``passed.lua``) is of paused tasks, or is listed to be looked at."""
    mark = found.hash("queue").get(b"passed")
    *last, tasks = unpack(mark) if mark else (None, ())
    ahead, pending = found.keys.get("ahead", {}), found.keys.get("pending", {})
    wrong = [one for one, score in ahead.items() if not mark or pending.get(one) != score]
    for row in found.rows.values():
        if row["state"] == "pending" and mark:
            is_passed = [-row["priority"], row["run_at"], row["seq"]] <= last
            order = struct.pack(">dQ", row["run_at"], row["seq"])
            if is_passed and row["task"].encode() not in tasks and order not in ahead:
                wrong.append(row["seq"])
    yield "no job of a task that is not paused is passed over", wrong


def places(row: Row) -> Iterator[tuple[str, float, bytes]]:
    """Where a job is listed: ``rows.lua`` says the same."""
    seq, state = row["seq"], row["state"]
    member = b"%d" % seq
    order = struct.pack(">dQ", row["run_at"], seq)
    if state == "pending":
        yield state, -row["priority"], order
    elif state == "running":
        yield state, row["worker"], member
    else:
        yield state, row["finished_at"] if _is_final(row) else row["run_at"], member
    if row["key_name"] and row["waits"] == 0 and state in ("pending", "running", "blocked"):
        start = f"{row['key_name']}\0{state[0]}".encode()
        yield "key", 0, start + _sortable(0 - row["priority"]) + order
    waits_to_expire = state in ("pending", "blocked") or (
        state == "scheduled" and not row["expires_in"]
    )
    if row["expires_at"] and waits_to_expire:
        yield "expiring", row["expires_at"], member
    number = struct.pack(">Q", seq)
    if row["next"]:
        slot = struct.pack(">I", row["slot"] or 0)
        yield "child", 0, b"n" + struct.pack(">Q", row["next"]) + slot + number
    if row["source"]:
        yield "child", 0, b"s" + struct.pack(">Q", row["source"]) + number
    if row["batch"] is not None:
        yield "batch", row["batch"], struct.pack(">Q", seq)
    if row["result_ttl"] is not None and row["taken"] == 0 and _is_final(row) and state != "dead":
        yield "ttl", row["finished_at"] + row["result_ttl"], member


def _sortable(value: float) -> bytes:
    packed = struct.pack(">d", value)
    if value >= 0:
        return bytes([packed[0] | 128]) + packed[1:]
    return bytes(255 - byte for byte in packed)


def _holds(row: Row) -> bool:
    until = row["unique_until"]
    return bool(until) and not _is_final(row) and (until == "end" or row["state"] != "running")


# --- the hashes -----------------------------------------------------------------------------------


def _hashes(found: Contents) -> Iterator[tuple[str, list[Any]]]:
    rows = found.rows.keys()
    yield (
        "every job has its payload and every payload its job",
        sorted(rows ^ found.seqs("payload")),
    )
    for name in ("result", "error", "said", "handler", "input", "ticket", "log"):
        yield f"what {name} has belongs to a job", sorted(found.seqs(name) - rows)
    lines = {int(field.split(b":")[0]) for field in found.hash("log") if b":" in field}
    yield "a log line belongs to a job", sorted(lines - rows)
    yield (
        "every id has its job",
        [name for name, seq in found.hash("id").items() if int(seq) not in rows],
    )
    if rows and "queue" not in found.keys:
        yield "every queue that has a job is described", [found.queue]


# --- keys -----------------------------------------------------------------------------------------


def _room(found: Contents) -> Iterator[tuple[str, list[Any]]]:
    paused = {
        field.removeprefix(b"paused-task ").decode()
        for field in found.hash("flag")
        if field.startswith(b"paused-task ")
    }
    held: dict[str, int] = defaultdict(int)
    first: dict[str, Row] = {}
    for row in sorted(
        found.rows.values(), key=lambda row: (-row["priority"], row["run_at"], row["seq"])
    ):
        name, state = row["key_name"], row["state"]
        if name is None:
            continue
        if state == "running" or (state == "pending" and row["task"] not in paused):
            held[name] += 1
        if state == "blocked" and row["waits"] == 0 and row["task"] not in paused:
            first.setdefault(name, row)
    limits = {task.decode(): json.loads(text) for task, text in found.hash("limit").items()}
    wrong = []
    for name, row in first.items():
        limit = limits.get(row["task"])
        full = limit is not None and held[name] >= (limit.get("at_once") or 1)
        key = name.encode()
        if not full and key not in found.hash("lock") and key not in found.keys.get("due", {}):
            wrong.append(row["seq"])
    yield "I4 no key blocks a job that it has room for", wrong
