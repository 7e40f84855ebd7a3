"""dead retry and dead purge, and what holds for all of dead when the file is bad."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import QueueFile, tells_of_a_lock
from operatingkit import Invoke, OnTty, alter, ask, change, error, row, states

from tests.helpers import give_up_after, write_lock_of

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def letters(queue: QueueFile) -> QueueFile:
    """1 to 3 are dead, 4 is done, 5 waits."""
    for task in ("app.mail", "app.mail", "app.report"):
        queue.add(task, "ann", retries=0)
        queue.kill("TimeoutError" if task == "app.mail" else "ValueError", "broken")
    queue.add("app.fine")
    queue.finish(1)
    queue.add("app.waits")
    return queue


# --- retry ----------------------------------------------------------------------------------------


def test_retry_puts_a_letter_back_with_its_history(letters: QueueFile, invoke: Invoke) -> None:
    result = ask(invoke, "dead", "retry", "1", "-o", "plain")

    assert (result.exit_code, result.stdout) == (0, "retried 1  app.mail\n")
    job = row(letters, 1)
    assert (job.state, job.attempt, len(job.errors)) == ("pending", 1, 1)


def test_retry_needs_to_be_told_which(letters: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "dead", "retry").exit_code == 2
    assert ask(invoke, "dead", "purge", "--yes").exit_code == 2
    assert set(states(letters).values()) == {"dead", "done", "pending"}


def test_all_means_all_dead_letters_and_nothing_else(letters: QueueFile, invoke: Invoke) -> None:
    found = change(invoke, "dead", "retry", "--all", "--yes")

    assert (found["action"], found["matched"], found["changed"]) == ("retry", 3, 3)
    assert states(letters) == {1: "pending", 2: "pending", 3: "pending", 4: "done", 5: "pending"}


def test_several_need_a_confirmation(letters: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    refused = ask(invoke, "dead", "retry", "--task", "app.mail")
    no, _ = on_tty("dead", "retry", "--all", "-u", "queue.db", answer=b"n\n")

    assert (refused.exit_code, no) == (6, 1)
    assert states(letters)[1] == "dead"
    yes, shown = on_tty("dead", "retry", "--all", "-u", "queue.db", answer=b"y\n")
    assert yes == 0
    assert "Retry 3 jobs of queue huey?" in shown
    assert states(letters)[1] == "pending"


def test_a_dry_run_changes_nothing(letters: QueueFile, invoke: Invoke) -> None:
    words = ("dead", "retry", "--where", "error.type=TimeoutError", "--rate", "20/s", "--dry-run")

    found = change(invoke, *words)

    assert (found["matched"], found["changed"], len(found["ids"])) == (2, 0, 2)
    assert states(letters)[1] == "dead"


def test_a_delay_and_a_rate_spread_the_runs(letters: QueueFile, invoke: Invoke) -> None:
    before = time.time()

    change(invoke, "dead", "retry", "--all", "--yes", "--delay", "1h", "--rate", "30/m")

    first, second, third = (row(letters, seq).run_at for seq in (1, 2, 3))
    assert before + 3600 <= first <= time.time() + 3600
    assert (second - first, third - first) == pytest.approx((2.0, 4.0))
    assert {states(letters)[seq] for seq in (1, 2, 3)} == {"scheduled"}


def test_a_rate_goes_on_from_group_to_group(
    letters: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hueyctl.changes.bulk._GROUP", 2)

    change(invoke, "dead", "retry", "--all", "--yes", "--rate", "1/s")

    first, second, third = (row(letters, seq).run_at for seq in (1, 2, 3))
    # The first group starts when it is written, the second where the first one was to end.
    assert (second - first, third - first) == pytest.approx((1.0, 2.0), abs=0.5)


@pytest.mark.parametrize("rate", ["0/s", "5", "x/s", "5/d", "-1/s", ""])
def test_a_rate_that_is_none_is_2(letters: QueueFile, invoke: Invoke, rate: str) -> None:
    assert ask(invoke, "dead", "retry", "1", f"--rate={rate}").exit_code == 2


def test_retries_are_given_back_when_asked(letters: QueueFile, invoke: Invoke) -> None:
    alter(letters, 1, 2, attempt=4, claim=4)

    change(invoke, "dead", "retry", "1")
    change(invoke, "dead", "retry", "2", "--reset-retries")

    assert (row(letters, 1).attempt, row(letters, 1).retries) == (4, 0)
    assert (row(letters, 2).attempt, row(letters, 2).retries) == (0, 3)


def test_what_is_unknown_or_not_dead_fails_and_the_rest_is_done(
    letters: QueueFile, invoke: Invoke
) -> None:
    assert error(invoke, "dead", "retry", "99")[0] == 3
    assert error(invoke, "dead", "retry", "4")[:2] == (1, "job 4 is done, not dead")

    found = change(invoke, "dead", "retry", "1", "4", "99", code=1)

    assert found["changed"] == 1
    assert {each["code"] for each in found["failed"]} == {"refused", "not_found"}
    assert (states(letters)[1], states(letters)[4]) == ("pending", "done")


def test_the_reason_stays_on_the_row(letters: QueueFile, invoke: Invoke) -> None:
    change(invoke, "dead", "retry", "1", "--reason", "SMTP is back")

    assert row(letters, 1).reason == "SMTP is back"


# --- purge ----------------------------------------------------------------------------------------


def test_purge_always_asks(letters: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    assert ask(invoke, "dead", "purge", "1").exit_code == 6
    code, shown = on_tty("dead", "purge", "1", "-u", "queue.db", answer=b"n\n")

    assert code == 1
    assert "Purge 1 job of queue huey?" in shown
    assert states(letters)[1] == "dead"


def test_purge_deletes_dead_letters_only(letters: QueueFile, invoke: Invoke) -> None:
    found = change(invoke, "dead", "purge", "--all", "--yes")

    assert (found["action"], found["changed"]) == ("purge", 3)
    assert states(letters) == {4: "done", 5: "pending"}
    assert letters.storage.queues()[0].purged == 3


def test_purge_by_age(letters: QueueFile, invoke: Invoke) -> None:
    alter(letters, 2, finished_at=lambda at: at - 864000)

    change(invoke, "dead", "purge", "--older-than", "7d", "--yes")

    assert 2 not in states(letters)
    assert states(letters)[1] == "dead"
    nothing = ask(invoke, "dead", "purge", "--older-than", "7d", "--yes", "--exit-code")
    assert nothing.exit_code == 4


def test_purge_dry_run(letters: QueueFile, invoke: Invoke) -> None:
    found = change(invoke, "dead", "purge", "--all", "--dry-run", "--backup", "b.jsonl")

    assert (found["matched"], found["changed"]) == (3, 0)
    assert not Path("b.jsonl").exists()
    assert states(letters)[1] == "dead"


@pytest.mark.parametrize("name", ["b.jsonl", "b.jsonl.gz"])
def test_a_backup_brings_everything_back(letters: QueueFile, invoke: Invoke, name: str) -> None:
    before = ask(invoke, "dead", "list", "--columns", "task,error,args,id").stdout

    change(invoke, "dead", "purge", "--all", "--yes", "--backup", name)
    assert ask(invoke, "dead", "list", "--count").stdout == "0\n"
    change(invoke, "dead", "load", name)

    assert ask(invoke, "dead", "list", "--columns", "task,error,args,id").stdout == before


def test_nothing_is_purged_when_the_backup_fails(letters: QueueFile, invoke: Invoke) -> None:
    Path("there").write_text("mine")

    for name, code in (("there", 1), ("no/where", 74), ("/dev/null", 2)):
        result = ask(invoke, "dead", "purge", "--all", "--yes", "--backup", name)
        assert result.exit_code == code, result.output
    assert Path("there").read_text() == "mine"
    assert states(letters)[1] == "dead"


def test_the_event_log_has_the_reason_of_a_purge(letters: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.events import EventQuery

    change(invoke, "dead", "purge", "1", "--yes", "--reason", "tested by hand")

    last = letters.storage.events(EventQuery())[-1]
    assert (last.signal, last.jobs, last.reason) == ("purge", 1, "tested by hand")


def test_only_what_is_in_the_backup_is_purged(
    letters: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueycore.model.jobs import Selector
    from hueyctl.changes import backup

    def late(*those: Any) -> object:
        letters.storage.requeue(Selector(keys=("2",)))
        return remove(*those)

    remove = backup.remove
    monkeypatch.setattr(backup, "remove", late)

    found = change(invoke, "dead", "purge", "--all", "--yes", "--backup", "b", code=1)

    assert found["changed"] == 2
    assert states(letters) == {2: "pending", 4: "done", 5: "pending"}
    assert Path("b").read_text().count("\n") == 1 + 3 + 1


# --- bad files ------------------------------------------------------------------------------------

LOOKING = [("list",), ("summary",), ("show", "1"), ("dump",)]
CHANGING = [("retry", "1"), ("purge", "1", "-y"), ("dump", "--remove", "--to", "d")]


@pytest.mark.parametrize("words", LOOKING + CHANGING + [("load", "-")], ids=" ".join)
def test_garbage_and_missing_files_are_69(
    home: Path, invoke: Invoke, words: tuple[str, ...]
) -> None:
    garbage = bytes(range(256)) * 20
    (home / "garbage.db").write_bytes(garbage)

    for name in ("garbage.db", "missing.db", "."):
        result = invoke("dead", *words, "-u", name, input="")
        assert result.exit_code == 69, result.output
    assert (home / "garbage.db").read_bytes() == garbage
    assert not (home / "missing.db").exists()


@pytest.mark.sql_only("a writer holds a lock")
@pytest.mark.parametrize("words", [*CHANGING, ("load", "d.jsonl")], ids=" ".join)
def test_a_queue_that_stays_locked_is_69_and_unchanged(
    letters: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    ask(invoke, "dead", "dump", "--to", "d.jsonl")
    give_up_after(monkeypatch, 0.05)
    with write_lock_of(str(letters.where)):
        result = ask(invoke, "dead", *words)

    assert result.exit_code == 69
    assert tells_of_a_lock(result.stderr)
    assert states(letters)[1] == "dead"


@pytest.mark.sqlite_only("it is about the file")
@pytest.mark.parametrize("words", [("list",), ("summary",), ("dump",)], ids=" ".join)
def test_a_file_that_cannot_be_written_can_be_looked_at(
    letters: QueueFile, hueyctl: Run, words: tuple[str, ...]
) -> None:
    letters.storage.close()
    os.chmod("queue.db", 0o400)

    done = hueyctl("dead", *words, "-u", "queue.db")

    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("words", [("list",), ("summary",), ("retry", "1")], ids=" ".join)
def test_a_full_disk_is_74(letters: QueueFile, hueyctl: Run, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        assert hueyctl("dead", *words, "-u", "queue.db", stdout=full).returncode == 74


def test_a_queue_that_is_not_there_is_3(letters: QueueFile, invoke: Invoke) -> None:
    for words in LOOKING + CHANGING:
        assert ask(invoke, "dead", *words, "-Q", "nope").exit_code == 3, words


def test_several_queues_want_a_choice_for_changes_only(letters: QueueFile, invoke: Invoke) -> None:
    other = QueueFile(letters.where, "mail")
    other.add("mail.send")
    other.kill()
    other.storage.close()

    assert len(json.loads(ask(invoke, "dead", "list", "--json").stdout)) == 4
    assert ask(invoke, "dead", "retry", "--all", "-y").exit_code == 2
    assert change(invoke, "dead", "retry", "--all", "-y", "-Q", "mail")["changed"] == 1


def test_no_application_is_imported(letters: QueueFile, home: Path, hueyctl: Run) -> None:
    (home / "app.py").write_text("raise SystemExit('imported')")

    for words in [*LOOKING, ("retry", "1"), ("purge", "2", "-y")]:
        assert hueyctl("dead", *words, "-u", "queue.db").returncode == 0
