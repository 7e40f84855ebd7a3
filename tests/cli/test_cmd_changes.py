"""What holds for every command that looks at or changes jobs: bad files, prompts, hostile data."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clikit import QueueFile, tells_of_a_lock, typed
from operatingkit import (
    Invoke,
    OnTty,
    add_schedule,
    ask,
    change,
    consumer,
    schedule,
    start,
    states,
)

from hueycore.model.jobs import Selector
from tests.helpers import as_nobody, give_up_after, write_lock_of

Run = Callable[..., subprocess.CompletedProcess[str]]

LOOKING = [
    ("show", "1"), ("why", "1"), ("logs", "1"), ("workers",), ("revoke", "--list"),
    ("periodic", "list"), ("periodic", "next"), ("lock", "list"),
]  # fmt: skip
CHANGING = [
    ("revoke", "1"), ("restore", "1"), ("reschedule", "1", "--now"), ("pause",), ("resume",),
    ("pause", "--task", "app.add"), ("resume", "--task", "app.add"),
    ("revoke", "--task", "app.add"), ("purge", "done", "-y"), ("purge", "all", "-y"),
    ("periodic", "pause", "tick"), ("periodic", "resume", "tick"), ("periodic", "remove", "tick"),
    ("periodic", "trigger", "tick"), ("events", "--enable"),
    ("lock", "acquire", "name", "true"), ("lock", "release", "name"),
]  # fmt: skip
WRITING = [
    ("revoke", "1"), ("revoke", "--task", "app.add"), ("reschedule", "1", "--now"), ("pause",),
    ("resume",), ("purge", "all", "-y"), ("purge", "pending", "-y"),
    ("periodic", "add", "tick", "--every", "90s", "app.add"), ("events", "--enable"),
    ("lock", "acquire", "name", "true"),
]  # fmt: skip
BULK = [("revoke",), ("restore",), ("reschedule", "--now")]


def words_of(value: Any) -> str:
    return " ".join(value)


@pytest.mark.parametrize("words", LOOKING + CHANGING, ids=words_of)
def test_a_file_that_is_no_database_is_69_and_left_alone(
    home: Path, invoke: Invoke, words: tuple[str, ...]
) -> None:
    garbage = bytes(range(256)) * 20
    (home / "garbage.db").write_bytes(garbage)

    result = invoke(*words, "-u", "garbage.db")

    assert result.exit_code == 69
    assert "not a database" in result.stderr
    assert (home / "garbage.db").read_bytes() == garbage
    assert sorted(path.name for path in home.iterdir()) == [".git", "garbage.db"]


@pytest.mark.parametrize("words", LOOKING + CHANGING, ids=words_of)
def test_a_missing_file_is_69_and_is_not_made(
    home: Path, invoke: Invoke, words: tuple[str, ...]
) -> None:
    result = invoke(*words, "-u", "typo.db")

    assert result.exit_code == 69
    assert [path.name for path in home.iterdir()] == [".git"]


@pytest.mark.parametrize("words", CHANGING, ids=words_of)
def test_a_file_that_merely_lies_here_is_not_changed(
    home: Path, invoke: Invoke, words: tuple[str, ...]
) -> None:
    made = QueueFile(home / "huey.db")
    made.add("app.add")
    made.storage.close()

    result = invoke(*words)

    assert result.exit_code == 2
    assert "no storage was named" in result.stderr
    assert "--url huey.db, if the one in this folder is meant" in result.stderr


@pytest.mark.sql_only("a writer holds a lock")
@pytest.mark.parametrize("words", WRITING, ids=words_of)
def test_a_queue_that_stays_locked_is_69_and_unchanged(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    queue.add("app.add")
    give_up_after(monkeypatch, 0.05)
    with write_lock_of(str(queue.where)):
        result = ask(invoke, *words)

    assert result.exit_code == 69
    assert tells_of_a_lock(result.stderr)
    assert states(queue) == {1: "pending"}


@pytest.mark.parametrize("words", LOOKING, ids=words_of)
def test_a_locked_file_can_be_looked_at(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    queue.add("app.add")
    holder = sqlite3.connect("queue.db", isolation_level=None)
    holder.execute("begin immediate")
    try:
        assert ask(invoke, *words).exit_code == 0
    finally:
        holder.execute("rollback")
        holder.close()


@pytest.fixture
def foreign(home: Path) -> Iterator[Path]:
    """A queue file that belongs to somebody else."""
    folder = Path(tempfile.mkdtemp())
    made = QueueFile(folder / "queue.db")
    made.add("app.add", 1)
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    yield folder / "queue.db"
    folder.chmod(0o755)
    made.storage.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize("words", LOOKING + WRITING, ids=words_of)
def test_a_file_that_cannot_be_written_is_looked_at_and_left_alone(
    foreign: Path, queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    queue.add("app.add")
    ask(invoke, *words)  # imports what nobody may not read

    with as_nobody():
        result = invoke(*words, "-u", str(foreign))

    assert result.exit_code == (0 if words in LOOKING else 69), result.output
    if words in WRITING:
        assert "cannot be written" in result.stderr


def test_an_application_is_never_imported_with_a_url(
    home: Path, queue: QueueFile, hueyctl: Run
) -> None:
    (home / "app.py").write_text("raise SystemExit('imported')")
    queue.add("app.add", 1)

    for words in (*LOOKING, *CHANGING):
        if words[0] != "restore":
            done = hueyctl(*words, "--url", "queue.db")
            assert done.returncode in (0, 1, 3), (words, done.stderr)
            assert "imported" not in done.stderr


# --- which queue ----------------------------------------------------------------------------------


@pytest.fixture
def two(queue: QueueFile) -> QueueFile:
    """Job 1 in the queue, and the one after it in the queue ``mail``."""
    mail = QueueFile(queue.where, "mail")
    queue.add("app.add")
    mail.add("mail.send")
    mail.storage.close()
    return queue


def test_of_several_queues_one_must_be_chosen(two: QueueFile, invoke: Invoke) -> None:
    for words in (
        ("revoke", "--all", "-y"),
        ("pause",),
        ("revoke", "--task", "x"),
        ("purge", "done", "-y"),
    ):
        result = ask(invoke, *words)
        assert result.exit_code == 2, words
        assert "several queues: huey, mail" in result.stderr


def test_of_several_queues_the_one_is_meant_that_has_what_a_filter_or_a_name_says(
    two: QueueFile, invoke: Invoke
) -> None:
    mail = QueueFile(two.where, "mail")
    mail.storage.lock("ledger", consumer(mail), b"token")
    for words in (
        ("reschedule", "--task", "mail.*", "--delay", "1h"),
        ("revoke", "--where", "task = mail.send"),
        ("restore", "--state", "revoked"),
        ("revoke", "--task", "mail.send"),
        ("restore", "--task", "mail.send"),
        ("pause", "--task", "mail.send"),
        ("resume", "--task", "mail.send"),
        ("lock", "release", "ledger", "--force"),
    ):
        done = ask(invoke, *words)
        assert (done.exit_code, done.stderr) == (0, ""), words
    mail.storage.pause()
    assert ask(invoke, "resume").stdout.startswith("mail\t")
    mail.storage.close()

    assert ask(invoke, "revoke", "--where", "task = nobodys").exit_code == 0
    assert {job.task: str(job.state) for job in two.storage.jobs(Selector())} == {
        "app.add": "pending", "mail.send": "scheduled",
    }  # fmt: skip
    result = ask(invoke, "revoke", "--older-than", "0s", "-n", "1")
    assert (result.exit_code, "several queues: huey, mail" in result.stderr) == (2, True)


def test_a_schedule_is_found_in_its_queue(two: QueueFile, invoke: Invoke) -> None:
    mail = QueueFile(two.where, "mail")
    add_schedule(mail, "weekly")

    assert ask(invoke, "periodic", "pause", "weekly").exit_code == 0
    assert schedule(mail, "weekly").paused_at is not None
    mail.storage.close()


@pytest.mark.sql_only("in Redis each queue numbers its own jobs")
def test_of_several_queues_a_number_is_enough(two: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "revoke", "2").exit_code == 0
    assert ask(invoke, "revoke", "1", "-Q", "mail").exit_code == 3
    assert states(two) == {1: "pending", 2: "revoked"}
    assert ask(invoke, "revoke", "--all", "-Q", "huey", "-y").exit_code == 0
    assert states(two) == {1: "revoked", 2: "revoked"}


@pytest.mark.parametrize("words", LOOKING + CHANGING, ids=words_of)
def test_an_unknown_queue_is_3(queue: QueueFile, invoke: Invoke, words: tuple[str, ...]) -> None:
    queue.add("app.add")

    result = ask(invoke, *words, "-Q", "hury")

    assert result.exit_code == 3
    assert "did you mean 'huey'?" in result.stderr


def test_several_chosen_queues_are_changed_together(queue: QueueFile, invoke: Invoke) -> None:
    mail = QueueFile(queue.where, "mail")
    queue.add("app.add")
    mail.add("mail.send")
    mail.storage.close()

    found = change(invoke, "revoke", "--all", "-y", "-Q", "huey", "-Q", "mail")

    assert (found["matched"], found["changed"]) == (2, 2)
    assert set(states(queue).values()) == {"revoked"}


def test_the_application_names_its_queue(app: str, queue: QueueFile, invoke: Invoke) -> None:
    mail = QueueFile(queue.where, "mail")
    mail.add("mail.send")
    mail.storage.close()
    queue.add("app.add")

    assert invoke("revoke", "-A", app, "--all", "-y").exit_code == 0
    assert {job.task: str(job.state) for job in queue.storage.jobs(Selector())} == {
        "mail.send": "pending",
        "app.add": "revoked",
    }


# --- selectors, confirmation -------------------------------------------------------------------


@pytest.mark.parametrize("words", BULK, ids=words_of)
def test_a_change_without_a_selector_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    queue.add("app.add")

    for more in ((), ("--yes",), ("-n", "5"), ("--sort", "seq")):
        result = ask(invoke, *words, *more)
        assert result.exit_code == 2
        assert "say which jobs" in result.stderr
    assert states(queue) == {1: "pending"}


@pytest.mark.parametrize("words", BULK, ids=words_of)
def test_the_environment_can_neither_choose_everything_nor_confirm(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    name = words[0].upper()
    for option in ("ALL", "ALL_", "YES"):
        monkeypatch.setenv(f"HUEYCTL_{name}_{option}", "1")
    for _ in range(2):
        queue.add("app.add")

    assert ask(invoke, *words).exit_code == 2
    if name != "RESTORE":
        assert ask(invoke, *words, "--all").exit_code == 6
    monkeypatch.setenv("HUEYCTL_PURGE_YES", "1")
    assert ask(invoke, "purge", "pending").exit_code == 6
    assert states(queue) == {1: "pending", 2: "pending"}


def test_more_than_one_job_needs_a_confirmation_that_a_script_gives_with_yes(
    queue: QueueFile, invoke: Invoke
) -> None:
    for _ in range(2):
        queue.add("app.add")

    refused = ask(invoke, "revoke", "--all")
    assert refused.exit_code == 6
    assert refused.stderr == (
        "hueyctl: revoke 2 jobs of queue huey needs a confirmation\nhint: --yes\n"
    )
    assert states(queue) == {1: "pending", 2: "pending"}
    assert ask(invoke, "revoke", "--all", "-n", "1").exit_code == 0
    assert states(queue) == {1: "revoked", 2: "pending"}


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [
        (b"y\n", 0, 0),
        (b"yes\n", 0, 0),
        (b"n\n", 1, 2),
        (b"\n", 1, 2),
        (b"\x04", 1, 2),
    ],
)
def test_a_person_is_asked(
    queue: QueueFile, on_tty: OnTty, answer: bytes, code: int, left: int
) -> None:
    for _ in range(2):
        queue.add("app.add")

    found, shown = on_tty("revoke", "--all", "-u", "queue.db", answer=answer)

    assert found == code, shown
    assert "Revoke 2 jobs of queue huey? [y/N]" in shown
    assert list(states(queue).values()).count("pending") == left
    assert "Traceback" not in shown


def test_an_interrupt_at_the_question_is_130_and_not_a_no(
    queue: QueueFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hueyctl.cli import cli

    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            raise KeyboardInterrupt

    for _ in range(2):
        queue.add("app.add")
    monkeypatch.setattr("sys.stdin", Terminal())

    assert cli.run(["revoke", "--all", "-u", typed("queue.db")]) == 130
    assert states(queue) == {1: "pending", 2: "pending"}
    assert capsys.readouterr().err.endswith("interrupted\n")


def test_no_input_is_never_asked_on_a_terminal_either(queue: QueueFile, on_tty: OnTty) -> None:
    for _ in range(2):
        queue.add("app.add")

    assert on_tty("revoke", "--all", "-u", "queue.db", "--no-input")[0] == 6
    assert on_tty("revoke", "--all", "-u", "queue.db", "--no-input", "-y")[0] == 0


@pytest.mark.parametrize("words", [("revoke",), ("reschedule", "--delay", "1h")], ids=words_of)
def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    ids = [queue.add("app.add") for _ in range(2)]

    found = change(invoke, *words, "--all", "--dry-run")

    assert (found["dry_run"], found["matched"], found["changed"]) == (True, 2, 0)
    assert found["ids"] == ids
    assert states(queue) == {1: "pending", 2: "pending"}
    assert ask(invoke, *words, "--all", "--dry-run", "-o", "plain").stdout == (
        f"would {words[0]} 1  app.add\nwould {words[0]} 2  app.add\n"
    )


@pytest.mark.parametrize("words", BULK, ids=words_of)
def test_unknown_ids_are_3_and_the_others_are_changed_with_1(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    queue.add("app.add")

    nothing = change(invoke, *words, "98", "nope", code=3)
    assert [each["code"] for each in nothing["failed"]] == ["not_found", "not_found"]
    assert nothing["changed"] == 0
    if words[0] != "restore":
        some = change(invoke, *words, "1", "99", code=1)
        assert (some["changed"], some["failed"]) == (
            1, [{"id": "99", "code": "not_found", "message": "no job 99"}],
        )  # fmt: skip
    result = ask(invoke, *words, "99")
    assert result.stderr == "hueyctl: no job 99\nhint: hueyctl list --state all\n"


@pytest.mark.parametrize("words", BULK, ids=words_of)
def test_nothing_to_change_is_0_and_with_exit_code_4(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    found = change(invoke, *words, "--all", "-y")

    assert (found["matched"], found["changed"], found["ids"], found["failed"]) == (0, 0, [], [])
    assert ask(invoke, *words, "--all", "--exit-code").exit_code == 4
    assert ask(invoke, *words, "-", input="").exit_code == 0


def test_ids_come_from_stdin_and_then_nobody_can_be_asked(queue: QueueFile, invoke: Invoke) -> None:
    ids = [queue.add("app.add") for _ in range(3)]

    assert ask(invoke, "revoke", "-", input="\n".join(ids[:2])).exit_code == 6
    assert ask(invoke, "revoke", "-", "--yes", input="\n".join(ids[:2])).exit_code == 0
    assert states(queue) == {1: "revoked", 2: "revoked", 3: "pending"}


def test_a_number_that_is_also_somebodys_id_means_that_id(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.first")
    queue.add("app.second", id="1")

    assert ask(invoke, "revoke", "1").exit_code == 0
    assert states(queue) == {1: "pending", 2: "revoked"}
    # The first one is chosen otherwise, and its number leads the change to nobody else.
    assert ask(invoke, "revoke", "--where", "task = app.first").exit_code == 0
    assert states(queue) == {1: "revoked", 2: "revoked"}


def test_thousands_of_jobs_are_changed_group_by_group(queue: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.jobs import NewJob
    from hueycore.system.ids import new_id

    payload = queue.serializer.serialize(((), {}))
    queue.storage.enqueue([NewJob(new_id(), "app.task", payload) for _ in range(4500)])

    found = change(invoke, "revoke", "--all", "-y")

    assert (found["matched"], found["changed"], len(set(found["ids"]))) == (4500, 4500, 4500)
    assert set(states(queue).values()) == {"revoked"}


def test_a_terminal_gets_a_total_and_not_a_thousand_lines(
    queue: QueueFile, invoke: Invoke, on_tty: OnTty
) -> None:
    from hueycore.model.jobs import NewJob
    from hueycore.system.ids import new_id

    payload = queue.serializer.serialize(((), {}))
    ids = [new_id() for _ in range(1200)]
    queue.storage.enqueue([NewJob(each, "app.task", payload) for each in ids])

    words = ("revoke", "--all", "-u", "queue.db")
    assert on_tty(*words, "--dry-run") == (0, "would revoke 1,200 jobs\n-o plain lists them.\n")
    assert len(on_tty(*words, "--dry-run", "-o", "plain")[1].splitlines()) == 1200
    assert ask(invoke, "revoke", "--all", "--dry-run", "-o", "name").stdout.split() == ids
    assert len(ask(invoke, "revoke", "--all", "--dry-run").stdout.splitlines()) == 1200
    code, shown = on_tty(*words, "-y")
    assert (code, "revoked 1,200 jobs\n" in shown, "app.task" in shown) == (0, True, False)
    assert len(on_tty("restore", "-n", "20", "--all", "-y", "-u", "queue.db")[1].splitlines()) == 20


def at_the_second_job(
    queue: QueueFile, monkeypatch: pytest.MonkeyPatch, raised: BaseException, last: int
) -> None:
    """Three jobs, each a group of its own; from the second call to the ``last`` one the storage
    raises."""
    from hueyctl.changes import bulk

    for _ in range(3):
        queue.add("app.add")
    engine = type(queue.storage)
    revoke = engine.revoke
    calls: list[int] = []

    def failing(self: Any, *args: Any, **options: Any) -> Any:
        calls.append(1)
        if 2 <= len(calls) <= last:
            raise raised
        return revoke(self, *args, **options)

    monkeypatch.setattr(bulk, "_GROUP", 1)
    monkeypatch.setattr(engine, "revoke", failing)


def test_a_storage_that_fails_on_the_way_is_told(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueycore.exceptions import StorageBusy

    at_the_second_job(queue, monkeypatch, StorageBusy("locked"), last=3)

    found = change(invoke, "revoke", "--all", "-y", code=1)

    assert found["changed"] == 1
    assert [each["code"] for each in found["failed"]] == ["unavailable"] * 2
    assert list(states(queue).values()) == ["revoked", "pending", "pending"]


def test_an_interrupt_on_the_way_leaves_the_groups_before_changed_and_is_told(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_second_job(queue, monkeypatch, KeyboardInterrupt(), last=2)

    result = ask(invoke, "revoke", "--all", "-y")

    assert result.exit_code == 130
    assert "1 of 3 jobs were changed" in result.stderr
    assert list(states(queue).values()) == ["revoked", "pending", "pending"]
    assert change(invoke, "revoke", "--all", "-y")["changed"] == 2
    assert set(states(queue).values()) == {"revoked"}


def test_a_person_who_waits_sees_how_far_it_has_come(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueyctl.changes import bulk
    from hueyctl.output import counter

    for _ in range(3):
        queue.add("app.add")
    monkeypatch.setattr(bulk, "_GROUP", 1)
    monkeypatch.setattr(counter, "_PATIENCE", 0)
    monkeypatch.setattr(counter, "_PAUSE", 0)
    assert "of 3 jobs" not in ask(invoke, "revoke", "--all", "--dry-run").stderr
    monkeypatch.setattr("hueyctl.streams.is_tty", lambda stream: stream is sys.stderr)

    shown = ask(invoke, "revoke", "--all", "-y").stderr

    assert shown.startswith("\r\x1b[K1 of 3 jobs\r\x1b[K2 of 3 jobs\r\x1b[K3 of 3 jobs\r\x1b[K")


# --- hostile data ------------------------------------------------------------------------------

EVIL = "app.\x1b[2J\x07\u202e[/x]"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def test_hostile_names_errors_and_reasons_never_drive_a_terminal(
    queue: QueueFile, on_tty: OnTty
) -> None:
    from hueyctl.streams import visible

    queue.add(EVIL, EVIL, kwargs={EVIL: EVIL}, id=EVIL, preview=EVIL)
    queue.kill(EVIL, EVIL)
    queue.add(EVIL, EVIL)
    worker = consumer(queue, EVIL)
    claim = start(queue, worker)
    from hueycore.model.events import Said

    queue.storage.note([(claim, Said(EVIL))])
    queue.add(EVIL, EVIL, preview=EVIL)
    queue.storage.pause(by=EVIL, reason=EVIL)
    queue.storage.pause(task=EVIL, reason=EVIL)
    queue.storage.set_revocation("revoked-task", EVIL, reason=EVIL)

    for words in (
        ("show", "1", "2", "--traceback"), ("show", "1", "-o", "wide"), ("why", "1", "2", "3"),
        ("workers",), ("workers", "-o", "plain"), ("revoke", "--list"), ("revoke", EVIL),
        ("restore", EVIL), ("reschedule", "3", "--delay", "1h", "--reason", EVIL),
        ("revoke", "3", "--dry-run"), ("revoke", "--task", EVIL.replace("[", "")),
        ("restore", "--task", "x" + EVIL.replace("[", "")), ("purge", "done", "--dry-run"),
        ("pause", "--reason", EVIL), ("pause", EVIL), ("resume",), ("restore", "3"),
    ):  # fmt: skip
        _, shown = on_tty(*words, "-u", "queue.db", columns=300)
        left = COLOURS.sub("", shown).replace("\n", "").replace("\r", "")
        assert visible(left) == left, words
        assert "Traceback (most" not in shown or words[0] == "show"


def test_errors_are_json_when_json_was_asked_for(queue: QueueFile, invoke: Invoke) -> None:
    for words, code, name in (
        (("show", "9"), 3, "not_found"), (("why", "9"), 3, "not_found"),
        (("revoke", "9"), 3, "not_found"), (("revoke",), 2, "usage"),
        (("restore", "--task", "x"), 3, "not_found"), (("purge", "all"), 6, "refused"),
        (("pause", "nope"), 3, "not_found"),
    ):  # fmt: skip
        result = ask(invoke, *words, "--json")
        found = json.loads(result.stderr.splitlines()[-1])["error"]
        assert (result.exit_code, found["exit"], found["code"]) == (code, code, name)
