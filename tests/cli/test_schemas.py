"""The JSON Schemas hold for what the commands print."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import Result
from clikit import ROOT, QueueFile, validate
from operatingkit import add_schedule

from hueyctl.commands.help.schemas import schemas
from hueyctl.docs.topics import ABOUT

Invoke = Callable[..., Result]
ALL = schemas()

#: (command line, schema, whether it is a list of such)
DOCUMENTS = [
    (("list", "-a"), "job/1", True),
    (("pending",), "job/1", True),
    (("scheduled",), "job/1", True),
    (("dead", "list"), "job/1", True),
    (("show", "2"), "shown-job/1", False),
    (("dead", "show", "2"), "shown-job/1", False),
    (("show", "1", "3"), "shown-job/1", True),
    (("why", "3"), "why/1", False),
    (("why", "tick"), "why-periodic/1", False),
    (("events", "--enable"), "change/1", False),
    (("depth",), "depth/1", False),
    (("depth", "--by", "task"), "depth/1", False),
    (("result", "1"), "result/1", False),
    (("workers",), "worker/1", True),
    (("stats",), "stats/1", False),
    (("dead", "summary"), "dead-group/1", True),
    (("dead", "retry", "2", "--dry-run"), "change/1", False),
    (("dead", "purge", "2", "--yes"), "change/1", False),
    (("dead", "load", "-"), "change/1", False),
    (("revoke", "3"), "change/1", False),
    (("revoke", "--list"), "revocation/1", True),
    (("restore", "--all", "--dry-run"), "change/1", False),
    (("reschedule", "3", "--now"), "change/1", False),
    (("purge", "done", "--yes"), "change/1", False),
    (("lock", "list"), "lock/1", True),
    (("lock", "release", "nightly", "--force"), "change/1", False),
    (("pause",), "pause/1", True),
    (("pause", "--list"), "pause/1", True),
    (("resume",), "pause/1", True),
    (("periodic", "list"), "periodic/1", True),
    (("periodic", "next", "-n", "3"), "firing/1", True),
    (("periodic", "pause", "tick"), "periodic/1", True),
    (("periodic", "resume", "tick"), "periodic/1", True),
    (("periodic", "add", "new", "--every", "90s", "app.add", "1"), "periodic/1", True),
    (("periodic", "trigger", "tick"), "job/1", False),
    (("periodic", "remove", "tick"), "change/1", False),
    (("wait", "5", "--for", "started", "--any", "-t", "0"), "wait/1", True),
    (("check",), "check/1", False),
    (("doctor",), "doctor/1", False),
    (("config", "show"), "config/1", False),
    (("enqueue", "app.task", "x"), "job/1", False),
]


@pytest.mark.parametrize(
    ("words", "name", "many"), DOCUMENTS, ids=[" ".join(d[0]) for d in DOCUMENTS]
)
def test_real_output_follows_its_schema(
    mixed: QueueFile, invoke: Invoke, words: tuple[str, ...], name: str, many: bool
) -> None:
    mixed.storage.set_revocation("revoked-task", "app.add", reason="x")
    add_schedule(mixed, "tick")
    holder = mixed.storage.register(name="holder", kind="holder", slots=1)
    mixed.storage.lock("nightly", holder, b"token", ttl=60)

    result = invoke(*words, "-u", "queue.db", "--json", input="")

    assert result.exit_code not in (2, 70), result.output
    found = json.loads(result.stdout)
    assert isinstance(found, list) == many
    for each in found if many else [found]:
        validate(each, name)


@pytest.mark.sqlite_only("a backup is a file")
def test_a_backup_follows_its_schema(mixed: QueueFile, invoke: Invoke) -> None:
    validate(
        json.loads(invoke("db", "backup", "copy.db", "-u", "queue.db", "--json").stdout), "backup/1"
    )


def test_a_dump_follows_its_schema(mixed: QueueFile, invoke: Invoke) -> None:
    first, line, last = invoke("dead", "dump", "-u", "queue.db").stdout.splitlines()

    validate(json.loads(first), "dump/2")
    validate(json.loads(line), "dump/1")
    validate(json.loads(line), "job/1")
    assert json.loads(last) == {"end": json.loads(first)["dump"], "jobs": 1, "records": 0}


def test_errors_follow_their_schema(mixed: QueueFile, invoke: Invoke) -> None:
    for words in (("show", "99"), ("list", "--state", "x"), ("nonsense",)):
        validate(json.loads(invoke(*words, "-u", "queue.db", "--json").stderr), "error/1")


def test_tasks_and_preflight_follow_theirs(mixed: QueueFile, app: str, invoke: Invoke) -> None:
    for each in json.loads(invoke("tasks", "-A", app, "--json").stdout):
        validate(each, "task/1")
    validate(json.loads(invoke("consume", app, "--preflight", "--json").stdout), "preflight/1")


def test_logs_and_events_follow_theirs(mixed: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.events import LogLine, Said
    from hueycore.model.jobs import Want

    invoke("events", "-u", "queue.db", "--enable")
    worker = mixed.storage.register(name="alpha", kind="thread", slots=1)
    (claim,) = mixed.storage.exchange(worker, [], Want(1)).claims
    mixed.storage.note([(claim, Said("half", [LogLine(2e9, "INFO", "hello")]))])

    logged = json.loads(invoke("logs", str(claim.seq), "-u", "queue.db", "--json").stdout)
    events = json.loads(invoke("events", "-u", "queue.db", "--json").stdout)

    # The verb, the start of the worker, and the claim.
    assert (len(logged), len(events)) == (1, 3)
    validate(logged[0], "log/1")
    for event in events:
        validate(event, "event/1")


def test_every_schema_is_one_and_holds_against_nonsense() -> None:
    for name, schema in ALL.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"] == name
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate({})


def test_every_document_that_names_a_schema_has_one() -> None:
    named = {
        match
        for path in (ROOT / "hueyctl").rglob("*.py")
        for match in re.findall(r'"schema": "(hueyctl\.[\w-]+/\d+)"', path.read_text("utf-8"))
    }

    assert named <= set(ALL)


def test_help_prints_them(invoke: Invoke) -> None:
    assert json.loads(invoke("help", "schemas").stdout) == ALL
    for name in ("hueyctl.job/1", "job/1", "job"):
        assert json.loads(invoke("help", "schemas", name).stdout) == ALL["hueyctl.job/1"]
    missing = invoke("help", "schemas", "jbo/1")
    assert missing.exit_code == 3
    assert "job/1" in missing.stderr


def test_topics_are_printed_and_named_in_the_help(invoke: Invoke, home: Path) -> None:
    shown = invoke("help", "help").stdout
    for name, about in ABOUT.items():
        assert f"  {name:<13} {about}\n" in shown
        result = invoke("help", name)
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) > 8
        assert json.loads(invoke("help", name, "--json").stdout)


def test_the_environment_topic_has_every_variable(invoke: Invoke) -> None:
    shown = invoke("help", "environment").stdout
    for name in ("APP", "URL", "QUEUE", "OUTPUT", "COLOR", "CONFIG", "NO_INPUT", "TIME_FORMAT"):
        assert f"HUEYCTL_{name} " in shown
