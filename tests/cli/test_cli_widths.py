"""Every view for people on terminals of any width: the terminal wraps no line, and no number is
shown in part. One that knows no control codes gets none."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
from clikit import APP, FILE, QueueFile, typed
from operatingkit import add_schedule, alter, chord, consumer, ended_after, start
from ptykit import Picture, Terminal

from hueyctl.tree import ALIASES, COMMANDS

#: So that a part of it is told from any other number.
NUMBER = "987654321012"
LONG = "myapp.integrations.a_customer_relationship.import_the_contacts"
#: Typed one after another; APP stands for the application.
VIEWS = f"""
status
why
list
list --all
list --all -o wide
list --all --columns seq,state,task,args,error,run_at,id
list --task nothing
ls
pending
scheduled
show 3 5 6 33
show 3 --traceback -v
why 3 4 5 6 tick
logs 5
logs 999999
depth --by task
depth --by queue
workers
workers -o wide
tasks
APP tasks --signature
stats
stats --by queue
stats --by queue -o wide
stats --by task
stats --by worker
top --count 1 --no-alt-screen
events
events -o wide
doctor
check --depth 1:2 -q
revoke 4
revoke --task {LONG}
revoke --list
restore --task {LONG}
restore 4
reschedule 4 --delay 1h
pause --reason lunch --for 1h
pause --task {LONG} --reason upgrade
resume
resume --task {LONG}
lock list
lock list -o wide
lock release nothing
wait 999999
wait 1 3
dead list
dead list -o wide
dead summary
dead summary --by task
dead show 3
dead retry 3 --dry-run
dead purge --all --dry-run
purge dead --dry-run
db info
periodic list
periodic list -o wide
periodic next -n 3
periodic pause tick
periodic resume tick
periodic trigger tick
config show
help exit-codes
nonsense
-h
list --help
enqueue --help
dead --help
"""
#: Data for programs, output of others, texts to copy, or what the tests of its own show.
OTHERS = {
    "run", "consume", "scaffold", "demo", "enqueue", "metrics", "result", "dump", "load",
    "lock acquire", "dead dump", "dead load", "db backup", "db restore", "db vacuum",
    "periodic add", "periodic remove", "completion", "dashboard", "config init",
}  # fmt: skip
#: The picture of the states has this width wherever it is shown.
DRAWING = 80
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DRIVER = """
import json, sys
from hueyctl.cli import cli
for words in json.loads(sys.argv[1]):
    print("\\n=====", *words, flush=True)
    cli.run(words)
    sys.stderr.flush()
"""


@pytest.fixture
def mess(queue: QueueFile, home: Path) -> QueueFile:
    """Long names, large numbers; jobs in every state, what is wrong and what is said of it."""
    (home / "app.py").write_text(APP.replace(FILE, typed(FILE)))
    queue.add("app.add", int(NUMBER))
    queue.finish(int(NUMBER))
    for task in ("app.boom", LONG):
        queue.add(task, int(NUMBER), kwargs={"user": "ann"}, retries=2)
        queue.kill("TimeoutError", f"order {NUMBER}: the other side did not answer")
    queue.add(LONG, int(NUMBER), "eve", priority=10, retries=3)
    worker = consumer(queue, "a-worker-of-vm:23926", slots=8)
    queue.storage.record_events(True)
    say(queue, start(queue, worker), f"order {NUMBER} was taken, and its customer told of it")
    alter(queue, 4, claimed_at=time.time() - 4000, timeout=60.0, progress="310/1000")
    queue.add("app.add", int(NUMBER), run_at=time.time() + 600)
    add_schedule(queue, "tick", schedule="*/5 * * * mon-fri", tz="Europe/Paris")
    ended_after(queue, 25, 0.5)
    queue.add("app.add", int(NUMBER))
    queue.add("app.mail", "ann", priority=-5)
    chord(queue, 14)
    queue.storage.pause(task="app.mail", by="ann@vm", reason="the provider is down, says bob")
    queue.storage.set_revocation("revoked-task", LONG, reason="it is gone with the old customers")
    holder = queue.storage.register(name="holder", kind="holder", slots=1)
    queue.storage.lock("a-ledger-of-everything", holder, b"token", ttl=86400)
    return queue


def say(queue: QueueFile, claim: object, message: str) -> None:
    from hueycore.model.events import LogLine, Said

    queue.storage.note([(claim, Said("1/2", [LogLine(time.time(), "WARNING", message)]))])


def views(text: str = VIEWS) -> list[list[str]]:
    lines = []
    for line in text.split("\n")[1:-1]:
        where = ["-A", "app:huey"] if line.startswith("APP ") else ["-u", typed(FILE)]
        lines.append([*where, *line.removeprefix("APP ").split()])
    return lines


def shown_at(width: int) -> dict[str, str]:
    """What each view sends to one terminal after the other."""
    import sys

    terminal = Terminal(columns=width, rows=40, argv=[
        sys.executable, "-P", "-c", DRIVER, json.dumps(views()),
    ])  # fmt: skip
    try:
        assert terminal.ended() == 0, terminal.shown[-2000:]
        parts = re.split(r"\r\n=====( .*)\r\n", terminal.shown)
    finally:
        terminal.close()
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_nothing_is_wrapped_and_no_number_is_cut(mess: QueueFile, width: int) -> None:
    found = shown_at(width)

    assert len(found) == len(views())
    wrong = {}
    for view, shown in found.items():
        rows = shown.count("\n") + 45
        whole = Picture(shown, 400, rows).lines
        # One word of a command, or an option with its choices, may be longer than a line, and so
        # may the command line of a hint.
        long = [
            line
            for line in whole
            if len(line) > width and len(line.split()) > 1 and not line.startswith("hint: hueyctl ")
        ]
        if view.endswith("help states"):
            long = [line for line in long if len(line) > DRAWING]
        cut = [line for line in whole if is_cut(line)]
        if long or cut:
            wrong[view] = long + cut
        if all(len(line) <= width for line in whole):
            assert Picture(shown, width, rows).lines == whole
    assert not wrong, "\n".join(f"{view}: {lines}" for view, lines in wrong.items())


def is_cut(line: str) -> bool:
    digits = re.findall(r"\d+", _ID.sub("", line))
    parts = [one for one in digits if len(one) >= 4 and one in NUMBER and one != NUMBER]
    return bool(parts) or re.search(r"\d…", line) is not None


def test_a_terminal_without_control_codes_gets_none(
    mess: QueueFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")

    for view, shown in shown_at(60).items():
        left = shown.replace("\r\n", "")
        assert "Traceback" not in left or "--traceback" in view
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", left), (view, left)


def test_every_view_is_among_them() -> None:
    groups = {name.rpartition(" ")[0] for name in COMMANDS}
    lines = VIEWS.replace("APP ", "").splitlines()
    for name in {*COMMANDS, *ALIASES} - groups - OTHERS:
        assert any(line == name or line.startswith(f"{name} ") for line in lines), name
    assert set(COMMANDS) >= OTHERS


def test_a_command_to_copy_is_one_for_a_shell() -> None:
    import subprocess

    from hueyctl.output.prose import command_lines

    command = "hueyctl resume --task 'a name with blanks' --queue " + "x" * 30
    lines = command_lines(command, 40, "  ")

    assert len(lines) > 1
    assert max(map(len, lines)) <= 40
    said = subprocess.run(
        ["bash", "-c", "\n".join(lines).replace("hueyctl", "printf '%s|'")],
        capture_output=True, text=True, check=True, env=os.environ,
    ).stdout  # fmt: skip
    assert said == f"resume|--task|a name with blanks|--queue|{'x' * 30}|"
