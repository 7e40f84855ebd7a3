"""purge: what is deleted, and what is asked before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clikit import QueueFile
from operatingkit import (
    Invoke,
    OnTty,
    alter,
    ask,
    change,
    consumer,
    pipeline,
    row,
    sql,
    start,
    states,
)


def purged(invoke: Invoke, *words: str) -> Any:
    return change(invoke, "purge", *words, "--yes")["targets"]


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("pending", [1, 2, 5, 6]), ("scheduled", [1, 2, 3, 4, 6]), ("done", [2, 3, 4, 5, 6]),
        ("dead", [1, 3, 4, 5, 6]), ("revoked", [1, 2, 3, 4, 5]),
        ("expired", [1, 2, 3, 4, 5, 6]),
    ],
)  # fmt: skip
def test_jobs_of_one_state_go_and_the_others_stay(
    mixed: QueueFile, invoke: Invoke, target: str, left: list[int]
) -> None:
    from hueycore.model.jobs import Selector

    mixed.add("app.revoked")
    mixed.storage.revoke(Selector(keys=("6",)))

    found = purged(invoke, target)

    assert found == {target: 6 - len(left)}
    assert list(states(mixed)) == left
    assert mixed.storage.examine(full=True) == []


def test_the_document_is_a_change_with_a_number_per_target(
    mixed: QueueFile, invoke: Invoke
) -> None:
    assert change(invoke, "purge", "done", "dead", "--yes") == {
        "schema": "hueyctl.change/1", "action": "purge", "matched": 2, "changed": 2,
        "dry_run": False, "ids": [], "failed": [], "targets": {"done": 1, "dead": 1},
    }  # fmt: skip
    assert mixed.storage.queues()[0].purged == 2


def test_results_go_and_their_jobs_stay(mixed: QueueFile, invoke: Invoke) -> None:
    assert purged(invoke, "results") == {"results": 1}
    assert (row(mixed, 1).state, row(mixed, 1).taken) == ("done", True)
    assert ask(invoke, "result", "1").stdout == "already taken\n"


@pytest.mark.sql_only("they are written into tables")
@pytest.mark.parametrize("target", ["locks", "counters", "events"])
def test_small_things_are_cleared(mixed: QueueFile, invoke: Invoke, target: str) -> None:
    mixed.storage.put("value", b"x")
    mixed.storage.incr("counter")
    lock = "insert into huey_value (queue, kind, name, created_at) values ('huey', 'lock', 'l', 1)"
    sql(mixed, lock)
    sql(mixed, "insert into huey_event (queue, at, signal) values ('huey', 1, 'x')")

    assert purged(invoke, target) == {target: 1}

    left = {kind: mixed.storage.holding(kind) for kind in ("locks", "counters")}
    assert left == {"locks": 1, "counters": 1} | ({target: 0} if target != "events" else {})
    from hueycore.model.events import EventQuery

    # That somebody deleted something stays on record.
    signals = [event.signal for event in mixed.storage.events(EventQuery())]
    assert signals == (["clear"] if target == "events" else ["x", "clear"])
    assert mixed.storage.holding("values") == 1


def test_age_narrows(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.add("app.add", id="old")
    alter(mixed, 6, run_at=lambda at: at - 1000)

    assert purged(invoke, "done", "dead", "pending", "--older-than", "10m") == {
        "done": 0, "dead": 0, "pending": 1,
    }  # fmt: skip
    assert list(states(mixed)) == [1, 2, 3, 4, 5]


def test_what_a_later_stage_needs_stays_and_is_told(queue: QueueFile, invoke: Invoke) -> None:
    pipeline(queue, "app.a", "app.b")
    alter(queue, 2, state="blocked", waits=1)
    queue.add("app.c")
    alter(queue, 3, state="scheduled")
    queue.finish("x")
    alter(queue, 2, state="blocked", key_name="k")

    result = ask(invoke, "purge", "done", "--yes", "--json")

    assert json.loads(result.stdout)["targets"] == {"done": 0}
    assert "1 stay: a job that waits needs their results" in result.stderr
    assert states(queue)[1] == "done"


def test_followers_of_a_purged_job_are_revoked(queue: QueueFile, invoke: Invoke) -> None:
    pipeline(queue, "app.a", "app.b")

    assert purged(invoke, "pending") == {"pending": 1}
    assert states(queue) == {2: "revoked"}
    assert queue.storage.examine(full=True) == []


def test_thousands_go_in_groups(queue: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.jobs import NewJob
    from hueycore.system.ids import new_id

    payload = queue.serializer.serialize(((), {}))
    queue.storage.enqueue([NewJob(new_id(), "app.task", payload) for _ in range(2300)])

    assert purged(invoke, "pending") == {"pending": 2300}
    assert states(queue) == {}


# --- all ------------------------------------------------------------------------------------------


def test_all_is_everything_of_the_queue_and_nothing_of_another(
    mixed: QueueFile, invoke: Invoke
) -> None:
    mail = QueueFile(mixed.where, "mail")
    mail.add("mail.send")
    start(mixed, consumer(mixed))
    mixed.storage.put("value", b"x")
    mixed.storage.set_revocation("revoked-task", "app.add")

    found = purged(invoke, "all", "-Q", "huey")

    assert found["running"] == 1
    assert found["pending"] == 1
    assert found["values"] == 1
    assert list(states(mixed).values()) == ["pending"]
    assert mixed.storage.revocations() == []
    mail.storage.close()


@pytest.mark.sql_only("there are tables")
def test_tables_that_are_not_ours_are_left_alone(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.storage.db.transact(lambda con: con.execute("create table mine (a integer)"))
    sql(mixed, "insert into mine values (1)")

    purged(invoke, "all")

    count = mixed.storage.db.read(lambda con: con.execute("select count(*) from mine").fetchone())
    assert count == (1,)


def test_all_that_is_old_leaves_what_lives(mixed: QueueFile, invoke: Invoke) -> None:
    found = purged(invoke, "all", "--older-than", "1h")

    assert set(found.values()) == {0}
    assert "running" not in found
    assert len(states(mixed)) == 5


def test_an_empty_queue(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    assert ask(invoke, "purge", "done").exit_code == 0
    assert purged(invoke, "all")["pending"] == 0
    assert "Nothing to purge." in on_tty("purge", "done", "-u", "queue.db")[1]


# --- asking ---------------------------------------------------------------------------------------


def test_even_one_job_needs_yes_where_nobody_can_be_asked(mixed: QueueFile, invoke: Invoke) -> None:
    for target in ("done", "all", "results"):
        result = ask(invoke, "purge", target)
        assert result.exit_code == 6
        assert result.stderr.endswith("hint: --yes\n")
    assert len(states(mixed)) == 5


def test_a_dry_run_needs_no_yes_and_deletes_nothing(mixed: QueueFile, invoke: Invoke) -> None:
    found = change(invoke, "purge", "all", "--dry-run")

    assert (found["dry_run"], found["changed"], found["matched"]) == (True, 0, 6)
    assert found["targets"]["pending"] == 2
    assert len(states(mixed)) == 5
    shown = ask(invoke, "purge", "done", "dead", "--dry-run", "-o", "plain").stdout
    assert shown.splitlines()[0].split() == ["TARGET", "WOULD-PURGE"]
    assert ask(invoke, "purge", "done", "--dry-run").stdout == "done\t1\n"


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, 4), (b"n\n", 1, 5)])
def test_a_person_is_asked(
    mixed: QueueFile, on_tty: OnTty, answer: bytes, code: int, left: int
) -> None:
    found, shown = on_tty("purge", "done", "-u", "queue.db", answer=answer)

    assert found == code
    assert "Delete 1 done of queue huey? [y/N]" in shown
    assert len(states(mixed)) == left


@pytest.mark.parametrize(
    ("answer", "code", "left"), [(b"huey\n", 0, 0), (b"y\n", 1, 5), (b"hue\n", 1, 5)]
)
def test_for_everything_the_name_of_the_queue_is_typed(
    mixed: QueueFile, on_tty: OnTty, answer: bytes, code: int, left: int
) -> None:
    consumer(mixed)

    found, shown = on_tty("purge", "all", "-u", "queue.db", answer=answer, columns=300)

    assert found == code
    assert "Its consumers go on (1). Type 'huey' to go on:" in shown
    assert len(states(mixed)) == left


@pytest.mark.parametrize(
    "words", [(), ("everything",), ("done", "--older-than", "x"), ("done", "-Q", "a", "-Q", "b")]
)
def test_what_makes_no_sense_is_refused(
    mixed: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    assert ask(invoke, "purge", *words, "--yes").exit_code in (2, 3)
    assert len(states(mixed)) == 5


# --- backup ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["before.jsonl", "before.jsonl.gz"])
def test_a_backup_has_the_jobs_that_are_deleted(
    mixed: QueueFile, invoke: Invoke, home: Any, name: str
) -> None:
    import gzip

    assert purged(invoke, "done", "dead", "pending", "results", "--backup", name) == {
        "done": 1, "dead": 1, "pending": 2, "results": 0,
    }  # fmt: skip

    opened = gzip.open if name.endswith(".gz") else open
    with opened(home / name, "rt") as file:
        _, *jobs, _ = map(json.loads, file)
    assert sorted(job["seq"] for job in jobs) == [1, 2, 3, 4]
    assert states(mixed) == {5: "scheduled"}


def test_a_backup_that_cannot_be_written_deletes_nothing(
    mixed: QueueFile, invoke: Invoke, home: Any
) -> None:
    (home / "there.jsonl").write_text("precious")

    for path in ("there.jsonl", "no/such/folder.jsonl"):
        assert ask(invoke, "purge", "done", "--yes", "--backup", path).exit_code in (1, 74)
    assert (home / "there.jsonl").read_text() == "precious"
    assert len(states(mixed)) == 5


def test_a_backup_of_everything(mixed: QueueFile, invoke: Invoke, home: Any) -> None:
    assert ask(invoke, "purge", "all", "--yes", "--backup", "all.jsonl").exit_code == 0

    assert len((home / "all.jsonl").read_text().splitlines()) == 1 + 5 + 1
    assert states(mixed) == {}
