"""periodic list, next, trigger, pause, resume, add and remove."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clikit import QueueFile, Write
from operatingkit import (
    Invoke,
    OnTty,
    add_schedule,
    ask,
    change,
    consumer,
    error,
    schedule,
    states,
)

from hueycore.model.schedules import Fire
from tests.helpers import give_up_after, write_lock_of

APP = """
from hueycore import Huey, crontab, every

huey = Huey("huey", url="queue.db", utc=False)

@huey.task(retries=3, priority=5, at_most_once=True, expires=60)
def build(pages: int, title: str = "report") -> str:
    return f"{title} of {pages}"

@huey.periodic_task(crontab("0", "3", tz="Europe/Paris"))
def nightly() -> str:
    return "built"

@huey.periodic_task(every("20s"))
def fails():
    raise ValueError("no")

@huey.periodic_task(lambda now: now.minute == 7)
def asked():
    pass
"""


@pytest.fixture
def shop(write: Write) -> Iterator[str]:
    import sys

    write("shop.py", APP)
    yield "shop:huey"
    sys.modules.pop("shop", None)


@pytest.fixture
def declared(shop: str, queue: QueueFile) -> str:
    """What a consumer of the application leaves in the file."""
    from hueycore.consumer.scheduler import Scheduler
    from hueyctl.apps import load

    huey = load(shop, None)
    Scheduler(huey, periodic=True, interval=1).declare()
    huey.close()
    return shop


def found(invoke: Invoke, *words: str, code: int = 0) -> Any:
    result = ask(invoke, "periodic", *words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in rows]


# --- list -----------------------------------------------------------------------------------------


@pytest.mark.sqlite_only("it is about the file")
def test_what_is_declared_and_what_is_stored_are_listed_from_the_file_alone(
    declared: str, queue: QueueFile, invoke: Invoke
) -> None:
    add_schedule(queue, "by hand", 3, task="shop.build", catch_up="all", grace=60.0)

    by_hand, asked, fails, nightly = found(invoke, "list")

    assert list(by_hand) == [
        "name", "task", "queue", "schedule", "tz", "next_run", "last_run", "last_id", "last_state",
        "paused", "paused_at", "paused_by", "pause_reason", "catch_up", "grace_s", "origin",
        "args", "kwargs", "args_repr",
    ]  # fmt: skip
    assert (by_hand["task"], by_hand["args"], by_hand["origin"]) == ("shop.build", [3], "stored")
    assert (by_hand["catch_up"], by_hand["grace_s"], by_hand["last_run"]) == ("all", 60.0, None)
    assert (nightly["name"], nightly["task"]) == ("shop.nightly", "shop.nightly")
    assert (nightly["schedule"], nightly["tz"]) == ("0 3 * * *", "Europe/Paris")
    assert nightly["origin"] == "code"
    assert fails["schedule"] == "every 20s"
    assert asked["schedule"].startswith("callable shop")


def test_the_last_run_is_told_with_the_state_of_its_job(queue: QueueFile, invoke: Invoke) -> None:
    add_schedule(queue, "tick")
    before = schedule(queue, "tick")
    job = before.job("the job", before.next_run)
    queue.storage.fire([Fire("tick", before.next_run, before.next_run + 3600, [job])])
    assert found(invoke, "list")[0]["last_state"] == "pending"
    queue.finish()

    (tick,) = found(invoke, "list")

    assert (tick["last_id"], tick["last_state"]) == ("the job", "done")
    assert tick["last_run"] is not None
    queue.storage.flush()
    add_schedule(queue, "tick", last_id="gone")
    assert found(invoke, "list")[0]["last_state"] is None


def test_lines_columns_and_names(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    add_schedule(queue, "tick", 1, "two", tz="Asia/Tokyo")

    line = ask(invoke, "periodic", "list").stdout.rstrip("\n").split("\t")
    assert (line[:3], line[4:]) == (["tick", "0 * * * *", "Asia/Tokyo"], ["", "", "no"])
    assert ask(invoke, "periodic", "list", "-o", "name").stdout == "tick\n"
    shown = ask(invoke, "periodic", "list", "--columns", "task,args,origin", "-o", "tsv").stdout
    assert shown == "TASK\tARGS\tORIGIN\napp.report\t1, 'two'\tstored\n"
    code, screen = on_tty("periodic", "list", "-u", "queue.db", columns=140)
    assert code == 0
    assert "NEXT" in screen
    assert "in 59m" in screen or "in 1h" in screen


def test_names_and_patterns_narrow_and_an_unknown_name_is_3(
    queue: QueueFile, invoke: Invoke
) -> None:
    for name in ("a.one", "a.two", "b", "odd[name]*"):
        add_schedule(queue, name)

    assert names(found(invoke, "list", "a.*", "b")) == ["a.one", "a.two", "b"]
    assert names(found(invoke, "list", "odd[name]*")) == ["odd[name]*"]
    assert found(invoke, "list", "c.*") == []
    for command in ("list", "next", "pause", "resume", "trigger"):
        assert error(invoke, "periodic", command, "two") == (
            3, "no periodic task 'two'", "did you mean 'a.two'?",
        )  # fmt: skip
    assert error(invoke, "periodic", "list", "zzz")[2] == "hueyctl periodic list"


def test_an_empty_storage_has_none(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    assert found(invoke, "list") == []
    assert found(invoke, "next") == []
    assert ask(invoke, "periodic", "list").stdout == ""
    assert "No periodic tasks." in on_tty("periodic", "list", "-u", "queue.db")[1]


def test_schedules_of_every_queue_are_listed_and_one_must_be_chosen_for_a_change(
    queue: QueueFile, invoke: Invoke
) -> None:
    mail = QueueFile(queue.where, "mail")
    add_schedule(mail, "tick")
    add_schedule(queue, "tick")
    mail.storage.close()

    assert [each["queue"] for each in found(invoke, "list")] == ["huey", "mail"]
    assert [each["queue"] for each in found(invoke, "list", "-Q", "mail")] == ["mail"]
    for words in (("pause", "tick"), ("remove", "tick"), ("trigger", "tick")):
        assert ask(invoke, "periodic", *words).exit_code == 2
    assert [each["queue"] for each in found(invoke, "pause", "tick", "-Q", "mail")] == ["mail"]
    assert schedule(queue, "tick").paused_at is None
    assert found(invoke, "remove", "tick", "-Q", "mail")["orders"] == ["tick"]
    assert [each["queue"] for each in found(invoke, "list")] == ["huey"]


# --- next -----------------------------------------------------------------------------------------


def test_the_coming_runs_of_all_schedules_in_their_order(queue: QueueFile, invoke: Invoke) -> None:
    now = time.time()
    add_schedule(queue, "often", schedule="every 90s", next_run=now + 90)
    add_schedule(queue, "seldom", schedule="every 4m", next_run=now + 240)

    coming = found(invoke, "next", "-n", "12")

    assert [each["at"] for each in coming] == sorted(each["at"] for each in coming)
    assert set(names(coming)) == {"often", "seldom"}
    assert list(coming[0]) == ["at", "name", "task", "queue", "schedule", "tz"]
    assert len(found(invoke, "next")) == 10
    assert set(names(found(invoke, "next", "seldom"))) == {"seldom"}
    soon = found(invoke, "next", "often", "--until", "+10m")
    assert 6 <= len(soon) <= 7
    assert len(found(invoke, "next", "often", "--until", "+10m", "-n", "2")) == 2


def test_the_coming_runs_know_the_zone_and_its_nights(queue: QueueFile, invoke: Invoke) -> None:
    add_schedule(
        queue, "dark", schedule="30 2 * 3 *", tz="Europe/Paris",
        next_run=datetime(2038, 3, 27, 1, 30, tzinfo=UTC).timestamp(),
    )  # fmt: skip

    coming = found(invoke, "next", "-n", "3")

    assert [each["at"][:16] for each in coming] == [
        "2038-03-27T01:30", "2038-03-28T01:00", "2038-03-29T00:30",
    ]  # fmt: skip


def test_what_was_due_while_no_consumer_looked_is_not_coming(
    queue: QueueFile, invoke: Invoke
) -> None:
    add_schedule(queue, "tick", next_run=time.time() - 10 * 3600)

    (coming,) = found(invoke, "next", "-n", "1")

    assert datetime.fromisoformat(coming["at"]).timestamp() > time.time()


def test_what_does_not_run_is_left_out_and_said(
    declared: str, queue: QueueFile, invoke: Invoke
) -> None:
    queue.storage.pause_periodic(["shop.fails"])

    result = ask(invoke, "periodic", "next", "-n", "2", "-o", "name")

    assert result.stdout == "shop.nightly\nshop.nightly\n"
    assert "shop.fails is paused" in result.stderr
    assert "shop.asked: only its application can tell when 'callable shop" in result.stderr
    queue.storage.pause(scheduler=True)
    result = ask(invoke, "periodic", "next")
    assert result.stdout == ""
    assert "hueyctl resume --scheduler" in result.stderr


@pytest.mark.parametrize("words", [("--until", "-5m"), ("--until", "soon"), ("-n", "0")])
def test_a_time_that_is_none_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    assert ask(invoke, "periodic", "next", *words).exit_code == 2


# --- trigger --------------------------------------------------------------------------------------


def test_a_periodic_task_is_triggered_with_its_call_and_options_and_keeps_its_times(
    queue: QueueFile, invoke: Invoke
) -> None:
    add_schedule(queue, "tick", 1, options={"retries": 4, "priority": 9, "expires": 30})
    queue.storage.pause_periodic(["tick"])
    before = schedule(queue, "tick")

    result = ask(invoke, "periodic", "trigger", "tick")

    job = queue.storage.job(result.stdout.strip())
    assert job is not None
    assert (job.task, job.retries, job.priority, job.preview) == ("app.report", 4, 9, "1")
    assert (job.scheduled_for, job.state) == (None, "pending")
    assert job.expires_at == pytest.approx(time.time() + 30, abs=10)
    assert schedule(queue, "tick") == before


def test_a_triggered_run_can_be_waited_for(
    declared: str, queue: QueueFile, spawn: Callable[..., Any], hueyctl: Callable[..., Any]
) -> None:
    spawn("consume", declared, "--no-periodic")

    done = hueyctl("periodic", "trigger", "shop.nightly", "--wait", "-t", "20s", "-u", "queue.db")
    assert (done.returncode, done.stdout) == (0, '"built"\n'), done.stderr
    failed = hueyctl("periodic", "trigger", "shop.fails", "--wait", "-t", "20s", "-A", declared)
    assert failed.returncode == 5
    assert "ValueError" in failed.stderr


def test_waiting_gives_up_with_124_and_the_job_stays(queue: QueueFile, invoke: Invoke) -> None:
    add_schedule(queue, "tick")

    assert ask(invoke, "periodic", "trigger", "tick", "-W", "-t", "50ms").exit_code == 124
    assert states(queue) == {1: "pending"}
    assert ask(invoke, "periodic", "trigger", "tick", "-t", "1s").exit_code == 2
    assert ask(invoke, "periodic", "trigger", "tick", "-W", "--dry-run").exit_code == 2


def test_a_dry_trigger_queues_nothing_and_a_pattern_names_no_single_one(
    queue: QueueFile, invoke: Invoke
) -> None:
    add_schedule(queue, "tick", 1)
    add_schedule(queue, "tock")

    result = ask(invoke, "periodic", "trigger", "tick", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "would queue app.report(1)" in result.stderr
    assert error(invoke, "periodic", "trigger", "t*")[0] == 2
    assert states(queue) == {}


# --- pause and resume -----------------------------------------------------------------------------


def test_schedules_are_paused_with_a_reason_and_resumed(queue: QueueFile, invoke: Invoke) -> None:
    for name in ("a.one", "a.two", "b"):
        add_schedule(queue, name)

    one, two = found(invoke, "pause", "a.*", "--reason", "month end")

    assert (one["name"], two["name"]) == ("a.one", "a.two")
    assert (one["paused"], one["pause_reason"]) == (True, "month end")
    assert "@" in one["paused_by"]
    assert [each["paused"] for each in found(invoke, "list")] == [True, True, False]
    assert ask(invoke, "periodic", "pause", "a.one").exit_code == 0  # again is fine
    assert [each["paused"] for each in found(invoke, "resume", "a.one", "b")] == [False, False]
    assert [each["paused"] for each in found(invoke, "list")] == [False, True, False]


def test_a_resume_of_what_was_not_paused_is_said_to_a_person(
    queue: QueueFile, on_tty: OnTty
) -> None:
    add_schedule(queue, "tick")

    code, shown = on_tty("periodic", "resume", "tick", "-u", "queue.db")

    assert code == 0
    assert "tick was not paused." in shown


# --- add ------------------------------------------------------------------------------------------


def test_a_schedule_is_added_to_the_file_alone(queue: QueueFile, invoke: Invoke) -> None:
    (made,) = found(
        invoke, "add", "nightly", "--cron", "0 3 * * mon-fri", "--tz", "Europe/Paris",
        "--catch-up", "all", "--priority", "5", "--retries", "2", "--retry-delay", "1m",
        "--expires", "1h", "mail.send", "ann", "deep:=[1]", "--args", "[7]",
    )  # fmt: skip

    assert (made["name"], made["task"], made["schedule"]) == (
        "nightly", "mail.send", "0 3 * * 1-5",
    )  # fmt: skip
    assert (made["tz"], made["catch_up"], made["origin"]) == ("Europe/Paris", "all", "stored")
    assert (made["args"], made["kwargs"]) == (["ann", 7], {"deep": [1]})
    at = datetime.fromisoformat(made["next_run"]).timestamp()
    assert time.time() < at <= time.time() + 4 * 86_400
    assert schedule(queue, "nightly").options == {
        "priority": 5, "retries": 2, "retry_delay": 60, "expires": 3600,
    }  # fmt: skip


def test_a_schedule_of_the_same_name_is_replaced(queue: QueueFile, invoke: Invoke) -> None:
    found(invoke, "add", "beat", "--every", "1h", "app.add", "1")
    first = schedule(queue, "beat")
    found(invoke, "add", "beat", "--every", "60m", "app.add", "2")

    assert schedule(queue, "beat").next_run == first.next_run
    assert schedule(queue, "beat").preview == "'2'"
    assert len(found(invoke, "list")) == 1


def test_with_an_application_the_call_is_checked_and_has_the_options_of_its_task(
    declared: str, queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    app = ("-A", declared, "--json")
    result = invoke("periodic", "add", "x", "--cron", "@daily", "shop.build", "12", *app)
    assert result.exit_code == 0, result.output
    (made,) = json.loads(result.stdout)

    assert (made["args"], made["tz"]) == ([12], "Asia/Tokyo")  # utc=False: that of the machine
    row = schedule(queue, "x")
    assert row.options == {"retries": 3, "priority": 5, "at_most_once": True, "expires": 60}
    twice = ("periodic", "add", "y", "--every", "90s")
    assert invoke(*twice, "shop.build", "many", *app).exit_code == 2
    assert invoke(*twice, "shop.built", "1", *app).exit_code == 3
    assert invoke(*twice, "shop.build", *app).exit_code == 2
    assert "y" not in names(found(invoke, "list"))


@pytest.mark.feature("dynamic periodic tasks")
def test_a_running_consumer_follows_what_is_added_and_removed(
    declared: str, queue: QueueFile, spawn: Callable[..., Any], invoke: Invoke, until: Any
) -> None:
    from hueycore.model.jobs import Selector

    spawn("consume", declared)
    until(lambda: queue.storage.workers())
    assert (
        ask(invoke, "periodic", "add", "beat", "--every", "100ms", "shop.build", ":3").exit_code
        == 0
    )

    of_task = Selector(task="shop.build")
    until(lambda: queue.storage.count(of_task) >= 3)
    assert ask(invoke, "periodic", "remove", "beat").exit_code == 0
    until(lambda: {str(job.state) for job in queue.storage.jobs(of_task)} == {"done"})
    assert "beat" not in names(found(invoke, "list"))


@pytest.mark.parametrize(
    "words",
    [
        (), ("--cron", "@daily", "--every", "90s"), ("--cron", "61 * * * *"), ("--cron", "90s"),
        ("--cron", "0 0 31 2 *"), ("--every", "0"), ("--every", "10ms"), ("--every", "soon"),
        ("--cron", "@daily", "--tz", "Mars"), ("--every", "90s", "--tz", "UTC"),
        ("--every", "90s", "--catch-up", "some"), ("--every", "90s", "--kwargs", "[]"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_schedule_that_means_nothing_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    assert ask(invoke, "periodic", "add", "x", *words, "app.add").exit_code == 2
    assert ask(invoke, "periodic", "add", "", "--every", "90s", "app.add").exit_code == 2
    assert found(invoke, "list") == []


def test_a_name_of_code_is_refused(declared: str, queue: QueueFile, invoke: Invoke) -> None:
    assert error(invoke, "periodic", "add", "shop.nightly", "--every", "90s", "app.add")[:2] == (
        6, "'shop.nightly' is declared in code",
    )  # fmt: skip
    assert schedule(queue, "shop.nightly").task == "shop.nightly"


def test_a_dry_run_shows_what_would_be_stored(
    home: Path, shop: str, queue: QueueFile, invoke: Invoke
) -> None:
    (shown,) = found(invoke, "add", "x", "--every", "90s", "app.add", "--dry-run")
    assert (shown["name"], shown["queue"]) == ("x", "huey")
    assert found(invoke, "list") == []

    (home / "shop.py").write_text(APP.replace("queue.db", "fresh.db"))
    words = ("periodic", "add", "x", "--every", "90s", "shop.build", "1", "--dry-run")
    assert invoke(*words, "-A", shop).exit_code == 0
    assert not (home / "fresh.db").exists()


def test_a_missing_file_is_only_made_when_asked_for(home: Path, invoke: Invoke) -> None:
    words = ("periodic", "add", "x", "--every", "90s", "app.add", "-u", "new.db")

    assert invoke(*words).exit_code == 69
    assert not (home / "new.db").exists()
    assert invoke(*words, "--create").exit_code == 0
    assert (home / "new.db").exists()


# --- remove ---------------------------------------------------------------------------------------


def test_stored_schedules_are_removed_and_more_than_one_is_confirmed(
    queue: QueueFile, invoke: Invoke, on_tty: OnTty
) -> None:
    for name in ("a.one", "a.two", "b", "c", "d"):
        add_schedule(queue, name)

    gone = change(invoke, "periodic", "remove", "b")
    assert (gone["action"], gone["changed"], gone["orders"]) == ("remove", 1, ["b"])
    assert ask(invoke, "periodic", "remove", "a.*").exit_code == 6
    dry = change(invoke, "periodic", "remove", "a.*", "--dry-run")
    assert (dry["changed"], dry["matched"], dry["orders"]) == (0, 2, ["a.one", "a.two"])
    assert len(queue.storage.periodic()) == 4
    code, shown = on_tty("periodic", "remove", "a.*", "-u", "queue.db", answer=b"y\n")
    assert code == 0
    assert "Remove 2 schedules? [y/N]" in shown
    assert ask(invoke, "periodic", "remove", "c", "d", "--yes").exit_code == 0
    assert queue.storage.periodic() == []


def test_what_cannot_be_removed_is_told_and_the_rest_is_done(
    queue: QueueFile, invoke: Invoke
) -> None:
    add_schedule(queue, "stored")
    add_schedule(queue, "app.tick", origin="code")

    some = change(invoke, "periodic", "remove", "stored", "app.tick", "none", code=1)

    assert some["orders"] == ["stored"]
    assert [(each["id"], each["code"]) for each in some["failed"]] == [
        ("none", "not_found"), ("app.tick", "refused"),
    ]  # fmt: skip
    assert [each.name for each in queue.storage.periodic()] == ["app.tick"]
    assert error(invoke, "periodic", "remove", "app.tick")[:2] == (
        1, "app.tick is declared in code: hueyctl periodic pause app.tick",
    )  # fmt: skip
    assert error(invoke, "periodic", "remove", "none") == (
        3, "no periodic task 'none'", "hueyctl periodic list",
    )  # fmt: skip


# --- why ------------------------------------------------------------------------------------------


def why(invoke: Invoke, *names: str) -> Any:
    result = ask(invoke, "why", *names, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_why_says_of_a_schedule_what_keeps_it_from_firing(queue: QueueFile, invoke: Invoke) -> None:
    add_schedule(queue, "tick")
    answer = why(invoke, "tick")
    assert list(answer) == ["seq", "schedule", "state", "because", "since", "blocking", "next"]
    assert (answer["seq"], answer["schedule"], answer["state"]) == (None, "tick", "waiting")
    assert answer["because"] == "no live consumer serves queue huey"
    assert answer["next"] == "hueyctl consume APP --queue huey"

    consumer(queue)
    assert "it fires in 59m" in why(invoke, "tick")["because"]
    queue.storage.set_revocation("revoked-task", "app.report", reason="broken")
    assert why(invoke, "tick")["because"] == (
        "task app.report is revoked (broken): its runs end revoked"
    )
    queue.storage.pause(scheduler=True, by="ann", reason="month end")
    answer = why(invoke, "tick")
    assert answer["because"].startswith("periodic tasks of queue huey have been paused for ")
    assert answer["because"].endswith(" by ann (month end)")
    assert answer["next"] == "hueyctl resume --scheduler huey"
    queue.storage.pause_periodic(["tick"], reason="no data")
    answer = why(invoke, "tick")
    assert (answer["state"], answer["next"]) == ("paused", "hueyctl periodic resume tick")
    assert answer["because"].endswith(" (no data)")


@pytest.mark.parametrize(("origin", "told"), [("stored", "run without"), ("code", "in its code")])
def test_why_says_that_a_schedule_is_overdue_though_consumers_live(
    queue: QueueFile, invoke: Invoke, origin: str, told: str
) -> None:
    add_schedule(queue, "tick", next_run=time.time() - 300, origin=origin)
    consumer(queue)

    answer = why(invoke, "tick")

    assert answer["state"] == "overdue"
    assert answer["because"].startswith("overdue since 5m")
    assert told in answer["because"]


def test_why_leads_from_a_schedule_to_its_last_job(
    queue: QueueFile, invoke: Invoke, on_tty: OnTty
) -> None:
    add_schedule(queue, "tick")
    before = schedule(queue, "tick")
    job = before.job("the job", before.next_run)
    queue.storage.fire([Fire("tick", before.next_run, before.next_run + 3600, [job])])
    queue.kill()
    consumer(queue)

    tick, last = why(invoke, "tick", "1")[::-1]

    assert (tick["next"], tick["blocking"]) == ("hueyctl why 1", {"job": 1})
    assert tick["because"].endswith("; its last run, job 1, is dead")
    assert (last["seq"], last["state"]) == (1, "dead")
    assert ask(invoke, "why", "tick", "tock").exit_code == 3
    assert ask(invoke, "why", "tick", "-o", "name").stdout == "tick\n"
    assert "tick waiting: it fires in" in on_tty("why", "tick", "-u", "queue.db")[1]


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.sql_only("a writer holds a lock")
@pytest.mark.parametrize(
    "words", [("pause", "tick"), ("resume", "tick"), ("remove", "tick"), ("trigger", "tick")]
)
def test_a_queue_that_stays_locked_is_69_and_unchanged(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    add_schedule(queue, "tick")
    before = schedule(queue, "tick")
    give_up_after(monkeypatch, 0.05)
    with write_lock_of(str(queue.where)):
        result = ask(invoke, "periodic", *words)

    assert result.exit_code == 69
    assert schedule(queue, "tick") == before
    assert states(queue) == {}


def test_hostile_names_do_not_reach_the_terminal(
    queue: QueueFile, invoke: Invoke, on_tty: OnTty
) -> None:
    add_schedule(queue, "\x1b[2Jtick", task="[red]x[/x]")

    assert "\x1b[2J" not in ask(invoke, "periodic", "list", "-o", "wide").stdout
    code, shown = on_tty("periodic", "list", "-o", "wide", "-u", "queue.db", columns=160)
    assert code == 0
    assert "\x1b[2J" not in shown
