"""Every command line says on a server what it says on a file: the same document, the same exit."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import Result
from clikit import APP, FILE, QueueFile, addresses, fill, typed, validate
from operatingkit import add_schedule

from hueyctl.tree import ALIASES, COMMANDS
from tests.storage.engines import ONE

Invoke = Callable[..., Result]

#: Typed one after another; APP stands for the application.
DAY = """
list --all
list --all --columns seq,kwargs.user,error.type --sort -error
list --all --sort args
list --all --sort kwargs.user
list --state nonsense
list --task nothing --exit-code
ls --columns id,state
pending
scheduled
show 2
show 1 3
show 99
why 1
why 2
why 3
why 5
why tick
logs 3
status
why
depth
depth --by task
depth --max 1
workers
stats
top -n 1
events
events --operators --since=today
events --enable
check
check --depth 1:2
check --oldest 1s:1h --workers-min 2:1
metrics
doctor
config show
config init
config init
APP tasks
APP enqueue app.add :1 :2
APP enqueue app.add -5
APP enqueue app.add :1 :2 --id mine
APP enqueue app.add :1 :2 --id mine
APP enqueue app.add :1 --unique once
APP enqueue app.add :1 --unique once
APP enqueue app.nothing
enqueue --copy 2
enqueue --copy 2 --dry-run
APP enqueue --copy 3
enqueue --copy 99
enqueue --edit app.add
enqueue app.mail.send eve
enqueue app.mail.send eve --delay 1h --priority 3
APP run app.add :1 :2
APP run app.boom no
APP run app.nothing
APP consume --preflight
scaffold systemd app:huey
revoke 3 --dry-run
revoke 3
revoke 3
revoke 99
revoke --task app.report
revoke --list
restore 3
restore --all
reschedule 5 --now
reschedule 1 --now
reschedule --state scheduled --delay 5m --yes
pause --reason lunch --for 1h
pause
pause --list
resume
pause --list
pause --task app.mail.send
pause --list
resume --task app.mail.send
lock list
lock list --all
lock acquire nightly -- true
lock acquire nightly -- false
lock acquire held -- true
lock release held
lock release held --force
lock release nothing
result 1
result 1
result 2
result 3
result 99
wait 1
wait 2
wait 4 -t 0
wait 99
dead list
dead list --task nothing --exit-code
dead summary
dead show 2
dead show 1
dead dump
dead dump --to dead.jsonl
dead dump --to dead.jsonl
dead retry 2 --dry-run
dead retry 2
dead load dead.jsonl
dead load dead.jsonl --if-exists replace
dead load dead.jsonl --if-exists fail
dead load missing.jsonl
dead retry 99
dump --to all.jsonl
purge pending
purge pending --dry-run
purge pending scheduled dead --yes
load all.jsonl
load all.jsonl
load missing.jsonl
dead purge --all --yes
periodic list
periodic next -n 3
periodic trigger tick
periodic pause tick
periodic resume tick
periodic add new --every 90s app.add 1
periodic add new --every 90s app.add 1
periodic add bad --cron nonsense app.add
periodic remove new
periodic remove new
events --disable
events --limit 0
purge all --yes
list --all
db info
completion bash
help exit-codes
nonsense
"""
#: What is about a file, or makes one of its own. ``consume`` ends by a signal or with its jobs, and
#: ``dashboard`` by a signal: the tests of their own run them on every engine.
ELSEWHERE = {"db backup", "db restore", "db vacuum", "demo", "dashboard"}

DOCTOR = "hueyctl.doctor/1"
#: What an engine tells of itself: it is as the schema has it, and the rest differs.
OF_THE_ENGINE = {"hueyctl.db/1", DOCTOR}
SERVERS = [name for name in ("postgres", "redis") if ONE in ("sqlite", name)]


class Answer(NamedTuple):
    """An exit code, and the shapes of what was said on stdout and stderr."""

    exit: int
    said: Any
    error: Any


@pytest.mark.parametrize("engine_name", SERVERS, indirect=True)
def test_every_command_line_says_on_a_server_what_it_says_on_a_file(
    home: Path, address: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    here = day(home / "server", invoke, monkeypatch)
    monkeypatch.delitem(addresses, FILE)
    there = day(home / "file", invoke, monkeypatch)

    assert 70 not in {answer.exit for answer in there.values()}
    assert {line: (here[line], there[line]) for line in here if here[line] != there[line]} == {}


def test_no_command_is_left_out() -> None:
    groups = {name.rpartition(" ")[0] for name in COMMANDS}
    lines = DAY.replace("APP ", "").splitlines()
    for name in {*COMMANDS, *ALIASES} - groups - ELSEWHERE:
        assert any(line == name or line.startswith(f"{name} ") for line in lines), name


def day(folder: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    """What each line is answered, on a queue of the same jobs."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("app", None)
    Path("app.py").write_text(APP.replace(FILE, typed(FILE)))
    queue = QueueFile(typed(FILE))
    with closing(queue.storage) as storage:
        fill(queue)
        add_schedule(queue, "tick")
        holder = storage.register(name="holder", kind="holder", slots=1)
        storage.lock("held", holder, b"token", ttl=600)
        answers = {}
        for number, line in enumerate(DAY.split("\n")[1:-1]):
            where = ("-A", "app:huey") if line.startswith("APP ") else ("-u", FILE)
            words = shlex.split(line.removeprefix("APP "))
            answers[f"{number}: {line}"] = answer(invoke(*where, "--json", *words))
    sys.modules.pop("app", None)
    return answers


def answer(result: Result) -> Answer:
    said = document(result.stdout)
    # A server of tests is not set up as a doctor wants it.
    code = 0 if said == DOCTOR and result.exit_code == 1 else result.exit_code
    return Answer(code, said, document(result.stderr))


def document(text: str) -> Any:
    """Its shape, where it is one or lines of such; else whether there is any."""
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = [json.loads(line) for line in text.splitlines()]
        except ValueError:
            return bool(text)
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict) and "schema" in each:
            validate(each, each["schema"].removeprefix("hueyctl."))
            if each["schema"] in OF_THE_ENGINE:
                return each["schema"]
    return shape(found)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return "number" if isinstance(value, float) else type(value).__name__
